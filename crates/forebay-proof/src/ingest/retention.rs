//! An ingest that comes back when the source no longer has what it asks for: what is lost, and what is reported as lost.

use std::time::Duration;

use forebay_pipe::ingest::running::Running;
use forebay_rig::jetstream::{Form, IngestLedger, Settings};
use forebay_rig::server::ServerBinary;

use super::follower::Follower;
use super::scenario::Action;
use super::size::Size;
use super::stage::Stage;
use super::way::Way;
use crate::wait::wait_for;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);
/// The newest events that the source keeps.
const KEPT: u64 = 500;
/// Events that are lost, at least: those of more than a second, so that numbers that are higher cannot be another host's.
const LOST: u64 = 4_000;

/// What was lost, and what was reported.
#[derive(Debug, Clone, Copy, Default)]
pub struct Missing {
    /// Events that are not in the buffer, up to the newest that is.
    pub lost: u64,
    /// Events that were reported as lost.
    pub said: u64,
    /// Events that are there more than once.
    pub twice: u64,
}

/// One round.
pub fn round(binary: &ServerBinary, way: Way, seed: u64, size: &Size) -> anyhow::Result<Missing> {
    let settings = Settings {
        protocol: way.protocol(),
        seed,
        rate: size.rate,
        history: size.history,
        ..Settings::default()
    };
    let stage = Stage::new(binary, settings, Action::None)?;
    let source = stage.source().ok_or_else(|| anyhow::anyhow!("no host"))?;
    let first = ingest_more(&stage, way, size.history)?;
    source.change(|settings| settings.retention = KEPT);
    wait_for(LIMIT, "the source has forgotten enough", || Ok(source.oldest() > first.pushed + LOST))?;
    let second = ingest_more(&stage, way, KEPT + 1_000)?;
    // What came last may still be a block of one lane and not of another.
    let mut ledger = IngestLedger::new(0..source.tip(), |index| source.line(index, Form::V1))?;
    Follower::open(&stage.address()?, &Stage::name()?)?.take(&mut ledger)?;
    let newest = ledger.newest().unwrap_or(0);
    Ok(Missing {
        lost: ledger.lost().iter().filter(|index| **index < newest).count() as u64,
        said: second.missed.iter().filter_map(|missed| missed.events).sum(),
        twice: ledger.twice.len() as u64,
    })
}

/// An ingest until it has taken so many events.
fn ingest_more(stage: &Stage, way: Way, events: u64) -> anyhow::Result<forebay_pipe::ingest::Counted> {
    let running = Running::start(stage.config(way, false, None)?);
    wait_for(LIMIT, "events are taken", || Ok(running.counts.look().pushed >= events || running.is_over()))?;
    Ok(running.end().0?)
}
