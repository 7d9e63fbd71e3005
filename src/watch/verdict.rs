//! Will it hold? One sentence, and the reasons for it.

use crate::buffer::connect::Address;
use crate::buffer::limit::Full;

use super::Subject;
use super::look::Seen;
use super::view::{View, utilisation};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It holds.
    Good,
    /// Nobody can tell.
    Unknown,
    /// Somebody should look today.
    Warn,
    /// Somebody should look now.
    Bad,
}

impl Level {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// The sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How bad it is.
    pub level: Level,
    /// One sentence.
    pub text: String,
    /// What it hangs on, worst first.
    pub why: Vec<String>,
}

/// Full within that is for somebody now, and within that for somebody today.
pub const SOON_S: f64 = 1_800.0;
/// The second of them.
pub const TONIGHT_S: f64 = 14_400.0;

/// Used so far is for somebody today, and so far for somebody now.
pub const FILLING: f64 = 0.85;
/// The second of them.
pub const ALMOST_FULL: f64 = 0.95;

/// Before the first look.
pub(super) fn not_looked(address: &Address) -> Verdict {
    Verdict { level: Level::Unknown, text: format!("No look at {address} yet."), why: Vec::new() }
}

/// From all that is known.
pub(super) fn of(view: &View, subject: &Subject) -> Verdict {
    let Some(seen) = view.seen() else {
        let (why, since) = (view.not_seen().map_or("", |not| &not.why), view.down_since_ms);
        let seconds = since.map_or(0, |since| view.at_ms.saturating_sub(since) / 1_000);
        let seconds = span(seconds as f64);
        let text = if view.facts().is_some() {
            format!(
                "Nobody can tell: the server answers, and the buffer could not be looked at for {seconds}."
            )
        } else {
            format!("Nobody can tell: the server has not answered for {seconds}.")
        };
        return Verdict { level: Level::Unknown, text, why: vec![why.into()] };
    };
    if seen.stat.lanes.is_empty() {
        let text = format!("There is no buffer {} on this server yet.", subject.name);
        return Verdict { level: Level::Unknown, text, why: vec!["`forebay append` makes it".into()] };
    }
    let (mut level, text) = holds(view, seen, subject);
    let mut why = Vec::new();
    for warning in view.warnings.now() {
        level = level.max(warning.level);
        why.push(warning.text.clone());
    }
    Verdict { level, text, why }
}

/// The sentence about room and time.
fn holds(view: &View, seen: &Seen, subject: &Subject) -> (Level, String) {
    let Some((kind, _)) = seen.limits.first() else {
        return (Level::Unknown, "Nobody can tell: no limit of this buffer is known.".into());
    };
    let used = utilisation(seen);
    let Some(forecast) = &view.forecast else {
        return (Level::Unknown, "Nobody can tell yet.".into());
    };
    let then = kind.then(seen.facts().get("maxmemory_policy").unwrap_or("unknown"));
    match &forecast.net {
        Full::Now => return (Level::Bad, format!("It is full, by {}: {then}.", kind.name())),
        Full::In(seconds) if *seconds < TONIGHT_S => {
            let level = if *seconds < SOON_S { Level::Bad } else { Level::Warn };
            return (level, format!("It is full in {}, by {}; then {then}.", span(*seconds), kind.name()));
        }
        _ => {}
    }
    let level = match used {
        Some(used) if used >= ALMOST_FULL => Level::Bad,
        Some(used) if used >= FILLING => Level::Warn,
        _ => Level::Good,
    };
    (level, alone(&forecast.unread, subject.profile.hold.hours, seen))
}

/// How long it holds if the readers go away: what a buffer is there for.
fn alone(unread: &Full, hours: f64, seen: &Seen) -> String {
    let held_s = seen.stat.oldest_age_ms().unwrap_or(0) as f64 / 1_000.0;
    match unread {
        Full::In(seconds) if held_s + seconds < hours * 3_600.0 => {
            format!("It holds for {} if nobody reads; the profile asks for {hours} h.", span(*seconds))
        }
        Full::In(seconds) => format!("It holds: {} of room if nobody reads.", span(*seconds)),
        Full::NotFilling => "It holds: nothing comes in.".into(),
        Full::Now => "It is full.".into(),
        Full::Unknown(why) => format!("It holds for now; for how long is not known: {why}."),
    }
}

/// A time as people say it: two units at the most.
pub fn span(seconds: f64) -> String {
    let (minutes, hours) = (seconds / 60.0, seconds / 3_600.0);
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        _ if minutes < 90.0 => format!("{minutes:.0} min"),
        _ if hours < 48.0 => format!("{hours:.1} h"),
        _ if hours < 24.0 * 100.0 => format!("{:.0} days", hours / 24.0),
        _ => "over 100 days".into(),
    }
}
