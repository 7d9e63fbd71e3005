//! Load through the buffer's own writer: events pushed when they are due, counted until they are acknowledged.
//!
//! A lane acknowledges in the order of its pushes, so how many of it are acknowledged tells which. That count is looked
//! every half a millisecond, which is how exact the latencies are; blocks wait for [`forebay::buffer::batch::Limits::linger`]
//! anyway.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use super::arrivals::Arrivals;
use super::latency::Latency;
use super::outcome::{Outcome, Second};
use super::stats::LoadStats;
use super::work::OperationKind;
use forebay::buffer::error::Error;
use forebay::buffer::lock;
use forebay::buffer::writer::{Monitor, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse;

/// How often acknowledgements are looked at.
const LOOK: Duration = Duration::from_micros(500);

/// Longest sleep of the pushing thread: so soon it hears that it shall stop.
const NAP: Duration = Duration::from_millis(20);

/// Events pushed between two looks at the clock where there is no pace.
const AT_ONCE: usize = 64;

/// A second, in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// What to push.
pub struct AppendPlan<'a> {
    /// When; none for as fast as the writer takes them.
    pub arrivals: Option<Arrivals>,
    /// For how long.
    pub duration: Duration,
    /// How long after that acknowledgements are waited for.
    pub grace: Duration,
    /// Event number `n` of the run, appended.
    pub event: &'a (dyn Fn(u64, &mut Vec<u8>) + Sync),
    /// Hears of every event before it is pushed: its lane and its number.
    pub offered: &'a mut dyn FnMut(Lane, u64),
}

/// An event that was pushed: when it was due, and when it was pushed.
type Pushed = (u64, u64);

/// What both threads see.
struct Shared {
    /// When events stop to become due, in nanoseconds: the plan's end, or an interruption.
    until: AtomicU64,
    lanes: Mutex<[VecDeque<Pushed>; jetstream::ALL.len()]>,
    is_over: AtomicBool,
}

/// Pushes events through `writer` and closes it. The counts are the writer's own; an error that ended it is given beside
/// what was seen until then.
pub fn run(
    mut plan: AppendPlan<'_>,
    writer: Writer,
    stop: &AtomicBool,
    each_second: &mut (dyn FnMut(&Second) + Send),
) -> (Outcome, Option<Error>) {
    let monitor = writer.monitor();
    let duration = plan.duration.as_nanos() as u64;
    let shared =
        Shared { until: AtomicU64::new(duration), lanes: Mutex::default(), is_over: AtomicBool::new(false) };
    let started = Instant::now();
    let due = plan.arrivals.clone();
    let grace = plan.grace;
    let paced = due.is_some();
    std::thread::scope(|scope| {
        let watch = Watch {
            monitor: monitor.clone(),
            shared: &shared,
            unsent: due.clone(),
            due: due.map(Iterator::peekable),
            started,
            books: LoadStats::new(paced),
            seen: [0; jetstream::ALL.len()],
        };
        let watcher = scope.spawn(move || watch.run(each_second));
        let mut jitter = Latency::default();
        let (pushed, cpu) = push_all(&mut plan, writer, &shared, started, stop, grace, &mut jitter);
        shared.is_over.store(true, Relaxed);
        // Proof: the watcher has nothing that panics; if it does, so may we.
        let mut outcome = watcher.join().expect("a thread that only counts");
        outcome.jitter = jitter;
        outcome.cpu_seconds = cpu;
        outcome.interrupted = stop.load(Relaxed) && shared.until.load(Relaxed) < duration;
        if pushed.is_err() {
            outcome.fail_connection("the writer ended");
        }
        (outcome, pushed.err())
    })
}

/// Pushes until all is pushed, closes the writer, and says what processor time the pushing took.
fn push_all(
    plan: &mut AppendPlan<'_>,
    mut writer: Writer,
    shared: &Shared,
    started: Instant,
    stop: &AtomicBool,
    grace: Duration,
    jitter: &mut Latency,
) -> (Result<(), Error>, f64) {
    let mut bytes = Vec::new();
    let mut arrivals = plan.arrivals.take().map(Iterator::peekable);
    let mut next = 0;
    let cpu = super::driver::cpu_seconds();
    let mut outcome = Ok(());
    while outcome.is_ok() {
        let now = started.elapsed();
        let nanos = now.as_nanos() as u64;
        if stop.load(Relaxed) {
            // Nothing more becomes due; what is due by then is still pushed. A little later than now, so that the watcher
            // has not looked beyond it.
            shared.until.fetch_min(nanos + NAP.as_nanos() as u64, Relaxed);
        }
        let until = shared.until.load(Relaxed);
        let is_done = arrivals.as_mut().is_none_or(|arrivals| arrivals.peek().is_none_or(|due| *due > until));
        if nanos >= until && (is_done || nanos >= until + grace.as_nanos() as u64) {
            break;
        }
        let mut push = |due: u64| {
            bytes.clear();
            (plan.event)(next, &mut bytes);
            let event = parse::parse(&bytes)
                .map_err(|why| Error::System(format!("payload {next} is no event: {why}"), None))?;
            (plan.offered)(event.lane, next);
            next += 1;
            jitter.record(nanos.saturating_sub(due));
            lock(&shared.lanes)[event.lane.index()].push_back((due, nanos));
            writer.push_at(&event, now).map(drop)
        };
        outcome = match &mut arrivals {
            None => (0..AT_ONCE).try_for_each(|_| push(nanos)),
            Some(arrivals) => {
                let mut pushed = Ok(());
                while pushed.is_ok()
                    && let Some(due) = arrivals.next_if(|due| *due <= nanos.min(until))
                {
                    pushed = push(due);
                }
                pushed
            }
        };
        outcome = outcome.and_then(|()| writer.check()).and_then(|()| writer.expire(started.elapsed()));
        let Some(arrivals) = &mut arrivals else { continue };
        let due = arrivals.peek().copied().unwrap_or(u64::MAX).min(until);
        let cut = writer.next_due().unwrap_or(NAP + now);
        let wake = Duration::from_nanos(due).min(cut).min(now + NAP);
        std::thread::sleep(wake.saturating_sub(started.elapsed()));
    }
    // What comes due after a writer has failed is nobody's.
    shared.until.fetch_min(started.elapsed().as_nanos() as u64, Relaxed);
    let cpu = super::driver::cpu_seconds() - cpu;
    (outcome.and_then(|()| writer.close().map(drop)), cpu)
}

/// Sees acknowledgements come, on a thread of its own.
struct Watch<'a> {
    monitor: Monitor,
    shared: &'a Shared,
    due: Option<std::iter::Peekable<Arrivals>>,
    /// From the first one on: what was not pushed stands at its end.
    unsent: Option<Arrivals>,
    started: Instant,
    books: LoadStats,
    /// Acknowledged events of each lane by the last look.
    seen: [u64; jetstream::ALL.len()],
}

impl Watch<'_> {
    fn run(mut self, each_second: &mut (dyn FnMut(&Second) + Send)) -> Outcome {
        let mut tick = SECOND;
        let mut is_over = false;
        loop {
            let duration = self.shared.until.load(Relaxed);
            // Before the counts: what was acknowledged by the end is seen in the last round.
            let is_last = self.shared.is_over.load(Relaxed);
            let now = self.started.elapsed().as_nanos() as u64;
            self.look(now);
            if now >= duration && !is_over {
                is_over = true;
                self.books.outcome.backlog_at_end = self.books.backlog();
            }
            if now >= tick || is_last {
                self.books.end_second(now.min(tick), each_second);
                tick += SECOND;
            }
            if is_last {
                return self.finish(now);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn look(&mut self, now: u64) {
        if let Some(due) = &mut self.due {
            let until = now.min(self.shared.until.load(Relaxed));
            while due.next_if(|at| *at <= until).is_some() {
                self.books.became_due(1);
            }
        }
        let mut lanes = lock(&self.shared.lanes);
        // In this order: what is acknowledged by now was pushed by now.
        let acknowledged = jetstream::ALL.map(|lane| self.monitor.lane(lane).acknowledged);
        self.books.sent(OperationKind::Append, self.monitor.counts().pushed - self.books.outcome.sent);
        for lane in jetstream::ALL {
            let seen = std::mem::replace(&mut self.seen[lane.index()], acknowledged[lane.index()]);
            for _ in seen..acknowledged[lane.index()] {
                let Some((due, at)) = lanes[lane.index()].pop_front() else { break };
                self.books.right(OperationKind::Append, due, at, now);
            }
        }
        self.books.note_backlog();
    }

    fn finish(mut self, now: u64) -> Outcome {
        for (due, _) in lock(&self.shared.lanes).iter().flatten() {
            self.books.outcome.unanswered += 1;
            self.books.waited(OperationKind::Append, *due, now);
        }
        let mut outcome = self.books.outcome;
        let (pushed, unsent) = (outcome.sent as usize, outcome.unsent() as usize);
        for due in self.unsent.into_iter().flatten().skip(pushed).take(unsent) {
            outcome.never_sent.record(now.saturating_sub(due));
        }
        let asked = now.min(self.shared.until.load(Relaxed));
        outcome.asked_seconds = asked as f64 / 1e9;
        outcome.seconds = asked.max(self.books.last_answer) as f64 / 1e9;
        outcome
    }
}
