//! The watch: a buffer looked at every few seconds, and what it says of itself to Prometheus and to people.
//!
//! | module | is responsible for |
//! |---|---|
//! | [`look`] | one look: buffer, server and machine at one moment, or why not |
//! | [`monotonic_counters`] | counts that never go back, and how often the server's did |
//! | [`forecast`] | an hour of looks; rates, and when it is full |
//! | [`probe`] | how long a PING takes, five times a second |
//! | [`thresholds`] | from where on something is wrong |
//! | [`verdict`] | will it hold? one sentence, with its reasons |
//! | [`figures`] | figures and times as people read them |
//! | [`drain`] | drains into files: their figures, and what is wrong with them |
//! | [`source`] | what the source is about to forget, and what it no longer had |
//! | `lane_silence` | lanes that stopped while others go on |
//! | [`warning`] | what is wrong now, and what was |
//! | [`view`] | all of it together, as renderers want it |
//! | [`metrics`] | the view as `OpenMetrics` text |
//! | [`json`] | the view for the page and for programs |
//! | [`serve`] | HTTP |
//! | `connection_limit` | connections to it: how many, and for how long |
//! | [`hostnames`] | names that it answers for |
//! | `runbooks` | the runbooks as a page |
//!
//! Constraints: it reads only, and through `buffer` alone. No answer waits for the server: a thread looks, answers come from
//! its last look. What is not known is absent or null, never 0. Memory is bounded: an hour of looks, 100 groups of a
//! lane, 1,024 writers; and so are connections.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use forebay::buffer::lock;
use forebay::buffer::status_subscriber::StatusSubscriber;

mod connection_limit;
pub mod deploy;
mod disk;
pub mod drain;
pub mod figures;
pub mod forecast;
pub mod hostnames;
pub mod json;
mod lane_silence;
pub mod look;
pub mod machine;
pub mod metrics;
pub mod monotonic_counters;
pub mod probe;
pub mod profile;
mod runbooks;
pub mod serve;
pub mod small_file;
pub mod source;
mod subject;
pub mod thresholds;
mod unread;
pub mod verdict;
pub mod view;
pub mod warning;
pub mod whole_file;

use look::Looker;
use probe::Probe;
use view::View;

pub use subject::Subject;

/// A watch that goes on until it is dropped.
pub struct Watch {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What its threads and the HTTP server share.
pub struct Shared {
    subject: Subject,
    view: Mutex<View>,
    probe: Probe,
    hearing: StatusSubscriber,
    /// The JSON of each look, for those who follow.
    news: tokio::sync::watch::Sender<Arc<str>>,
    is_over: AtomicBool,
}

impl Watch {
    /// Begins to look.
    pub fn start(subject: Subject) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            view: Mutex::new(View::new(&subject)),
            probe: Probe::new(&subject.profile),
            hearing: StatusSubscriber::start(&subject.address, &subject.name),
            news: tokio::sync::watch::Sender::new(Arc::from("")),
            is_over: AtomicBool::new(false),
            subject,
        });
        let spawn = |name: &str, run: fn(&Shared)| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(name.into()).spawn(move || run(&shared))
        };
        let threads = vec![spawn("watch-look", look_on)?, spawn("watch-probe", probe_on)?];
        Ok(Self { shared, threads })
    }

    /// What the HTTP server answers from.
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// What was seen last.
    pub fn with_view<T>(&self, read: impl FnOnce(&View) -> T) -> T {
        read(&lock(&self.view))
    }

    /// What is watched.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The latencies of the probe.
    pub fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Hears of every look from now on.
    pub fn follow(&self) -> tokio::sync::watch::Receiver<Arc<str>> {
        self.news.subscribe()
    }

    /// Waits until then, or until it is over.
    fn rest_until(&self, then: Instant) {
        while !self.is_over.load(Relaxed) {
            let left = then.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::park_timeout(left);
        }
    }
}

fn look_on(shared: &Shared) {
    let mut looker = Looker::new(&shared.subject);
    while !shared.is_over.load(Relaxed) {
        let started = Instant::now();
        let looked = looker.look();
        let heard = shared.hearing.look();
        let json = {
            let mut view = lock(&shared.view);
            view.take(&shared.subject, looked, heard);
            json::stat(&view, &shared.subject)
        };
        shared.news.send_replace(Arc::from(json.to_string()));
        shared.rest_until(started + shared.subject.every);
    }
}

fn probe_on(shared: &Shared) {
    let is_over = || shared.is_over.load(Relaxed);
    shared.probe.run(&shared.subject.address, is_over, |then| shared.rest_until(then));
}
