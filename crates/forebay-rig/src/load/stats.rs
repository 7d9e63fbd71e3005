//! The books of a run: what became due, what was sent, what came back and when.

use super::connection::Sent;
use super::expected_state::Answer;
use super::latency::Latency;
use super::outcome::{Outcome, Second};
use super::work::OperationKind;

/// A run's outcome as it comes about.
pub(super) struct LoadStats {
    pub outcome: Outcome,
    second: Second,
    in_second: Latency,
    in_flight: u64,
    /// When the last answer came.
    pub last_answer: u64,
}

impl LoadStats {
    pub fn new(paced: bool) -> Self {
        Self {
            outcome: Outcome { paced, ..Outcome::default() },
            second: Second::default(),
            in_second: Latency::default(),
            in_flight: 0,
            last_answer: 0,
        }
    }

    /// Requests became due.
    pub fn became_due(&mut self, count: u64) {
        self.outcome.due += count;
        self.second.due += count;
    }

    /// Requests were sent.
    pub fn sent(&mut self, kind: OperationKind, count: u64) {
        self.outcome.kinds.entry(kind).or_default().sent += count;
        self.outcome.sent += count;
        self.second.sent += count;
        self.in_flight += count;
    }

    /// It was answered.
    pub fn answered(&mut self, sent: &Sent, answer: Answer, now: u64) {
        match answer {
            Answer::Right => return self.right(sent.asked.kind, sent.due, sent.at, now),
            Answer::Error(kind) => self.outcome.fail(&kind, 1),
            Answer::Wrong(what) => self.outcome.wrong(what),
        }
        self.second.failed += 1;
        self.in_flight -= 1;
        self.last_answer = now;
    }

    /// It was answered rightly; it had been due at one time and was sent at another.
    pub fn right(&mut self, kind: OperationKind, due: u64, at: u64, now: u64) {
        self.in_flight -= 1;
        self.last_answer = now;
        let figures = self.outcome.kinds.entry(kind).or_default();
        let response = now.saturating_sub(due);
        figures.right += 1;
        figures.response.record(response);
        if self.outcome.paced {
            figures.service.record(now.saturating_sub(at));
        }
        self.in_second.record(response);
        self.outcome.right += 1;
        self.second.right += 1;
    }

    /// It will have no answer: what it has waited by now is in the latencies all the same.
    pub fn waited(&mut self, kind: OperationKind, due: u64, now: u64) {
        self.outcome.kinds.entry(kind).or_default().response.record(now.saturating_sub(due));
    }

    /// A connection is gone, and so many requests with it.
    pub fn lost(&mut self, why: &str, requests: u64) {
        self.in_flight -= requests;
        self.second.failed += requests;
        match requests {
            0 => self.outcome.fail_connection(why),
            requests => self.outcome.fail(why, requests),
        }
    }

    /// Looks how long the backlog is.
    pub fn note_backlog(&mut self) {
        if self.outcome.paced {
            self.outcome.backlog_max = self.outcome.backlog_max.max(self.backlog());
        }
    }

    /// Due and not sent.
    pub fn backlog(&self) -> u64 {
        self.outcome.due.saturating_sub(self.outcome.sent)
    }

    /// Whether nothing is under way.
    pub fn is_quiet(&self) -> bool {
        self.in_flight == 0
    }

    /// Closes a second of the series.
    pub fn end_second(&mut self, at: u64, each_second: &mut dyn FnMut(&Second)) {
        if !self.outcome.paced {
            (self.outcome.due, self.second.due) = (self.outcome.sent, self.second.sent);
        }
        let second = Second {
            at: at as f64 / 1e9,
            backlog: self.backlog(),
            in_flight: self.in_flight,
            p50: self.in_second.percentile(50.0),
            p99: self.in_second.percentile(99.0),
            max: self.in_second.max(),
            ..std::mem::take(&mut self.second)
        };
        self.in_second.clear();
        self.outcome.series.push(second);
        each_second(&second);
    }
}
