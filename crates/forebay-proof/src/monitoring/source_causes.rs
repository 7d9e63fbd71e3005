//! Causes that lie at the source: what `forebay ingest` writes beside a buffer is written here as it would stand there, and a lane
//! gets nothing more.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::actions::usual;
use super::rig::{Rig, RigSettings};
use super::scenario::Scenario;
use crate::wait::look_every;
use forebay::buffer::keys::Name;
use forebay::event::jetstream;
use forebay_rig::synth::Mix;
use forebay_watch::thresholds::Thresholds;

/// How long the made-up source keeps events, and a host of the first version does.
const KEEPS: Duration = Duration::from_secs(24 * 3_600);
/// How far what is settled lies behind when it is about to forget: half an hour is left.
const LATE: Duration = Duration::from_secs(23 * 3_600 + 1_800);

/// How long a lane may take to have as many events as the rule asks for.
const RATE_KNOWN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// Every cause.
pub(super) const CAUSES: &[Scenario] = &[
    Scenario {
        name: "the source is about to forget what is not settled",
        alerts: &["ForebaySourceForgets"],
        also: &[],
        is_quick: true,
        rig: usual,
        act: |rig| settled(rig, LATE),
        undo: |rig| settled(rig, Duration::ZERO),
    },
    Scenario {
        name: "the source no longer has some events",
        alerts: &["ForebaySourceMissed"],
        also: &[],
        is_quick: false,
        rig: usual,
        act: missed,
        undo: forget_gaps,
    },
    Scenario {
        name: "a lane gets nothing while others do",
        alerts: &["ForebayLaneSilent"],
        also: &[],
        is_quick: false,
        rig: || RigSettings { rate: Some(2_000.0), ..usual() },
        act: |rig| {
            wait_for_rate(rig)?;
            with_likes(rig, 0.0)
        },
        undo: |rig| with_likes(rig, Mix::network().like),
    },
];

fn now_us() -> anyhow::Result<u64> {
    let since =
        SystemTime::now().duration_since(UNIX_EPOCH).context("this machine's clock is before 1970")?;
    Ok(u64::try_from(since.as_micros())?)
}

/// Writes down who the source is, and that everything is settled up to so long ago: as `forebay ingest` does, whose blocks carry
/// it. A block without a cursor, as the rig's writer has them, changes nothing of it.
fn settled(rig: &mut Rig, ago: Duration) -> anyhow::Result<()> {
    let source = serde_json::json!({
        "host": "wss://source.example/subscribe", "kind": "v1", "unit": "us",
        "keeps_hours": KEEPS.as_secs() / 3_600,
    });
    let at = now_us()? - u64::try_from(ago.as_micros())?;
    let mut pipe = redis::pipe();
    pipe.hset(rig.name.meta(), Name::source(0), source.to_string()).ignore();
    pipe.hset_multiple(rig.name.writer(jetstream::LIKES), &[("c", at), ("w", at)]).ignore();
    pipe.exec(&mut rig.connection()?).context("writing down where the source stands")
}

/// Writes down a gap that was found now.
fn missed(rig: &mut Rig) -> anyhow::Result<()> {
    settled(rig, Duration::ZERO)?;
    let to = now_us()?;
    let gap = serde_json::json!({
        "host": "wss://source.example/subscribe", "from": to - 60_000_000, "to": to, "unit": "us", "events": 56_280,
    });
    let mut set = redis::cmd("HSET");
    set.arg(rig.name.meta()).arg(Name::missed(to)).arg(gap.to_string());
    set.exec(&mut rig.connection()?).context("writing down a gap")
}

/// Takes the gaps away: that one was found an hour ago nobody waits for here.
fn forget_gaps(rig: &mut Rig) -> anyhow::Result<()> {
    let mut connection = rig.connection()?;
    let fields: Vec<String> = redis::cmd("HKEYS").arg(rig.name.meta()).query(&mut connection)?;
    let gaps: Vec<String> = fields.into_iter().filter(|field| field.starts_with(Name::MISSED)).collect();
    Ok(redis::cmd("HDEL").arg(rig.name.meta()).arg(gaps).exec(&mut connection)?)
}

/// Waits until the lane of likes has had as many events as the rule asks for, since the watch began.
fn wait_for_rate(rig: &Rig) -> anyhow::Result<()> {
    let shown = rig.shown()?;
    let enough = Thresholds::of(&shown.subject().profile).lane_day_events * 1.25;
    let count = || shown.with_view(|view| view.ever.of(jetstream::LIKES).appended());
    let first = count();
    let known = look_every(PAUSE, RATE_KNOWN, || {
        let grown = count().zip(first).map(|(now, first)| now.saturating_sub(first));
        Ok(grown.is_some_and(|grown| grown as f64 > enough).then_some(()))
    })?;
    known.with_context(|| format!("fewer than {enough:.0} likes came in {RATE_KNOWN:?}"))
}

/// Goes on writing with so many likes among a hundred events.
fn with_likes(rig: &mut Rig, like: f64) -> anyhow::Result<()> {
    rig.end_writing();
    rig.writes.mix.like = like;
    rig.begin_writing()
}
