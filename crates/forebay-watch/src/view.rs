//! What is known at one moment, from which every renderer draws: the last look, an hour before it, what writers say, and
//! what is wrong.

use std::time::{Duration, Instant};

use super::forecast::{Forecast, History, Point, Rates};
use super::look::{LookFailure, WatchSnapshot, now_ms};
use super::monotonic_counters::MonotonicCounters;
use super::subject::Subject;
use super::verdict::{self, Verdict};
use super::warning::{Trends, Warnings};
use forebay::buffer::connect::Facts;
use forebay::buffer::entry::Id;
use forebay::buffer::stat::{GroupStat, Stat};
use forebay::buffer::status_subscriber::WritersSnapshot;
use forebay::event::lane::Lanes;

/// How long a look may take, beyond all its time-outs on a server that answers slowly.
const OLD: Duration = Duration::from_secs(180);

/// A writer that says nothing for so long is gone: it speaks every second.
pub const GONE: Duration = Duration::from_secs(5);

/// All of it.
pub struct View {
    /// What the last look saw; none before the first.
    pub last: Option<Result<WatchSnapshot, LookFailure>>,
    /// What the last look saw that saw anything, while later ones do not, and when that was.
    kept: Option<(WatchSnapshot, u64)>,
    /// When that was, by the watcher's clock.
    pub at_ms: u64,
    looked: Instant,
    began: Instant,
    /// A look that is older says nothing of now: nobody looks any more.
    old_after: Duration,
    /// Since when no look has seen anything.
    pub down_since_ms: Option<u64>,
    last_good: Option<Instant>,
    /// Looks that saw something, and that did not.
    pub looks: (u64, u64),
    /// How often the server turned out to be another process than before.
    pub restarts: u64,
    run_id: Option<String>,
    /// What was ever written, and how often the server had less of it.
    pub ever: MonotonicCounters,
    /// An hour of looks.
    pub history: History,
    /// Rates of the last minutes.
    pub rates: Rates,
    /// When the buffer is full at that; none where it was not seen.
    pub forecast: Option<Forecast>,
    /// What writers say.
    pub heard: WritersSnapshot,
    /// The buffer's lanes, before it was seen.
    expected: Lanes,
    /// What moves, and what does not.
    trends: Trends,
    /// What is wrong, and what was.
    pub warnings: Warnings,
    /// Will it hold?
    pub verdict: Verdict,
}

impl View {
    /// Before the first look.
    pub fn new(subject: &Subject) -> Self {
        Self {
            last: None,
            kept: None,
            at_ms: now_ms(),
            looked: Instant::now(),
            began: Instant::now(),
            old_after: OLD.max(subject.every * 3),
            down_since_ms: None,
            last_good: None,
            looks: (0, 0),
            restarts: 0,
            run_id: None,
            ever: MonotonicCounters::default(),
            history: History::default(),
            rates: Rates::default(),
            forecast: None,
            heard: WritersSnapshot::default(),
            expected: subject.name.lanes(),
            trends: Trends::default(),
            warnings: Warnings::default(),
            verdict: verdict::not_looked(&subject.address),
        }
    }

    /// What was seen, if anything was.
    pub fn seen(&self) -> Option<&WatchSnapshot> {
        self.last.as_ref().filter(|_| !self.is_old())?.as_ref().ok()
    }

    /// What was seen last, now or before, and since when it is old: what is shown while nothing is seen.
    pub fn shown(&self) -> Option<(&WatchSnapshot, Option<u64>)> {
        let kept = || self.kept.as_ref().map(|(seen, at_ms)| (seen, Some(*at_ms)));
        self.seen().map(|seen| (seen, None)).or_else(kept)
    }

    /// The buffer's lanes, as seen last.
    pub fn lanes(&self) -> Lanes {
        self.shown().map_or(self.expected, |(seen, _)| seen.stat.events.lanes())
    }

    /// Why nothing was.
    pub fn not_seen(&self) -> Option<&LookFailure> {
        self.last.as_ref()?.as_ref().err()
    }

    /// What the server says of itself, where it answers that much.
    pub fn facts(&self) -> Option<&Facts> {
        match self.last.as_ref().filter(|_| !self.is_old())? {
            Ok(seen) => Some(seen.facts()),
            Err(not) => not.facts.as_ref(),
        }
    }

    /// Seconds since the last look that saw something, or since the watch began.
    pub fn look_age_s(&self) -> Option<f64> {
        Some(self.last_good.unwrap_or(self.began).elapsed().as_secs_f64())
    }

    /// Whether nobody looks any more: each look ends within seconds, whatever it sees.
    pub fn is_old(&self) -> bool {
        self.looked.elapsed() > self.old_after
    }

    /// When the buffer was last there, where it was once and is gone.
    pub fn gone_since_ms(&self) -> Option<u64> {
        self.ever.here_ms.filter(|_| self.seen().is_some_and(|seen| seen.stat.is_there() == Some(false)))
    }

    /// Milliseconds since a group was last given something, as far as it was seen.
    pub fn still_ms(&self, group: &str) -> Option<u64> {
        self.trends.still_ms(group, self.at_ms)
    }

    /// Takes a look in.
    pub fn take(
        &mut self,
        subject: &Subject,
        looked: Result<WatchSnapshot, LookFailure>,
        heard: WritersSnapshot,
    ) {
        let before_ms = self.at_ms;
        (self.at_ms, self.looked, self.heard) = (now_ms(), Instant::now(), heard);
        if let Ok(seen) = &looked {
            self.take_seen(subject, seen);
        } else {
            self.looks.1 += 1;
            self.down_since_ms.get_or_insert(self.at_ms);
            // Rates and forecast stay, as old as what they are of.
        }
        let facts = match &looked {
            Ok(seen) => Some(seen.facts()),
            Err(not) => not.facts.as_ref(),
        };
        let run_id = facts.and_then(|facts| facts.get("run_id")).map(str::to_owned);
        if run_id.is_some() {
            let is_other = self.run_id.is_some() && self.run_id != run_id;
            self.restarts += u64::from(is_other);
            self.run_id = run_id;
        }
        let is_seen = looked.is_ok();
        match self.last.replace(looked) {
            _ if is_seen => self.kept = None,
            Some(Ok(seen)) => self.kept = Some((seen, before_ms)),
            _ => {}
        }
        let mut trends = std::mem::take(&mut self.trends);
        let wrong = trends.of(self, subject);
        self.trends = trends;
        self.warnings.update(self.at_ms, &wrong);
        self.verdict = verdict::of(self, subject, &wrong);
    }

    fn take_seen(&mut self, subject: &Subject, seen: &WatchSnapshot) {
        self.looks.0 += 1;
        (self.last_good, self.down_since_ms) = (Some(self.looked), None);
        let stat = &seen.stat;
        self.ever.take(stat, self.at_ms);
        let mut point = Point {
            // Rates hang on differences alone: where the server's clock is not known, the watcher's will do.
            at_ms: stat.at_ms.unwrap_or(self.at_ms),
            seen_ms: self.at_ms,
            appended: stat.total(),
            events: stat.events(),
            used_ratio: utilisation(seen),
            oldest_age_ms: stat.oldest_age_ms(),
            unread: groups(stat).iter().filter_map(|group| group.unread_events).max(),
            ..Point::default()
        };
        self.rates = self.history.rates(&point, stat.events_per_second_in(), stat.quiet_ms());
        (point.coming, point.going) = (self.rates.coming(), self.rates.going());
        self.history.keep(point);
        self.forecast = Some(Forecast::of(&seen.limits, self.rates, subject.profile.rates.peak));
    }
}

/// Events held, of those held when the first limit is met.
pub fn utilisation(seen: &WatchSnapshot) -> Option<f64> {
    let (held, at) = (seen.stat.events()?, seen.limits.events_at_limit()?);
    (at > 0).then(|| held as f64 / at as f64)
}

/// A group over all its lanes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Lanes it is on.
    pub lanes: usize,
    /// Where it stands on each of them: the last block that it was given.
    pub given: Vec<Option<Id>>,
    /// Events it was not given, of all lanes.
    pub unread_events: Option<u64>,
    /// Milliseconds that it is behind, on the lane where that is most.
    pub behind_ms: Option<u64>,
    /// Blocks given and not acknowledged.
    pub pending_blocks: Option<u64>,
    /// Age of the oldest of those.
    pub pending_age_ms: Option<u64>,
    /// The most consumers on a lane.
    pub consumers: u64,
    /// Commits of all lanes, of a group that a drain commits for; none of one that is read.
    pub commits: Option<u64>,
}

/// The groups over all lanes, by name.
pub fn groups(stat: &Stat) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for of_lane in &stat.groups {
        let at = groups.iter().position(|group| group.name == of_lane.group).unwrap_or_else(|| {
            let new = Group {
                name: of_lane.group.clone(),
                unread_events: Some(0),
                pending_blocks: Some(0),
                behind_ms: Some(0),
                ..Group::default()
            };
            groups.push(new);
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(at) {
            group.add(of_lane);
        }
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    groups
}

impl Group {
    fn add(&mut self, of_lane: &GroupStat) {
        let sum = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a.saturating_add(b));
        self.lanes += 1;
        self.given.push(of_lane.given);
        self.unread_events = sum(self.unread_events, of_lane.unread_events);
        self.behind_ms = self.behind_ms.zip(of_lane.behind_ms).map(|(most, behind)| most.max(behind));
        self.pending_blocks = sum(self.pending_blocks, of_lane.pending_blocks);
        self.pending_age_ms = self.pending_age_ms.max(of_lane.pending_age_ms);
        self.consumers = self.consumers.max(of_lane.consumers);
        // A lane that nobody wrote has none yet.
        self.commits = match (self.commits, of_lane.commits) {
            (Some(all), Some(commits)) => Some(all.saturating_add(commits)),
            (all, commits) => all.or(commits),
        };
    }
}
