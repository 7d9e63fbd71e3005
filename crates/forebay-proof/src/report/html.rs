//! `report.html`: one file that needs no network and no script. What is on the page is decided
//! here, how it looks in `templates/report.html` and `templates/report.css`.

mod audit;

use askama::Template;

use self::audit::AuditView;
use super::chart::{self, Figure};
use super::content::Report;
use super::standing::Standing;
use super::units;
use crate::claim::{Claim, Evidence};
use crate::printable::printable;

/// The page. Every text in it is escaped.
pub fn render(report: &Report) -> String {
    let machine = &report.machine;
    let calm = !wrong(report.standing());
    let page = Page {
        report,
        standing: report.standing(),
        headline: report.headline(),
        lead: lead(report),
        tally: report.tally(),
        claims: report.claims.iter().map(|claim| ClaimView::of(claim, calm)).collect(),
        audit: report.audit.as_ref().map(AuditView::of),
        machine: format!(
            "{}, {} {}, {} of memory, {}",
            machine.cpu,
            machine.cores,
            if machine.cores == 1 { "core" } else { "cores" },
            units::bytes(machine.memory_bytes as f64),
            machine.os
        ),
        origin: match report.target.origin.as_str() {
            "own" => "started by Forebay for this run, and stopped after it",
            url => url,
        },
        took: units::span(report.seconds),
    };
    // Proof: the template writes into a String, which takes all, and calls nothing that fails.
    printable(&page.render().expect("a String takes all")).into_owned()
}

/// What the verdict means for someone who has never seen such a report.
fn lead(report: &Report) -> &'static str {
    match report.standing() {
        _ if report.claims.is_empty() => "Nothing was tried.",
        Standing::Proven => {
            "Each claim below that is proven was tried on this server, and held. Beside it stands its \
             control: the same check on something broken on purpose, which it had to refute. A claim \
             that is untested is neither good news nor bad; it says what was missing, and what would test it."
        }
        Standing::Refuted => {
            "At least one claim below was tried on this server and did not hold. Those are open: \
             each says what was asked for, what was found, and why."
        }
        Standing::Untested => {
            "Nothing below could be tested here. A claim that is untested is neither good news nor bad; it \
             says what was missing, and what would test it."
        }
        Standing::ControlNotRefuted => {
            "Each check is also run on something broken on purpose, and must refute it. At least one \
             did not. Such a check might pass anything, so do not rely on this report until that is mended."
        }
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    standing: Standing,
    headline: String,
    lead: &'static str,
    tally: Vec<(Standing, usize)>,
    claims: Vec<ClaimView<'a>>,
    audit: Option<AuditView<'a>>,
    machine: String,
    origin: &'a str,
    took: String,
}

/// A claim as the page shows it.
struct ClaimView<'a> {
    claim: &'a Claim,
    standing: Standing,
    measured: String,
    required: String,
    exhibits: Vec<Exhibit<'a>>,
    /// Whether nothing in the report went wrong.
    calm: bool,
}

impl<'a> ClaimView<'a> {
    fn of(claim: &'a Claim, calm: bool) -> Self {
        let (measured, required) = match claim.measured() {
            Some(measured) => units::pair(measured, claim.required, claim.unit),
            None => ("no figure".into(), units::figure(claim.required, claim.unit)),
        };
        Self {
            claim,
            standing: Standing::of(claim),
            measured,
            required: format!("{} {required}", units::bound_words(claim.bound)),
            exhibits: claim.evidence.iter().map(Exhibit::of).collect(),
            calm,
        }
    }

    /// What went wrong is open, what went right is a click away; where nothing went wrong, what has something
    /// to look at is open.
    fn open(&self) -> bool {
        wrong(self.standing) || self.calm && !self.exhibits.is_empty()
    }

    fn why(&self) -> &'static str {
        match self.standing {
            Standing::Untested => "Why it is untested",
            Standing::Proven | Standing::Refuted | Standing::ControlNotRefuted => "What was seen",
        }
    }
}

/// Whether a reader should look at it first.
fn wrong(standing: Standing) -> bool {
    matches!(standing, Standing::Refuted | Standing::ControlNotRefuted)
}

/// Evidence as the page shows it.
enum Exhibit<'a> {
    Table { title: &'a str, columns: Vec<Head<'a>>, rows: Vec<Row<'a>> },
    Chart { title: &'a str, figure: Option<Figure> },
    Note(&'a str),
}

/// The head of a column.
struct Head<'a> {
    text: &'a str,
    figures: bool,
}

/// A row: its first cell names it.
struct Row<'a> {
    name: &'a str,
    cells: Vec<Head<'a>>,
}

impl<'a> Exhibit<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        match evidence {
            Evidence::Table { title, columns, rows } => {
                let figures = units::figure_columns(columns.len(), rows);
                let head = |(at, text): (usize, &'a String)| Head {
                    text,
                    figures: figures.get(at).copied().unwrap_or(false),
                };
                Self::Table {
                    title,
                    columns: columns.iter().enumerate().map(head).collect(),
                    rows: rows
                        .iter()
                        .map(|row| Row {
                            name: row.first().map_or("", String::as_str),
                            cells: row.iter().enumerate().skip(1).map(head).collect(),
                        })
                        .collect(),
                }
            }
            Evidence::Chart { title, x, y, axes, series } => {
                Self::Chart { title, figure: chart::draw(title, x, y, *axes, series) }
            }
            Evidence::Note { text } => Self::Note(text),
        }
    }
}
