//! The driver: one thread, many connections, requests sent when they are due whatever the answers do.
//!
//! Here is the clock: what is due, when a second ends, when the run does. What goes over the connections is in
//! `traffic`.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::arrivals::Arrivals;
use super::connection::Door;
use super::outcome::{Outcome, Second};
use super::traffic::Traffic;
use forebay::buffer::connect::Address;

pub use super::plan::{Error, LoadPlan};

/// A second, in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// A request may wait so long for others to go with it, and for so many. A server that sleeps between requests must be
/// woken for each group, which costs the client more than all else; what it takes at 10,000 requests a second falls from
/// a third of a core to a seventh. Requests that are further apart than this never wait.
const COMPANY: (u64, usize) = (500_000, 8);

/// How long a run that is ended early waits for what is under way, so that no request outlives it: a server works off
/// what it has received even where the connection is gone.
const LAST_ANSWERS: u64 = 500_000_000;

/// Whether the generator can talk to this address at all, and what to do where it cannot.
pub fn reaches(address: &Address) -> Result<(), String> {
    Door::of(address).map(drop)
}

/// Runs a plan until its time is over or `stop` is set. `each_second` hears of every second as it ends.
pub fn run(
    plan: &LoadPlan<'_>,
    stop: &AtomicBool,
    each_second: &mut dyn FnMut(&Second),
) -> Result<Outcome, Error> {
    let mut traffic = Traffic::of(plan)?;
    traffic.open(stop)?;
    let cpu = cpu_seconds();
    traffic.start();
    let clock = Clock {
        arrivals: plan.arrivals.clone().map(Iterator::peekable),
        due: plan.arrivals.clone().map(Iterator::peekable),
        duration: plan.duration.as_nanos() as u64,
        limit: (plan.duration + plan.grace).as_nanos() as u64,
        next_send: 0,
        is_cut: false,
    };
    let mut outcome = clock.run(traffic, stop, each_second)?;
    outcome.cpu_seconds = cpu_seconds() - cpu;
    Ok(outcome)
}

type Moments = std::iter::Peekable<Arrivals>;

/// When things happen. Times are nanoseconds since the start.
struct Clock {
    /// The next request to send, and the next to become due: as far apart as the backlog is long.
    arrivals: Option<Moments>,
    due: Option<Moments>,
    /// When requests stop to become due, and when the run ends.
    duration: u64,
    limit: u64,
    /// When the next group goes; none where nothing is left to send.
    next_send: u64,
    /// Whether somebody ended it early.
    is_cut: bool,
}

impl Clock {
    fn run(
        mut self,
        mut traffic: Traffic<'_>,
        stop: &AtomicBool,
        each_second: &mut dyn FnMut(&Second),
    ) -> Result<Outcome, Error> {
        let mut tick = SECOND;
        let mut is_over = false;
        loop {
            let now = traffic.now();
            self.count_due(&mut traffic, now);
            traffic.books.note_backlog();
            let is_ending = stop.load(Relaxed);
            if is_ending {
                self.is_cut |= !is_over;
                self.duration = self.duration.min(now);
                self.limit = self.limit.min(now + LAST_ANSWERS);
            }
            if now >= self.duration && !is_over {
                is_over = true;
                traffic.calm()?;
                traffic.books.outcome.backlog_at_end = traffic.books.backlog();
            }
            while now >= tick {
                traffic.books.end_second(tick, each_second);
                tick += SECOND;
            }
            let sends_on = traffic.books.backlog() > 0 && traffic.books.outcome.paced;
            if is_over && ((traffic.books.is_quiet() && !sends_on) || now >= self.limit) {
                break;
            }
            traffic.reconnect(now);
            self.send_due(&mut traffic);
            let wake = tick.min(if is_over { self.limit } else { self.duration });
            traffic.wait(self.next_event(&traffic, wake))?;
        }
        Ok(self.finish(traffic, tick, each_second))
    }

    /// Counts what became due by now.
    fn count_due(&mut self, traffic: &mut Traffic<'_>, now: u64) {
        let Some(due) = &mut self.due else { return };
        let now = now.min(self.duration);
        let mut count = 0;
        while due.next_if(|at| *at <= now).is_some() {
            count += 1;
        }
        traffic.books.became_due(count);
    }

    /// Sends what is due, as far as connections are free.
    fn send_due(&mut self, traffic: &mut Traffic<'_>) {
        let Some(arrivals) = &mut self.arrivals else { return };
        let now = traffic.now();
        // Until the end, which an interruption brings forward.
        let due_by = now.min(self.duration);
        if now < self.next_send {
            return;
        }
        while traffic.is_free()
            && let Some(due) = arrivals.next_if(|due| *due <= due_by)
        {
            traffic.send(due, now);
        }
        traffic.flush();
        let first = arrivals.peek().copied().unwrap_or(u64::MAX);
        let group = arrivals.clone().nth(COMPANY.1 - 1).unwrap_or(first);
        self.next_send = first.max(group.min(now + COMPANY.0));
        self.count_due(traffic, now);
    }

    /// When there is next something to do but to wait for answers, at the latest at `wake`.
    fn next_event(&self, traffic: &Traffic<'_>, wake: u64) -> u64 {
        let send = (self.arrivals.is_some() && traffic.has_free()).then_some(self.next_send);
        [send, traffic.next_retry()].into_iter().flatten().fold(wake, u64::min)
    }

    /// Closes the books: what is still owed has waited until now.
    fn finish(self, mut traffic: Traffic<'_>, tick: u64, each_second: &mut dyn FnMut(&Second)) -> Outcome {
        let now = traffic.now();
        traffic.books.outcome.interrupted = self.is_cut;
        traffic.give_up(now);
        let unsent = traffic.books.backlog() as usize;
        for due in self.arrivals.into_iter().flatten().take(unsent) {
            traffic.books.outcome.never_sent.record(now.saturating_sub(due));
        }
        if now + SECOND > tick {
            traffic.books.end_second(now.min(tick), each_second);
        }
        if !traffic.books.outcome.paced {
            traffic.books.outcome.due = traffic.books.outcome.sent;
        }
        traffic.books.outcome.asked_seconds = now.min(self.duration) as f64 / 1e9;
        traffic.books.outcome.seconds =
            traffic.books.outcome.asked_seconds.max(traffic.books.last_answer as f64 / 1e9);
        traffic.books.outcome
    }
}

/// Processor time of this thread.
pub(super) fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
