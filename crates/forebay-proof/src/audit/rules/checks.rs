//! What rules of several sections do: hold one setting against what it must be, and tell a size.

use std::ops::RangeBounds;

use crate::audit::rule::{Checked, Fix, State};
use crate::audit::snapshot::AuditSnapshot;

/// A setting that must be yes.
pub(super) fn yes(seen: &AuditSnapshot, name: &str) -> Checked {
    Ok(State::of(seen.yes(name)?, seen.said(name)?, || vec![Fix::set(name, "yes")]))
}

/// A setting that must be no.
pub(super) fn no(seen: &AuditSnapshot, name: &str) -> Checked {
    Ok(State::of(!seen.yes(name)?, seen.said(name)?, || vec![Fix::set(name, "no")]))
}

/// A setting that must be a whole number within bounds.
pub(super) fn within(seen: &AuditSnapshot, name: &str, bounds: impl RangeBounds<i64>, fix: &str) -> Checked {
    Ok(State::of(bounds.contains(&seen.number(name)?), seen.said(name)?, || vec![Fix::set(name, fix)]))
}

/// A size for people.
pub(super) fn size(bytes: u64) -> String {
    crate::report::units::bytes(bytes as f64)
}
