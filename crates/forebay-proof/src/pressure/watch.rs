//! Looks at the server while a run goes on: memory, copy-on-write, evictions, and when the limit was met.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::recovery::Stood;
use crate::rewrite::{REWRITE, is_under_way};
use crate::target::facts;
use crate::wait::look_every;
use forebay::buffer::connect::{Address, Facts};
use forebay::buffer::writer::{Counts, Monitor};
use forebay::event::jetstream;

/// How often the server is asked.
const LOOK: Duration = Duration::from_millis(5);

/// How often what it says is kept.
const KEEP: Duration = Duration::from_millis(50);

/// How a limit shows that was met by refusals.
pub(super) const REFUSED: &str = "writes were refused";

/// The server at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Since the run began.
    pub seconds: f64,
    pub used: u64,
    pub rss: u64,
    pub fragmentation: f64,
}

/// When the limit was met.
#[derive(Debug, Clone)]
pub(super) struct Met {
    pub at: Instant,
    /// Events acknowledged by then.
    pub events: u64,
    /// How it showed.
    pub how: &'static str,
}

/// What the threads of a run tell each other.
pub(super) struct Live {
    pub started: Instant,
    pub limit: u64,
    pub used: AtomicU64,
    pub met: OnceLock<Met>,
    /// Events that the reader that follows has had, or was told are missing.
    pub followed: AtomicU64,
    /// Events acknowledged when the drain was about to begin.
    pub owed: OnceLock<u64>,
    /// The drain begins.
    pub opened: OnceLock<Instant>,
    /// The drain has acknowledged its first blocks.
    pub freed: AtomicBool,
    /// Where the writer stood then.
    pub stood: OnceLock<Stood>,
    /// There is room again.
    pub room: OnceLock<Instant>,
    /// No more events come.
    pub written: AtomicBool,
    /// Everything is over.
    pub over: AtomicBool,
}

impl Live {
    pub fn new(limit: u64) -> Self {
        Self {
            started: Instant::now(),
            limit,
            used: AtomicU64::new(0),
            met: OnceLock::new(),
            followed: AtomicU64::new(0),
            owed: OnceLock::new(),
            opened: OnceLock::new(),
            freed: AtomicBool::new(false),
            stood: OnceLock::new(),
            room: OnceLock::new(),
            written: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }

    /// Share of the limit that is used.
    pub fn share(&self) -> f64 {
        self.used.load(Relaxed) as f64 / self.limit as f64
    }

    /// Whether memory is at this share of the limit, or the limit is met.
    pub fn is_at(&self, share: f64) -> bool {
        self.share() >= share || self.met.get().is_some()
    }
}

/// What was seen of the server.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub curve: Vec<Moment>,
    /// Most bytes that a fork's copies took.
    pub copied: Option<u64>,
    /// Writes refused for want of memory.
    pub refused: Option<u64>,
    /// Keys evicted.
    pub evicted: u64,
}

/// Looks until the run is over.
pub(super) fn watch(address: &Address, monitor: &Monitor, live: &Live) -> anyhow::Result<Watched> {
    let mut connection = address.dial()?;
    let first = facts(&mut connection)?;
    let (evicted, refused) = (first.number("evicted_keys").unwrap_or(0), oom(&first));
    let (mut curve, mut copied): (Vec<Moment>, _) = (Vec::new(), 0);
    loop {
        // Asked first, so that what is seen is no older than the end.
        let is_over = live.over.load(Relaxed);
        let seen = facts(&mut connection)?;
        let now = moment(&seen, live.started);
        live.used.store(now.used, Relaxed);
        copied = copied.max(seen.number("current_cow_peak").unwrap_or(0));
        if live.met.get().is_none()
            && let Some(how) = is_met(&seen, monitor, evicted)
        {
            let events = monitor.counts().acknowledged;
            let _ = live.met.set(Met { at: Instant::now(), events, how });
        }
        if live.opened.get().is_some() || live.freed.load(Relaxed) {
            live.stood.get_or_init(|| Stood { at: Instant::now(), lanes: by_lane(monitor) });
        }
        if live.freed.load(Relaxed) && now.used <= live.limit {
            let _ = live.room.get_or_init(Instant::now);
        }
        if is_over || curve.last().is_none_or(|last| now.seconds - last.seconds >= KEEP.as_secs_f64()) {
            curve.push(now);
        }
        if is_over {
            break;
        }
        std::thread::sleep(LOOK);
    }
    let last = rewritten(&mut connection)?;
    let size = |name| last.number(name).unwrap_or(0);
    copied = copied.max(size("aof_last_cow_size")).max(size("rdb_last_cow_size"));
    Ok(Watched {
        curve,
        copied: (copied > 0).then_some(copied),
        refused: oom(&last).zip(refused.or(Some(0))).map(|(last, first)| last.saturating_sub(first)),
        evicted: size("evicted_keys").saturating_sub(evicted),
    })
}

/// Every lane's counts.
pub(super) fn by_lane(monitor: &Monitor) -> [Counts; jetstream::ALL.len()] {
    jetstream::ALL.map(|lane| monitor.lane(lane))
}

fn moment(seen: &Facts, since: Instant) -> Moment {
    let size = |name| seen.number(name).unwrap_or(0);
    Moment {
        seconds: since.elapsed().as_secs_f64(),
        used: size("used_memory"),
        rss: size("used_memory_rss"),
        fragmentation: seen
            .get("mem_fragmentation_ratio")
            .and_then(|ratio| ratio.parse().ok())
            .unwrap_or(0.0),
    }
}

/// How the limit shows, where it does.
fn is_met(seen: &Facts, monitor: &Monitor, evicted: u64) -> Option<&'static str> {
    if seen.number("evicted_keys").unwrap_or(0) > evicted {
        Some("keys were evicted")
    } else if monitor.counts().trimmed > 0 {
        Some("the oldest blocks were dropped")
    } else if monitor.trouble().is_some_and(|why| why.contains("OOM")) {
        Some(REFUSED)
    } else {
        None
    }
}

/// Refusals so far; none where the server does not count them (before 6.2).
fn oom(seen: &Facts) -> Option<u64> {
    if !seen.has("errorstat_") {
        return seen.number("total_error_replies").map(|_| 0);
    }
    seen.get("errorstat_OOM").map_or(Some(0), |count| count.strip_prefix("count=")?.parse().ok())
}

/// The server once no rewrite is under way.
fn rewritten(connection: &mut forebay::buffer::connection::Connection) -> anyhow::Result<Facts> {
    let seen = look_every(LOOK, REWRITE, || {
        let seen = facts(connection)?;
        let is_busy = is_under_way(&seen) || seen.number("rdb_bgsave_in_progress") == Some(1);
        Ok((!is_busy).then_some(seen))
    })?;
    seen.with_context(|| format!("the server's rewrite did not end within {REWRITE:?}"))
}

/// Hears of every evicted key until the run is over: how often each was.
pub(super) fn evictions(address: &Address, live: &Live) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut connection = address.dial()?;
    redis::cmd("PSUBSCRIBE").arg("__keyevent@*__:evicted").exec(&mut connection)?;
    let mut keys = BTreeMap::new();
    loop {
        let is_over = live.over.load(Relaxed);
        match connection.receive_within(Duration::from_millis(100))? {
            Some(answer) => {
                if let Some(message) = redis::Msg::from_owned_value(answer.extract_error()?) {
                    // Somebody else's key may be anything.
                    let key = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
                    *keys.entry(key).or_insert(0) += 1;
                }
            }
            None if is_over => return Ok(keys),
            None => {}
        }
    }
}
