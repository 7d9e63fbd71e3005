//! What is wrong now, and what was: each thing once, with when it began and ended.

use std::collections::{HashMap, VecDeque};

use super::drain;
use super::figures::{self, percent, span_ms};
use super::lane_silence::LaneSilence;
use super::source;
use super::subject::Subject;
use super::thresholds::{Thresholds, exceeds};
use super::verdict::{self, Level};
use super::view::{GONE, Group, View, groups};
use forebay::buffer::entry::Id;
use forebay::buffer::limit::{Bound, LimitKind};
use forebay::buffer::status_subscriber::WRITERS_MAX;
use forebay::buffer::writer_status::{FateCounts, WriterState};

/// Warnings that are kept.
const KEPT: usize = 20;

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
pub(super) type Wrong = (String, Level, String);

impl Warnings {
    /// Newest first.
    pub fn all(&self) -> impl Iterator<Item = &Warning> {
        self.all.iter()
    }

    /// Those that are not over.
    pub fn now(&self) -> impl Iterator<Item = &Warning> {
        self.all.iter().filter(|warning| warning.ended_ms.is_none())
    }

    pub(super) fn update(&mut self, at_ms: u64, wrong: &[Wrong]) {
        for old in self.all.iter_mut().filter(|old| old.ended_ms.is_none()) {
            if !wrong.iter().any(|(id, ..)| *id == old.id) {
                old.ended_ms = Some(at_ms);
            }
        }
        // The worst last, so that it stands on top.
        let mut wrong: Vec<&Wrong> = wrong.iter().rev().collect();
        wrong.sort_by_key(|(_, level, _)| *level);
        for (id, level, text) in wrong {
            match self.all.iter_mut().find(|old| old.ended_ms.is_none() && old.id == *id) {
                // The figures in it move.
                Some(old) => (old.level, old.text) = (*level, text.clone()),
                None => self.all.push_front(Warning {
                    id: id.clone(),
                    level: *level,
                    text: text.clone(),
                    at_ms,
                    ended_ms: None,
                }),
            }
        }
        self.all.truncate(KEPT);
    }
}

/// What only more than one look can tell.
#[derive(Debug, Default)]
pub(super) struct Trends {
    groups: HashMap<String, StandingWarning>,
    counters: HashMap<&'static str, Moved>,
    silence: LaneSilence,
}

/// Where a group stands, and since when.
#[derive(Debug, Default)]
struct StandingWarning {
    given: Vec<Option<Id>>,
    since_ms: u64,
    /// Since when events wait for it besides: one that has all may well stand still.
    waiting_ms: u64,
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

/// One that nothing was appended to for longer than that has a writer that is gone for good.
const DAY_MS: u64 = 86_400_000;

/// Counters of the server that should not move, and what it means when they do.
const STILL: [(&str, Level, &str); 3] = [
    ("evicted_keys", Level::Bad, "the server evicted keys: a key of a buffer is a whole lane"),
    ("rejected_connections", Level::Warn, "the server refused connections: maxclients was met"),
    ("aof_delayed_fsync", Level::Warn, "an fsync was delayed: the disk is slow"),
];

/// States of the server that should be so, and what it means when they are not.
const STATES: [(&str, &str, Level, &str); 3] = [
    ("aof_last_write_status", "ok", Level::Bad, "the append-only log cannot be written: writes are refused"),
    ("aof_last_bgrewrite_status", "ok", Level::Bad, "the last rewrite of the append-only log failed"),
    ("rdb_last_bgsave_status", "ok", Level::Warn, "the last snapshot failed"),
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
    /// What is wrong at a look; of what is equally bad, first what hangs on least.
    pub(super) fn of(&mut self, view: &View, subject: &Subject) -> Vec<Wrong> {
        let lines = Thresholds::of(&subject.profile);
        let mut wrong: Vec<Wrong> = Vec::new();
        let mut say = |id: &str, found: Option<(Level, String)>| {
            wrong.extend(found.map(|(level, text)| (id.to_owned(), level, text)));
        };
        say("down", verdict::unseen(view));
        say("gone", verdict::gone(view, subject));
        if let Some(seen) = view.seen() {
            say("room", verdict::room(view, seen, &lines));
            say("short", verdict::short(view, seen, subject));
        }
        wrong.extend(damaged(view));
        wrong.extend(self.setback(view));
        wrong.extend(self.fates(view));
        wrong.extend(of_source(view, &lines));
        wrong.extend(self.server(view));
        wrong.extend(writers(view));
        wrong.extend(self.idle(view, &lines));
        wrong.extend(self.silent(view, &lines));
        wrong.extend(self.groups(view, &lines));
        wrong.extend(view.seen().map_or_else(Vec::new, |seen| drain::wrong(&seen.stat, &lines)));
        wrong.extend(ages(view, &lines));
        wrong.extend(near(view, &lines));
        wrong
    }

    /// Milliseconds since a group was last given something, as far as the watch has seen it.
    pub(super) fn still_ms(&self, group: &str, at_ms: u64) -> Option<u64> {
        Some(at_ms.saturating_sub(self.groups.get(group)?.since_ms))
    }

    fn server(&mut self, view: &View) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        let Some(facts) = view.facts() else { return wrong };
        for (name, right, level, text) in STATES {
            if facts.get(name).is_some_and(|state| state != right) {
                wrong.push((name.into(), level, text.into()));
            }
        }
        for (name, level, text) in STILL {
            let Some(count) = facts.number(name) else { continue };
            if Moved::note(&mut self.counters, name, count, view.at_ms).has_grown(view.at_ms) {
                wrong.push((
                    name.into(),
                    level,
                    format!("{text} ({} since it started)", figures::count(count)),
                ));
            }
        }
        if Moved::note(&mut self.counters, "restarts", view.restarts, view.at_ms).has_grown(view.at_ms) {
            wrong.push(("restarts".into(), Level::Warn, "the server was started again".into()));
        }
        wrong
    }

    fn groups(&mut self, view: &View, lines: &Thresholds) -> Vec<Wrong> {
        let Some(seen) = view.seen() else { return Vec::new() };
        let groups = groups(&seen.stat);
        self.groups.retain(|name, _| groups.iter().any(|group| group.name == *name));
        let mut wrong = Vec::new();
        for group in groups {
            let began = StandingWarning {
                since_ms: view.at_ms,
                waiting_ms: view.at_ms,
                ..StandingWarning::default()
            };
            let stands = self.groups.entry(group.name.clone()).or_insert(began);
            // Not events appended less those unread: a look reads these one after the other, while more come in.
            if stands.given != group.given {
                (stands.given, stands.since_ms) = (group.given.clone(), view.at_ms);
            }
            if stands.since_ms == view.at_ms || group.unread_events == Some(0) {
                stands.waiting_ms = view.at_ms;
            }
            let waited_ms = view.at_ms.saturating_sub(stands.waiting_ms);
            let says_more = seen.stat.sinks.iter().any(|sink| sink.group == group.name);
            wrong.extend(late(&group, waited_ms, lines).filter(|_| !says_more));
        }
        wrong
    }

    /// Whether nothing comes in. A buffer that this watch never saw grow may have been left for good.
    fn idle(&mut self, view: &View, lines: &Thresholds) -> Option<Wrong> {
        let appended = view.seen()?.stat.total()?;
        let moved = Moved::note(&mut self.counters, "appended", appended, view.at_ms);
        let still_ms = view.at_ms.saturating_sub(moved.at_ms);
        (appended > 0 && exceeds(still_ms, lines.idle_s)).then(|| {
            let level = if moved.from.is_some() && still_ms < DAY_MS { Level::Bad } else { Level::Warn };
            ("idle".into(), level, format!("nothing was appended for {}", span_ms(still_ms)))
        })
    }

    /// Lanes that have nothing, while others have.
    fn silent(&mut self, view: &View, lines: &Thresholds) -> Vec<Wrong> {
        if view.seen().is_none() {
            return Vec::new();
        }
        let appended =
            view.lanes().into_iter().filter_map(|lane| Some((lane.name(), view.ever.of(lane).appended()?)));
        let silent = self.silence.take(&appended.collect::<Vec<_>>(), view.at_ms, lines);
        let wrong = |(lane, still_ms): (&str, u64)| {
            let text = format!("lane {lane} has had no events for {}, and others have", span_ms(still_ms));
            (format!("silent {lane}"), Level::Warn, text)
        };
        silent.into_iter().map(wrong).collect()
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
        let sum = |of: fn(&FateCounts) -> u64| view.heard.sums.values().map(of).fold(0, u64::saturating_add);
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
                "more writers than {} speak at once: some of what becomes of their events is not counted",
                figures::count(WRITERS_MAX as u64)
            );
            wrong.push(("forgotten".into(), Level::Warn, text));
        }
        for (name, count, what) in counts {
            if Moved::note(&mut self.counters, name, count, view.at_ms).has_grown(view.at_ms) {
                wrong.push((name.into(), Level::Bad, format!("{} events {what}", figures::count(count))));
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
            WriterState::Fenced => (Level::Warn, format!("writer {id} is fenced: {why}")),
            WriterState::Failed => (Level::Bad, format!("writer {id} failed: {why}")),
            WriterState::HeldBack => (Level::Bad, format!("writer {id} is held back: {why}")),
            // It is heard through the server: while that is away, silence says nothing about it.
            WriterState::Writing if writer.heard_ago >= GONE && view.seen().is_some() => {
                (Level::Warn, format!("writer {id} is gone without a word"))
            }
            WriterState::Writing | WriterState::Closed => continue,
        };
        // What is over is told for a while, not for ever.
        if writer.heard_ago.as_millis() as u64 <= TOLD_MS {
            wrong.push((format!("writer {id}"), level, text));
        }
    }
    wrong
}

/// What is lost, or will be before long, because the source forgets.
fn of_source(view: &View, lines: &Thresholds) -> Vec<Wrong> {
    let Some(stat) = view.seen().map(|seen| &seen.stat) else { return Vec::new() };
    let found = [("forgets", source::forgets(stat, lines)), ("missed", source::missed(stat, lines))];
    found.into_iter().filter_map(|(id, text)| Some((id.into(), Level::Bad, text?))).collect()
}

/// Blocks that cannot be read.
fn damaged(view: &View) -> Vec<Wrong> {
    let lanes = view.seen().map_or(&[][..], |seen| &seen.stat.lanes);
    let damaged = lanes.iter().filter(|lane| !lane.damaged.is_empty());
    damaged
        .map(|lane| {
            let text = format!("lane {}: a block at one of its ends cannot be read", lane.lane);
            (format!("damaged {}", lane.lane), Level::Bad, text)
        })
        .collect()
}

/// Whether a group has stopped, or is too slow.
fn late(group: &Group, waited_ms: u64, lines: &Thresholds) -> Option<Wrong> {
    let name = &group.name;
    let unread = group.unread_events.unwrap_or(0);
    let is_drained = group.commits.is_some();
    let (stopped_s, behind_s) =
        if is_drained { (lines.drained_s, lines.drained_s) } else { (lines.stopped_s, lines.behind_s) };
    let (id, level, text) = if unread > 0 && exceeds(waited_ms, stopped_s) {
        let (waited, unread) = (span_ms(waited_ms), figures::count(unread));
        let what = if is_drained { "committed" } else { "was given" };
        let text = format!("group {name} {what} nothing for {waited}; {unread} events are waiting");
        ("stopped", Level::Bad, text)
    } else if let Some(age_ms) = group.pending_age_ms.filter(|age_ms| exceeds(*age_ms, lines.pending_s)) {
        let text =
            format!("group {name} has not acknowledged a block that it was given {} ago", span_ms(age_ms));
        ("stopped", Level::Bad, text)
    } else if let Some(behind_ms) = group.behind_ms.filter(|behind_ms| exceeds(*behind_ms, behind_s)) {
        ("behind", Level::Warn, format!("group {name} is {} behind", span_ms(behind_ms)))
    } else {
        return None;
    };
    Some((format!("{id} {name}"), level, text))
}

/// Events that are older than the buffer is made for, and ages that nobody can tell.
fn ages(view: &View, lines: &Thresholds) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let Some(seen) = view.seen() else { return wrong };
    // Not that of all lanes together: one that cannot tell does not make another one young.
    let oldest_ms = seen.stat.lanes.iter().filter_map(|lane| lane.oldest_age_ms).max();
    if let Some(oldest_ms) = oldest_ms.filter(|oldest_ms| exceeds(*oldest_ms, lines.held_s)) {
        let text = format!("the oldest event is {} old: more than the profile asks for", span_ms(oldest_ms));
        wrong.push(("old".into(), Level::Warn, text));
    }
    if let Some(ahead_ms) = seen.stat.ids_ahead_ms().filter(|ahead_ms| *ahead_ms > 0) {
        let text = format!(
            "ages are unknown: ids of blocks lie {} in the future, by a server's clock that was ahead",
            span_ms(ahead_ms)
        );
        wrong.push(("ahead".into(), Level::Warn, text));
    }
    wrong
}

/// Limits of the server's own that are near.
fn near(view: &View, lines: &Thresholds) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let Some(seen) = view.seen() else { return wrong };
    let number = |name: &str| seen.facts().number(name).map(|number| number as f64);
    let connected = number("connected_clients").zip(number("maxclients").filter(|most| *most > 0.0));
    if let Some(share) = connected.map(|(here, most)| here / most).filter(|share| *share > lines.connections)
    {
        let text = format!("{} of maxclients are connected", percent(share));
        wrong.push(("connections".into(), Level::Warn, text));
    }
    let disk = seen.limits.all.iter().find_map(|(kind, bound)| match bound {
        Bound::At(room) if *kind == LimitKind::Disk => room.ratio(),
        _ => None,
    });
    if let Some(share) = disk.filter(|share| *share > lines.disk) {
        let text =
            format!("the append-only log and its next rewrite take {} of the disk's room", percent(share));
        wrong.push(("disk".into(), Level::Warn, text));
    }
    wrong
}
