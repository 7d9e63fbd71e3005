//! What faults cost, allowed or not, as the last thing on the screen: a claim that is proven may allow a loss.

use super::page::Page;
use super::table;
use crate::claim::{Claim, Unit, Verdict};
use crate::report::units::thousands;

/// Values of `appendfsync`, and the one with acknowledgement after fsync, as claims are named.
const COLUMNS: [&str; 4] = ["always", "everysec", "everysec.fsync", "no"];

/// Proofs of which each claim is one of a fault, as their claims' names begin, and what is said above them.
const EXACTLY_ONCE: [(&str, &str); 3] = [
    ("ingest.", "Ingest: events lost or twice in the buffer"),
    ("drain.", "Drain: events lost or twice in the files"),
    ("chain.", "Chain: events lost or twice from the source to the files"),
];

/// The proof of which each claim is one of all faults.
const FAILOVER: (&str, &str) = ("failover.", "Failover: acknowledged events lost, twice or out of order");

/// Acknowledged events lost in the worst round, by fault and `appendfsync`.
pub(super) fn render(page: &mut Page, claims: &[Claim]) {
    durability(page, claims);
    for of in EXACTLY_ONCE {
        exactly_once(page, claims, of, "faults");
    }
    exactly_once(page, claims, FAILOVER, "claims");
}

/// Of the durability proof.
fn durability(page: &mut Page, claims: &[Claim]) {
    let mut rows: Vec<(&str, [Option<u64>; COLUMNS.len()])> = Vec::new();
    for claim in claims {
        let Some((fault, set)) = claim.id.strip_prefix("durability.").and_then(|id| id.split_once('.'))
        else {
            continue;
        };
        let column = COLUMNS.iter().position(|column| *column == set);
        let (Some(column), Some(lost)) = (column, claim.lost_worst) else { continue };
        if rows.iter().all(|(known, _)| *known != fault) {
            rows.push((fault, Default::default()));
        }
        if let Some((_, cells)) = rows.iter_mut().find(|(known, _)| *known == fault) {
            cells[column] = Some(lost);
        }
    }
    if rows.is_empty() {
        return;
    }
    page.section("Acknowledged events lost, worst round");
    let show = |lost: &Option<u64>| lost.map_or("–".into(), |lost| thousands(lost as f64, 0));
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(fault, cells)| [(*fault).to_owned()].into_iter().chain(cells.iter().map(show)).collect())
        .collect();
    let columns = ["fault", "always", "everysec", "everysec, fsync", "no"].map(String::from);
    for line in table::lines(&columns, &rows, page.width - 2) {
        page.line(&format!("  {line}"));
    }
}

/// Of a proof that nothing is lost and nothing comes twice: how many faults, or claims, saw neither, and which did.
fn exactly_once(page: &mut Page, claims: &[Claim], (proof, title): (&str, &str), what: &str) {
    let of_faults = |claim: &&Claim| claim.id.starts_with(proof) && claim.unit == Unit::Events;
    let claims: Vec<&Claim> = claims.iter().filter(of_faults).collect();
    if claims.is_empty() {
        return;
    }
    let count = |verdict| claims.iter().filter(|claim| claim.verdict() == verdict).count();
    page.section(title);
    let tried = claims.len() - count(Verdict::Untested);
    page.wrapped(&format!("{} of {tried} {what} tried: none", count(Verdict::Proven)), "  ", "  ");
    for claim in claims.iter().filter(|claim| claim.verdict() == Verdict::Refuted) {
        let wrong = claim.measured().map_or("no figure".into(), |wrong| thousands(wrong, 0));
        page.wrapped(&format!("{}: {wrong}", claim.id), "  ", "    ");
    }
}
