//! What the server counted itself: calls by command, how long they took inside it, processor time, forks, late fsyncs,
//! slow commands.

use std::collections::BTreeMap;
use std::time::Instant;

use redis::Value;

use crate::target::facts_of;
use forebay::buffer::connect::Address;
use forebay_rig::load::work::OperationKind;

/// Calls of a command, and microseconds inside the server.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Calls {
    pub count: u64,
    pub micros: u64,
    /// 99 of 100 calls took at most so many microseconds inside the server since it started, by its own histogram.
    pub p99_micros: Option<u64>,
}

/// Counters at one moment, or between two.
#[derive(Debug, Clone)]
pub struct Counters {
    pub commands: BTreeMap<OperationKind, Calls>,
    pub cpu_seconds: f64,
    pub forks: u64,
    pub delayed_fsyncs: u64,
    pub slow: u64,
    /// When they were read; then how many seconds lie between.
    at: Instant,
    pub seconds: f64,
}

impl Counters {
    /// Of nothing but these commands.
    #[cfg(test)]
    pub fn of(commands: BTreeMap<OperationKind, Calls>) -> Self {
        let at = Instant::now();
        Self { commands, cpu_seconds: 0.0, forks: 0, delayed_fsyncs: 0, slow: 0, at, seconds: 1.0 }
    }

    /// As they are now.
    pub fn read(address: &Address) -> anyhow::Result<Self> {
        let mut connection = address.dial()?;
        let facts = facts_of(&mut connection, &["all"])?;
        let seconds = |name: &str| facts.get(name).and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0);
        let commands =
            OperationKind::ALL.into_iter().filter(|kind| *kind != OperationKind::Append).map(|kind| {
                let line = facts.get(&format!("cmdstat_{}", kind.name().to_lowercase())).unwrap_or_default();
                let mut calls =
                    Calls { count: field(line, "calls"), micros: field(line, "usec"), p99_micros: None };
                // From 7.0 on.
                let histogram =
                    redis::cmd("LATENCY").arg("HISTOGRAM").arg(kind.name()).query(&mut connection);
                calls.p99_micros = histogram.ok().as_ref().and_then(p99);
                (kind, calls)
            });
        let commands = commands.collect();
        Ok(Self {
            commands,
            cpu_seconds: seconds("used_cpu_sys") + seconds("used_cpu_user"),
            forks: facts.number("total_forks").unwrap_or(0),
            delayed_fsyncs: facts.number("aof_delayed_fsync").unwrap_or(0),
            slow: redis::cmd("SLOWLOG").arg("LEN").query(&mut connection).unwrap_or(0),
            at: Instant::now(),
            seconds: 0.0,
        })
    }

    /// What was added since.
    pub fn since(mut self, before: &Self) -> Self {
        for (kind, calls) in &mut self.commands {
            let earlier = before.commands.get(kind).copied().unwrap_or_default();
            calls.count = calls.count.saturating_sub(earlier.count);
            calls.micros = calls.micros.saturating_sub(earlier.micros);
        }
        self.cpu_seconds -= before.cpu_seconds;
        self.forks = self.forks.saturating_sub(before.forks);
        self.delayed_fsyncs = self.delayed_fsyncs.saturating_sub(before.delayed_fsyncs);
        self.slow = self.slow.saturating_sub(before.slow);
        self.seconds = self.at.duration_since(before.at).as_secs_f64();
        self
    }
}

/// A number in `calls=3,usec=9,…`.
fn field(line: &str, name: &str) -> u64 {
    let pairs = line.split(',').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// The bucket that 99 of 100 calls lie in or under, out of the answer of LATENCY HISTOGRAM for one command: its name,
/// then `calls`, their number, `histogram_usec`, and pairs of a bucket's end and the calls up to it.
fn p99(answer: &Value) -> Option<u64> {
    let Value::Array(commands) = answer else { return None };
    let Value::Array(fields) = commands.get(1)? else { return None };
    let (Value::Int(calls), Value::Array(buckets)) = (fields.get(1)?, fields.get(3)?) else { return None };
    let reaches = |pair: &&[Value]| matches!(pair, [_, Value::Int(upto)] if *upto * 100 >= *calls * 99);
    match buckets.chunks_exact(2).find(reaches)? {
        [Value::Int(end), _] => u64::try_from(*end).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_out_of_the_servers_answers() {
        assert_eq!(field("calls=12,usec=340,usec_per_call=28.33", "usec"), 340);
        assert_eq!(field("", "calls"), 0);
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let buckets = [1, 50, 2, 98, 4, 99, 8, 100].map(Value::Int).to_vec();
        let fields = vec![text("calls"), Value::Int(100), text("histogram_usec"), Value::Array(buckets)];
        assert_eq!(p99(&Value::Array(vec![text("get"), Value::Array(fields)])), Some(4));
        assert_eq!(p99(&Value::Array(Vec::new())), None);
    }
}
