//! What is said while an ingest runs: a line on a terminal, elsewhere a line a minute where something is wrong, and to systemd
//! that it is ready and well.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use indicatif::ProgressBar;

use super::live_line::{LiveLine, behind};
use super::notify::Notify;
use crate::arguments::Global;
use crate::troubled::{Troubled, standing};
use crate::{output, progress};
use forebay_pipe::ingest::{Counted, Counts};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

/// A source that is so far behind, or gives nothing for so long, is told of, and again after so long.
const BEHIND_MAX: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(60);

/// The thread.
pub(super) struct Ticker {
    done: Arc<AtomicBool>,
    bar: Option<ProgressBar>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(counts: &Arc<Counts>, stop: &Arc<AtomicBool>, global: &Global) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let bar = global.progress().then(|| progress::line(global));
        let notify = Notify::from_env();
        if global.quiet && notify.is_none() {
            return Self { done, bar, thread: None };
        }
        let says = !global.quiet && bar.is_none();
        let ticks = Ticks {
            counts: Arc::clone(counts),
            stop: Arc::clone(stop),
            bar: bar.clone(),
            says,
            notify,
            line: LiveLine::default(),
            troubled: Troubled::default(),
            late: Late::default(),
        };
        let flag = Arc::clone(&done);
        let thread = std::thread::Builder::new().name("forebay-tick".into()).spawn(move || ticks.run(&flag));
        Self { done, bar, thread: thread.ok() }
    }

    /// The line, for whoever says something above it.
    pub(super) fn bar(&self) -> Option<ProgressBar> {
        self.bar.clone()
    }

    pub(super) fn end(self) {
        self.done.store(true, Relaxed);
        if let Some(thread) = self.thread {
            // It holds nothing that is needed after it.
            let _ = thread.join();
        }
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

struct Ticks {
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    bar: Option<ProgressBar>,
    says: bool,
    notify: Option<Notify>,
    line: LiveLine,
    troubled: Troubled,
    late: Late,
}

impl Ticks {
    fn run(mut self, done: &AtomicBool) {
        while !done.load(Relaxed) {
            let (counted, now_us) = (self.counts.look(), now_us());
            if let Some(notify) = &mut self.notify {
                notify.look(&self.counts, &counted, self.stop.load(Relaxed), now_us);
            }
            let trouble = self.counts.trouble();
            if let Some(bar) = &self.bar {
                bar.set_message(match trouble {
                    Some(why) => standing(&self.counts.written(), &why),
                    None => self.line.show(&counted, Instant::now(), now_us),
                });
            } else if self.says {
                let trouble = self.troubled.line(&self.counts.written(), trouble.as_deref());
                let late = self.late.line(&counted, Instant::now(), now_us);
                trouble.into_iter().chain(late).for_each(|line| output::tell(&format!("forebay: {line}")));
            }
            std::thread::sleep(LOOK);
        }
        if let Some(notify) = &mut self.notify {
            notify.look(&self.counts, &self.counts.look(), true, now_us());
        }
    }
}

/// A source that gives nothing, or what is old.
#[derive(Debug, Default)]
struct Late {
    received: u64,
    came: Option<Instant>,
    told: Option<Instant>,
}

impl Late {
    /// What to say now, if anything.
    fn line(&mut self, counted: &Counted, now: Instant, now_us: u64) -> Option<String> {
        if self.came.is_none() || counted.received > self.received {
            (self.received, self.came) = (counted.received, Some(now));
        }
        let silent = self.came.map(|came| now.duration_since(came)).filter(|silent| *silent >= BEHIND_MAX);
        let is_behind =
            counted.event_us > 0 && now_us.saturating_sub(counted.event_us) > BEHIND_MAX.as_micros() as u64;
        if silent.is_none() && !is_behind {
            self.told = None;
            return None;
        }
        // The first minute of a long replay is no news.
        let since = *self.told.get_or_insert(now);
        if now.duration_since(since) < AGAIN {
            return None;
        }
        self.told = Some(now);
        let newest = behind(counted, now_us);
        Some(match silent {
            Some(silent) => format!(
                "the source has given nothing for {} s; its newest event is {newest} old",
                silent.as_secs()
            ),
            None => format!("{newest} behind the source; {} events taken", counted.pushed),
        })
    }
}

pub(super) fn now_us() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_gives_nothing_is_told_of_once_a_minute() {
        let (mut late, start) = (Late::default(), Instant::now());
        let now_us = 1_796_032_800_000_000;
        let mut counted = Counted::default();
        counted.event_us = now_us - 1_000_000;
        counted.received = 5;
        let mut at = |seconds: u64| {
            late.line(&counted, start + Duration::from_secs(seconds), now_us + seconds * 1_000_000)
        };
        assert_eq!([0, 30, 59, 61, 100].map(&mut at), [const { None }; 5]);
        assert!(at(121).unwrap().contains("nothing for 121 s"));
        assert_eq!(at(150), None);
        assert!(at(182).is_some());
    }
}
