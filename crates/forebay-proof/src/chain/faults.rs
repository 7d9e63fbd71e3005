//! What is done to source, ingest, server and drain while events come, and when.

use super::line::{Breaks, ChainLine};
use crate::exactly_once::{Round, Seen};

/// What faults count.
pub(super) const CUT: &str = "connections cut";
pub(super) const INGEST: &str = "ingest ended";
pub(super) const TAKEN: &str = "bytes of the log taken";
pub(super) const DRAIN: &str = "drain ended before a step";

/// Something that is done once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The host ends every connection.
    Cut,
    /// The ingest is ended, and started again.
    Ingest,
    /// The server is killed, and started again without the last of its log.
    Server,
    /// The drain ends before some step, and another begins.
    Drain,
}

/// A round with these faults, in an order and at moments that are drawn.
pub(super) fn play(round: &Round<'_>, faults: &[Fault], breaks: Breaks) -> anyhow::Result<Seen> {
    let mut line = ChainLine::start(round, faults.contains(&Fault::Server), breaks)?;
    let mut faults = faults.to_vec();
    line.random.shuffle(&mut faults);
    // An ingest takes seconds to be back, and then takes all at once: nothing comes while others act.
    faults.sort_by_key(|fault| *fault == Fault::Server);
    let between = round.events * 4 / 5 / faults.len() as u64;
    for (number, fault) in (0..).zip(faults) {
        let at = between * number + line.random.u64(between / 4..between);
        line.until_taken(at)?;
        inject(&mut line, fault)?;
        // What a kill takes came after the fault before it.
        line.mark_log()?;
    }
    line.finish()
}

fn inject(line: &mut ChainLine<'_>, fault: Fault) -> anyhow::Result<()> {
    match fault {
        Fault::Cut => {
            line.cut();
            Ok(())
        }
        Fault::Ingest => line.ingest_again(),
        Fault::Server => {
            let taken = line.kill_server()?;
            line.seen.acted.add(TAKEN, taken);
            line.begin_again()
        }
        Fault::Drain => line.drain_until_a_step(),
    }
}
