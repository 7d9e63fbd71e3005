//! What became of what came, and what the source no longer had.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use forebay::buffer::lock;
use forebay::{Monitor, Summary};
use serde::Serialize;

use super::source::Kind;

/// What the source no longer had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// The host that no longer had it.
    pub host: String,
    /// The last cursor that is settled, and the first that came after it.
    pub from: u64,
    /// The first cursor that came after it.
    pub to: u64,
    /// Which numbers these are: `us` for microseconds since 1970, `seq` for the host's own.
    pub unit: &'static str,
    /// How many events lie between; of times, by the rate that was seen last.
    pub events: Option<u64>,
}

impl Missed {
    /// What a host without a cursor sent while nobody listened.
    pub(super) fn unheard(host: String, from: u64, to: u64) -> Self {
        Self { host, from, to, unit: "us", events: None }
    }

    /// A file that is gone, from a position on.
    pub(super) fn of_file(host: String, from: u64) -> Self {
        Self { host, from, to: from, unit: "bytes", events: None }
    }

    pub(super) fn new(host: String, (from, to): (u64, u64), by: Kind, rate: Option<f64>) -> Self {
        let events = match by {
            Kind::V2 => Some(to.saturating_sub(from + 1)),
            Kind::V1 => {
                let span = to.checked_sub(from);
                rate.zip(span).map(|(rate, span)| (span as f64 / 1e6 * rate).round() as u64)
            }
        };
        Self { host, from, to, unit: by.unit(), events }
    }
}

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, from, to, unit, events } = self;
        let time = |us: &u64| {
            i64::try_from(*us)
                .ok()
                .and_then(|us| jiff::Timestamp::from_microsecond(us).ok())
                .map_or_else(|| us.to_string(), |time| format!("{time:.3}"))
        };
        match *unit {
            "us" if from > to => {
                return write!(
                    f,
                    "the cursor {} lies ahead of {host}, which sends events of {}: what came in between is not known",
                    time(from),
                    time(to)
                );
            }
            "us" => write!(f, "lost from {} to {}", time(from), time(to))?,
            "bytes" => {
                return write!(
                    f,
                    "lost from byte {from} on, nobody knows how many events: {host} is gone, or was cut"
                );
            }
            _ => write!(f, "lost from {from} to {to} (numbers of the host)")?,
        }
        match (events, *unit) {
            (Some(events), "us") => write!(f, ", about {events} events")?,
            (Some(events), _) => write!(f, ", {events} events")?,
            (None, _) => write!(f, ", nobody knows how many events")?,
        }
        write!(f, ": {host} no longer has them")
    }
}

/// Counts of an ingest, from any thread.
#[derive(Debug, Default)]
pub struct Counts {
    pub(super) received: AtomicU64,
    pub(super) pushed: AtomicU64,
    pub(super) repeats: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) reopened: AtomicU64,
    pub(super) held_back: AtomicU64,
    pub(super) unstored: AtomicU64,
    pub(super) event_us: AtomicU64,
    pub(super) settled_us: AtomicU64,
    pub(super) missed: Mutex<Vec<Missed>>,
    pub(super) host: Mutex<String>,
    writers: Mutex<Writers>,
    /// When the loop that takes events last went round, in microseconds since 1970; 0 while it is not in it.
    beat_us: AtomicU64,
}

/// The writers of a run: one, and one more each time that the buffer was opened again.
#[derive(Debug, Default)]
struct Writers {
    earlier: Summary,
    now: Option<Monitor>,
}

/// What the counts said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counted {
    /// Messages with an event, or what should be one.
    pub received: u64,
    /// Events that the buffer took.
    pub pushed: u64,
    /// Events that it had already, and that were dropped.
    pub repeats: u64,
    /// Messages that are no event the buffer can take.
    pub refused: u64,
    /// Subscriptions, from the first on.
    pub connections: u64,
    /// How often the buffer's writer was opened again after its server was lost.
    pub reopened: u64,
    /// How often the host was let go because the server took nothing.
    pub held_back: u64,
    /// Events that were read, and not stored when it ended: the source is asked for them again.
    pub unstored: u64,
    /// The time of the newest event.
    pub event_us: u64,
    /// Up to when everything is settled; 0 where nothing is.
    pub settled_us: u64,
    /// What the source no longer had.
    pub missed: Vec<Missed>,
    /// The host.
    pub host: String,
}

impl Counts {
    /// What they say now.
    pub fn look(&self) -> Counted {
        let count = |of: &AtomicU64| of.load(Relaxed);
        Counted {
            received: count(&self.received),
            pushed: count(&self.pushed),
            repeats: count(&self.repeats),
            refused: count(&self.refused),
            connections: count(&self.connections),
            reopened: count(&self.reopened),
            held_back: count(&self.held_back),
            unstored: count(&self.unstored),
            event_us: count(&self.event_us),
            settled_us: count(&self.settled_us),
            missed: lock(&self.missed).clone(),
            host: lock(&self.host).clone(),
        }
    }

    /// What became of the events in the buffer's writers, all of this run together.
    pub fn written(&self) -> Summary {
        let writers = lock(&self.writers);
        let now = writers.now.as_ref().map_or_else(Summary::default, Monitor::counts);
        writers.earlier.and(now)
    }

    /// Whether the buffer was open at any time.
    pub fn was_open(&self) -> bool {
        lock(&self.writers).now.is_some()
    }

    /// Why the server takes nothing now, where it takes nothing.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.writers).now.as_ref()?.trouble()
    }

    /// For how long the loop that takes events has not gone round, in microseconds; none while it is not in it, and waits for a
    /// host or a server.
    pub fn stuck_us(&self, now_us: u64) -> Option<u64> {
        let beat_us = self.beat_us.load(Relaxed);
        (beat_us > 0).then(|| now_us.saturating_sub(beat_us))
    }

    pub(super) fn beat(&self, now_us: u64) {
        self.beat_us.store(now_us, Relaxed);
    }

    /// From now on this writer counts too.
    pub(super) fn writer(&self, monitor: Monitor) {
        let mut writers = lock(&self.writers);
        if let Some(before) = writers.now.replace(monitor) {
            // What an earlier writer has left in the spill folder, the next one finds there.
            let before = Summary { left: 0, earlier_bytes: 0, ..before.counts() };
            writers.earlier = writers.earlier.and(before);
        }
    }

    pub(super) fn add(of: &AtomicU64) {
        of.fetch_add(1, Relaxed);
    }
}
