//! The table of cells, and what stands beside it.

use std::time::Duration;

use super::cell::Cell;
use super::judge::Rounds;
use super::promise::{Promise, promise};
use super::scene::Seen;
use crate::buffer::writer::Ack;
use crate::proof::claim::Evidence;
use crate::report::units::{millis, thousands};

/// Lines of a server's log that are shown of a cell.
const LOG_LINES: usize = 3;

/// Every cell that was tried: what it cost, and how it went on.
pub(super) fn cells(cells: &[(Cell, Rounds)]) -> [Evidence; 2] {
    let worst: Vec<(Cell, &Seen, &[Seen])> = cells
        .iter()
        .filter_map(|(cell, rounds)| {
            let rounds = rounds.as_ref().ok()?;
            let worst = rounds.iter().max_by_key(|seen| (seen.held.findings.lost(), seen.held.lost_for))?;
            Some((*cell, worst, rounds.as_slice()))
        })
        .collect();
    let title = "What each fault cost, in the worst of all rounds: acknowledged events that were lost, and how many \
                 milliseconds before the fault the oldest of them had been acknowledged";
    let columns = ["fault", "appendfsync", "rounds", "acknowledged", "promised", "lost", "ms"];
    let lost = worst.iter().map(|(cell, seen, rounds)| lost(*cell, seen, rounds)).collect();
    let lost = table(title, &columns, lost);
    let title = "And how it went on: what was under way and turned up all the same, what was stored twice or out of order, \
                 what the group was given again; milliseconds from the server's start to its first answer, and from then on \
                 until events were acknowledged";
    let columns = ["fault", "appendfsync", "unknown", "twice", "disorder", "again", "back", "resumed"];
    let went_on = worst.iter().map(|(cell, seen, _)| went_on(*cell, seen)).collect();
    [lost, table(title, &columns, went_on)]
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

fn lost(cell: Cell, seen: &Seen, rounds: &[Seen]) -> Vec<String> {
    let promised = match promise(cell) {
        Ok(Promise::Nothing) => "0".into(),
        Ok(Promise::Within(time)) => format!("≤ {} s", thousands(time.as_secs_f64(), 0)),
        Ok(Promise::None) | Err(_) => "any".into(),
    };
    let acknowledged = rounds.iter().map(|seen| seen.held.findings.acknowledged).sum();
    let mut row = set(cell).to_vec();
    row.extend([
        rounds.len().to_string(),
        count(acknowledged),
        promised,
        count(seen.held.findings.lost() + seen.through.findings.lost()),
        ms(seen.held.lost_for.max(seen.through.lost_for)),
    ]);
    row
}

fn went_on(cell: Cell, seen: &Seen) -> Vec<String> {
    let (held, through) = (&seen.held.findings, &seen.through.findings);
    let mut row = set(cell).to_vec();
    row.extend([
        count(held.unknown + through.unknown),
        count(held.repeats),
        count(held.out_of_order + through.out_of_order),
        count(through.repeats),
        ms(seen.back),
        ms(seen.again),
    ]);
    row
}

/// Which cells were left out, and why.
pub(super) fn left_out() -> Evidence {
    let mut why: Vec<(&str, Vec<String>)> = Vec::new();
    for cell in Cell::all() {
        let Err(reason) = promise(cell) else { continue };
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
