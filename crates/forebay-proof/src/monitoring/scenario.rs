//! What is brought about, and which alerts must come of it: one row a cause.

use std::time::Duration;

use anyhow::Context as _;

use super::rig::{Ground, Station};
use super::traffic;
use crate::target::facts;
use forebay::buffer::overflow::Overflow;
use forebay::event::jetstream;
use forebay_rig::server::fault::network::Way;

/// Longer than a server waits for an fsync before it calls it delayed: 2 s.
const SLOW_FSYNC: Duration = Duration::from_millis(3_500);

/// A cause.
pub(super) struct Cause {
    /// What happens, as a name.
    pub name: &'static str,
    /// Rules that must fire by it, and clear once it is over.
    pub alerts: &'static [&'static str],
    /// Rules that may fire beside those, and beside what those imply: they are true meanwhile.
    pub also: &'static [&'static str],
    /// Whether it is brought about in a quick part.
    pub is_quick: bool,
    /// Where.
    pub ground: fn() -> Ground,
    /// Brings it about.
    pub act: fn(&mut Station) -> anyhow::Result<()>,
    /// Ends it.
    pub undo: fn(&mut Station) -> anyhow::Result<()>,
}

fn slow_answers(station: &mut Station, by: Duration) -> anyhow::Result<()> {
    station.proxy()?.delay(Way::ToClient, by);
    Ok(())
}

fn heal_answers(station: &mut Station) -> anyhow::Result<()> {
    station.proxy()?.heal();
    Ok(())
}

fn usual() -> Ground {
    Ground::default()
}

fn soon_full() -> Ground {
    Ground { settings: &[("maxmemory", "32mb")], rate: Some(2_000.0), ..usual() }
}

#[allow(clippy::unnecessary_wraps, reason = "it stands where others may fail")]
fn end_reading(station: &mut Station) -> anyhow::Result<()> {
    station.end_reading();
    Ok(())
}

fn read_again(station: &mut Station) -> anyhow::Result<()> {
    station.begin_reading(Duration::ZERO)
}

#[allow(clippy::unnecessary_wraps, reason = "it stands where others may fail")]
fn nothing(_: &mut Station) -> anyhow::Result<()> {
    Ok(())
}

/// Beyond what a full buffer brings with it.
const FILLED: &[&str] = &[
    "ForebayBufferFilling",
    "ForebayBufferAlmostFull",
    "ForebayBufferFullSoon",
    "ForebayBufferFullTonight",
    "ForebayWritesRefused",
    "ForebayWriterStopped",
    "ForebayReaderStopped",
    "ForebayReaderBehind",
    "ForebayEventsTooOld",
];

/// What a server that is not there, or not itself, brings with it; and, first, what one does that comes back with less than
/// it had: whether a look sees that before the writer goes on is chance.
const AWAY_AND_SET_BACK: &[&str] = &[
    "ForebayBufferSetBack",
    "ForebayServerDown",
    "ForebayServerLoading",
    "ForebayServerRestarted",
    "ForebayWatchBlind",
    "ForebayWriterStopped",
    "ForebayWritesRefused",
    "ForebayReaderStopped",
    "ForebayReaderBehind",
    "ForebaySlowWarning",
    "ForebaySlowCritical",
    "ForebayBufferFullTonight",
    "ForebayBufferFullSoon",
];

/// The same of one that comes back with all.
const AWAY: &[&str] = match AWAY_AND_SET_BACK.split_first() {
    Some((_, away)) => away,
    None => &[],
};

/// The name of the cause in which the forecast is held against what then happens.
pub(super) const FILL: &str = "the reader is away until the buffer is full";

/// The name of the same where the room shrinks on the way, so that what was said before is wrong.
pub(super) const SHRINKS: &str = "the reader is away, and the room shrinks";

/// That control.
pub(super) const SHRINKING: Cause = Cause {
    name: SHRINKS,
    alerts: &["ForebayWritesRefused"],
    also: FILLED,
    is_quick: false,
    ground: soon_full,
    act: end_reading,
    undo: read_again,
};

/// Leaves so much of the room that is left, as a part.
pub(super) fn shrink(station: &Station, part: f64) -> anyhow::Result<()> {
    let facts = facts(&mut station.connection()?)?;
    let figure = |name: &str| facts.number(name).with_context(|| format!("INFO has no {name}"));
    let (used, limit) = (figure("used_memory")?, figure("maxmemory")?);
    let left = (limit.saturating_sub(used) as f64 * part) as u64;
    station.set("maxmemory", &(used + left).to_string())
}

/// Every cause.
pub(super) const CAUSES: &[Cause] = &[
    Cause {
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
        ground: soon_full,
        act: end_reading,
        undo: read_again,
    },
    Cause {
        name: "the reader is killed",
        alerts: &["ForebayReaderStopped", "ForebayReaderBehind"],
        also: &["ForebayEventsTooOld"],
        is_quick: true,
        ground: usual,
        act: end_reading,
        undo: read_again,
    },
    Cause {
        name: "the reader is slow",
        alerts: &["ForebayReaderBehind"],
        also: &[],
        is_quick: false,
        ground: usual,
        act: |station| {
            station.end_reading();
            station.begin_reading(Duration::from_secs(6))
        },
        undo: |station| {
            station.end_reading();
            station.begin_reading(Duration::ZERO)
        },
    },
    Cause {
        name: "nobody lets go of what was written",
        alerts: &["ForebayEventsTooOld"],
        also: &[],
        is_quick: false,
        ground: || Ground { is_read: false, ..usual() },
        act: nothing,
        undo: read_again,
    },
    Cause {
        name: "the writer stops",
        alerts: &["ForebayWriterStopped"],
        also: &[],
        is_quick: true,
        ground: usual,
        act: |station| {
            station.end_writing();
            Ok(())
        },
        undo: Station::begin_writing,
    },
    Cause {
        name: "a second writer takes the buffer",
        alerts: &["ForebayWriterFenced"],
        also: &[],
        is_quick: true,
        ground: usual,
        act: |station| {
            station.other = Some(traffic::write(&station.writes)?);
            Ok(())
        },
        undo: nothing,
    },
    Cause {
        name: "a full buffer sheds new events",
        alerts: &["ForebayEventsShed"],
        also: FILLED,
        is_quick: false,
        ground: || Ground { overflow: Overflow::Shed, ..usual() },
        act: |station| station.set("maxmemory", "1"),
        undo: |station| station.set("maxmemory", "2gb"),
    },
    Cause {
        name: "a full buffer drops its oldest events unread",
        alerts: &["ForebayEventsTrimmedUnread"],
        also: FILLED,
        is_quick: false,
        ground: || Ground {
            settings: &[("maxmemory", "5mb")],
            rate: Some(2_000.0),
            overflow: Overflow::TrimOldest,
            ..usual()
        },
        act: end_reading,
        undo: read_again,
    },
    Cause {
        name: "a server without persistence is killed and started again",
        alerts: &["ForebayEventsLost", "ForebayServerRestarted"],
        also: AWAY_AND_SET_BACK,
        is_quick: true,
        ground: || Ground { settings: &[("appendonly", "no")], ..usual() },
        act: |station| {
            station.server.kill()?;
            Ok(station.server.restart()?)
        },
        undo: |station| {
            // The group is gone with the server's data: whoever reads makes it again.
            station.end_reading();
            station.begin_reading(Duration::ZERO)
        },
    },
    Cause {
        name: "the server evicts keys",
        alerts: &["ForebayKeysEvicted"],
        also: &[],
        is_quick: false,
        ground: || Ground { rate: None, is_read: false, ..usual() },
        act: evict,
        undo: |station| {
            station.set("maxmemory-policy", "noeviction")?;
            station.set("maxmemory", "2gb")
        },
    },
    Cause {
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
        ground: || Ground { on_disk: true, ..usual() },
        act: |station| {
            let disk = station.disk()?;
            disk.set_room(disk.used());
            Ok(())
        },
        undo: |station| {
            station.disk()?.set_room(256 << 20);
            Ok(())
        },
    },
    Cause {
        name: "the disk has no room for a rewrite",
        alerts: &["ForebayDiskShortForRewrite", "ForebayAofRewriteFailed"],
        also: &[
            "ForebayBufferFilling",
            "ForebayBufferAlmostFull",
            "ForebayBufferFullSoon",
            "ForebayBufferFullTonight",
        ],
        is_quick: false,
        ground: || Ground { on_disk: true, rate: None, is_read: false, ..usual() },
        act: |station| {
            let mut connection = station.connection()?;
            fill(&mut connection, station, 20_000, 1_000)?;
            let disk = station.disk()?;
            disk.set_room(disk.used() + (1 << 20));
            Ok(redis::cmd("BGREWRITEAOF").exec(&mut connection)?)
        },
        undo: |station| {
            station.disk()?.set_room(256 << 20);
            Ok(redis::cmd("BGREWRITEAOF").exec(&mut station.connection()?)?)
        },
    },
    Cause {
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
        ground: || Ground { on_disk: true, ..usual() },
        act: |station| {
            station.disk()?.slow_fsync(SLOW_FSYNC);
            Ok(())
        },
        undo: |station| {
            station.disk()?.slow_fsync(Duration::ZERO);
            Ok(())
        },
    },
    Cause {
        name: "the server is started again",
        alerts: &["ForebayServerRestarted"],
        also: AWAY,
        is_quick: false,
        ground: usual,
        act: |station| {
            station.server.terminate()?;
            Ok(station.server.restart()?)
        },
        undo: nothing,
    },
    Cause {
        name: "the server is down",
        alerts: &["ForebayServerDown"],
        also: AWAY,
        is_quick: true,
        ground: usual,
        act: |station| Ok(station.server.kill().map(drop)?),
        undo: |station| Ok(station.server.restart()?),
    },
    Cause {
        name: "the server stands still",
        alerts: &["ForebayServerDown"],
        also: AWAY,
        is_quick: false,
        ground: usual,
        act: |station| Ok(station.server.pause()?),
        undo: |station| Ok(station.server.resume()?),
    },
    Cause {
        name: "answers take 600 ms",
        alerts: &["ForebaySlowWarning"],
        // A look is many answers.
        also: &["ForebayWatchBlind"],
        is_quick: false,
        ground: || Ground { through_proxy: true, ..usual() },
        act: |station| slow_answers(station, Duration::from_millis(600)),
        undo: heal_answers,
    },
    Cause {
        name: "answers take 1,400 ms",
        alerts: &["ForebaySlowCritical", "ForebaySlowWarning"],
        // A look is many answers.
        also: &["ForebayWatchBlind"],
        is_quick: true,
        ground: || Ground { through_proxy: true, ..usual() },
        act: |station| slow_answers(station, Duration::from_millis(1_400)),
        undo: heal_answers,
    },
    Cause {
        name: "maxclients is nearly met",
        alerts: &["ForebayConnectionsNearLimit"],
        also: &[],
        is_quick: false,
        ground: usual,
        act: |station| {
            let connected = facts(&mut station.connection()?)?.number("connected_clients");
            let connected = connected.context("INFO has no connected_clients")?;
            station.set("maxclients", &(connected + 1).to_string())
        },
        undo: |station| station.set("maxclients", "10000"),
    },
    Cause {
        name: "the server's memory is in pieces",
        alerts: &["ForebayFragmentationCosts"],
        also: &[],
        is_quick: false,
        ground: || Ground { rate: None, is_read: false, ..usual() },
        act: |station| {
            let mut connection = station.connection()?;
            fill(&mut connection, station, 40_000, 1_000)?;
            thin(&mut connection, station, 40_000)?;
            station.set("maxmemory", "40mb")
        },
        undo: |station| {
            station.set("maxmemory", "2gb")?;
            Ok(redis::cmd("FLUSHALL").exec(&mut station.connection()?)?)
        },
    },
    Cause {
        name: "a lane holds what is no block",
        alerts: &["ForebayBlocksDamaged"],
        // It is over with the data.
        also: &["ForebayWriterStopped", "ForebayBufferSetBack"],
        is_quick: false,
        ground: || Ground { is_read: false, ..usual() },
        act: |station| {
            station.end_writing();
            let key = station.name.stream(jetstream::LIKES);
            let mut connection = station.connection()?;
            Ok(redis::cmd("XADD").arg(key).arg("*").arg("f").arg("nonsense").exec(&mut connection)?)
        },
        undo: |station| {
            // The station's own server: nothing of anybody else's is there.
            redis::cmd("FLUSHALL").exec(&mut station.connection()?)?;
            station.begin_writing()
        },
    },
    Cause {
        name: "the server's data is deleted",
        alerts: &["ForebayBufferSetBack"],
        also: &["ForebayWriterStopped"],
        is_quick: true,
        ground: usual,
        act: |station| {
            // One that runs would go on counting where it was, maybe before the next look.
            station.end_writing();
            station.end_reading();
            // The station's own server: nothing of anybody else's is there.
            Ok(redis::cmd("FLUSHALL").exec(&mut station.connection()?)?)
        },
        undo: |station| {
            station.begin_writing()?;
            station.begin_reading(Duration::ZERO)
        },
    },
    Cause {
        name: "the watch is gone",
        alerts: &["ForebayWatchBlind"],
        also: &[],
        is_quick: true,
        ground: usual,
        act: |station| {
            station.end_watching();
            Ok(())
        },
        undo: Station::begin_watching,
    },
    Cause {
        name: "the server refuses writes for want of a replica",
        alerts: &["ForebayWritesRefused"],
        // To be given a block is a write too.
        also: &["ForebayWriterStopped", "ForebayReaderStopped", "ForebayReaderBehind"],
        is_quick: false,
        ground: usual,
        act: |station| station.set("min-replicas-to-write", "1"),
        undo: |station| station.set("min-replicas-to-write", "0"),
    },
    Cause {
        name: "the server loads its data for long",
        alerts: &["ForebayServerLoading"],
        also: AWAY,
        is_quick: false,
        // Half a millisecond for each command that it loads.
        ground: || Ground { settings: &[("key-load-delay", "500")], rate: None, is_read: false, ..usual() },
        act: |station| {
            fill(&mut station.connection()?, station, 20_000, 10)?;
            station.server.kill()?;
            Ok(station.server.restart()?)
        },
        undo: nothing,
    },
];

/// Values beside the buffer, as many and as large as said.
fn fill(
    connection: &mut forebay::buffer::connection::Connection,
    station: &Station,
    count: u64,
    bytes: usize,
) -> anyhow::Result<()> {
    let value = vec![b'x'; bytes];
    for first in (0..count).step_by(1_000) {
        let mut pipe = redis::pipe();
        for at in first..count.min(first + 1_000) {
            pipe.cmd("SET").arg(beside(station, at)).arg(&value).ignore();
        }
        pipe.exec(connection).context("filling the server")?;
    }
    Ok(())
}

/// Takes three of four of them away, so that every page that they were on is still in use.
fn thin(
    connection: &mut forebay::buffer::connection::Connection,
    station: &Station,
    count: u64,
) -> anyhow::Result<()> {
    let mut pipe = redis::pipe();
    for at in (0..count).filter(|at| at % 4 != 0) {
        pipe.cmd("DEL").arg(beside(station, at)).ignore();
    }
    Ok(pipe.exec(connection)?)
}

fn beside(station: &Station, at: u64) -> String {
    station.name.load_value(0, usize::try_from(at).unwrap_or(usize::MAX))
}

fn evict(station: &mut Station) -> anyhow::Result<()> {
    station.set("maxmemory-policy", "allkeys-lru")?;
    let mut connection = station.connection()?;
    station.set("maxmemory", "8mb")?;
    fill(&mut connection, station, 20_000, 1_000)?;
    Ok(())
}
