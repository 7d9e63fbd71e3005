//! What a cause is, and which alerts may come beside its own.

use super::rig::{Rig, RigSettings};

/// A cause.
pub(super) struct Scenario {
    /// What happens, as a name.
    pub name: &'static str,
    /// Rules that must fire by it, and clear once it is over.
    pub alerts: &'static [&'static str],
    /// Rules that may fire beside those, and beside what those imply: they are true meanwhile.
    pub also: &'static [&'static str],
    /// Whether it is brought about in a quick part.
    pub is_quick: bool,
    /// Where.
    pub rig: fn() -> RigSettings,
    /// Brings it about.
    pub act: fn(&mut Rig) -> anyhow::Result<()>,
    /// Ends it.
    pub undo: fn(&mut Rig) -> anyhow::Result<()>,
}

/// Beyond what a full buffer brings with it.
pub(super) const FILLED: &[&str] = &[
    "ForebayBufferFilling",
    "ForebayBufferAlmostFull",
    "ForebayBufferFullSoon",
    "ForebayBufferFullTonight",
    "ForebayWritesRefused",
    "ForebayWriterStopped",
    "ForebayReaderStopped",
    "ForebayReaderBehind",
    "ForebayEventsTooOld",
];

/// What a server that is not there, or not itself, brings with it; and, first, what one does that comes back with less than
/// it had: whether a look sees that before the writer goes on is chance.
pub(super) const AWAY_AND_SET_BACK: &[&str] = &[
    "ForebayBufferSetBack",
    "ForebayServerDown",
    "ForebayServerLoading",
    "ForebayServerRestarted",
    "ForebayWatchBlind",
    "ForebayWriterStopped",
    "ForebayWritesRefused",
    "ForebayReaderStopped",
    "ForebayReaderBehind",
    "ForebaySlowWarning",
    "ForebaySlowCritical",
    "ForebayBufferFullTonight",
    "ForebayBufferFullSoon",
];

/// The same of one that comes back with all.
pub(super) const AWAY: &[&str] = match AWAY_AND_SET_BACK.split_first() {
    Some((_, away)) => away,
    None => &[],
};
