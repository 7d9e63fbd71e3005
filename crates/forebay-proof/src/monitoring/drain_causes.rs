//! Causes that lie at a drain: its way to the server, and the disk that it writes its files to.

use std::time::Duration;

use anyhow::Context as _;

use super::actions::usual;
use super::rig::{LAKE_ROOM, Rig, RigSettings};
use super::scenario::Scenario;
use crate::wait::look_every;
use forebay_watch::drain::drains;

/// How long an event may wait for its file.
const AGE: Duration = Duration::from_secs(5);

/// How long a drain may take until its first commit is seen.
const BEGUN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// Each of the many fsyncs of a commit takes so long on a slow disk.
const SLOW: Duration = Duration::from_secs(1);
/// What is left where room is short: less than the rule's line, and enough for the run.
const LEFT: u64 = 256 << 20;

/// Every cause.
pub(super) const CAUSES: &[Scenario] = &[
    Scenario {
        name: "a drain is cut off from its server",
        alerts: &["ForebayDrainStopped"],
        also: &["ForebayDrainBehind"],
        is_quick: false,
        rig: drained,
        act: |rig| {
            wait_for_commit(rig)?;
            rig.drain_proxy()?.black_hole();
            Ok(())
        },
        undo: |rig| {
            rig.drain_proxy()?.heal();
            Ok(())
        },
    },
    Scenario {
        name: "a drain's disk is full",
        alerts: &["ForebayDrainRefused"],
        also: &["ForebayDrainBehind", "ForebayDrainDiskShort"],
        is_quick: true,
        rig: drained,
        act: |rig| {
            wait_for_commit(rig)?;
            let lake = rig.lake()?;
            lake.set_room(lake.used());
            Ok(())
        },
        undo: with_room,
    },
    Scenario {
        name: "a drain's disk is slow to fsync",
        alerts: &["ForebayDrainBehind"],
        also: &[],
        is_quick: false,
        rig: drained,
        act: |rig| {
            wait_for_commit(rig)?;
            rig.lake()?.slow_fsync(SLOW);
            Ok(())
        },
        undo: |rig| {
            rig.lake()?.slow_fsync(Duration::ZERO);
            Ok(())
        },
    },
    Scenario {
        name: "a drain's disk is nearly full",
        alerts: &["ForebayDrainDiskShort"],
        also: &[],
        is_quick: false,
        rig: drained,
        act: |rig| {
            wait_for_commit(rig)?;
            let lake = rig.lake()?;
            lake.set_room(lake.used() + LEFT);
            Ok(())
        },
        undo: with_room,
    },
];

fn drained() -> RigSettings {
    RigSettings { drained_within: Some(AGE), ..usual() }
}

fn with_room(rig: &mut Rig) -> anyhow::Result<()> {
    rig.lake()?.set_room(LAKE_ROOM);
    Ok(())
}

/// Waits until the watch has seen the drain commit.
fn wait_for_commit(rig: &Rig) -> anyhow::Result<()> {
    let shown = rig.shown()?;
    let has_committed = || {
        let is_so = |drain: &forebay_watch::drain::Drain<'_>| drain.sink.figures.commits > 0;
        shown.with_view(|view| view.seen().is_some_and(|seen| drains(&seen.stat).iter().any(is_so)))
    };
    let begun = look_every(PAUSE, BEGUN, || Ok(has_committed().then_some(())))?;
    begun.with_context(|| format!("the drain committed nothing in {BEGUN:?}"))
}
