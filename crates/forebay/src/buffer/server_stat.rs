//! What a server says of itself beside INFO's usual sections: how long its commands take, and how much it found slow.

use super::connection::Connection;
use redis::{ErrorKind, RedisError, Value};

use super::connect::Facts;
use super::error::Error;
use super::keys::Name;
use super::permitted_query::Asker;

/// Commands whose latencies are told: those that a buffer's writers, readers and watchers use.
pub const COMMANDS: [&str; 8] =
    ["evalsha", "exec", "xadd", "xreadgroup", "xack", "xautoclaim", "xrange", "info"];

/// Redis and Valkey keep latencies by command from here on.
const HISTOGRAMS_SINCE: (u64, u64, u64) = (7, 0, 0);

/// A server at one moment, beside [`Facts`].
#[derive(Debug, Clone, Default)]
pub struct ServerStat {
    /// Entries of its slowlog; none where it does not say.
    pub slowlog: Option<u64>,
    /// Latencies of those of [`COMMANDS`] that were ever used; empty where it keeps none.
    pub commands: Vec<CommandLatency>,
    /// Commands that it does not let this user use.
    pub refused: Vec<String>,
}

/// How long a command took, since the server started.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandLatency {
    /// Its name in lower case.
    pub command: &'static str,
    /// How often it was called.
    pub calls: u64,
    /// Microseconds, all calls together.
    pub micros: u64,
    /// How many calls took at most so many microseconds, ascending.
    pub at_most: Vec<(u64, u64)>,
}

impl ServerStat {
    /// Asks.
    pub(super) fn over(connection: &mut Connection, name: &Name, facts: &Facts) -> Result<Self, Error> {
        let failed = |error: RedisError| Error::server("looking at the server", &error);
        let mut asker = Asker::new(connection, name);
        let slowlog = asker.permitted("SLOWLOG LEN", redis::cmd("SLOWLOG").arg("LEN")).map_err(failed)?;
        let commands = commands(&mut asker, facts).map_err(failed)?;
        Ok(Self { slowlog, commands, refused: asker.refused })
    }
}

fn commands(asker: &mut Asker<'_>, facts: &Facts) -> Result<Vec<CommandLatency>, RedisError> {
    if facts.version_parts() < HISTOGRAMS_SINCE {
        return Ok(Vec::new());
    }
    let mut ask = redis::cmd("LATENCY");
    ask.arg("HISTOGRAM").arg(&COMMANDS);
    let answer: Option<Vec<Value>> = match asker.permitted("LATENCY HISTOGRAM", &ask) {
        // A server that calls itself 7 and knows no such command has no latencies to tell.
        Err(error) if matches!(error.kind(), ErrorKind::Server(_)) => None,
        answer => answer?,
    };
    let Some(answer) = answer else { return Ok(Vec::new()) };
    let text: Option<String> =
        asker.permitted("INFO commandstats", redis::cmd("INFO").arg("commandstats"))?;
    let stats = Facts::of(&text.unwrap_or_default());
    Ok(answer.chunks(2).filter_map(|pair| one(pair.first()?, pair.get(1)?, &stats)).collect())
}

/// One command of LATENCY HISTOGRAM: `["calls", n, "histogram_usec", [at most, calls, …]]`.
fn one(name: &Value, told: &Value, stats: &Facts) -> Option<CommandLatency> {
    let name: String = redis::from_redis_value_ref(name).ok()?;
    let command = COMMANDS.into_iter().find(|known| *known == name)?;
    let Value::Array(told) = told else { return None };
    let calls = redis::from_redis_value_ref(told.get(1)?).ok()?;
    let counts: Vec<u64> = redis::from_redis_value_ref(told.get(3)?).ok()?;
    let micros = stats
        .get(&format!("cmdstat_{command}"))?
        .split(',')
        .find_map(|part| part.strip_prefix("usec=")?.parse().ok())?;
    let at_most = counts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    Some(CommandLatency { command, calls, micros, at_most })
}
