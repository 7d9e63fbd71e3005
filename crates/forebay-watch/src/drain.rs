//! The drains of a buffer, as each stands beside it: its figures with what the buffer says of its group, for page, terminal,
//! metrics and programs, and what is wrong with it.

use serde_json::{Value, json};

use super::figures::{count, span, span_ms};
use super::thresholds::{Thresholds, exceeds};
use super::verdict::Level;
use super::view::groups;
use super::warning::Wrong;
use forebay::buffer::stat::{SinkStat, Stat};

/// A drain at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Drain<'a> {
    /// What it said of itself.
    pub sink: &'a SinkStat,
    /// How long ago that was; none where the server's clock is not known.
    pub sign_ms: Option<u64>,
    /// Events that are in no file.
    pub waiting: Option<u64>,
    /// How long the oldest of them has waited; 0 where there is none.
    pub oldest_ms: Option<u64>,
    now_ms: Option<u64>,
}

/// Every drain of a buffer, by group.
pub fn drains(stat: &Stat) -> Vec<Drain<'_>> {
    let (groups, now_ms) = (groups(stat), stat.at_ms);
    let mut drains = Vec::new();
    for sink in &stat.sinks {
        let group = groups.iter().find(|group| group.name == sink.group);
        drains.push(Drain {
            sink,
            sign_ms: now_ms.map(|now_ms| sink.age_ms(now_ms)),
            waiting: group.and_then(|group| group.unread_events),
            oldest_ms: group.and_then(|group| group.behind_ms),
            now_ms,
        });
    }
    drains
}

impl Drain<'_> {
    /// Milliseconds since the last commit.
    pub fn last_ms(&self) -> Option<u64> {
        self.sink.last_ms(self.now_ms?)
    }

    /// What it does, in a word.
    pub fn state(&self) -> &'static str {
        let figures = &self.sink.figures;
        match self.now_ms {
            _ if figures.trouble.is_some() => "refused",
            _ if figures.is_over => "ended",
            Some(now_ms) if !self.sink.is_running(now_ms) => "silent",
            _ => "running",
        }
    }

    /// Commits among what was tried.
    pub fn success_ratio(&self) -> Option<f64> {
        let figures = &self.sink.figures;
        let tried = figures.commits + figures.failures;
        (tried > 0).then(|| figures.commits as f64 / tried as f64)
    }

    /// As JSON; what is unknown is null.
    pub fn json(&self) -> Value {
        let figures = &self.sink.figures;
        json!({
            "group": self.sink.group, "to": figures.to, "state": self.state(),
            "sign_age_s": self.sign_ms.map(seconds), "waiting_events": self.waiting,
            "oldest_age_s": self.oldest_ms.map(seconds), "max_age_s": seconds(figures.age_max_ms),
            "rows": figures.rows, "files": figures.files, "bytes": figures.bytes,
            "commits": figures.commits, "failures": figures.failures,
            "success_ratio": self.success_ratio(), "staged_rows": figures.staged,
            "compression_ratio": figures.compression(),
            "last_commit_age_s": self.last_ms().map(seconds),
            "last_commit_s": figures.last.map(|last| seconds(last.took_ms)),
            "last_commit_rows": figures.last.map(|last| last.rows),
            "last_commit_rows_per_second": figures.last.and_then(|last| last.rows_per_second()),
            "trouble": figures.trouble,
            "trouble_s": figures.trouble.as_ref().map(|_| seconds(figures.trouble_ms)),
            "free_bytes": figures.free_bytes, "bytes_per_hour": figures.bytes_per_hour,
        })
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

/// What is wrong with the drains of a buffer: each of a kind once.
pub(super) fn wrong(stat: &Stat, lines: &Thresholds) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for drain in drains(stat) {
        let kinds: [(&str, Level, Option<String>); 4] = [
            ("stopped", Level::Bad, drain.stopped(lines)),
            ("refused", Level::Bad, drain.refused()),
            ("late", Level::Warn, drain.late(lines)),
            ("short", Level::Warn, drain.short(lines)),
        ];
        for (kind, level, text) in kinds {
            let id = || format!("drain {kind} {}", drain.sink.group);
            wrong.extend(text.map(|text| (id(), level, text)));
        }
    }
    wrong
}

impl Drain<'_> {
    /// Whether nothing was heard of it for too long, while events wait.
    fn stopped(&self, lines: &Thresholds) -> Option<String> {
        let silent_ms = self.sign_ms.filter(|ms| exceeds(*ms, lines.drain_silent_s))?;
        let waiting = self.waiting.filter(|events| *events > 0 && !self.sink.figures.is_over)?;
        let (group, silent) = (&self.sink.group, span_ms(silent_ms));
        Some(format!(
            "drain {group} was last heard of {silent} ago; {} events wait for their files",
            count(waiting)
        ))
    }

    /// Whether its destination refuses.
    fn refused(&self) -> Option<String> {
        let figures = &self.sink.figures;
        let why = figures.trouble.as_ref()?;
        let since = span_ms(figures.trouble_ms.saturating_add(self.sign_ms.unwrap_or(0)));
        Some(format!("drain {} cannot write to {} for {since}: {why}", self.sink.group, figures.to))
    }

    /// Whether an event has waited for longer than it may.
    fn late(&self, lines: &Thresholds) -> Option<String> {
        let allowed_ms = self.sink.figures.age_max_ms;
        let line_s = seconds(allowed_ms) + lines.drain_late_s;
        let oldest = span_ms(self.oldest_ms.filter(|ms| exceeds(*ms, line_s))?);
        let (group, allowed) = (&self.sink.group, span_ms(allowed_ms));
        Some(format!(
            "drain {group} is late: an event has waited for its file for {oldest}, and may wait for {allowed}"
        ))
    }

    /// Whether what is free there is little, or will be used up before long.
    fn short(&self, lines: &Thresholds) -> Option<String> {
        let free = self.sink.figures.free_bytes? as f64;
        let hours = self.hours_left();
        if free >= lines.drain_free_bytes && hours.is_none_or(|hours| hours >= lines.drain_free_hours) {
            return None;
        }
        let (group, gib) = (&self.sink.group, free / f64::from(1 << 30));
        let enough = hours.map_or(String::new(), |hours| format!(", enough for {}", span(hours * 3_600.0)));
        Some(format!("the disk of drain {group} has {gib:.1} GiB left{enough}"))
    }

    /// Hours of events that what is free is enough for.
    pub fn hours_left(&self) -> Option<f64> {
        let figures = &self.sink.figures;
        let hourly = figures.bytes_per_hour.filter(|bytes| *bytes > 0)?;
        Some(figures.free_bytes? as f64 / hourly as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{self, Profile};
    use forebay::buffer::stat::SinkFigures;

    fn sink(figures: SinkFigures) -> SinkStat {
        SinkStat { group: "lake".into(), epoch: 1, at_ms: 0, figures }
    }

    /// What is wrong with a drain that was heard of, and has an event waiting, for so many seconds.
    fn said(figures: SinkFigures, silent_s: u64, oldest_s: u64) -> Vec<String> {
        let lines = Thresholds::of(&Profile::load(profile::DEFAULT).unwrap());
        let sink = sink(SinkFigures { to: "/srv".into(), age_max_ms: 3_600_000, ..figures });
        let drain = Drain {
            sink: &sink,
            sign_ms: Some(silent_s * 1_000),
            waiting: Some(oldest_s * 100),
            oldest_ms: Some(oldest_s * 1_000),
            now_ms: Some(silent_s * 1_000),
        };
        [drain.stopped(&lines), drain.refused(), drain.late(&lines), drain.short(&lines)]
            .into_iter()
            .flatten()
            .collect()
    }

    #[test]
    fn a_drain_is_well_stopped_late_refused_or_short_of_room() {
        let well = SinkFigures::default;
        let nothing = Vec::<String>::new();
        assert_eq!(said(well(), 120, 4_500), nothing);
        assert_eq!(
            said(well(), 121, 5),
            ["drain lake was last heard of 2 min ago; 500 events wait for their files"]
        );
        assert_eq!(said(well(), 9_999, 0), nothing, "nothing waits");
        assert_eq!(said(SinkFigures { is_over: true, ..well() }, 9_999, 5), nothing, "it has ended");
        assert_eq!(
            said(SinkFigures { is_over: true, ..well() }, 9_999, 4_501),
            ["drain lake is late: an event has waited for its file for 75 min, and may wait for 60 min"]
        );
        let trouble = Some("No space left on device".into());
        assert_eq!(
            said(SinkFigures { trouble, trouble_ms: 4_000, ..well() }, 1, 5),
            ["drain lake cannot write to /srv for 5 s: No space left on device"]
        );
        let free =
            |gib: u64, bytes_per_hour| SinkFigures { free_bytes: Some(gib << 30), bytes_per_hour, ..well() };
        assert_eq!(said(free(1, None), 1, 5), nothing);
        assert_eq!(said(free(0, None), 1, 5), ["the disk of drain lake has 0.0 GiB left"]);
        assert_eq!(said(free(24, Some(1 << 30)), 1, 5), nothing);
        assert_eq!(
            said(free(23, Some(1 << 30)), 1, 5),
            ["the disk of drain lake has 23.0 GiB left, enough for 23.0 h"]
        );
    }
}
