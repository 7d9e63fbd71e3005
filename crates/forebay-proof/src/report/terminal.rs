//! The report for a terminal: the verdict first, nothing wider than the width, sense without colour.

use super::content::Report;
use super::standing::Standing;
use super::{chart, units};
use crate::claim::{Axes, Claim, Control, Evidence, Series};

pub mod audit;
pub mod load;
mod losses;
mod page;
mod spark;
mod table;
pub mod verify;

use page::{LABEL, Page, WIDTHS, setting};
use spark::spark;

/// A table of more lines is for the HTML report: nobody finds the next claim behind it.
const TABLE_LINES_MAX: usize = 60;

/// The report in lines of at most `width` columns (and never fewer than 32), with ANSI colours
/// only if `colour`.
pub fn render(report: &Report, width: usize, colour: bool) -> String {
    let mut page = Page { out: String::new(), width: width.clamp(WIDTHS.0, WIDTHS.1), colour };
    headline(&mut page, report);
    for claim in &report.claims {
        page.blank();
        render_claim(&mut page, claim);
    }
    if let Some(found) = &report.audit {
        audit::render(&mut page, found);
    }
    if !report.conflicts.is_empty() {
        page.section("Conflicts: requirements that cannot hold together");
        for conflict in &report.conflicts {
            page.wrapped(&format!("{}: {}", conflict.id, conflict.statement), "  ", "    ");
            page.field("seen", &conflict.evidence);
            page.field("remedy", &conflict.resolution);
        }
    }
    if !report.warnings.is_empty() {
        page.section("Warnings");
        for warning in &report.warnings {
            page.wrapped(&format!("{}: {}", warning.id, warning.text), "  ", "    ");
        }
    }
    how(&mut page, report);
    losses::render(&mut page, &report.claims);
    page.out
}

fn headline(page: &mut Page, report: &Report) {
    let standing = report.standing();
    let indent = page.headed(standing, 0, &report.headline());
    let tally = report.tally();
    if tally.len() > 1 {
        let counts: Vec<_> = tally.iter().map(|(of, count)| format!("{count} {}", of.word())).collect();
        page.wrapped(&counts.join(", "), &indent, &indent);
    }
}

fn render_claim(page: &mut Page, claim: &Claim) {
    let standing = Standing::of(claim);
    page.headed(standing, LABEL, &claim.id);
    page.wrapped(&claim.statement, "  ", "  ");
    let (measured, required) = match claim.measured() {
        Some(measured) => units::pair(measured, claim.required, claim.unit),
        None => ("no figure".into(), units::figure(claim.required, claim.unit)),
    };
    page.field("measured", &measured);
    page.field("required", &format!("{} {required}", claim.bound.sign()));
    page.field("why", &claim.why);
    if let Some(command) = claim.test_with() {
        page.field("test with", command);
    }
    if let Some(control) = claim.control() {
        let Control { what, measured, .. } = control;
        let words = control.outcome().words();
        if claim.missed_its_control() {
            page.field("CONTROL", &format!("{} — {what}: {measured}", words.to_uppercase()));
            page.field("", "The check let this pass, so whatever it says is not evidence.");
        } else {
            page.field("control", &format!("{words} — {what}: {measured}"));
        }
    }
    for evidence in &claim.evidence {
        match evidence {
            Evidence::Table { title, columns, rows } => {
                page.blank();
                page.wrapped(title, "  ", "  ");
                let lines = table::lines(columns, rows, page.width - 2);
                if lines.len() > TABLE_LINES_MAX {
                    let rows = rows.len();
                    page.field("", &format!("{rows} rows: in the HTML report (--out) and in --json"));
                    continue;
                }
                for line in lines {
                    page.line(&format!("  {line}"));
                }
            }
            Evidence::Chart { title, x, y, axes, series } => sparklines(page, title, (x, y), *axes, series),
            Evidence::Note { text } => {
                page.blank();
                page.field("note", text);
            }
        }
    }
}

/// One line a series: a limit is told by its value, anything else is drawn.
fn sparklines(page: &mut Page, title: &str, (x, y): (&str, &str), axes: Axes, series: &[Series]) {
    page.blank();
    let axis = |label: &str, pick: fn(&(f64, f64)) -> f64| {
        let values = series.iter().flat_map(|line| &line.points).map(pick).filter(|v| v.is_finite());
        // Values that lie decades apart have no unit in which all read well.
        if axes.is_plain() { units::axis(label, values.fold(0.0, f64::max)) } else { (label.into(), 1.0) }
    };
    let (y, scale) = axis(y, |point| point.1);
    let (x, _) = axis(x, |point| point.0);
    page.wrapped(&format!("{title} ({y}; over {x})"), "  ", "  ");
    for line in series {
        let points: Vec<(f64, f64)> = line
            .points
            .iter()
            .map(|point| (point.0, point.1 / scale))
            .filter(|(_, value)| value.is_finite())
            .collect();
        let values: Vec<f64> = points.iter().map(|point| point.1).collect();
        let course = chart::course(axes, &points);
        let text = match values.len() {
            // Two points are a straight line, which the figures tell in full.
            3.. if values.iter().any(|value| value.to_bits() != values[0].to_bits()) => {
                let heights = if axes.is_plain() { values } else { decades(&values) };
                format!("{}: {} {course}", line.name, spark(&heights))
            }
            _ => format!("{}: {course}", line.name),
        };
        page.wrapped(&text, "    ", "      ");
    }
}

/// How many decades the values lie above the least that is above zero, and that one above zero and below.
fn decades(values: &[f64]) -> Vec<f64> {
    let least = values.iter().copied().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
    let lowest = if values.iter().any(|value| *value <= 0.0) { 1.0 } else { 0.0 };
    let height = |value: &f64| if *value > 0.0 { lowest + value.log10() - least.log10() } else { 0.0 };
    values.iter().map(height).collect()
}

fn how(page: &mut Page, report: &Report) {
    let (target, machine) = (&report.target, &report.machine);
    page.section("How it was measured");
    let origin = match target.origin.as_str() {
        "own" => "started by Forebay for this run",
        url => url,
    };
    page.field(
        "server",
        &format!("{} {}, allocator {}, {origin}", target.server, target.version, target.allocator),
    );
    if !target.settings.is_empty() {
        let settings: Vec<_> = target.settings.iter().map(|(name, value)| setting(name, value)).collect();
        page.field("settings", &settings.join(", "));
    }
    let cores = if machine.cores == 1 { "core" } else { "cores" };
    let memory = units::bytes(machine.memory_bytes as f64);
    page.field("machine", &format!("{}, {} {cores}, {memory}, {}", machine.cpu, machine.cores, machine.os));
    page.field("command", &report.command);
    page.field("started", &format!("{}, took {}", report.started, units::span(report.seconds)));
    page.field("forebay", &format!("{}, report schema {}", report.forebay, report.schema));
}
