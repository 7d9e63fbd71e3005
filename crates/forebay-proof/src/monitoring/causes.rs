//! What is brought about, and which alerts must come of it: one row a cause.

use std::time::Duration;

use anyhow::Context as _;

use super::actions::{
    end_reading, evict, fill, heal_answers, nothing, read_again, slow_answers, soon_full, thin, usual,
};
use super::rig::{Rig, RigSettings};
use super::scenario::{AWAY, AWAY_AND_SET_BACK, FILLED, Scenario};
use super::traffic;
use crate::target::facts;
use forebay::buffer::overflow::Overflow;
use forebay::event::jetstream;

/// Longer than a server waits for an fsync before it calls it delayed: 2 s.
const SLOW_FSYNC: Duration = Duration::from_millis(3_500);

/// The name of the cause in which the forecast is held against what then happens.
pub(super) const FILL: &str = "the reader is away until the buffer is full";

/// The name of the same where the room shrinks on the way, so that what was said before is wrong.
pub(super) const SHRINKS: &str = "the reader is away, and the room shrinks";

/// That control.
pub(super) const SHRINKING: Scenario = Scenario {
    name: SHRINKS,
    alerts: &["ForebayWritesRefused"],
    also: FILLED,
    is_quick: false,
    rig: soon_full,
    act: end_reading,
    undo: read_again,
};

/// Every cause.
pub(super) const CAUSES: &[Scenario] = &[
    Scenario {
        name: FILL,
        alerts: &[
            "ForebayBufferFilling",
            "ForebayBufferAlmostFull",
            "ForebayBufferFullSoon",
            "ForebayBufferFullTonight",
            "ForebayReaderStopped",
            "ForebayReaderBehind",
            "ForebayWritesRefused",
        ],
        also: FILLED,
        is_quick: false,
        rig: soon_full,
        act: end_reading,
        undo: read_again,
    },
    Scenario {
        name: "the reader is killed",
        alerts: &["ForebayReaderStopped", "ForebayReaderBehind"],
        also: &["ForebayEventsTooOld"],
        is_quick: true,
        rig: usual,
        act: end_reading,
        undo: read_again,
    },
    Scenario {
        name: "the reader is slow",
        alerts: &["ForebayReaderBehind"],
        also: &[],
        is_quick: false,
        rig: usual,
        act: |rig| {
            rig.end_reading();
            rig.begin_reading(Duration::from_secs(6))
        },
        undo: |rig| {
            rig.end_reading();
            rig.begin_reading(Duration::ZERO)
        },
    },
    Scenario {
        name: "nobody lets go of what was written",
        alerts: &["ForebayEventsTooOld"],
        also: &[],
        is_quick: false,
        rig: || RigSettings { is_read: false, ..usual() },
        act: nothing,
        undo: read_again,
    },
    Scenario {
        name: "the writer stops",
        alerts: &["ForebayWriterStopped"],
        also: &[],
        is_quick: true,
        rig: usual,
        act: |rig| {
            rig.end_writing();
            Ok(())
        },
        undo: Rig::begin_writing,
    },
    Scenario {
        name: "a second writer takes the buffer",
        alerts: &["ForebayWriterFenced"],
        also: &[],
        is_quick: true,
        rig: usual,
        act: |rig| {
            rig.other = Some(traffic::write(&rig.writes)?);
            Ok(())
        },
        undo: nothing,
    },
    Scenario {
        name: "a full buffer sheds new events",
        alerts: &["ForebayEventsShed"],
        also: FILLED,
        is_quick: false,
        rig: || RigSettings { overflow: Overflow::Shed, ..usual() },
        act: |rig| rig.set("maxmemory", "1"),
        undo: |rig| rig.set("maxmemory", "2gb"),
    },
    Scenario {
        name: "a full buffer drops its oldest events unread",
        alerts: &["ForebayEventsTrimmedUnread"],
        also: FILLED,
        is_quick: false,
        rig: || RigSettings {
            settings: &[("maxmemory", "5mb")],
            rate: Some(2_000.0),
            overflow: Overflow::TrimOldest,
            ..usual()
        },
        act: end_reading,
        undo: read_again,
    },
    Scenario {
        name: "a server without persistence is killed and started again",
        alerts: &["ForebayEventsLost", "ForebayServerRestarted"],
        also: AWAY_AND_SET_BACK,
        is_quick: true,
        rig: || RigSettings { settings: &[("appendonly", "no")], ..usual() },
        act: |rig| {
            rig.server.kill()?;
            Ok(rig.server.restart()?)
        },
        undo: |rig| {
            // The group is gone with the server's data: whoever reads makes it again.
            rig.end_reading();
            rig.begin_reading(Duration::ZERO)
        },
    },
    Scenario {
        name: "the server evicts keys",
        alerts: &["ForebayKeysEvicted"],
        also: &[],
        is_quick: false,
        rig: || RigSettings { rate: None, is_read: false, ..usual() },
        act: evict,
        undo: |rig| {
            rig.set("maxmemory-policy", "noeviction")?;
            rig.set("maxmemory", "2gb")
        },
    },
    Scenario {
        name: "the disk has no room for the log",
        alerts: &["ForebayAofWriteFailed"],
        also: &[
            "ForebayDiskShortForRewrite",
            "ForebayAofRewriteFailed",
            "ForebayFsyncDelayed",
            "ForebayBufferFilling",
            "ForebayBufferAlmostFull",
            "ForebayBufferFullSoon",
            "ForebayBufferFullTonight",
            "ForebayReaderBehind",
            "ForebayReaderStopped",
        ],
        is_quick: false,
        rig: || RigSettings { on_disk: true, ..usual() },
        act: |rig| {
            let disk = rig.disk()?;
            disk.set_room(disk.used());
            Ok(())
        },
        undo: |rig| {
            rig.disk()?.set_room(256 << 20);
            Ok(())
        },
    },
    Scenario {
        name: "the disk has no room for a rewrite",
        alerts: &["ForebayDiskShortForRewrite", "ForebayAofRewriteFailed"],
        also: &[
            "ForebayBufferFilling",
            "ForebayBufferAlmostFull",
            "ForebayBufferFullSoon",
            "ForebayBufferFullTonight",
        ],
        is_quick: false,
        rig: || RigSettings { on_disk: true, rate: None, is_read: false, ..usual() },
        act: |rig| {
            let mut connection = rig.connection()?;
            fill(&mut connection, rig, 20_000, 1_000)?;
            let disk = rig.disk()?;
            disk.set_room(disk.used() + (1 << 20));
            Ok(redis::cmd("BGREWRITEAOF").exec(&mut connection)?)
        },
        undo: |rig| {
            rig.disk()?.set_room(256 << 20);
            Ok(redis::cmd("BGREWRITEAOF").exec(&mut rig.connection()?)?)
        },
    },
    Scenario {
        name: "the disk is slow to fsync",
        alerts: &["ForebayFsyncDelayed"],
        also: &[
            "ForebaySlowWarning",
            "ForebaySlowCritical",
            "ForebayReaderBehind",
            "ForebayReaderStopped",
            "ForebayWritesRefused",
            "ForebayServerDown",
            "ForebayWatchBlind",
            "ForebayWriterStopped",
        ],
        is_quick: false,
        rig: || RigSettings { on_disk: true, ..usual() },
        act: |rig| {
            rig.disk()?.slow_fsync(SLOW_FSYNC);
            Ok(())
        },
        undo: |rig| {
            rig.disk()?.slow_fsync(Duration::ZERO);
            Ok(())
        },
    },
    Scenario {
        name: "the server is started again",
        alerts: &["ForebayServerRestarted"],
        also: AWAY,
        is_quick: false,
        rig: usual,
        act: |rig| {
            rig.server.terminate()?;
            Ok(rig.server.restart()?)
        },
        undo: nothing,
    },
    Scenario {
        name: "the server is down",
        alerts: &["ForebayServerDown"],
        also: AWAY,
        is_quick: true,
        rig: usual,
        act: |rig| Ok(rig.server.kill().map(drop)?),
        undo: |rig| Ok(rig.server.restart()?),
    },
    Scenario {
        name: "the server stands still",
        alerts: &["ForebayServerDown"],
        also: AWAY,
        is_quick: false,
        rig: usual,
        act: |rig| Ok(rig.server.pause()?),
        undo: |rig| Ok(rig.server.resume()?),
    },
    Scenario {
        name: "answers take 600 ms",
        alerts: &["ForebaySlowWarning"],
        // A look is many answers.
        also: &["ForebayWatchBlind"],
        is_quick: false,
        rig: || RigSettings { through_proxy: true, ..usual() },
        act: |rig| slow_answers(rig, Duration::from_millis(600)),
        undo: heal_answers,
    },
    Scenario {
        name: "answers take 1,400 ms",
        alerts: &["ForebaySlowCritical", "ForebaySlowWarning"],
        // A look is many answers.
        also: &["ForebayWatchBlind"],
        is_quick: true,
        rig: || RigSettings { through_proxy: true, ..usual() },
        act: |rig| slow_answers(rig, Duration::from_millis(1_400)),
        undo: heal_answers,
    },
    Scenario {
        name: "maxclients is nearly met",
        alerts: &["ForebayConnectionsNearLimit"],
        also: &[],
        is_quick: false,
        rig: usual,
        act: |rig| {
            let connected = facts(&mut rig.connection()?)?.number("connected_clients");
            let connected = connected.context("INFO has no connected_clients")?;
            rig.set("maxclients", &(connected + 1).to_string())
        },
        undo: |rig| rig.set("maxclients", "10000"),
    },
    Scenario {
        name: "the server's memory is in pieces",
        alerts: &["ForebayFragmentationCosts"],
        also: &[],
        is_quick: false,
        rig: || RigSettings { rate: None, is_read: false, ..usual() },
        act: |rig| {
            let mut connection = rig.connection()?;
            fill(&mut connection, rig, 40_000, 1_000)?;
            thin(&mut connection, rig, 40_000)?;
            rig.set("maxmemory", "40mb")
        },
        undo: |rig| {
            rig.set("maxmemory", "2gb")?;
            Ok(redis::cmd("FLUSHALL").exec(&mut rig.connection()?)?)
        },
    },
    Scenario {
        name: "a lane holds what is no block",
        alerts: &["ForebayBlocksDamaged"],
        // It is over with the data.
        also: &["ForebayWriterStopped", "ForebayBufferSetBack"],
        is_quick: false,
        rig: || RigSettings { is_read: false, ..usual() },
        act: |rig| {
            rig.end_writing();
            let key = rig.name.stream(jetstream::LIKES);
            let mut connection = rig.connection()?;
            Ok(redis::cmd("XADD").arg(key).arg("*").arg("f").arg("nonsense").exec(&mut connection)?)
        },
        undo: |rig| {
            // The rig's own server: nothing of anybody else's is there.
            redis::cmd("FLUSHALL").exec(&mut rig.connection()?)?;
            rig.begin_writing()
        },
    },
    Scenario {
        name: "the server's data is deleted",
        alerts: &["ForebayBufferSetBack"],
        also: &["ForebayWriterStopped"],
        is_quick: true,
        rig: usual,
        act: |rig| {
            // One that runs would go on counting where it was, maybe before the next look.
            rig.end_writing();
            rig.end_reading();
            // The rig's own server: nothing of anybody else's is there.
            Ok(redis::cmd("FLUSHALL").exec(&mut rig.connection()?)?)
        },
        undo: |rig| {
            rig.begin_writing()?;
            rig.begin_reading(Duration::ZERO)
        },
    },
    Scenario {
        name: "the watch is gone",
        alerts: &["ForebayWatchBlind"],
        also: &[],
        is_quick: true,
        rig: usual,
        act: |rig| {
            rig.end_watching();
            Ok(())
        },
        undo: Rig::begin_watching,
    },
    Scenario {
        name: "the server refuses writes for want of a replica",
        alerts: &["ForebayWritesRefused"],
        // To be given a block is a write too.
        also: &["ForebayWriterStopped", "ForebayReaderStopped", "ForebayReaderBehind"],
        is_quick: false,
        rig: usual,
        act: |rig| rig.set("min-replicas-to-write", "1"),
        undo: |rig| rig.set("min-replicas-to-write", "0"),
    },
    Scenario {
        name: "the server loads its data for long",
        alerts: &["ForebayServerLoading"],
        also: AWAY,
        is_quick: false,
        // Half a millisecond for each command that it loads.
        rig: || RigSettings { settings: &[("key-load-delay", "500")], rate: None, is_read: false, ..usual() },
        act: |rig| {
            fill(&mut rig.connection()?, rig, 20_000, 10)?;
            rig.server.kill()?;
            Ok(rig.server.restart()?)
        },
        undo: nothing,
    },
];
