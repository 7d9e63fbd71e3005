//! How often each fault acted: a fault that did nothing proves nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// By which a fault, and what it did, is found.
pub type FaultName = &'static str;

/// How often each fault acted.
#[derive(Debug, Default)]
pub(crate) struct Acts(Mutex<BTreeMap<FaultName, u64>>);

impl Acts {
    /// It acted once more.
    pub(crate) fn count(&self, name: FaultName) {
        self.add(name, 1);
    }

    /// It acted so many times more.
    pub(crate) fn add(&self, name: FaultName, times: u64) {
        if times > 0 {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += times;
        }
    }

    /// All that acted, by name.
    pub(crate) fn list(&self) -> Vec<(FaultName, u64)> {
        let acts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        acts.iter().map(|(name, times)| (*name, *times)).collect()
    }

    /// How often this one acted.
    pub(crate) fn times(&self, name: &str) -> u64 {
        let acts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        acts.get(name).copied().unwrap_or_default()
    }
}
