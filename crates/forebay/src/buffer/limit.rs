//! When a buffer is full: from what was measured to each limit, to the one that is met first, and to the time until
//! then. Pure arithmetic: others measure.
//!
//! With `b` bytes of memory for an event as held now, `n` further events, and nothing read meanwhile:
//!
//! | limit | is met where | because |
//! |---|---|---|
//! | `maxmemory` | `used_memory − mem_not_counted_for_evict + b·n = maxmemory` | that is what the server itself compares; other keys of the server count too |
//! | the log's disk | `log growth + a rewrite = free`: `a·n + (data + b·n) = free` | until a rewrite has ended, the old log and the new one are both there, and the new one holds all data. `a` is what an event takes in the log: `b`, and 400 bytes for each block. A rewrite that is due before, and fits, gives the room of the old log back. Where no rewrite comes by itself (`auto-aof-rewrite-percentage 0`): `a·n = free` |
//! | the machine's memory | `resident + b·n + copy = memory` | `resident` is what the server has by now, fragmentation included. `copy` is what a fork (rewrite, snapshot) may copy on write: the largest so far, at least a quarter of what is resident by then |
//!
//! Each is known, or known not to be there, or unknown with the reason; what is unknown is no limit and no guess.

/// Room that a fork is given beyond what is held, as a share of it, where no larger copy has been seen. A buffer
/// appends and trims: few old pages change while a rewrite runs.
pub const FORK_SHARE: u64 = 4;

/// What a block takes in the log beside its frame: MULTI, XADD, HSET and EXEC with their small fields.
const LOG_BYTES_PER_BLOCK: f64 = 400.0;

/// Something measured, or why it is not known.
pub type Known<T> = Result<T, String>;

/// What was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Events held.
    pub events: Known<u64>,
    /// Blocks that they are held in.
    pub blocks: Known<u64>,
    /// Bytes of memory for each of them.
    pub bytes_per_event: Known<f64>,
    /// `used_memory`.
    pub used_bytes: Known<u64>,
    /// What of it `maxmemory` leaves out: buffers of the log and of replicas.
    pub not_counted_bytes: u64,
    /// `maxmemory`; 0 where it is not set.
    pub maxmemory_bytes: Known<u64>,
    /// What a rewrite of the log would write.
    pub data_bytes: Known<u64>,
    /// What the server's process has of the machine's memory.
    pub resident_bytes: Known<u64>,
    /// The most that a fork has copied so far.
    pub largest_copy_bytes: u64,
    /// The append-only log; none where the server writes none.
    pub log: Known<Option<Log>>,
    /// The machine's memory.
    pub memory: Known<Memory>,
}

/// The append-only log.
#[derive(Debug, Clone)]
pub struct Log {
    /// Bytes that it has.
    pub bytes: u64,
    /// Bytes that it had after the last rewrite.
    pub base_bytes: u64,
    /// How far it grows beyond that until it is rewritten, in percent; 0 for never.
    pub growth_percent: Known<u64>,
    /// It is not rewritten before it has so many bytes.
    pub rewrite_bytes_min: Known<u64>,
    /// What its disk has left.
    pub free_bytes: Known<u64>,
}

/// A machine's memory.
#[derive(Debug, Clone)]
pub struct Memory {
    /// What the server may have of it: all, or what its cgroup allows.
    pub limit_bytes: u64,
    /// What is left of it now.
    pub available_bytes: u64,
}

/// What a limit is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// The server's own setting.
    Maxmemory,
    /// The disk of the append-only log.
    Disk,
    /// The memory of the machine, or of the server's cgroup.
    Memory,
}

impl LimitKind {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maxmemory => "maxmemory",
            Self::Disk => "disk",
            Self::Memory => "RAM",
        }
    }

    /// What happens where it is met, on a server with this `maxmemory-policy`.
    pub fn then(self, policy: &str) -> String {
        match self {
            // No key of a buffer expires, so the other policies find none of its keys to evict.
            Self::Maxmemory if policy.starts_with("allkeys-") => format!("{policy} evicts whole lanes"),
            Self::Maxmemory => "writes are refused".into(),
            Self::Disk => "the log has no room to be rewritten".into(),
            Self::Memory => "a fork may need more than there is".into(),
        }
    }
}

/// Room up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headroom {
    /// Bytes in use of it. Of a disk: the log and a rewrite. Of memory: with what a fork may copy.
    pub used_bytes: u64,
    /// Bytes where it is met.
    pub limit_bytes: u64,
    /// Further events until then; 0 where it is met or passed.
    pub events: u64,
}

impl Headroom {
    /// What is used of it, as a share.
    pub fn ratio(&self) -> Option<f64> {
        (self.limit_bytes > 0).then(|| self.used_bytes as f64 / self.limit_bytes as f64)
    }
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// It is there, so far away.
    At(Headroom),
    /// It is not there, and why.
    Absent(String),
    /// Nobody knows, and why.
    Unknown(String),
}

/// When the limit is met.
#[derive(Debug, Clone, PartialEq)]
pub enum Full {
    /// In so many seconds, should nothing be read meanwhile.
    In(f64),
    /// It is met or passed.
    Now,
    /// Nothing comes in.
    NotFilling,
    /// Nobody knows, and why.
    Unknown(String),
}

impl Full {
    /// Seconds; none where that is never, or unknown.
    pub fn seconds(&self) -> Option<f64> {
        match self {
            Self::In(seconds) => Some(*seconds),
            Self::Now => Some(0.0),
            Self::NotFilling | Self::Unknown(_) => None,
        }
    }

    /// Why there is no time.
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Self::In(_) | Self::Now => None,
            Self::NotFilling => Some("nothing comes in"),
            Self::Unknown(why) => Some(why),
        }
    }
}

/// Every limit of a buffer.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Events held.
    pub events: Known<u64>,
    /// The limits, in order.
    pub all: [(LimitKind, Bound); 3],
}

impl Limits {
    /// From what was measured.
    pub fn of(measured: &Measured) -> Self {
        let bound = |found: Known<Bound>| found.unwrap_or_else(Bound::Unknown);
        Self {
            events: measured.events.clone(),
            all: [
                (LimitKind::Maxmemory, bound(maxmemory(measured))),
                (LimitKind::Disk, bound(disk(measured))),
                (LimitKind::Memory, bound(memory(measured))),
            ],
        }
    }

    /// The limit that is met first, of those that are known.
    pub fn first(&self) -> Option<(LimitKind, Headroom)> {
        let known = self.all.iter().filter_map(|(kind, bound)| match bound {
            Bound::At(room) => Some((*kind, *room)),
            _ => None,
        });
        known.min_by_key(|(_, room)| room.events)
    }

    /// Events held when that is met.
    pub fn events_at_limit(&self) -> Option<u64> {
        let held = self.events.as_ref().ok()?;
        Some(held.saturating_add(self.first()?.1.events))
    }

    /// When that is met, at so many events a second.
    pub fn full(&self, events_per_second: f64) -> Full {
        let Some((_, room)) = self.first() else { return Full::Unknown(self.why_none()) };
        match events_per_second {
            _ if room.events == 0 => Full::Now,
            rate if !rate.is_finite() || rate < 0.0 => Full::Unknown("the rate is unknown".into()),
            // Also for a rate so low that it would take longer than a number can tell.
            rate if (room.events as f64 / rate).is_infinite() => Full::NotFilling,
            rate => Full::In(room.events as f64 / rate),
        }
    }

    /// Why no limit is known, each by its name.
    fn why_none(&self) -> String {
        let told = self.all.iter().map(|(kind, bound)| match bound {
            Bound::At(_) => format!("{} is known", kind.name()),
            Bound::Absent(why) | Bound::Unknown(why) => format!("{}: {why}", kind.name()),
        });
        told.collect::<Vec<_>>().join("; ")
    }
}

/// Further events that fit into so many bytes. None at all fit into none, whatever they weigh.
fn fit(room_bytes: f64, bytes_each: &Known<f64>) -> Known<u64> {
    if room_bytes <= 0.0 {
        return Ok(0);
    }
    match bytes_each {
        // The cast goes no further than the largest number there is.
        Ok(each) if each.is_finite() && *each > 0.0 => Ok((room_bytes / each) as u64),
        Ok(_) => Err("what an event weighs is unknown".into()),
        Err(why) => Err(why.clone()),
    }
}

fn maxmemory(measured: &Measured) -> Known<Bound> {
    let limit_bytes = measured.maxmemory_bytes.clone()?;
    if limit_bytes == 0 {
        return Ok(Bound::Absent("it is not set".into()));
    }
    let used_bytes = measured.used_bytes.clone()?.saturating_sub(measured.not_counted_bytes);
    let room = limit_bytes.saturating_sub(used_bytes) as f64;
    Ok(Bound::At(Headroom { used_bytes, limit_bytes, events: fit(room, &measured.bytes_per_event)? }))
}

fn memory(measured: &Measured) -> Known<Bound> {
    let memory = measured.memory.clone()?;
    let resident = measured.resident_bytes.clone()?;
    let share = 1.0 / FORK_SHARE as f64;
    let limit_bytes = memory.limit_bytes.min(resident.saturating_add(memory.available_bytes));
    let room = limit_bytes.saturating_sub(resident) as f64;
    // Either rule of the copy must be kept, so the one that leaves less room counts.
    let so_far = fit(room - measured.largest_copy_bytes as f64, &measured.bytes_per_event)?;
    let by_share = measured.bytes_per_event.clone().map(|each| each * (1.0 + share));
    let by_share = fit(room - resident as f64 * share, &by_share)?;
    let copy = measured.largest_copy_bytes.max(resident / FORK_SHARE);
    Ok(Bound::At(Headroom {
        used_bytes: resident.saturating_add(copy),
        limit_bytes,
        events: so_far.min(by_share),
    }))
}

fn disk(measured: &Measured) -> Known<Bound> {
    let Some(log) = measured.log.clone()? else {
        return Ok(Bound::Absent("the server writes no append-only log".into()));
    };
    let (free, growth) = (log.free_bytes.clone()?, log.growth_percent.clone()?);
    let limit_bytes = log.bytes.saturating_add(free);
    if growth == 0 {
        let in_log = in_log(measured);
        return Ok(Bound::At(Headroom {
            used_bytes: log.bytes,
            limit_bytes,
            events: fit(free as f64, &in_log)?,
        }));
    }
    let data = measured.data_bytes.clone()?;
    let events = with_rewrites(measured, &log, growth, (free as f64, data as f64))?;
    Ok(Bound::At(Headroom { used_bytes: log.bytes.saturating_add(data), limit_bytes, events }))
}

/// Bytes that an event takes in the log.
fn in_log(measured: &Measured) -> Known<f64> {
    let (events, blocks) = (measured.events.clone()?.max(1) as f64, measured.blocks.clone()? as f64);
    measured.bytes_per_event.clone().map(|each| each + LOG_BYTES_PER_BLOCK * blocks / events)
}

/// Events until a rewrite no longer fits beside the log.
fn with_rewrites(measured: &Measured, log: &Log, growth: u64, (free, data): (f64, f64)) -> Known<u64> {
    let in_log = in_log(measured);
    let both = in_log.clone().and_then(|a| measured.bytes_per_event.clone().map(|b| a + b));
    let without = fit(free - data, &both)?;
    let (Ok(in_log), Ok(each)) = (in_log, measured.bytes_per_event.clone()) else { return Ok(without) };
    // As the server reckons: a log that was never rewritten began with one byte.
    let grown = log.base_bytes.max(1) as f64 * (1.0 + growth as f64 / 100.0);
    let due_at = grown.max(log.rewrite_bytes_min.clone()? as f64);
    let until_due = ((due_at - log.bytes as f64) / in_log).max(0.0);
    if free <= data || until_due > without as f64 {
        return Ok(without);
    }
    // The rewrite fits. After it the log is what is held by then, and the rest of the disk is free.
    let held = data + each * until_due;
    let free = (log.bytes as f64 + free) - held;
    let after = fit(free - held, &both)?;
    Ok(without.max((until_due as u64).saturating_add(after)))
}
