//! A master under Sentinel that was stopped, replaced, and continues: it believes to be the master until somebody tells it, and a
//! client that stayed connected goes on writing to it.

use std::time::{Duration, Instant};

use forebay::buffer::keys::Name;
use forebay_rig::server::{Conf, SentinelSet, ServerBinary};
use redis::{Connection, RedisResult, cmd};

use crate::wait::go_on;

/// Writes that are tried on the old master, and for how long at the most: Sentinel tells it after about ten seconds.
const WRITES: u64 = 200;
const LIMIT: Duration = Duration::from_secs(2);
/// How long one answer may take. A server that is paused gives none.
const ANSWER: Duration = Duration::from_secs(10);

/// What an old master did with writes of a client that stayed connected.
#[derive(Debug, Clone, Default)]
pub(super) struct OldMaster {
    /// Writes that it was sent while it took itself for the master.
    pub sent: u64,
    /// Those that it answered as done.
    pub taken: u64,
    /// Those of them that the new master has not.
    pub lost: u64,
    /// What it said to the first that it refused.
    pub refusal: String,
}

/// One that may not write with fewer replicas than these.
pub(super) fn resumed(binary: &ServerBinary, replicas_min: u64) -> anyhow::Result<OldMaster> {
    let (min, name): (String, Name) = (replicas_min.to_string(), "failover".parse()?);
    let settings =
        [("appendonly", "no"), ("save", ""), ("min-replicas-to-write", &min), ("min-replicas-max-lag", "10")];
    let conf: Conf = settings.into_iter().collect();
    let mut set = SentinelSet::start(binary, &conf, 1)?;
    let key = name.load_list(0);
    let mut client = connect(&set.server(0).url())?;
    push(&mut client, &key)?;
    set.wait_in_sync(1)?;
    set.server(0).pause()?;
    let new = set.failed_over_from(0)?;
    set.server(0).resume()?;
    // Once it answers, it has seen what happened to its connections meanwhile.
    cmd("PING").exec(&mut client)?;
    let (mut seen, since) = (OldMaster::default(), Instant::now());
    while seen.sent < WRITES && since.elapsed() < LIMIT {
        go_on()?;
        match push(&mut client, &key) {
            Ok(()) => seen.taken += 1,
            Err(error) if error.code() == Some("NOREPLICAS") => {
                if seen.refusal.is_empty() {
                    seen.refusal = format!("NOREPLICAS {}", error.detail().unwrap_or_default());
                }
            }
            // It was told: it is a replica by now, or closes what it had.
            Err(_) => break,
        }
        seen.sent += 1;
    }
    let there: u64 = cmd("LLEN").arg(&key).query(&mut connect(&set.server(new).url())?)?;
    seen.lost = (seen.taken + 1).saturating_sub(there);
    Ok(seen)
}

fn connect(url: &str) -> RedisResult<Connection> {
    let connection = redis::Client::open(url)?.get_connection_with_timeout(ANSWER)?;
    connection.set_read_timeout(Some(ANSWER))?;
    Ok(connection)
}

fn push(client: &mut Connection, key: &str) -> RedisResult<()> {
    cmd("RPUSH").arg(key).arg("x").exec(client)
}
