//! What causes do to their rigs, and the settings that several begin with.

use std::time::Duration;

use anyhow::Context as _;

use super::rig::{Rig, RigSettings};
use crate::target::facts;
use forebay_rig::server::fault::network::Direction;

pub(super) fn slow_answers(rig: &mut Rig, by: Duration) -> anyhow::Result<()> {
    rig.proxy()?.delay(Direction::ToClient, by);
    Ok(())
}

pub(super) fn heal_answers(rig: &mut Rig) -> anyhow::Result<()> {
    rig.proxy()?.heal();
    Ok(())
}

pub(super) fn usual() -> RigSettings {
    RigSettings::default()
}

pub(super) fn soon_full() -> RigSettings {
    RigSettings { settings: &[("maxmemory", "32mb")], rate: Some(2_000.0), ..usual() }
}

#[allow(clippy::unnecessary_wraps, reason = "it stands where others may fail")]
pub(super) fn end_reading(rig: &mut Rig) -> anyhow::Result<()> {
    rig.end_reading();
    Ok(())
}

pub(super) fn read_again(rig: &mut Rig) -> anyhow::Result<()> {
    rig.begin_reading(Duration::ZERO)
}

#[allow(clippy::unnecessary_wraps, reason = "it stands where others may fail")]
pub(super) fn nothing(_: &mut Rig) -> anyhow::Result<()> {
    Ok(())
}

/// Leaves so much of the room that is left, as a part.
pub(super) fn shrink(rig: &Rig, part: f64) -> anyhow::Result<()> {
    let facts = facts(&mut rig.connection()?)?;
    let figure = |name: &str| facts.number(name).with_context(|| format!("INFO has no {name}"));
    let (used, limit) = (figure("used_memory")?, figure("maxmemory")?);
    let left = (limit.saturating_sub(used) as f64 * part) as u64;
    rig.set("maxmemory", &(used + left).to_string())
}

/// Values beside the buffer, as many and as large as said.
pub(super) fn fill(
    connection: &mut forebay::buffer::connection::Connection,
    rig: &Rig,
    count: u64,
    bytes: usize,
) -> anyhow::Result<()> {
    let value = vec![b'x'; bytes];
    for first in (0..count).step_by(1_000) {
        let mut pipe = redis::pipe();
        for at in first..count.min(first + 1_000) {
            pipe.cmd("SET").arg(beside(rig, at)).arg(&value).ignore();
        }
        pipe.exec(connection).context("filling the server")?;
    }
    Ok(())
}

/// Takes three of four of them away, so that every page that they were on is still in use.
pub(super) fn thin(
    connection: &mut forebay::buffer::connection::Connection,
    rig: &Rig,
    count: u64,
) -> anyhow::Result<()> {
    let mut pipe = redis::pipe();
    for at in (0..count).filter(|at| at % 4 != 0) {
        pipe.cmd("DEL").arg(beside(rig, at)).ignore();
    }
    Ok(pipe.exec(connection)?)
}

pub(super) fn beside(rig: &Rig, at: u64) -> String {
    rig.name.load_value(0, usize::try_from(at).unwrap_or(usize::MAX))
}

pub(super) fn evict(rig: &mut Rig) -> anyhow::Result<()> {
    rig.set("maxmemory-policy", "allkeys-lru")?;
    let mut connection = rig.connection()?;
    rig.set("maxmemory", "8mb")?;
    fill(&mut connection, rig, 20_000, 1_000)?;
    Ok(())
}
