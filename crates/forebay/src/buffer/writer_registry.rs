//! What was heard of writers: the last message of each, and what became of events since the listener began.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::writer_status::{FateCounts, Message, WriterState};
use crate::event::lane::{LANES_MAX, Lane};

/// Writers that are kept: each is up to a kilobyte.
pub const WRITERS_MAX: usize = 1_024;

/// Names of lanes that counts are kept of: more than a buffer has, since one may be made anew with others.
const NAMES_MAX: usize = 8 * LANES_MAX;

/// A writer speaks every second; one that says nothing for so long is gone.
const SPEAKS: Duration = Duration::from_secs(5);

/// How long a message may have been on its way. A run that seems to have begun so shortly after the listener may have
/// begun before it.
const DELAY_MAX: Duration = Duration::from_secs(2);

/// What was heard, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WritersSnapshot {
    /// Whether the server passes on now what writers publish.
    pub is_subscribed: bool,
    /// Why it does not.
    pub why_not: Option<String>,
    /// Every writer that is kept, by id: those heard last, at most [`WRITERS_MAX`].
    pub writers: Vec<WriterSnapshot>,
    /// What became of events since the listener began, by lane.
    pub sums: BTreeMap<String, FateCounts>,
    /// Writers whose end was heard.
    pub ends: Ends,
    /// Messages that no writer of this version publishes.
    pub not_understood: u64,
    /// How often a writer was forgotten that still spoke, since more do than are kept: what became of its events between two
    /// of its messages is then not in the sums.
    pub forgotten: u64,
}

impl WritersSnapshot {
    /// What became of a lane's events since the listener began.
    pub fn of(&self, lane: Lane) -> FateCounts {
        self.sums.get(lane.name()).copied().unwrap_or_default()
    }
}

/// The last that was heard of a writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterSnapshot {
    /// Its run, as 12 digits of `0-9a-f`.
    pub id: String,
    /// How long ago.
    pub heard_ago: Duration,
    /// How long it had run then.
    pub age: Duration,
    /// Where it stood.
    pub state: WriterState,
    /// Why it was held back, or what it ended with.
    pub why: Option<String>,
    /// What had become of its events since its run began, all lanes together.
    pub totals: FateCounts,
}

/// How writers ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ends {
    /// With nothing owed.
    pub closed: u64,
    /// Because another writer has taken the buffer.
    pub fenced: u64,
    /// With another error.
    pub failed: u64,
}

/// The last message of a writer, and when it came.
struct LastMessage {
    heard: Instant,
    message: Message,
}

/// What the listener writes down.
pub(super) struct WriterRegistry {
    /// Whether there is a subscription, or why not.
    pub subscribed: Result<(), String>,
    writers: HashMap<String, LastMessage>,
    sums: BTreeMap<String, FateCounts>,
    ends: Ends,
    not_understood: u64,
    forgotten: u64,
    /// Runs that began before this may have counts that are in the sums already, or from before the listener: their
    /// first message is where counting begins. When the listener began, or when a writer that was dropped was last heard.
    since: Instant,
}

impl WriterRegistry {
    pub fn new(since: Instant) -> Self {
        Self {
            subscribed: Err("not connected yet".into()),
            writers: HashMap::new(),
            sums: BTreeMap::new(),
            ends: Ends::default(),
            not_understood: 0,
            forgotten: 0,
            since,
        }
    }

    /// Takes what was published.
    pub fn take(&mut self, bytes: &[u8], now: Instant) {
        let Some(mut message) = Message::of(bytes) else {
            self.not_understood += 1;
            return;
        };
        let known = self.writers.get(&message.id).map(|last| &last.message);
        // One that a connection given up had still on its way.
        if known.is_some_and(|known| message.age < known.age) {
            return;
        }
        let is_older = now.checked_sub(message.age).is_none_or(|began| began < self.since + DELAY_MAX);
        let before = match known {
            Some(known) => known.lanes.clone(),
            None if is_older => message.lanes.clone(),
            None => BTreeMap::new(),
        };
        let (is_known, has_ended) = (known.is_some(), known.is_some_and(|known| known.state.is_end()));
        if !has_ended {
            self.end(message.state);
        }
        // Lanes that this one does not have stand as they were.
        for (name, lane) in &before {
            if message.lanes.len() < LANES_MAX {
                message.lanes.entry(name.clone()).or_insert(*lane);
            }
        }
        for (name, lane) in &mut message.lanes {
            let before = before.get(name).copied().unwrap_or_default();
            // A count that went back is no count: what was there before stands.
            *lane = lane.with(before, u64::max);
            let new = lane.with(before, u64::saturating_sub);
            if !self.sums.contains_key(name) && self.sums.len() >= NAMES_MAX {
                self.not_understood += 1;
                continue;
            }
            let sum = self.sums.entry(name.clone()).or_default();
            *sum = sum.with(new, u64::saturating_add);
        }
        if !is_known && self.writers.len() >= WRITERS_MAX {
            self.drop_one(now);
        }
        self.writers.insert(message.id.clone(), LastMessage { heard: now, message });
    }

    fn end(&mut self, state: WriterState) {
        match state {
            WriterState::Closed => self.ends.closed += 1,
            WriterState::Fenced => self.ends.fenced += 1,
            WriterState::Failed => self.ends.failed += 1,
            WriterState::Writing | WriterState::HeldBack => {}
        }
    }

    /// Forgets the writer that was not heard for longest; one that has ended before any that has not.
    fn drop_one(&mut self, now: Instant) {
        let rank = |last: &LastMessage| (!last.message.state.is_end(), last.heard);
        let longest = self.writers.iter().min_by_key(|(_, last)| rank(last)).map(|(id, _)| id.clone());
        if let Some(last) = longest.and_then(|id| self.writers.remove(&id)) {
            self.since = self.since.max(last.heard);
            let speaks = !last.message.state.is_end() && now.duration_since(last.heard) < SPEAKS;
            self.forgotten += u64::from(speaks);
        }
    }

    /// What was heard by now.
    pub fn look(&self, now: Instant) -> WritersSnapshot {
        let mut writers: Vec<_> = self.writers.values().map(|last| last.look(now)).collect();
        writers.sort_by(|a, b| a.id.cmp(&b.id));
        WritersSnapshot {
            is_subscribed: self.subscribed.is_ok(),
            why_not: self.subscribed.clone().err(),
            writers,
            sums: self.sums.clone(),
            ends: self.ends,
            not_understood: self.not_understood,
            forgotten: self.forgotten,
        }
    }
}

impl LastMessage {
    fn look(&self, now: Instant) -> WriterSnapshot {
        let Message { id, age, state, why, lanes } = &self.message;
        WriterSnapshot {
            id: id.clone(),
            heard_ago: now.saturating_duration_since(self.heard),
            age: *age,
            state: *state,
            why: why.clone(),
            totals: lanes
                .values()
                .fold(FateCounts::default(), |sum, lane| sum.with(*lane, u64::saturating_add)),
        }
    }
}
