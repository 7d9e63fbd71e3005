//! For which requests a fault acts.

use super::request::Operation;

/// For which requests a fault acts. Requests that it does not fit are neither counted nor drawn for.
#[derive(Debug, Clone, PartialEq)]
pub struct When {
    /// Of these operations; of any where there is none.
    pub(super) operations: Vec<Operation>,
    pub(super) key_prefix: String,
    /// Requests that it lets pass first.
    pub(super) pass: u64,
    pub(super) chance: Chance,
}

/// How often a fault acts on the requests that it fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Chance {
    Always,
    /// So many times.
    Next(u64),
    /// On this share of them, drawn from a seed.
    Share {
        share: f64,
        seed: u64,
    },
}

impl When {
    fn new(chance: Chance) -> Self {
        Self { operations: Vec::new(), key_prefix: String::new(), pass: 0, chance }
    }

    /// Every request, until it is disarmed.
    pub fn always() -> Self {
        Self::new(Chance::Always)
    }

    /// The next `times` requests.
    pub fn next(times: u64) -> Self {
        Self::new(Chance::Next(times))
    }

    /// A share of the requests (0 to 1), drawn from a seed.
    pub fn share(share: f64, seed: u64) -> Self {
        Self::new(Chance::Share { share, seed })
    }

    /// Only requests of this operation; said again, of that one too.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// Only keys that begin with this; of a listing, the prefix that is listed. Operations without a key never fit.
    #[must_use]
    pub fn key(mut self, prefix: impl Into<String>) -> Self {
        self.key_prefix = prefix.into();
        self
    }

    /// Only after so many requests that it would have fitted.
    #[must_use]
    pub fn after(mut self, requests: u64) -> Self {
        self.pass = requests;
        self
    }

    pub(super) fn fits(&self, operation: Operation, key: &str) -> bool {
        (self.operations.is_empty() || self.operations.contains(&operation))
            && key.starts_with(&self.key_prefix)
    }
}
