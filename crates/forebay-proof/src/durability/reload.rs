//! How soon events are back after a kill: from the server's start to its first answer. Beside the layout that has a key for
//! each event, and beside the same AOF loaded by a server that knows nothing of ours.

use std::time::{Duration, Instant};

use super::server_state::until_no_fsync;
use crate::capacity::sample::{Layout, put};
use crate::claim::{Bound, Claim, Control, Evidence, Judged, Unit};
use crate::report::units::{millis, thousands};
use crate::target::{facts_of, start};
use crate::{Scale, Subject};
use forebay::buffer::connect::Address;
use forebay_rig::server::{Conf, Server, ServerBinary};
use forebay_rig::synth::Synth;

/// The step of the brief that is answered.
const RESTART: u8 = 4;
const FASTER: &str = "durability.reload";
const BY_HAND: &str = "durability.back";
/// How many times faster than a key an event, at the least.
const FASTER_MIN: f64 = 4.0;
/// How much slower than by hand, at the most: what the same start differs from itself.
const SLOWER_MAX: f64 = 20.0;
/// Starts of each, the median of which counts.
const STARTS: usize = 5;
/// What makes a server load slowly, for the control: microseconds for each command.
const LOAD_DELAY: &str = "20";
/// Events at quick scale.
const QUICK: u64 = 200_000;

/// One layout on its server.
struct Loaded {
    layout: Layout,
    aof_bytes: u64,
    /// Of each start.
    ours: Vec<Duration>,
    by_hand: Vec<Duration>,
    /// With a delay; for the control.
    slowed: Option<Duration>,
}

/// Both claims, and their controls.
pub(super) fn claims(on: &Subject<'_>) -> anyhow::Result<Vec<Claim>> {
    let count = match on.scale {
        Scale::Smallest | Scale::Quick => QUICK.min(on.profile.hold.events),
        Scale::Full => on.profile.hold.events,
    };
    let rate = on.profile.load.rate;
    let blocks = played(on, Layout::Blocks(rate), count)?;
    let keys = played(on, Layout::KeyAnEvent, count)?;
    let empty = empty(on)?;
    let mut faster = judge_faster(&blocks, &keys, empty, count);
    let same = judge_faster(&blocks, &blocks, empty, count);
    faster.evidence.push(table(&[&blocks, &keys], count));
    let faster = faster.with(Control::of("the same layout beside itself", &[same], FASTER));
    let back = judge_back(&blocks.ours, &blocks.by_hand, count);
    let slowed = judge_back(&blocks.slowed.into_iter().collect::<Vec<_>>(), &blocks.by_hand, count);
    let what = format!("a server that takes {LOAD_DELAY} µs for each command it loads (key-load-delay)");
    Ok(vec![faster, back.with(Control::of(what, &[slowed], BY_HAND))])
}

/// Fills a server, and starts it again and again.
fn played(on: &Subject<'_>, layout: Layout, count: u64) -> anyhow::Result<Loaded> {
    let over = [("maxmemory", "0"), ("appendonly", "yes"), ("auto-aof-rewrite-percentage", "0")];
    let over = over.map(|(name, value)| (name, value.to_owned()));
    let (mut server, address) = start(on.binary, on.profile, &over)?;
    let limits = on.profile.limits().map_err(anyhow::Error::msg)?;
    let events = Synth::network(on.seed).with_rate(on.profile.load.rate);
    on.progress.begin(&format!("loading {} again", layout.name()), count);
    put(&address, layout, &events, count, limits, on.progress)?;
    let aof_bytes = facts_of(&mut address.dial()?, &["persistence"])?.number("aof_current_size").unwrap_or(0);
    let keys = held(&address)?;
    until_no_fsync(&address)?;
    let mut loaded = Loaded { layout, aof_bytes, ours: Vec::new(), by_hand: Vec::new(), slowed: None };
    for _ in 0..STARTS {
        server.kill()?;
        let started = Instant::now();
        server.restart()?;
        loaded.ours.push(started.elapsed());
        anyhow::ensure!(held(&address)? == keys, "not every key is back");
        server.kill()?;
        loaded.by_hand.push(by_hand(on.binary, &server, &[], keys)?);
        server.restart()?;
        if !matches!(layout, Layout::Blocks(_)) && loaded.ours.len() == 3 {
            break;
        }
    }
    if matches!(layout, Layout::Blocks(_)) {
        server.kill()?;
        loaded.slowed = Some(by_hand(on.binary, &server, &[("key-load-delay", LOAD_DELAY)], keys)?);
    }
    Ok(loaded)
}

/// Starts a server with the defaults on another one's folder; how long it took until it answered.
fn by_hand(binary: &ServerBinary, of: &Server, over: &[(&str, &str)], keys: u64) -> anyhow::Result<Duration> {
    let mut conf = Conf::new();
    conf.set("appendonly", "yes").set("dir", of.dir().to_string_lossy());
    for (name, value) in over {
        conf.set(name, *value);
    }
    let started = Instant::now();
    let server = Server::start(binary, &conf)?;
    let took = started.elapsed();
    anyhow::ensure!(held(&Address::parse(&server.url())?)? == keys, "not every key is back, by hand");
    Ok(took)
}

/// How long a server with nothing to load takes, in milliseconds: what starts of either layout have in common.
fn empty(on: &Subject<'_>) -> anyhow::Result<f64> {
    let (mut server, _) = start(on.binary, on.profile, &[])?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        server.kill()?;
        let started = Instant::now();
        server.restart()?;
        starts.push(started.elapsed());
    }
    Ok(median(&starts))
}

/// Keys on a server.
fn held(address: &Address) -> anyhow::Result<u64> {
    Ok(redis::cmd("DBSIZE").query(&mut address.dial()?)?)
}

fn median(times: &[Duration]) -> f64 {
    let mut sorted: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Beyond what an empty server takes: at a small count that would weigh more than what is loaded.
fn judge_faster(blocks: &Loaded, keys: &Loaded, empty: f64, count: u64) -> Judged {
    let statement = format!(
        "after a kill, {} events are loaded at least {FASTER_MIN:.0} times sooner than with a key for each event",
        thousands(count as f64, 0)
    );
    let (ours, theirs) = (median(&blocks.ours), median(&keys.ours));
    let why = format!(
        "{} ms from the server's start to its first answer, {} ms with a key an event, medians of {} and {} starts; \
         {} ms of each is an empty server's",
        millis(ours),
        millis(theirs),
        blocks.ours.len(),
        keys.ours.len(),
        millis(empty)
    );
    // No start is known to less than a millisecond.
    let times = (theirs - empty) / (ours - empty).max(1.0);
    Judged::of(FASTER, RESTART, statement, (Bound::AtLeast, FASTER_MIN, Unit::Count), times, why)
}

fn judge_back(ours: &[Duration], by_hand: &[Duration], count: u64) -> Judged {
    let statement = format!(
        "after a kill, {} events are back no later than a server started by hand on the same AOF has them, but for the \
         {SLOWER_MAX:.0} % by which starts differ",
        thousands(count as f64, 0)
    );
    let (ours, by_hand) = (median(ours), median(by_hand));
    let slower = (ours / by_hand - 1.0) * 100.0;
    let why = format!("{} ms, and {} ms by hand with the server's defaults", millis(ours), millis(by_hand));
    Judged::of(BY_HAND, RESTART, statement, (Bound::AtMost, SLOWER_MAX, Unit::Percent), slower, why)
}

fn table(loaded: &[&Loaded], count: u64) -> Evidence {
    let title = format!(
        "{} events as the AOF has them, and how long a server takes from its start to its first answer",
        thousands(count as f64, 0)
    );
    let columns = ["layout", "AOF bytes", "an event", "ms", "by hand ms", "events/s"];
    let row = |loaded: &&Loaded| {
        let ms = median(&loaded.ours);
        vec![
            loaded.layout.name(),
            thousands(loaded.aof_bytes as f64, 0),
            format!("{:.1}", loaded.aof_bytes as f64 / count as f64),
            millis(ms),
            millis(median(&loaded.by_hand)),
            thousands(count as f64 / ms * 1e3, 0),
        ]
    };
    Evidence::Table {
        title,
        columns: columns.map(String::from).to_vec(),
        rows: loaded.iter().map(row).collect(),
    }
}
