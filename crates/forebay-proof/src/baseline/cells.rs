//! Each operation on one to a thousand connections, as fast as answers come.

use std::time::Duration;

use super::bench::{Bench, GRACE};
use forebay::buffer::writer::{Options, Writer};
use forebay_rig::load::append;
use forebay_rig::load::outcome::Outcome;
use forebay_rig::load::work::{OperationKind, Work};

/// How many connections at once.
pub const CONNECTIONS: [usize; 5] = [1, 10, 50, 200, 1_000];

/// What is tried; what it needs comes with it.
const KINDS: [OperationKind; 7] = [
    OperationKind::Set,
    OperationKind::Get,
    OperationKind::Del,
    OperationKind::Lpush,
    OperationKind::Rpop,
    OperationKind::Xadd,
    OperationKind::Xreadgroup,
];

/// One operation on so many connections.
pub struct Cell {
    pub kind: OperationKind,
    /// None for the writer, which has its own.
    pub connections: Option<usize>,
    pub outcome: Outcome,
}

/// Every cell, so long each.
pub fn all(bench: &Bench<'_>, each: Duration) -> anyhow::Result<Vec<Cell>> {
    cells(bench, each, &KINDS, &CONNECTIONS)
}

/// Some cells.
pub fn cells(
    bench: &Bench<'_>,
    each: Duration,
    kinds: &[OperationKind],
    connections: &[usize],
) -> anyhow::Result<Vec<Cell>> {
    let mut cells = Vec::new();
    bench.progress.begin("each operation", (kinds.len() * connections.len()) as u64);
    for kind in kinds {
        for connections in connections {
            let outcome = bench.run(&Work::only(*kind), *connections, None, each)?;
            cells.push(Cell { kind: *kind, connections: Some(*connections), outcome });
            bench.progress.at(cells.len() as u64);
        }
    }
    Ok(cells)
}

/// Events through the buffer's own writer.
pub fn append(bench: &Bench<'_>, duration: Duration) -> anyhow::Result<Cell> {
    let writer = Writer::open(bench.address, bench.name, &Options { patience: GRACE, ..Options::default() })?;
    let plan = append::AppendPlan {
        arrivals: None,
        duration,
        grace: GRACE,
        event: &|id, out| out.extend_from_slice(&bench.payloads.payload(id)),
        offered: &mut |_, _| {},
    };
    let (outcome, error) = append::run(plan, writer, &false.into(), &mut |_| {});
    crate::target::remove(bench.address, bench.name);
    match error {
        Some(error) => Err(error.into()),
        None => Ok(Cell { kind: OperationKind::Append, connections: None, outcome }),
    }
}
