//! `fsync`, `replica` and `replica-fsync` acknowledgement: whether this server can give it, and how; and that it still does when something is
//! acknowledged.
//!
//! Where WAITAOF waits for the fsync, it is asked after every window of blocks, whatever `appendfsync` is: the server itself
//! then knows what an operator has changed meanwhile. Elsewhere only `appendfsync always` will do, and it holds for a window
//! if the server says before and after it that this is so, and that nobody has set anything between (it counts
//! CONFIG SET; Redis 6.2 does not, so a change that is taken back within one window goes unseen there).

use std::time::Duration;

use redis::{ParsingError, Value, from_redis_value};

use super::connect::{Address, Facts};
use super::connection::Connection;
use super::error::Error;
use super::options::Ack;
use super::round_failure::RoundFailure;

/// Of the time in which an answer must come, the share that WAIT or WAITAOF may hold the connection for.
pub(super) const WAIT_SHARE: f64 = 2.0 / 3.0;

/// How the server says that a block is on its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fsync {
    /// It is not asked for.
    Unasked,
    /// By the reply itself, as long as these settings stay what they are.
    ByReply(Settings),
    /// By WAITAOF after the append, of so many replicas too.
    ByWaitAof(u64),
    /// By WAIT after the append, for so many replicas.
    ByWait(u64),
}

impl Fsync {
    /// What follows the appends on their connection, where it is a command; it may hold the connection for so long.
    pub fn command(&self, wait: Duration) -> Option<redis::Cmd> {
        let wait = wait.as_millis() as u64;
        match self {
            Self::Unasked | Self::ByReply(_) => None,
            Self::ByWaitAof(replicas) => Some(redis::cmd("WAITAOF").arg(1).arg(replicas).arg(wait).take()),
            Self::ByWait(replicas) => Some(redis::cmd("WAIT").arg(replicas).arg(wait).take()),
        }
    }

    /// Why what WAIT has confirmed acknowledges nothing, where that is so: the server has more replicas by now (`INFO replication`),
    /// which it may be replaced by. They are waited for from now on.
    pub fn grown(&mut self, info: Value) -> Result<Option<String>, ParsingError> {
        let now = replicas(&Facts::of(&from_redis_value::<String>(info)?));
        let (Self::ByWait(waited_for) | Self::ByWaitAof(waited_for)) = self else { return Ok(None) };
        let before = std::mem::replace(waited_for, now.max(*waited_for));
        Ok((now > before)
            .then(|| format!("it has {now} replicas by now, and {before} have it: it is sent again")))
    }

    /// Waits until the replicas have that a lane was taken: one that a failover makes the master would let in whoever had it before.
    pub fn confirm(&self, connection: &mut Connection, address: &Address) -> Result<(), Error> {
        if self.replicas().is_none() {
            return Ok(());
        }
        let Some(command) = self.command(address.answer_timeout().mul_f64(WAIT_SHARE)) else { return Ok(()) };
        let answer =
            command.query(connection).map_err(|error| Error::server("waiting for replicas", &error))?;
        match self.refused(answer) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(Error::NotNow { url: address.to_string(), why }),
            Err(error) => Err(Error::server("waiting for replicas", &error.into())),
        }
    }

    /// Why what was answered to it acknowledges nothing, where that is so.
    pub fn refused(&self, answer: Value) -> Result<Option<String>, ParsingError> {
        if let Self::ByWait(replicas) = self {
            let have: u64 = from_redis_value(answer)?;
            let why = format!("{have} of {replicas} replicas have it in time (WAIT)");
            return Ok((have < *replicas).then_some(why));
        }
        let (local, have): (u64, u64) = from_redis_value(answer)?;
        let wanted = self.replicas().unwrap_or(0);
        let why = match local {
            0 => Some("no fsync in time (WAITAOF)".into()),
            _ if have < wanted => {
                Some(format!("{have} of {wanted} replicas have it on disk in time (WAITAOF)"))
            }
            _ => None,
        };
        Ok(why)
    }

    /// How many replicas are waited for, where any are.
    pub fn replicas(&self) -> Option<u64> {
        match self {
            Self::ByWait(replicas) | Self::ByWaitAof(replicas @ 1..) => Some(*replicas),
            _ => None,
        }
    }

    /// Whether blocks wait for something after their reply before they count.
    pub fn is_asked(&self) -> bool {
        *self != Self::Unasked
    }

    /// How this server acknowledges as was asked for; an error where it cannot. Not yet to be told of one that is loading:
    /// while it reads its AOF, it says that it has none.
    pub fn of(
        ack: Ack,
        address: &Address,
        connection: &mut Connection,
        facts: &Facts,
    ) -> Result<Self, Error> {
        let is_loading = facts.get("loading") == Some("1");
        match ack {
            Ack::Reply => Ok(Self::Unasked),
            Ack::Fsync | Ack::ReplicaFsync if is_loading => {
                Err(Error::NotNow { url: address.to_string(), why: "it is loading its data".into() })
            }
            Ack::Fsync => determine(connection, facts),
            Ack::Replica | Ack::ReplicaFsync => {
                let may_be_promoted = address.replicas().max(connection.replicas());
                let wanted = replicas(facts).max(may_be_promoted).max(1);
                if ack == Ack::Replica {
                    return Ok(Self::ByWait(wanted));
                }
                if facts.get("aof_enabled") != Some("1") {
                    return Err(no_aof());
                }
                wait_aof(facts).map(|()| Self::ByWaitAof(wanted))
            }
        }
    }
}

/// How many replicas a master has that it sends its changes to.
pub(super) fn replicas(facts: &Facts) -> u64 {
    let named = (0..).map_while(|number| facts.get(&format!("slave{number}")));
    named.filter(|replica| replica.contains("state=online")).count() as u64
}

/// What decides whether a reply means an fsync, and how often something was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    /// Answers to CONFIG GET: names and values.
    values: Vec<String>,
    /// Calls of CONFIG SET and CONFIG RESETSTAT, as far as the server counts them.
    sets: Vec<String>,
}

impl Settings {
    /// Asks for them.
    pub fn read(connection: &mut Connection) -> Result<Self, redis::RedisError> {
        let (values, stats): (Vec<String>, String) = redis::pipe()
            .cmd("CONFIG")
            .arg("GET")
            .arg("*append*")
            .cmd("INFO")
            .arg("commandstats")
            .query(connection)?;
        let sets = stats.lines().filter_map(|line| {
            let counts = ["cmdstat_config|set:", "cmdstat_config|resetstat:"];
            counts.iter().any(|count| line.starts_with(count)).then(|| line.split(',').next())?
        });
        Ok(Self { values, sets: sets.map(str::to_owned).collect() })
    }

    fn get(&self, name: &str) -> &str {
        let pair = self.values.chunks(2).find(|pair| pair[0] == name);
        pair.and_then(|pair| pair.get(1)).map_or("", String::as_str)
    }

    /// `always`, `everysec` or `no`.
    pub fn appendfsync(&self) -> &str {
        self.get("appendfsync")
    }

    /// Why no fsync is certain to come, where that is so.
    pub fn refuse(&self) -> Result<(), Error> {
        if self.get("appendonly") != "yes" {
            return Err(no_aof());
        }
        if self.get("no-appendfsync-on-rewrite") == "yes" {
            return Err(Error::NoFsync(
                "no-appendfsync-on-rewrite is yes, so that nothing is synced during a rewrite; set it to no"
                    .into(),
            ));
        }
        Ok(())
    }

    /// Whether all that was answered since they were read is on the disk.
    pub fn still(&mut self, connection: &mut Connection) -> Result<(), RoundFailure> {
        let now = Self::read(connection)?;
        let is_as_it_was = now == *self;
        *self = now;
        self.refuse().map_err(RoundFailure::Untaken)?;
        if self.appendfsync() != "always" {
            let now = self.appendfsync();
            let why = format!("appendfsync was set to {now} meanwhile; CONFIG SET appendfsync always");
            return Err(RoundFailure::NoFsync(why));
        }
        let changed = "settings were changed while blocks were sent (CONFIG SET): they are sent again";
        if is_as_it_was { Ok(()) } else { Err(RoundFailure::refused(changed)) }
    }
}

fn no_aof() -> Error {
    Error::NoFsync("appendonly is off; CONFIG SET appendonly yes, and in redis.conf".into())
}

/// How this server acknowledges after an fsync, or why it cannot.
fn determine(connection: &mut Connection, facts: &Facts) -> Result<Fsync, Error> {
    if facts.get("aof_enabled") != Some("1") {
        return Err(no_aof());
    }
    let waits = wait_aof(facts);
    let settings = match Settings::read(connection) {
        // WAITAOF needs none.
        Err(error) if waits.is_ok() && error.code().is_some() => return Ok(Fsync::ByWaitAof(0)),
        settings => settings.map_err(|error| Error::server("CONFIG GET *append*", &error))?,
    };
    settings.refuse()?;
    match (waits, settings.appendfsync()) {
        (Ok(()), _) => Ok(Fsync::ByWaitAof(0)),
        (Err(_), "always") => Ok(Fsync::ByReply(settings)),
        (Err(why), _) => Err(why),
    }
}

/// Whether WAITAOF is there and waits for the fsync (redis#13793: some versions answer early).
pub fn wait_aof(facts: &Facts) -> Result<(), Error> {
    let (server, version, parts) = (facts.server(), facts.version(), facts.version_parts());
    let early = match server {
        "valkey" => ((8, 0, 0)..=(9, 1, 2)).contains(&parts),
        _ => ((7, 4, 0)..=(7, 4, 1)).contains(&parts),
    };
    let remedy = "CONFIG SET appendfsync always, or acknowledge by the reply";
    if server == "redis" && parts < (7, 2, 0) {
        return Err(Error::NoFsync(format!("redis {version} has no WAITAOF (7.2 has); {remedy}")));
    }
    if early {
        return Err(Error::NoFsync(format!(
            "WAITAOF of {server} {version} answers before the fsync (redis#13793); {remedy}"
        )));
    }
    Ok(())
}
