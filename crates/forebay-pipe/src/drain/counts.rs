//! What a drain has done, from any thread.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use forebay::buffer::lock;
use serde::Serialize;

use super::hourly::Hourly;
use super::place::silence::Silence;
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
    server_failures: AtomicU64,
    last_us: AtomicU64,
    lines_bytes: AtomicU64,
    lines_file_bytes: AtomicU64,
    range_bytes: AtomicU64,
    now: Mutex<Now>,
    news: Condvar,
    silence: Silence,
}

/// What is going on.
#[derive(Debug, Default)]
struct Now {
    /// How often there was something to tell.
    news: u64,
    is_over: bool,
    /// And in an orderly way.
    is_over_well: bool,
    /// Since when a range is being made into files.
    began: Option<Instant>,
    last: Option<Last>,
    hourly: Hourly,
    trouble: Option<(String, Instant)>,
}

/// The last commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    pub at: Instant,
    pub took: Duration,
    pub rows: u64,
}

/// What is going on, for whoever tells it.
#[derive(Debug)]
pub(super) struct Going {
    /// It has ended in an orderly way.
    pub is_over_well: bool,
    pub last: Option<Last>,
    pub trouble: Option<(String, Duration)>,
    pub bytes_per_hour: Option<u64>,
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
    /// Bytes of lines, as far as they were counted: not of files whose drain ended before they were committed.
    pub lines_bytes: u64,
    /// Bytes of the files that have these lines.
    pub lines_file_bytes: u64,
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
            failures: get(&self.failures) + get(&self.server_failures),
            last_commit_us: get(&self.last_us),
            lines_bytes: get(&self.lines_bytes),
            lines_file_bytes: get(&self.lines_file_bytes),
        }
    }

    /// Why nothing is drained for now, where that is so.
    pub fn trouble(&self) -> Option<String> {
        self.troubled().map(|(why, _)| why)
    }

    /// The same with for how long. What is waited for at this moment comes first.
    fn troubled(&self) -> Option<(String, Duration)> {
        let known = || lock(&self.now).trouble.as_ref().map(|(why, since)| (why.clone(), since.elapsed()));
        self.silence.told().or_else(known)
    }

    /// Whether the destination is asked, and does not answer.
    pub(super) fn silence(&self) -> &Silence {
        &self.silence
    }

    pub(super) fn going(&self) -> Going {
        let trouble = self.troubled();
        let now = lock(&self.now);
        Going {
            is_over_well: now.is_over_well,
            last: now.last,
            trouble: trouble.filter(|_| !now.is_over_well),
            bytes_per_hour: now.hourly.per_hour(),
        }
    }

    /// How often there was something to tell, and whether that was the end.
    pub(super) fn news(&self) -> (u64, bool) {
        let now = lock(&self.now);
        (now.news, now.is_over)
    }

    /// Waits until there was something to tell more than so often, or until the end; no longer than this.
    pub(super) fn wait_for_news(&self, seen: u64, most: Duration) {
        let is_none = |now: &mut Now| now.news == seen && !now.is_over;
        // A thread that panicked has said so.
        drop(
            self.news
                .wait_timeout_while(lock(&self.now), most, is_none)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Waits until the end, no longer than this.
    pub(super) fn wait_for_end(&self, most: Duration) {
        let goes_on = |now: &mut Now| !now.is_over;
        drop(
            self.news
                .wait_timeout_while(lock(&self.now), most, goes_on)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn tell(&self, change: impl FnOnce(&mut Now)) {
        let mut now = lock(&self.now);
        change(&mut now);
        now.news += 1;
        self.news.notify_all();
    }

    /// A range is begun.
    pub(super) fn begins(&self) {
        self.range_bytes.store(0, Relaxed);
        lock(&self.now).began = Some(Instant::now());
    }

    /// A line of it.
    pub(super) fn line(&self, line: &[u8]) {
        self.range_bytes.fetch_add(line.len() as u64, Relaxed);
    }

    pub(super) fn committed(&self, record: &CommitRecord, now_us: u64) {
        self.commits.fetch_add(1, Relaxed);
        self.files.fetch_add(record.files.len() as u64, Relaxed);
        self.rows.fetch_add(record.rows, Relaxed);
        let bytes = record.files.iter().map(|file| file.bytes).sum();
        self.bytes.fetch_add(bytes, Relaxed);
        let lines_bytes = self.range_bytes.swap(0, Relaxed);
        if lines_bytes > 0 {
            self.lines_bytes.fetch_add(lines_bytes, Relaxed);
            self.lines_file_bytes.fetch_add(bytes, Relaxed);
        }
        self.repeats.fetch_add(record.repeats, Relaxed);
        self.damaged.fetch_add(record.damaged_blocks, Relaxed);
        self.missing.fetch_add(record.missing_events, Relaxed);
        self.staged.store(0, Relaxed);
        self.last_us.store(now_us, Relaxed);
        self.tell(|now| {
            let took = now.began.take().map_or(Duration::ZERO, |began| began.elapsed());
            now.last = Some(Last { at: Instant::now(), took, rows: record.rows });
            now.hourly.add(&record.files);
            now.trouble = None;
        });
    }

    /// Nothing is in the way.
    pub(super) fn is_well(&self) {
        if lock(&self.now).trouble.is_some() {
            self.tell(|now| now.trouble = None);
        }
    }

    /// The drain has ended; why, where that was not in an orderly way.
    pub(super) fn ends(&self, why: Option<String>) {
        self.tell(|now| {
            (now.is_over, now.is_over_well) = (true, why.is_none());
            now.trouble =
                why.map(|why| (why, now.trouble.take().map_or_else(Instant::now, |(_, since)| since)));
        });
    }

    /// Nobody waits any more for what there is to tell.
    pub(super) fn is_told_no_more(&self) {
        self.tell(|now| now.is_over = true);
    }

    /// So often did the server refuse, or was away.
    pub(super) fn server_failures(&self, failures: u64) {
        self.server_failures.store(failures, Relaxed);
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
        self.tell(|now| {
            let since = now.trouble.take().map_or_else(Instant::now, |(_, since)| since);
            now.trouble = Some((why, since));
        });
    }
}
