//! Everything that a run has measured, which claims are made from.

use super::cells::Cell;
use super::counters::Counters;
use super::saturation::Probe;
use super::values::Weight;
use forebay_rig::load::outcome::Outcome;

/// Everything that was measured.
pub(super) struct Measured {
    pub(super) cells: Vec<Cell>,
    /// The mix at the profile's rate.
    pub(super) paced: Outcome,
    pub(super) probes: Vec<Probe>,
    pub(super) weights: Vec<Weight>,
    pub(super) counters: Counters,
    /// Whether nobody else sends commands to the server.
    pub(super) is_own: bool,
}
