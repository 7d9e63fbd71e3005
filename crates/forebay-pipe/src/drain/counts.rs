//! What a drain has done, from any thread.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use forebay::buffer::lock;
use serde::Serialize;

use super::record::CommitRecord;

/// Counts of a drain.
#[derive(Debug, Default)]
pub struct Counts {
    commits: AtomicU64,
    files: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    repeats: AtomicU64,
    damaged: AtomicU64,
    missing: AtomicU64,
    staged: AtomicU64,
    waiting: AtomicU64,
    oldest_ms: AtomicU64,
    failures: AtomicU64,
    last_us: AtomicU64,
    trouble: Mutex<Option<String>>,
}

/// What they said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counted {
    /// Commits.
    pub commits: u64,
    /// Files that they published.
    pub files: u64,
    /// Events in these.
    pub rows: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Events that were in files already.
    pub repeats: u64,
    /// Blocks that could not be opened.
    pub damaged_blocks: u64,
    /// Events of blocks that were not there.
    pub missing_events: u64,
    /// Events that were read for files which are not yet committed.
    pub staged: u64,
    /// Events in the buffer that are in no file.
    pub waiting: u64,
    /// When the oldest of them came, in milliseconds since 1970; 0 where there is none.
    pub oldest_ms: u64,
    /// Times that destination or server refused.
    pub failures: u64,
    /// When the last commit was, in microseconds since 1970; 0 where there was none.
    pub last_commit_us: u64,
}

impl Counts {
    /// What they say now.
    pub fn look(&self) -> Counted {
        let get = |count: &AtomicU64| count.load(Relaxed);
        Counted {
            commits: get(&self.commits),
            files: get(&self.files),
            rows: get(&self.rows),
            bytes: get(&self.bytes),
            repeats: get(&self.repeats),
            damaged_blocks: get(&self.damaged),
            missing_events: get(&self.missing),
            staged: get(&self.staged),
            waiting: get(&self.waiting),
            oldest_ms: get(&self.oldest_ms),
            failures: get(&self.failures),
            last_commit_us: get(&self.last_us),
        }
    }

    /// Why nothing is drained for now, where that is so.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    pub(super) fn committed(&self, record: &CommitRecord, now_us: u64) {
        self.commits.fetch_add(1, Relaxed);
        self.files.fetch_add(record.files.len() as u64, Relaxed);
        self.rows.fetch_add(record.rows, Relaxed);
        self.bytes.fetch_add(record.files.iter().map(|file| file.bytes).sum(), Relaxed);
        self.repeats.fetch_add(record.repeats, Relaxed);
        self.damaged.fetch_add(record.damaged_blocks, Relaxed);
        self.missing.fetch_add(record.missing_events, Relaxed);
        self.staged.store(0, Relaxed);
        self.last_us.store(now_us, Relaxed);
        *lock(&self.trouble) = None;
    }

    pub(super) fn staged(&self, rows: u64) {
        self.staged.store(rows, Relaxed);
    }

    pub(super) fn waiting(&self, events: u64, oldest_ms: Option<u64>) {
        self.waiting.store(events, Relaxed);
        self.oldest_ms.store(oldest_ms.unwrap_or(0), Relaxed);
    }

    pub(super) fn failed(&self, why: String) {
        self.failures.fetch_add(1, Relaxed);
        *lock(&self.trouble) = Some(why);
    }
}
