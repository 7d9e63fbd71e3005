//! The table of cells, and what stands beside it.

use std::time::Duration;

use super::cell::Cell;
use super::guarantee::{Guarantee, guarantee};
use super::round::{RoundResult, Rounds};
use crate::claim::Evidence;
use crate::report::units::{counted, millis, thousands};
use forebay::buffer::writer::Ack;

/// Lines of a server's log that are shown of a cell.
const LOG_LINES: usize = 3;

/// Every cell that was tried: what it cost, what else came of it, and how it went on. No wider than a terminal.
pub(super) fn cells(cells: &[(Cell, Rounds)]) -> Vec<Evidence> {
    let played: Vec<(Cell, &[RoundResult])> =
        cells.iter().filter_map(|(cell, rounds)| Some((*cell, rounds.as_deref().ok()?))).collect();
    let rounds = played.iter().map(|(_, rounds)| rounds.len()).max().unwrap_or(0);
    let title = format!(
        "What each fault cost, in the worst of {}: acknowledged events that were lost, and how many milliseconds before the \
         fault the oldest lost one of any round had been acknowledged",
        counted(rounds as u64, "round", "rounds")
    );
    let columns = ["fault", "appendfsync", "acknowledged", "promised", "lost", "ms"];
    let rows = played.iter().filter_map(|(cell, rounds)| lost(*cell, rounds));
    let lost = table(&title, &columns, rows.collect());
    let title = "What else came of it: events that were under way and turned up all the same, that were stored twice or out of \
                 order, that the group was given again; places that a reader called damaged. In all other cells: none of these";
    let columns = ["fault", "appendfsync", "unknown", "twice", "order", "again", "damage"];
    let rows = played.iter().filter_map(|(cell, rounds)| other(*cell, rounds));
    let other = table(title, &columns, rows.collect());
    let title = "How it went on: milliseconds from the server's start to its first answer, where it had ended, and from then \
                 on until events were acknowledged; the longest of all rounds";
    let columns = ["fault", "appendfsync", "back", "resumed"];
    let rows = played.iter().map(|(cell, rounds)| went_on(*cell, rounds));
    let went_on = table(title, &columns, rows.collect());
    let title = "What shows that each fault acted, counted where it acts: in the round with the least";
    let rows = played.iter().filter_map(|(cell, rounds)| acted(*cell, rounds));
    vec![lost, other, went_on, table(title, &["fault", "appendfsync", "least", "of"], rows.collect())]
}

fn set(cell: Cell) -> [String; 2] {
    let ack = if cell.ack == Ack::Fsync { ", fsync" } else { "" };
    [cell.fault.id().into(), format!("{}{ack}", cell.appendfsync.word())]
}

fn count(events: u64) -> String {
    thousands(events as f64, 0)
}

fn ms(time: Option<Duration>) -> String {
    time.map_or("–".into(), |time| millis(time.as_secs_f64() * 1e3))
}

fn lost(cell: Cell, rounds: &[RoundResult]) -> Option<Vec<String>> {
    let promised = match guarantee(cell) {
        Ok(Guarantee::Nothing) => "0".into(),
        Ok(Guarantee::Within(time)) => format!("≤ {} s", seconds(time)),
        Ok(Guarantee::None) | Err(_) => "any".into(),
    };
    let acknowledged = rounds.iter().map(|seen| seen.held.findings.acknowledged).sum();
    let both = |seen: &RoundResult| [seen.held.lost_for, seen.through.lost_for];
    let oldest = rounds.iter().flat_map(both).flatten().map(|(oldest, _)| oldest).max();
    let most = rounds.iter().map(|seen| seen.held.findings.lost() + seen.through.findings.lost()).max()?;
    Some(set(cell).into_iter().chain([count(acknowledged), promised, count(most), ms(oldest)]).collect())
}

/// The most of each in any round; none where no round has any.
fn other(cell: Cell, rounds: &[RoundResult]) -> Option<Vec<String>> {
    let figures = rounds.iter().map(|seen| {
        let (held, through) = (&seen.held, &seen.through);
        [
            held.findings.unknown + through.findings.unknown,
            held.findings.repeats,
            held.findings.out_of_order + through.findings.out_of_order,
            through.findings.repeats,
            (held.read.faults.len() + through.read.faults.len()) as u64,
        ]
    });
    let most = figures.reduce(|most, figures| std::array::from_fn(|at| most[at].max(figures[at])))?;
    let has_any = most.iter().any(|figure| *figure > 0);
    has_any.then(|| set(cell).into_iter().chain(most.map(count)).collect())
}

fn went_on(cell: Cell, rounds: &[RoundResult]) -> Vec<String> {
    let back = ms(rounds.iter().filter_map(|seen| seen.back).max());
    let is_again = rounds.iter().all(|seen| seen.again.is_some());
    let again = ms(rounds.iter().filter_map(|seen| seen.again).max());
    set(cell).into_iter().chain([back, if is_again { again } else { "never".into() }]).collect()
}

fn acted(cell: Cell, rounds: &[RoundResult]) -> Option<Vec<String>> {
    let least = rounds.iter().map(|seen| seen.acted).min_by_key(|acted| acted.count)?;
    Some(set(cell).into_iter().chain([count(least.count), least.what.into()]).collect())
}

/// Which cells were left out, and why.
pub(super) fn left_out() -> Evidence {
    let mut why: Vec<(&str, Vec<String>)> = Vec::new();
    for cell in Cell::all() {
        let Err(reason) = guarantee(cell) else { continue };
        let name = set(cell).join(" ");
        match why.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, cells)) => cells.push(name),
            None => why.push((reason, vec![name])),
        }
    }
    let rows =
        why.into_iter().map(|(reason, cells)| vec![reason.into(), cells.len().to_string(), cells.join("; ")]);
    table("Cells that make no sense", &["because", "cells", "which"], rows.collect())
}

/// What servers logged.
pub(super) fn logs(cells: &[(Cell, Rounds)]) -> Option<Evidence> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (cell, rounds) in cells {
        let Some(seen) = rounds.as_ref().ok().and_then(|rounds| rounds.first()) else { continue };
        let mut told: Vec<&str> = Vec::new();
        for line in seen.log.iter().map(|line| message(line)) {
            if !told.contains(&line) {
                told.push(line);
            }
        }
        let last = &told[told.len().saturating_sub(LOG_LINES)..];
        rows.extend(last.iter().map(|line| set(*cell).into_iter().chain([(*line).to_owned()]).collect()));
    }
    (!rows.is_empty()).then(|| table("What the server logged", &["fault", "appendfsync", "log"], rows))
}

/// A line of a log without the process and the time: `123:M 01 Jan 2026 00:00:00.000 # Error writing …`.
fn message(line: &str) -> &str {
    let levels = [" # ", " * ", " - ", " . "];
    levels.iter().find_map(|level| line.split_once(level)).map_or(line, |(_, message)| message).trim()
}

fn table(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Evidence {
    Evidence::Table {
        title: title.into(),
        columns: columns.iter().map(|name| (*name).into()).collect(),
        rows,
    }
}

/// Seconds, with what is left of a whole one where there is any.
pub(super) fn seconds(time: Duration) -> String {
    thousands(time.as_secs_f64(), usize::from(time.subsec_millis() > 0))
}
