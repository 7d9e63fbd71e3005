//! A run of the load generator for a terminal: first whether it stands for its rate.

use super::super::load::{LoadRun, Percentiles};
use super::super::units::{self, thousands};
use super::page::{Page, WIDTHS};
use super::spark::spark;
use super::table;

/// The run in lines of at most `width` columns.
pub fn render(run: &LoadRun<'_>, width: usize, colour: bool) -> String {
    let mut page = Page { out: String::new(), width: width.clamp(WIDTHS.0, WIDTHS.1), colour };
    let outcome = run.outcome;
    headline(&mut page, run);
    page.blank();
    let lines = table::lines(&columns(), &rows(run), page.width);
    for line in lines {
        page.line(&line);
    }
    page.blank();
    for (kind, count) in &outcome.errors {
        page.field("failed", &format!("{}: {kind}", thousands(*count as f64, 0)));
    }
    if outcome.connection_failures > 0 {
        let count = thousands(outcome.connection_failures as f64, 0);
        page.field("", &format!("of these {count} were connections without a request under way"));
    }
    for example in &outcome.examples {
        page.field("wrong", example);
    }
    let rates: Vec<f64> = outcome.whole_seconds().map(|second| second.right as f64).collect();
    if rates.len() > 2 {
        page.field("rate", &format!("{} {}/s", spark(&rates), units::course(&rates)));
    }
    if outcome.paced {
        let jitter = Percentiles::of(&outcome.jitter).cells();
        page.field(
            "sent",
            &format!("p50 {} ms, p99 {} ms, at most {} ms after due", jitter[0], jitter[2], jitter[4]),
        );
        let [end, most] =
            [outcome.backlog_at_end, outcome.backlog_max].map(|count| thousands(count as f64, 0));
        page.field("backlog", &format!("{end} due and not sent at the end, at most {most}"));
    }
    page.field("client", &format!("{:.1} % of a core", outcome.cpu_percent()));
    let (target, machine) = (&run.target, &run.machine);
    let origin = if target.origin == "own" { "started for this run" } else { &target.origin };
    page.field("server", &format!("{} {}, {origin}", target.server, target.version));
    page.field("machine", &format!("{}, {} cores, {}", machine.cpu, machine.cores, machine.os));
    page.out
}

fn headline(page: &mut Page, run: &LoadRun<'_>) {
    let outcome = run.outcome;
    let rate = |rate: f64| thousands(rate, usize::from(rate < 100.0));
    if outcome.interrupted {
        page.wrapped("INTERRUPTED: what follows is what was seen until then.", "", "  ");
    }
    if let Some(shortfall) = outcome.shortfall() {
        let (got, due) = (rate(outcome.rate()), rate(outcome.rate_due()));
        page.wrapped(&format!("NOT REACHED: {got} requests/s of {due}; {shortfall}"), "", "  ");
    }
    let how = format!(
        "{} of {}, {}, {} connections, at most {} under way on each",
        run.op, run.payload, run.pattern, run.connections, run.pipeline
    );
    let span = units::span(outcome.seconds);
    let text = if outcome.paced {
        format!(
            "{} requests/s answered of {} due, {span}: {how}",
            rate(outcome.rate()),
            rate(outcome.rate_due())
        )
    } else {
        format!("{} requests/s answered, {span}: {how}", rate(outcome.rate()))
    };
    page.wrapped(&text, "", "  ");
}

fn columns() -> Vec<String> {
    ["milliseconds", "requests", "p50", "p95", "p99", "p99.9", "max"].map(String::from).into()
}

/// A row a command, then all of them from when each was due, and from when each was sent.
fn rows(run: &LoadRun<'_>) -> Vec<Vec<String>> {
    let row = |name: &str, figures: &Percentiles| {
        [name.to_owned(), thousands(figures.count as f64, 0)].into_iter().chain(figures.cells()).collect()
    };
    let outcome = run.outcome;
    let mut rows: Vec<Vec<String>> = Vec::new();
    if outcome.kinds.len() > 1 {
        rows.extend(
            outcome.kinds.iter().map(|(kind, figures)| row(kind.name(), &Percentiles::of(&figures.response))),
        );
    }
    let response = Percentiles::of(&outcome.response());
    if outcome.paced {
        rows.push(row("from due", &response));
        rows.push(row("from sent (closed loop)", &Percentiles::of(&outcome.service())));
    } else {
        rows.push(row("from sent (closed loop)", &response));
    }
    rows
}
