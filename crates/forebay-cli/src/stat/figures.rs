//! What figures look like in `forebay stat`, known or not.

use forebay_proof::report::units;

/// Columns of a terminal that nobody is surprised by.
pub(super) const WIDTH: usize = 80;

pub(super) const UNKNOWN: &str = "unknown";

pub(super) fn or_unknown<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.into(), show)
}

pub(super) fn bytes(count: u64) -> String {
    units::bytes(count as f64)
}
