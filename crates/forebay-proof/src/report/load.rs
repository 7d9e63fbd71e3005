//! A run of the load generator in figures that the terminal, JSON and CSV share.

use serde::Serialize;

use super::content::{Machine, Target};
use super::units::{millis, thousands};
use forebay_rig::load::latency::Latency;
use forebay_rig::load::outcome::{Outcome, Second};

/// Version of the JSON's shape. Fields may be added under the same number, never changed.
const SCHEMA: u32 = 1;

/// A run, and how it was made.
pub struct LoadRun<'a> {
    /// What was asked.
    pub op: String,
    /// When.
    pub pattern: String,
    /// What was sent.
    pub payload: String,
    /// Over how many connections.
    pub connections: usize,
    /// Under way on each, at the most.
    pub pipeline: usize,
    /// On which server.
    pub target: Target,
    /// From which machine.
    pub machine: Machine,
    /// What it came to.
    pub outcome: &'a Outcome,
}

/// Latencies of one kind, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Percentiles {
    /// How many requests.
    pub count: u64,
    /// Half took at most this.
    pub p50_ms: f64,
    /// 95 of 100.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1,000.
    pub p999_ms: f64,
    /// All.
    pub max_ms: f64,
}

impl Percentiles {
    /// Of these latencies.
    pub fn of(latency: &Latency) -> Self {
        Self {
            count: latency.count(),
            p50_ms: latency.percentile(50.0),
            p95_ms: latency.percentile(95.0),
            p99_ms: latency.percentile(99.0),
            p999_ms: latency.percentile(99.9),
            max_ms: latency.max(),
        }
    }

    /// As cells of a table.
    pub fn cells(&self) -> [String; 5] {
        [self.p50_ms, self.p95_ms, self.p99_ms, self.p999_ms, self.max_ms].map(millis)
    }
}

impl LoadRun<'_> {
    /// The run as indented JSON that ends with a newline.
    pub fn json(&self) -> String {
        let outcome = self.outcome;
        let commands: Vec<_> = outcome
            .kinds
            .iter()
            .map(|(kind, figures)| {
                serde_json::json!({
                    "command": kind.name(),
                    "sent": figures.sent,
                    "right": figures.right,
                    "response": Percentiles::of(&figures.response),
                    "service": outcome.paced.then(|| Percentiles::of(&figures.service)),
                })
            })
            .collect();
        let value = serde_json::json!({
            "schema": SCHEMA,
            "forebay": env!("CARGO_PKG_VERSION"),
            "op": self.op,
            "pattern": self.pattern,
            "payload": self.payload,
            "connections": self.connections,
            "pipeline": self.pipeline,
            "target": self.target,
            "machine": self.machine,
            "shortfall": outcome.shortfall(),
            "interrupted": outcome.interrupted,
            "asked_seconds": outcome.asked_seconds,
            "seconds": outcome.seconds,
            "rate_due": outcome.rate_due(),
            "rate": outcome.rate(),
            "due": outcome.due,
            "sent": outcome.sent,
            "right": outcome.right,
            "wrong": outcome.wrong,
            "wrong_examples": outcome.examples,
            "errors": outcome.errors,
            "failed": outcome.failed(),
            "connection_failures": outcome.connection_failures,
            "unsent": outcome.unsent(),
            "unanswered": outcome.unanswered,
            "backlog_at_end": outcome.backlog_at_end,
            "backlog_max": outcome.backlog_max,
            "reconnects": outcome.reconnects,
            "client_cpu_percent": outcome.cpu_percent(),
            "response": Percentiles::of(&outcome.response()),
            "service": outcome.paced.then(|| Percentiles::of(&outcome.service())),
            "send_jitter": outcome.paced.then(|| Percentiles::of(&outcome.jitter)),
            "commands": commands,
            "series": outcome.series,
        });
        // Proof: every key is a string.
        serde_json::to_string_pretty(&value).expect("JSON of plain values") + "\n"
    }
}

/// One second as a line for whoever watches.
pub fn line(second: &Second) -> String {
    format!(
        "{}/s p50 {} ms p99 {} ms failed {} backlog {}",
        thousands(second.right as f64, 0),
        millis(second.p50),
        millis(second.p99),
        second.failed,
        thousands((second.backlog + second.in_flight) as f64, 0),
    )
}
