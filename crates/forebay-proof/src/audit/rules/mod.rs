//! Every rule, by section.

mod access;
mod buffers;
mod disk;
mod file;
mod host;
mod memory;
mod network;
mod observability;
mod persistence;
mod replication;
mod usage;
mod version;

use std::ops::RangeBounds;

pub(crate) use super::rule::Rule;
use super::rule::{Checked, Fix, State};
use super::seen::Seen;

/// Every rule, in the order of reports.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        file::RULES,
        memory::RULES,
        buffers::RULES,
        persistence::RULES,
        disk::RULES,
        access::RULES,
        network::RULES,
        host::RULES,
        observability::RULES,
        replication::RULES,
        version::RULES,
        usage::RULES,
    ]
    .into_iter()
    .flatten()
}

/// The rule of that name.
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

/// A setting that must be yes.
fn yes(seen: &Seen, name: &str) -> Checked {
    Ok(State::of(seen.yes(name)?, seen.said(name)?, || vec![Fix::set(name, "yes")]))
}

/// A setting that must be no.
fn no(seen: &Seen, name: &str) -> Checked {
    Ok(State::of(!seen.yes(name)?, seen.said(name)?, || vec![Fix::set(name, "no")]))
}

/// A setting that must be a whole number within bounds.
fn within(seen: &Seen, name: &str, bounds: impl RangeBounds<i64>, fix: &str) -> Checked {
    Ok(State::of(bounds.contains(&seen.number(name)?), seen.said(name)?, || vec![Fix::set(name, fix)]))
}

/// A size for people.
fn size(bytes: u64) -> String {
    crate::report::units::bytes(bytes as f64)
}
