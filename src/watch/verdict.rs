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
    if let Some(here_ms) = view.gone_since_ms() {
        let text = format!(
            "It was here until {}; now there is no buffer {} on this server.",
            moment(here_ms, view.at_ms),
            subject.name
        );
        let why = "its keys were deleted, or the server came back without them".to_owned();
        let others = view.warnings.now().map(|warning| warning.text.clone());
        return Verdict { level: Level::Bad, text, why: [why].into_iter().chain(others).collect() };
    }
    if seen.stat.is_there().is_none() {
        let refused: Vec<&str> = seen.refused().map(String::as_str).collect();
        let why = format!("the server refuses {} to this user", refused.join(", "));
        let text = format!("Nobody can tell whether there is a buffer {} on this server.", subject.name);
        return Verdict { level: Level::Unknown, text, why: vec![why] };
    }
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
    let of_used = match used {
        Some(used) if used >= ALMOST_FULL => Level::Bad,
        Some(used) if used >= FILLING => Level::Warn,
        _ => Level::Good,
    };
    let (level, text) = alone(&forecast.unread, subject.profile.hold.hours, seen);
    (level.max(of_used), text)
}

/// How long it holds if the readers go away: what a buffer is there for.
fn alone(unread: &Full, hours: f64, seen: &Seen) -> (Level, String) {
    let held_s = seen.stat.oldest_age_ms().unwrap_or(0) as f64 / 1_000.0;
    match unread {
        Full::In(seconds) if held_s + seconds < hours * 3_600.0 => {
            let room = span(*seconds);
            (Level::Warn, format!("It holds for {room} if nobody reads; the profile asks for {hours} h."))
        }
        Full::In(seconds) => (Level::Good, format!("It holds: {} of room if nobody reads.", span(*seconds))),
        Full::NotFilling => (Level::Good, "It holds: nothing comes in.".into()),
        Full::Now => (Level::Bad, "It is full.".into()),
        Full::Unknown(why) => (Level::Good, format!("It holds for now; for how long is not known: {why}.")),
    }
}

/// A moment as people say it, here: the day only where it is another than that of `now_ms`.
fn moment(ms: u64, now_ms: u64) -> String {
    let of = |ms: u64| {
        let at = jiff::Timestamp::from_millisecond(ms.cast_signed()).unwrap_or_default();
        at.to_zoned(jiff::tz::TimeZone::system())
    };
    let at = of(ms);
    let day = if at.date() == of(now_ms).date() { "" } else { "%Y-%m-%d " };
    at.strftime(&format!("{day}%H:%M %Z")).to_string()
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
