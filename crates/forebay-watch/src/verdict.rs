//! Will it hold? One sentence, and the reasons for it, worst first: the one place where that is decided, for the page, the
//! terminal, metrics and programs.

use forebay::buffer::connect::Address;
use forebay::buffer::limit::{Full, LimitKind};

use super::figures::{percent, span, span_ms};
use super::look::WatchSnapshot;
use super::subject::Subject;
use super::thresholds::Thresholds;
use super::view::{View, utilisation};
use super::warning::Wrong;

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

    /// As a number, the higher the worse.
    pub fn rank(self) -> u8 {
        self as u8
    }
}

/// The sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How bad it is.
    pub level: Level,
    /// One sentence: the worst reason, or that it holds.
    pub text: String,
    /// What else it hangs on, worst first.
    pub why: Vec<String>,
}

/// Before the first look.
pub(super) fn not_looked(address: &Address) -> Verdict {
    Verdict { level: Level::Unknown, text: format!("No look at {address} yet."), why: Vec::new() }
}

/// From all that is wrong, worst first, and how long it holds.
pub(super) fn of(view: &View, subject: &Subject, wrong: &[Wrong]) -> Verdict {
    let mut reasons = standing(view, subject, wrong);
    // Of the same level, what stands first stays first.
    reasons.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    let mut reasons = reasons.into_iter();
    let (level, text) = reasons.next().unwrap_or((Level::Unknown, "nothing is known".into()));
    // Beside something worse, that it holds is no reason; what nobody can tell is.
    let why = reasons.filter(|(level, _)| *level != Level::Good).map(|(_, text)| text);
    Verdict { level, text: sentence(&text), why: why.collect() }
}

/// All that can be said, each with its level.
fn standing(view: &View, subject: &Subject, wrong: &[Wrong]) -> Vec<(Level, String)> {
    let mut all: Vec<(Level, String)> = wrong
        .iter()
        .flat_map(|(id, level, text)| {
            // What the system said is a reason of its own.
            let parts = text.split_once(": ").filter(|_| id == "down");
            let parts = parts.map_or_else(|| vec![text.as_str()], |(what, why)| vec![what, why]);
            parts.into_iter().map(|part| (*level, part.to_owned()))
        })
        .collect();
    let name = &subject.name;
    let Some(seen) = view.seen() else { return all };
    if view.gone_since_ms().is_some() {
        return all;
    }
    if seen.stat.is_there().is_none() {
        let refused: Vec<&str> = seen.refused().map(String::as_str).collect();
        all.push((Level::Unknown, format!("whether there is a buffer {name} on this server is unknown")));
        all.push((Level::Unknown, format!("the server refuses {} to this user", refused.join(", "))));
    } else if seen.stat.lanes.is_empty() {
        all.push((Level::Unknown, format!("there is no buffer {name} on this server yet")));
        all.push((Level::Unknown, "`forebay append` makes it".into()));
    } else {
        all.push(holds(view, seen));
    }
    all
}

/// How long it holds if the readers go away: what a buffer is there for.
fn holds(view: &View, seen: &WatchSnapshot) -> (Level, String) {
    if seen.limits.first().is_none() {
        return (Level::Unknown, "how long it holds is unknown: this buffer has no known limit".into());
    }
    match view.forecast.as_ref().map(|forecast| &forecast.unread) {
        Some(Full::In(seconds)) => {
            (Level::Good, format!("it holds: {} of room if nobody reads", span(*seconds)))
        }
        Some(Full::NotFilling) => (Level::Good, "it holds: nothing comes in".into()),
        // That is among what is wrong.
        Some(Full::Now) => (Level::Good, "it is full".into()),
        Some(Full::Unknown(why)) => (Level::Good, format!("it holds for now; {why}")),
        None => (Level::Unknown, "how long it holds is not known yet".into()),
    }
}

/// What is wrong with the room that is left: how full it is, and how soon it will be, in one sentence.
pub(super) fn room(view: &View, seen: &WatchSnapshot, lines: &Thresholds) -> Option<(Level, String)> {
    let (kind, _) = seen.limits.first()?;
    let then = kind.then(seen.facts().get("maxmemory_policy").unwrap_or("unknown"));
    let net = &view.forecast.as_ref()?.net;
    if *net == Full::Now {
        return Some((Level::Bad, format!("it is full, by {}: {then}", kind.name())));
    }
    let used = utilisation(seen).unwrap_or(0.0);
    let seconds = net.seconds().unwrap_or(f64::INFINITY);
    let level = if used > lines.almost_full || seconds < lines.soon_s {
        Level::Bad
    } else if used > lines.filling || seconds < lines.tonight_s {
        Level::Warn
    } else {
        return None;
    };
    Some((level, format!("{}; then {then}", filled(used > lines.filling, used, kind, net))))
}

/// How full, and how soon: what is true of both.
fn filled(is_filled: bool, used: f64, kind: LimitKind, net: &Full) -> String {
    let soon = match net {
        Full::In(seconds) => format!("full in {} as it fills now", span(*seconds)),
        Full::NotFilling => "not filling now".into(),
        Full::Now | Full::Unknown(_) => String::new(),
    };
    match (is_filled, soon.is_empty()) {
        (true, true) => format!("it is {} full, by {}", percent(used), kind.name()),
        (true, false) => format!("it is {} full, by {}, {soon}", percent(used), kind.name()),
        (false, _) => format!("it is {soon}, by {}", kind.name()),
    }
}

/// Whether less fits than the profile asks for, where somebody asked.
pub(super) fn short(view: &View, seen: &WatchSnapshot, subject: &Subject) -> Option<(Level, String)> {
    let hours = subject.profile.hold.hours;
    let Full::In(seconds) = view.forecast.as_ref()?.unread else { return None };
    let held_s = seen.stat.oldest_age_ms().unwrap_or(0) as f64 / 1_000.0;
    let is_short = subject.is_profile_chosen && held_s + seconds < hours * 3_600.0;
    is_short.then(|| {
        let text = format!("it holds for {} if nobody reads; the profile asks for {hours} h", span(seconds));
        (Level::Warn, text)
    })
}

/// That the server, or the buffer on it, cannot be seen.
pub(super) fn unseen(view: &View) -> Option<(Level, String)> {
    let since_ms = view.down_since_ms?;
    let told = span_ms(view.at_ms.saturating_sub(since_ms));
    let why = view.not_seen().map_or("", |not| &not.why);
    let is_loading = view.facts().and_then(|facts| facts.get("loading")).is_some_and(|state| state != "0");
    Some(if is_loading {
        (Level::Warn, format!("the server loads its data, for {told}, and answers nothing else: {why}"))
    } else if view.facts().is_some() {
        (Level::Bad, format!("the server answers, and the buffer cannot be seen, for {told}: {why}"))
    } else {
        (Level::Bad, format!("the server has not answered for {told}: {why}"))
    })
}

/// That the buffer was there, and is gone.
pub(super) fn gone(view: &View, subject: &Subject) -> Option<(Level, String)> {
    let here_ms = view.gone_since_ms()?;
    let text = format!(
        "it was here until {}; now there is no buffer {} on this server: its keys were deleted, or the server came back \
         without them",
        moment(here_ms, view.at_ms),
        subject.name
    );
    Some((Level::Bad, text))
}

/// A reason as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
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
