//! What a run of the load generator came to. Every printed figure is drawn from here.

use std::collections::BTreeMap;

use serde::Serialize;

use super::latency::Latency;
use super::work::OperationKind;

/// Kinds of errors that are told apart; more count as others.
const ERRORS_MAX: usize = 32;

/// A run whose last answer comes later than this after its time, in seconds and as a share of that time, did not keep its
/// rate. A block's linger is less.
const LATE: (f64, f64) = (1.5, 0.01);

/// Wrong answers that are shown.
const EXAMPLES_MAX: usize = 5;

/// A run.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Whether requests had times at which they were due.
    pub paced: bool,
    /// For how long requests were to come, in seconds.
    pub asked_seconds: f64,
    /// From the start to the last answer, or to the end of that time where it was later.
    pub seconds: f64,
    /// Requests due, or sent where none was due.
    pub due: u64,
    /// Requests sent.
    pub sent: u64,
    /// Requests answered rightly.
    pub right: u64,
    /// Requests answered with something else than was asked for.
    pub wrong: u64,
    /// Some of those.
    pub examples: Vec<String>,
    /// What failed, by kind: requests, by the server's error or with their connection; and connections without any.
    pub errors: BTreeMap<String, u64>,
    /// How many of those were connections that failed with no request under way: refused, closed, not logged in.
    pub connection_failures: u64,
    /// Requests sent and neither answered nor failed when the run ended.
    pub unanswered: u64,
    /// Due and not sent when the time asked for was over.
    pub backlog_at_end: u64,
    /// The longest that backlog was.
    pub backlog_max: u64,
    /// How much later than it was due each request was sent.
    pub jitter: Latency,
    /// How long what was due and never sent had waited when the run ended.
    pub never_sent: Latency,
    /// By command, in the order of [`OperationKind`].
    pub kinds: BTreeMap<OperationKind, Figures>,
    /// Second by second.
    pub series: Vec<Second>,
    /// Processor time of this process's thread that sent and received, in seconds.
    pub cpu_seconds: f64,
    /// Connections that were lost and made again.
    pub reconnects: u64,
    /// Whether somebody ended it early.
    pub interrupted: bool,
}

/// One command's latencies.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Requests sent.
    pub sent: u64,
    /// Requests answered rightly.
    pub right: u64,
    /// From when each was due to its answer. What was never answered is in it with the time it had waited.
    pub response: Latency,
    /// From when each was sent to its answer: what a closed loop measures. Empty where requests were never due.
    pub service: Latency,
}

/// One second of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Second {
    /// Its end, in seconds since the start.
    pub at: f64,
    /// Requests that became due in it.
    pub due: u64,
    /// Requests sent in it.
    pub sent: u64,
    /// Right answers in it.
    pub right: u64,
    /// Errors and wrong answers in it.
    pub failed: u64,
    /// Requests due and not sent at its end.
    pub backlog: u64,
    /// Requests sent and not answered at its end.
    pub in_flight: u64,
    /// Of the answers in it, from when each was due, in milliseconds.
    pub p50: f64,
    /// The same.
    pub p99: f64,
    /// The same.
    pub max: f64,
}

impl Second {
    /// The columns of [`Self::csv`].
    pub const COLUMNS: &'static str = "second,due,sent,right,failed,backlog,in_flight,p50_ms,p99_ms,max_ms";

    /// A row of a file of seconds.
    pub fn csv(&self) -> String {
        let Self { at, due, sent, right, failed, backlog, in_flight, p50, p99, max } = self;
        format!("{at:.3},{due},{sent},{right},{failed},{backlog},{in_flight},{p50:.4},{p99:.4},{max:.4}")
    }
}

impl Outcome {
    /// The whole seconds in which requests came: without what was answered after their time, and the rest of one.
    pub fn whole_seconds(&self) -> impl Iterator<Item = &Second> {
        let is_whole = |at: f64| at <= self.asked_seconds + 1e-6 && (at - at.round()).abs() < 1e-6;
        self.series.iter().filter(move |second| is_whole(second.at))
    }

    /// Right answers a second.
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.right as f64 / self.seconds } else { 0.0 }
    }

    /// Requests due a second.
    pub fn rate_due(&self) -> f64 {
        if self.asked_seconds > 0.0 { self.due as f64 / self.asked_seconds } else { 0.0 }
    }

    /// Due and never sent.
    pub fn unsent(&self) -> u64 {
        self.due.saturating_sub(self.sent)
    }

    /// Requests that failed, by whatever error.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum::<u64>().saturating_sub(self.connection_failures)
    }

    /// Whether what became of each request that was due adds up to all of them.
    pub fn adds_up(&self) -> bool {
        self.due == self.right + self.wrong + self.failed() + self.unanswered + self.unsent()
    }

    /// What a sound run has none of: wrong answers, failures, requests without an answer, books that do not add up.
    pub fn faults(&self) -> u64 {
        self.wrong + self.errors.values().sum::<u64>() + self.unanswered + u64::from(!self.adds_up())
    }

    /// Whether all went well. Who ends a run early leaves requests without an answer: that is not the server's fault.
    pub fn is_right(&self) -> bool {
        let is_owed = self.unanswered + self.unsent() > 0 && !self.interrupted;
        self.errors.is_empty() && self.wrong == 0 && !is_owed
    }

    /// Every request's latency from when it was due.
    pub fn response(&self) -> Latency {
        let mut all = self.all(|figures| &figures.response);
        all.add(&self.never_sent);
        all
    }

    /// Every request's latency from when it was sent.
    pub fn service(&self) -> Latency {
        self.all(|figures| &figures.service)
    }

    fn all(&self, pick: fn(&Figures) -> &Latency) -> Latency {
        let mut all = Latency::default();
        self.kinds.values().for_each(|figures| all.add(pick(figures)));
        all
    }

    /// Share of one core that the client took, in percent.
    pub fn cpu_percent(&self) -> f64 {
        if self.seconds > 0.0 { self.cpu_seconds * 100.0 / self.seconds } else { 0.0 }
    }

    /// Why the run cannot stand for its rate, where it cannot.
    pub fn shortfall(&self) -> Option<String> {
        let missed = self.due.saturating_sub(self.right);
        if !self.paced || self.interrupted {
            return None;
        }
        if missed == 0 {
            let late = self.seconds - self.asked_seconds;
            let is_late = late > LATE.0 + LATE.1 * self.asked_seconds;
            return is_late.then(|| format!("the last answer came {late:.1} s after the time was over"));
        }
        let mut parts = Vec::new();
        let mut part = |count: u64, what: &str| {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        part(self.unsent(), "never sent");
        part(self.unanswered, "never answered");
        part(self.failed(), "failed");
        part(self.wrong, "answered wrongly");
        Some(format!("of {} requests due {missed} were not answered rightly: {}", self.due, parts.join(", ")))
    }

    /// A connection failed, and no request with it.
    pub(super) fn fail_connection(&mut self, kind: &str) {
        self.connection_failures += 1;
        self.fail(kind, 1);
    }

    /// Requests failed.
    pub(super) fn fail(&mut self, kind: &str, count: u64) {
        let kind =
            if self.errors.len() < ERRORS_MAX || self.errors.contains_key(kind) { kind } else { "other" };
        *self.errors.entry(kind.to_owned()).or_default() += count;
    }

    pub(super) fn wrong(&mut self, what: String) {
        self.wrong += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(what);
        }
    }
}
