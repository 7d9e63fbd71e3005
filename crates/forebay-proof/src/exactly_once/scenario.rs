//! What goes wrong in a round: a row of a table.

use forebay_rig::server::ServerBinary;

use super::seen::Seen;

/// What a control counts when what it breaks was broken.
pub(crate) const SABOTAGED: &str = "sabotaged";

/// What goes wrong.
pub(crate) struct Scenario {
    /// Its claim is `<proof>.<id>`.
    pub id: &'static str,
    /// What goes wrong, as the end of a sentence.
    pub what: &'static str,
    /// What must have acted for a round to count.
    pub acts: &'static [&'static str],
    /// One round.
    pub play: fn(&Round<'_>) -> anyhow::Result<Seen>,
    /// What is broken in the control.
    pub broken: Broken,
}

/// What is broken in a control.
pub(crate) struct Broken {
    /// What it is.
    pub what: &'static str,
    /// What it must do to events, so that the control was refuted by that and nothing else.
    pub does: fn(&Seen) -> u64,
}

/// One round.
pub(crate) struct Round<'a> {
    /// The server's program.
    pub binary: &'a ServerBinary,
    /// What is drawn.
    pub seed: u64,
    /// Events.
    pub events: u64,
    /// Whether it is the control's, in which something is broken.
    pub is_broken: bool,
}
