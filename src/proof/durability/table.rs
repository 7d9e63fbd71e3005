//! The table of cells, and what stands beside it.

use super::cell::Cell;
use super::judge::Rounds;
use super::promise::{Promise, promise};
use super::scene::Seen;
use crate::buffer::writer::Ack;
use crate::proof::claim::Evidence;
use crate::report::units::{millis, thousands};

/// Lines of a server's log that are shown of a cell.
const LOG_LINES: usize = 3;

/// Every cell that was tried.
pub(super) fn cells(cells: &[(Cell, Rounds)]) -> Evidence {
    let rows = cells
        .iter()
        .filter_map(|(cell, rounds)| {
            let rounds = rounds.as_ref().ok()?;
            let worst = rounds.iter().max_by_key(|seen| (seen.held.findings.lost(), seen.held.lost_for))?;
            Some(row(*cell, worst, rounds))
        })
        .collect();
    let title = "What each fault cost: acknowledged events that were lost and how long before the fault the oldest of them \
                 had been acknowledged, what was under way and turned up all the same, what was stored twice or out of \
                 order; how soon the server answered again, and how soon after that events were acknowledged. The worst of \
                 all rounds";
    let columns = [
        "fault",
        "appendfsync",
        "ack",
        "promised",
        "acknowledged",
        "lost",
        "ms",
        "unknown",
        "twice",
        "disorder",
        "back ms",
        "again ms",
    ];
    table(title, &columns, rows)
}

fn row(cell: Cell, seen: &Seen, rounds: &[Seen]) -> Vec<String> {
    let show = |events: u64| thousands(events as f64, 0);
    let (held, through) = (&seen.held.findings, &seen.through.findings);
    let promised = match promise(cell) {
        Ok(Promise::Nothing) => "0".into(),
        Ok(Promise::Within(time)) => format!("≤ {} s", thousands(time.as_secs_f64(), 0)),
        Ok(Promise::None) | Err(_) => "nothing".into(),
    };
    let ms = |time: Option<std::time::Duration>| {
        time.map_or("–".into(), |time| millis(time.as_secs_f64() * 1e3))
    };
    vec![
        cell.fault.words().into(),
        cell.appendfsync.word().into(),
        if cell.ack == Ack::Fsync { "fsync" } else { "reply" }.into(),
        promised,
        show(rounds.iter().map(|seen| seen.held.findings.acknowledged).sum::<u64>()),
        show(held.lost() + through.lost()),
        ms(seen.held.lost_for.max(seen.through.lost_for)),
        show(held.unknown + through.unknown),
        show(held.repeats),
        show(held.out_of_order + through.out_of_order),
        ms(seen.back),
        ms(seen.again),
    ]
}

/// Which cells were left out, and why.
pub(super) fn left_out() -> Evidence {
    let mut why: Vec<(&str, Vec<String>)> = Vec::new();
    for cell in Cell::all() {
        let Err(reason) = promise(cell) else { continue };
        let name = format!("{}, {}", cell.fault.words(), cell.setting());
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
    let rows: Vec<Vec<String>> = cells
        .iter()
        .filter_map(|(cell, rounds)| {
            let seen = rounds.as_ref().ok()?.first()?;
            let lines: Vec<&str> = seen.log.iter().rev().take(LOG_LINES).rev().map(String::as_str).collect();
            (!lines.is_empty()).then(|| vec![cell.id(), lines.join("\n")])
        })
        .collect();
    (!rows.is_empty()).then(|| table("What the server logged", &["cell", "log"], rows))
}

fn table(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Evidence {
    Evidence::Table {
        title: title.into(),
        columns: columns.iter().map(|name| (*name).into()).collect(),
        rows,
    }
}
