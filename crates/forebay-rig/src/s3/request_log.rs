//! The last requests of a server, and what each was answered.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::request::{Operation, Target};
use crate::http::FaultName;

/// Requests that are kept. The oldest go first.
const REQUESTS_MAX: usize = 10_000;

/// A request that was read whole. It is logged before its answer goes out, so that a client which has the answer finds it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Its HTTP method.
    pub method: String,
    /// What it asks for.
    pub operation: Operation,
    /// The key; of a listing, the prefix.
    pub key: String,
    /// The status that it is answered with; none where the connection is reset instead.
    pub status: Option<u16>,
    /// The faults that acted on it.
    pub faults: Vec<FaultName>,
}

#[derive(Debug, Default)]
pub(super) struct RequestLog(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<LoggedRequest>,
    total: u64,
}

impl RequestLog {
    pub(super) fn add(&self, method: &str, target: &Target, status: Option<u16>, faults: Vec<FaultName>) {
        let (method, operation, key) = (method.into(), target.operation, target.key.clone());
        let mut kept = self.lock();
        if kept.requests.len() == REQUESTS_MAX {
            kept.requests.pop_front();
        }
        kept.requests.push_back(LoggedRequest { method, operation, key, status, faults });
        kept.total += 1;
    }

    /// Those that are kept, the oldest first.
    pub(super) fn list(&self) -> Vec<LoggedRequest> {
        self.lock().requests.iter().cloned().collect()
    }

    /// How many there ever were.
    pub(super) fn total(&self) -> u64 {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_the_newest() {
        let log = RequestLog::default();
        for number in 0..=REQUESTS_MAX {
            log.add("PUT", &Target { operation: Operation::Put, key: number.to_string() }, None, Vec::new());
        }
        let kept = log.list();
        assert_eq!((kept.len(), log.total()), (REQUESTS_MAX, REQUESTS_MAX as u64 + 1));
        assert_eq!((kept[0].key.as_str(), kept[kept.len() - 1].key.as_str()), ("1", "10000"));
    }
}
