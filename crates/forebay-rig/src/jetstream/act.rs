//! How often each fault acted: a fault that did nothing proves nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::fault::FaultName;

/// How often each fault acted.
#[derive(Debug, Default)]
pub(super) struct Acts(Mutex<BTreeMap<FaultName, u64>>);

impl Acts {
    /// It acted once more.
    pub(super) fn count(&self, name: FaultName) {
        self.add(name, 1);
    }

    /// It acted so many times more.
    pub(super) fn add(&self, name: FaultName, times: u64) {
        if times > 0 {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += times;
        }
    }

    /// All that acted, by name.
    pub(super) fn list(&self) -> Vec<(FaultName, u64)> {
        let acts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        acts.iter().map(|(name, times)| (*name, *times)).collect()
    }
}
