//! What is wrong now, and what was: each thing once, with when it began and ended.

use std::collections::{HashMap, VecDeque};

use super::verdict::{ALMOST_FULL, FILLING, Level, span};
use super::view::{GONE, View, groups, utilisation};
use crate::buffer::entry::Id;
use crate::buffer::fates::{Fates, State};
use crate::buffer::hear::WRITERS_MAX;

/// Warnings that are kept.
const KEPT: usize = 20;

/// A group that has been behind for longer than that, and was given nothing meanwhile, has stopped.
pub const STOPPED_MS: u64 = 60_000;

/// Something wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What it is, so that it is told once.
    id: String,
    /// How bad.
    pub level: Level,
    /// One sentence.
    pub text: String,
    /// When it was first seen, in milliseconds since 1970.
    pub at_ms: u64,
    /// When it was no longer.
    pub ended_ms: Option<u64>,
}

/// The last warnings, newest first.
#[derive(Debug, Default)]
pub struct Warnings {
    all: VecDeque<Warning>,
}

/// Something wrong at one look: what it is, how bad, and the sentence.
type Wrong = (String, Level, String);

impl Warnings {
    /// Newest first.
    pub fn all(&self) -> impl Iterator<Item = &Warning> {
        self.all.iter()
    }

    /// Those that are not over.
    pub fn now(&self) -> impl Iterator<Item = &Warning> {
        self.all.iter().filter(|warning| warning.ended_ms.is_none())
    }

    pub(super) fn update(&mut self, at_ms: u64, wrong: Vec<Wrong>) {
        for old in self.all.iter_mut().filter(|old| old.ended_ms.is_none()) {
            if !wrong.iter().any(|(id, ..)| *id == old.id) {
                old.ended_ms = Some(at_ms);
            }
        }
        for (id, level, text) in wrong {
            match self.all.iter_mut().find(|old| old.ended_ms.is_none() && old.id == id) {
                // The figures in it move.
                Some(old) => (old.level, old.text) = (level, text),
                None => self.all.push_front(Warning { id, level, text, at_ms, ended_ms: None }),
            }
        }
        self.all.truncate(KEPT);
    }
}

/// What only more than one look can tell.
#[derive(Debug, Default)]
pub(super) struct Trends {
    /// Where each group stands, and since when.
    groups: HashMap<String, (Vec<Option<Id>>, u64)>,
    counters: HashMap<&'static str, Moved>,
}

/// A count, and when it last moved.
#[derive(Debug, Clone, Copy)]
struct Moved {
    count: u64,
    at_ms: u64,
    /// The count before that; none where it was never seen to move.
    from: Option<u64>,
}

/// How long a counter's move is told.
const TOLD_MS: u64 = 300_000;

/// A buffer to which nothing was appended for longer than that has lost its writer, or its source.
const IDLE_MS: u64 = 120_000;

/// Counters of the server that should not move, and what it means when they do.
const STILL: [(&str, Level, &str); 3] = [
    ("evicted_keys", Level::Bad, "the server evicted keys: a key of a buffer is a whole lane"),
    ("rejected_connections", Level::Warn, "the server refused connections: maxclients was met"),
    ("aof_delayed_fsync", Level::Warn, "an fsync was delayed: the disk is slow"),
];

/// States of the server that should be so, and what it means when they are not.
const STATES: [(&str, &str, Level, &str); 4] = [
    ("aof_last_write_status", "ok", Level::Bad, "the append-only log cannot be written: writes are refused"),
    ("aof_last_bgrewrite_status", "ok", Level::Bad, "the last rewrite of the append-only log failed"),
    ("rdb_last_bgsave_status", "ok", Level::Warn, "the last snapshot failed"),
    ("loading", "0", Level::Warn, "the server is loading its data"),
];

impl Moved {
    /// Notes a count.
    fn note(all: &mut HashMap<&'static str, Self>, key: &'static str, count: u64, at_ms: u64) -> Self {
        let moved = all.entry(key).or_insert(Self { count, at_ms, from: None });
        if moved.count != count {
            *moved = Self { count, at_ms, from: Some(moved.count) };
        }
        *moved
    }

    /// Whether it was seen to grow not long ago. One that fell is of a server that was started again.
    fn has_grown(&self, at_ms: u64) -> bool {
        self.from.is_some_and(|from| self.count > from) && self.at_ms + TOLD_MS > at_ms
    }
}

impl Trends {
    /// What is wrong at a look.
    pub(super) fn of(&mut self, view: &View) -> Vec<Wrong> {
        let mut wrong = self.server(view);
        wrong.extend(self.groups(view));
        wrong.extend(self.idle(view));
        wrong.extend(self.setback(view));
        wrong.extend(writers(view));
        wrong.extend(self.fates(view));
        wrong.extend(filled(view));
        // The worst first, and it stands on top of the list.
        wrong.sort_by_key(|(_, level, _)| *level);
        wrong
    }

    /// Milliseconds since a group was last given something, as far as the watch has seen it.
    pub(super) fn still_ms(&self, group: &str, at_ms: u64) -> Option<u64> {
        Some(at_ms.saturating_sub(self.groups.get(group)?.1))
    }

    fn server(&mut self, view: &View) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        if let Some(since_ms) = view.down_since_ms {
            let why = view.not_seen().map_or("", |not| &not.why);
            let seconds = view.at_ms.saturating_sub(since_ms) as f64 / 1_000.0;
            wrong.push(("down".into(), Level::Bad, format!("no look for {}: {why}", span(seconds))));
        }
        let Some(facts) = view.facts() else { return wrong };
        for (name, right, level, text) in STATES {
            if facts.get(name).is_some_and(|state| state != right) {
                wrong.push((name.into(), level, text.into()));
            }
        }
        for (name, level, text) in STILL {
            let Some(count) = facts.number(name) else { continue };
            if Moved::note(&mut self.counters, name, count, view.at_ms).has_grown(view.at_ms) {
                wrong.push((name.into(), level, format!("{text} ({count} since it started)")));
            }
        }
        if Moved::note(&mut self.counters, "restarts", view.restarts, view.at_ms).has_grown(view.at_ms) {
            wrong.push(("restarts".into(), Level::Warn, "the server was started again".into()));
        }
        wrong
    }

    fn groups(&mut self, view: &View) -> Vec<Wrong> {
        let Some(seen) = view.seen() else { return Vec::new() };
        let groups = groups(&seen.stat);
        self.groups.retain(|name, _| groups.iter().any(|group| group.name == *name));
        let mut wrong = Vec::new();
        for group in groups {
            let Some(unread) = group.unread_events else { continue };
            // Not events appended less those unread: a look reads these one after the other, while more come in.
            let stands = self.groups.entry(group.name.clone()).or_insert((Vec::new(), view.at_ms));
            if stands.0 != group.given {
                *stands = (group.given, view.at_ms);
            }
            let still_ms = view.at_ms.saturating_sub(stands.1);
            if unread > 0 && still_ms >= STOPPED_MS && group.behind_ms >= Some(STOPPED_MS) {
                let name = &group.name;
                let told = span(still_ms as f64 / 1_000.0);
                let text = format!("group {name} was given nothing for {told}; {unread} events wait for it");
                wrong.push((format!("stopped {name}"), Level::Warn, text));
            }
        }
        wrong
    }

    /// Whether nothing comes in.
    fn idle(&mut self, view: &View) -> Option<Wrong> {
        let appended = view.seen()?.stat.total()?;
        let moved = Moved::note(&mut self.counters, "appended", appended, view.at_ms);
        let still_ms = view.at_ms.saturating_sub(moved.at_ms);
        (appended > 0 && still_ms >= IDLE_MS).then(|| {
            let text = format!("nothing was appended for {}", span(still_ms as f64 / 1_000.0));
            ("idle".into(), Level::Warn, text)
        })
    }

    /// Whether the server has less than it had.
    fn setback(&mut self, view: &View) -> Option<Wrong> {
        let moved = Moved::note(&mut self.counters, "setbacks", view.ever.setbacks, view.at_ms);
        moved.has_grown(view.at_ms).then(|| {
            let text = "the server has less of this buffer than it had: keys were deleted, or it came back with less";
            ("setback".into(), Level::Bad, text.into())
        })
    }

    /// What writers gave up, or what was lost to them.
    fn fates(&mut self, view: &View) -> Vec<Wrong> {
        let sum = |of: fn(&Fates) -> u64| view.heard.sums.iter().map(of).fold(0, u64::saturating_add);
        let counts: [(&'static str, u64, &str); 4] = [
            ("shed", sum(|fates| fates.shed), "were dropped by a writer (shed)"),
            ("trimmed_unread", sum(|fates| fates.trimmed), "were dropped to make room (trim-oldest)"),
            ("lost", sum(|fates| fates.lost), "were acknowledged, and the server came back without them"),
            ("unreadable", sum(|fates| fates.unreadable), "of a spill folder could not be read again"),
        ];
        let mut wrong = Vec::new();
        let forgotten = view.heard.forgotten;
        if Moved::note(&mut self.counters, "forgotten", forgotten, view.at_ms).has_grown(view.at_ms) {
            let text = format!(
                "more writers than {WRITERS_MAX} speak at once: some of what becomes of their events is not counted"
            );
            wrong.push(("forgotten".into(), Level::Warn, text));
        }
        for (name, count, what) in counts {
            if Moved::note(&mut self.counters, name, count, view.at_ms).has_grown(view.at_ms) {
                wrong.push((name.into(), Level::Bad, format!("{count} events {what}")));
            }
        }
        wrong
    }
}

/// Writers that do not write as they should.
fn writers(view: &View) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for writer in &view.heard.writers {
        let (id, why) = (&writer.id, writer.why.as_deref().unwrap_or("no reason given"));
        let (level, text) = match writer.state {
            State::Fenced => (Level::Warn, format!("writer {id} is fenced: {why}")),
            State::Failed => (Level::Bad, format!("writer {id} failed: {why}")),
            State::HeldBack => (Level::Bad, format!("writer {id} is held back: {why}")),
            // It is heard through the server: while that is away, silence says nothing about it.
            State::Writing if writer.heard_ago >= GONE && view.seen().is_some() => {
                (Level::Warn, format!("writer {id} is gone without a word"))
            }
            State::Writing | State::Closed => continue,
        };
        // What is over is told for a while, not for ever.
        if writer.heard_ago.as_millis() as u64 <= TOLD_MS {
            wrong.push((format!("writer {id}"), level, text));
        }
    }
    wrong
}

/// How full it is, and what is damaged.
fn filled(view: &View) -> Vec<Wrong> {
    let Some(seen) = view.seen() else { return Vec::new() };
    let mut wrong = Vec::new();
    if let Some(used) = utilisation(seen).filter(|used| *used >= FILLING) {
        let level = if used >= ALMOST_FULL { Level::Bad } else { Level::Warn };
        wrong.push(("filled".into(), level, format!("{:.0} % of what it can hold is held", used * 100.0)));
    }
    for lane in seen.stat.lanes.iter().filter(|lane| !lane.damaged.is_empty()) {
        let text = format!("lane {}: a block at one of its ends cannot be read", lane.lane);
        wrong.push((format!("damaged {}", lane.lane), Level::Bad, text));
    }
    wrong
}
