//! What is tried: every candidate, as a table.

mod candidate;
mod client;
mod server;

pub use candidate::{Candidate, CandidateKind, Change, Guard, Measured};

use client::CLIENT;
use server::SERVER;

/// Every candidate.
pub fn all() -> impl Iterator<Item = &'static Candidate> {
    SERVER.iter().chain(CLIENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_has_a_name_of_its_own_a_hope_and_a_cost() {
        let mut seen = std::collections::HashSet::new();
        for candidate in all() {
            assert!(seen.insert(candidate.id), "{} stands there twice", candidate.id);
            assert!(!candidate.hope.is_empty() && !candidate.cost.is_empty(), "{}", candidate.id);
        }
    }

    #[test]
    fn what_touches_how_the_aof_is_written_is_guarded_by_the_durability() {
        for candidate in SERVER {
            let Change::Server { settings, .. } = candidate.change else { continue };
            let is_about =
                |name: &str| ["fsync", "aof", "rdb", "save"].iter().any(|part| name.contains(part));
            if settings.iter().any(|(name, _)| is_about(name)) {
                assert_eq!(candidate.guard, Guard::Durability, "{}", candidate.id);
            }
        }
    }
}
