//! Everything that a run has measured: what claims are made from, those of the controls too.

use super::fill::Filled;
use super::readback::ReadBack;
use super::sample::{Layout, Weight};
use forebay_watch::profile::Profile;

/// Everything that was measured.
pub(super) struct Measured<'a> {
    pub(super) profile: &'a Profile,
    /// `maxmemory` of the target; none where it has no limit.
    pub(super) limit_bytes: Option<u64>,
    /// From the sample, before the fill.
    pub(super) weight: Weight,
    /// The sample's size.
    pub(super) sample: u64,
    pub(super) weights: Vec<(Layout, Weight)>,
    pub(super) filled: Filled,
    pub(super) read_back: ReadBack,
    pub(super) allocator: String,
    pub(super) fragmentation: Option<f64>,
}

impl Measured<'_> {
    /// Bytes that the profile allows, and whatever was in use before.
    pub(super) fn line_bytes(&self) -> Option<f64> {
        self.limit_bytes.map(|limit| limit as f64 * self.profile.hold.memory_percent_max / 100.0)
    }

    /// Events that the server holds once all are in: those that come back. What was acknowledged may be gone by then.
    pub(super) fn held(&self) -> u64 {
        self.read_back.findings.read
    }

    /// Bytes of `used_memory` for each event that is held; none where none is.
    pub(super) fn bytes_per_event(&self) -> Option<f64> {
        let (first, last) = (self.filled.curve.first()?, self.filled.curve.last()?);
        let bytes = last.used_bytes.saturating_sub(first.used_bytes);
        (self.held() > 0).then(|| bytes as f64 / self.held() as f64)
    }
}
