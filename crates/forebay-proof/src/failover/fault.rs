//! What befalls a cluster in a round.

use std::fmt;

use forebay_rig::server::{ServerBinary, ServerKind};

/// What befalls the master of a lane, or the lane's slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Killed,
    Stopped,
    HandedOver,
    CutOff,
    Moved,
    MovedAtOnce,
}

impl Fault {
    /// In the order in which they are tried.
    pub const ALL: [Self; 6] =
        [Self::Killed, Self::Stopped, Self::HandedOver, Self::CutOff, Self::Moved, Self::MovedAtOnce];

    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Stopped => "stopped",
            Self::HandedOver => "handed-over",
            Self::CutOff => "cut-off",
            Self::Moved => "moved",
            Self::MovedAtOnce => "moved-at-once",
        }
    }

    /// What a master does, or how slots move.
    fn words(self) -> &'static str {
        match self {
            Self::Killed => "is killed",
            Self::Stopped => "stops and continues",
            Self::HandedOver => "hands over",
            Self::CutOff => "is cut off from its replica and killed",
            Self::Moved => "key by key",
            Self::MovedAtOnce => "in one piece",
        }
    }

    fn is_of_slots(self) -> bool {
        matches!(self, Self::Moved | Self::MovedAtOnce)
    }

    /// Whether the others elect a new master: what takes a while, and ends what the old one was asked.
    pub fn is_election(self) -> bool {
        matches!(self, Self::Killed | Self::Stopped | Self::CutOff)
    }

    /// Whether this server's cluster can do it.
    pub fn is_there(self, binary: &ServerBinary) -> bool {
        self != Self::MovedAtOnce || binary.kind == ServerKind::Valkey && binary.version.major >= 9
    }

    /// Several of them: `a master is killed or hands over, or slots move key by key`.
    pub fn words_of(faults: &[Self]) -> String {
        let (slots, masters): (Vec<Self>, Vec<Self>) = faults.iter().partition(|fault| fault.is_of_slots());
        let parts = [("a master", masters), ("slots move", slots)];
        let said = parts.into_iter().filter(|(_, faults)| !faults.is_empty());
        said.map(|(of, faults)| format!("{of} {}", one_of(&faults))).collect::<Vec<_>>().join(", or ")
    }
}

fn one_of(faults: &[Fault]) -> String {
    let words: Vec<&str> = faults.iter().map(|fault| fault.words()).collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
