//! How long others wait while a large lane is given up, by `lazyfree-*` and by command.
//!
//! One connection sends PINGs one after the other; the longest is the stall. It is a figure: nothing is judged by it but
//! the advice.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use forebay::buffer::connection::Connection;

use super::advice::by_stall;
use super::sizes::Bench;
use crate::claim::{Evidence, Unit};
use crate::own_server::{LIMIT, OwnServer, Tried};
use crate::report::units::{bytes, figure, thousands};
use crate::server_setting::{Outcome, Row, mark_default};
use crate::wait::{go_on, look_for, wait_for};
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::event::jetstream;

/// PINGs that must have been answered before a lane is given up, and afterwards.
const PINGS: u64 = 20;

/// What part of a lane's bytes must be given back for it to count as gone.
const BACK_PERCENT: u64 = 90;

/// How long that may take.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// How many times the events of a usual fill: a small lane is gone before anybody notices.
const FILLS: u64 = 4;

/// How a lane goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Del,
    Unlink,
    Trim,
    Rename,
    Expire,
    Evict,
}

/// Each setting, and the way that it changes.
const SETTINGS: [(&str, Way); 4] = [
    ("lazyfree-lazy-user-del", Way::Del),
    ("lazyfree-lazy-server-del", Way::Rename),
    ("lazyfree-lazy-expire", Way::Expire),
    ("lazyfree-lazy-eviction", Way::Evict),
];

impl Way {
    fn words(self) -> &'static str {
        match self {
            Self::Del => "DEL",
            Self::Unlink => "UNLINK",
            Self::Trim => "XTRIM MINID",
            Self::Rename => "RENAME over it",
            Self::Expire => "it expires",
            Self::Evict => "it is evicted",
        }
    }
}

/// What others saw of it.
#[derive(Debug, Clone, Copy)]
struct Stall {
    longest: Duration,
    /// From the command until memory was back.
    back: Option<Duration>,
}

/// A lane, and where its copies go.
struct Lanes {
    source: String,
    copy: String,
    small: String,
    bytes: u64,
    nodes: u64,
}

/// The experiment.
pub fn measure(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut own = bench.start()?;
    // Blocks as small as the profile's rate makes them: there are the most of them to give up.
    bench.fill_at(&own, 0..FILLS * bench.sizes.events, bench.on.profile.rate())?;
    let lanes = Lanes::of(&mut own)?;
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for (setting, way) in SETTINGS {
        let default = own.setting(setting);
        let Some(other) = default.as_deref().map(|default| if default == "yes" { "no" } else { "yes" })
        else {
            rows.push(Row::untested(setting, "-", "this server does not know it"));
            continue;
        };
        let default = default.unwrap_or_default();
        own.set(setting, &default)?;
        let base = stall(&mut own, &lanes, way, bench.sizes.tries)?;
        figures.push((setting, default.clone(), way, base));
        if way == Way::Del {
            // By themselves, whatever the setting is.
            for way in [Way::Unlink, Way::Trim] {
                figures.push(("-", "-".into(), way, stall(&mut own, &lanes, way, bench.sizes.tries)?));
            }
        }
        let row = |value: &str, stall: Stall| {
            let advice = by_stall(ms(base.longest), ms(stall.longest), stall.back.is_some());
            Row::new(setting, value, measured(way, &lanes, stall), advice)
        };
        let mut of_setting = vec![row(&default, base)];
        match own.try_setting(setting, other) {
            Tried::Set => {
                let seen = stall(&mut own, &lanes, way, bench.sizes.tries)?;
                own.set(setting, &default)?;
                figures.push((setting, other.into(), way, seen));
                of_setting.push(row(other, seen));
            }
            Tried::Not(why) => of_setting.push(Row::untested(setting, other, &why)),
        }
        rows.extend(mark_default(of_setting, Some(&default)));
    }
    Ok(Outcome { rows, claims: Vec::new(), details: vec![table(&figures, &lanes, bench.sizes.tries)] })
}

impl Lanes {
    /// The largest lane of a filled server.
    fn of(own: &mut OwnServer) -> anyhow::Result<Self> {
        let lane = jetstream::LIKES;
        let other: Name = "settings-copy".parse()?;
        let (source, copy) = (own.name.stream(lane), other.stream(lane));
        let ask = |own: &mut OwnServer, words: &[&str]| -> anyhow::Result<u64> {
            Ok(redis::cmd(words[0]).arg(&words[1..]).query(&mut own.admin)?)
        };
        let bytes = ask(own, &["MEMORY", "USAGE", &source, "SAMPLES", "0"])?;
        let info: redis::Value = redis::cmd("XINFO").arg("STREAM").arg(&source).query(&mut own.admin)?;
        let info: std::collections::HashMap<String, redis::Value> = redis::from_redis_value(info)?;
        let nodes = info.get("radix-tree-keys").and_then(|nodes| redis::from_redis_value_ref(nodes).ok());
        Ok(Self { source, copy, small: other.load_list(0), bytes, nodes: nodes.unwrap_or(0) })
    }
}

/// The shortest of so many tries: what else this machine does makes a stall longer, never shorter.
fn stall(own: &mut OwnServer, lanes: &Lanes, way: Way, tries: u32) -> anyhow::Result<Stall> {
    let mut best: Option<Stall> = None;
    for _ in 0..tries.max(1) {
        let seen = stall_once(own, lanes, way)?;
        best = Some(best.map_or(seen, |best| if seen.longest < best.longest { seen } else { best }));
    }
    best.ok_or_else(|| anyhow::anyhow!("no try was made"))
}

fn stall_once(own: &mut OwnServer, lanes: &Lanes, way: Way) -> anyhow::Result<Stall> {
    let before = own.used()?;
    let copied: u64 = redis::cmd("COPY").arg(&lanes.source).arg(&lanes.copy).query(&mut own.admin)?;
    anyhow::ensure!(copied == 1, "{} was not copied", lanes.source);
    let bytes = own.used()?.saturating_sub(before);
    prepare(own, lanes, way)?;
    let (pings, longest, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let address = own.address.clone();
    let seen = std::thread::scope(|scope| {
        let pinging = scope.spawn(|| ping(&address, &pings, &longest, &is_over));
        let seen = give_up(own, lanes, way, bytes, (&pings, &longest));
        is_over.store(true, Relaxed);
        let pinged =
            pinging.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the thread that sends PINGs ended")));
        pinged.and(seen)
    })?;
    own.set("maxmemory", "0")?;
    own.set("maxmemory-policy", "noeviction")?;
    redis::cmd("UNLINK").arg(&lanes.copy).arg(&lanes.small).query::<u64>(&mut own.admin)?;
    Ok(seen)
}

/// What must be there before the moment counts.
fn prepare(own: &mut OwnServer, lanes: &Lanes, way: Way) -> anyhow::Result<()> {
    match way {
        Way::Rename => redis::cmd("SET").arg(&lanes.small).arg("").query(&mut own.admin)?,
        Way::Evict => {
            own.set("maxmemory-policy", "volatile-ttl")?;
            redis::cmd("EXPIRE").arg(&lanes.copy).arg(3_600).query::<u64>(&mut own.admin)?;
        }
        _ => {}
    }
    Ok(())
}

/// Gives the copy up and waits until its memory is back.
fn give_up(
    own: &mut OwnServer,
    lanes: &Lanes,
    way: Way,
    bytes: u64,
    (pings, longest): (&AtomicU64, &AtomicU64),
) -> anyhow::Result<Stall> {
    let answered = |count: u64| {
        wait_for(LIMIT, "a connection that only sends PINGs has answers", || Ok(pings.load(Relaxed) >= count))
    };
    answered(PINGS)?;
    let full = own.used()?;
    longest.store(0, Relaxed);
    let started = Instant::now();
    let copy = &lanes.copy;
    let command = |words: &[&str], connection: &mut Connection| -> anyhow::Result<()> {
        Ok(redis::cmd(words[0]).arg(&words[1..]).query::<redis::Value>(connection).map(drop)?)
    };
    let admin = &mut own.admin;
    match way {
        Way::Del => command(&["DEL", copy], admin)?,
        Way::Unlink => command(&["UNLINK", copy], admin)?,
        Way::Trim => command(&["XTRIM", copy, "MINID", "18446744073709551615"], admin)?,
        Way::Rename => command(&["RENAME", &lanes.small, copy], admin)?,
        Way::Expire => command(&["PEXPIREAT", copy, "1"], admin)?,
        Way::Evict => own.set("maxmemory", &full.saturating_sub(bytes / 2).to_string())?,
    }
    let back = look_for(BACK_WITHIN, || {
        let is_back = own.used()? <= full.saturating_sub(bytes * BACK_PERCENT / 100);
        Ok(is_back.then(|| started.elapsed()))
    })?;
    answered(pings.load(Relaxed) + PINGS)?;
    Ok(Stall { longest: Duration::from_nanos(longest.load(Relaxed)), back })
}

fn ping(
    address: &Address,
    pings: &AtomicU64,
    longest: &AtomicU64,
    is_over: &AtomicBool,
) -> anyhow::Result<()> {
    let (mut connection, _) = address.connect()?;
    while !is_over.load(Relaxed) {
        go_on()?;
        let sent = Instant::now();
        redis::cmd("PING").query::<redis::Value>(&mut connection)?;
        longest.fetch_max(sent.elapsed().as_nanos() as u64, Relaxed);
        pings.fetch_add(1, Relaxed);
    }
    Ok(())
}

fn shown(span: Duration) -> String {
    figure(ms(span), Unit::Milliseconds)
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

fn back(stall: Stall) -> String {
    stall.back.map_or(format!("not within {BACK_WITHIN:?}"), shown)
}

fn measured(way: Way, lanes: &Lanes, stall: Stall) -> String {
    format!(
        "{}, lane of {}: longest PING {}, memory back after {}",
        way.words(),
        bytes(lanes.bytes as f64),
        shown(stall.longest),
        back(stall)
    )
}

fn table(figures: &[(&str, String, Way, Stall)], lanes: &Lanes, tries: u32) -> Evidence {
    let cells = |(setting, value, way, stall): &(&str, String, Way, Stall)| {
        let longest = shown(stall.longest);
        vec![way.words().to_owned(), (*setting).to_owned(), value.clone(), longest, back(*stall)]
    };
    Evidence::Table {
        title: format!(
            "Giving up a lane of {} in {} nodes: the longest PING of another connection (shortest of {tries} tries)",
            bytes(lanes.bytes as f64),
            thousands(lanes.nodes as f64, 0)
        ),
        columns: ["how it goes", "setting", "value", "longest PING", "memory back after"]
            .map(String::from)
            .to_vec(),
        rows: figures.iter().map(cells).collect(),
    }
}
