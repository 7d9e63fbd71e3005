//! What a run needs besides its requests: open files here, a consumer group there, and nothing left behind.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use forebay::buffer::connection::Connection;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::driver;
use super::expected_state::{GROUP, OwnKeys};
use super::keyspace::Keyspace;
use super::outcome::{Outcome, Second};
use super::work::Work;
use forebay::buffer::connect::{Address, Facts};
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;

/// Files that the program needs besides its connections.
const OTHER_FILES: u64 = 64;

/// Keys removed by one command.
const REMOVED_AT_ONCE: usize = 500;

/// How often more that is tried, and the time between.
const REMOVAL_TRIES: u32 = 3;
const REMOVAL_PAUSE: Duration = Duration::from_millis(100);

/// Lets the program open so many connections; raises the system's limit as far as it goes.
pub fn allow_connections(connections: usize) -> Result<(), String> {
    let wanted = connections as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = limit.maximum.is_none_or(|maximum| maximum >= wanted)
        && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).is_ok();
    if raised {
        return Ok(());
    }
    let most = limit.maximum.map_or("no more".into(), |maximum| maximum.to_string());
    Err(format!(
        "{connections} connections take {wanted} open files, and this process may have {most}: raise the hard limit \
         (ulimit -Hn {wanted}, LimitNOFILE= of a service, nofile in /etc/security/limits.conf) or take fewer connections"
    ))
}

/// A server made ready for a run. Dropped, it removes what the run wrote.
pub struct Stage<'a> {
    address: &'a Address,
    name: &'a Name,
    room: Keyspace,
}

impl<'a> Stage<'a> {
    /// Makes the stream's group where the work reads it. A server that would drop keys of others to make room for the
    /// run's is refused.
    pub fn set(
        address: &'a Address,
        name: &'a Name,
        work: &Work,
        room: Keyspace,
    ) -> Result<Self, driver::Error> {
        let mut connection = address.dial()?;
        evicts_nobody(&mut connection, address, room)?;
        // From here on there is something to remove.
        let stage = Self { address, name, room };
        if work.reads_stream() {
            redis::cmd("XGROUP")
                .arg("CREATE")
                .arg(name.load_stream())
                .arg(GROUP)
                .arg("0")
                .arg("MKSTREAM")
                .query::<()>(&mut connection)
                .map_err(|error| Error::server("making the group of the load's stream", &error))?;
        }
        Ok(stage)
    }
}

/// Runs a plan with all that it needs, and leaves nothing of it behind.
pub fn run(
    plan: &driver::LoadPlan<'_>,
    stop: &AtomicBool,
    each_second: &mut dyn FnMut(&Second),
) -> Result<Outcome, driver::Error> {
    allow_connections(plan.connections).map_err(driver::Error::TooMany)?;
    let _stage =
        Stage::set(plan.address, plan.name, plan.work, Keyspace::of(plan.payloads, plan.connections))?;
    driver::run(plan, stop, each_second)
}

/// The same to its end, with nobody to hear of each second.
pub fn run_whole(plan: &driver::LoadPlan<'_>) -> Result<Outcome, driver::Error> {
    run(plan, &AtomicBool::new(false), &mut |_| {})
}

/// Whether the run's values fit beside what is there, on a server that evicts.
fn evicts_nobody(
    connection: &mut Connection,
    address: &Address,
    room: Keyspace,
) -> Result<(), driver::Error> {
    let info: String = redis::cmd("INFO").query(connection).map_err(|error| address.refused(&error))?;
    let facts = Facts::of(&info);
    let policy = facts.get("maxmemory_policy").unwrap_or("noeviction");
    let limit = facts.number("maxmemory").unwrap_or(0);
    let used = facts.number("used_memory").unwrap_or(0);
    if limit == 0 || policy == "noeviction" || used + room.bytes <= limit {
        return Ok(());
    }
    let size = |bytes: u64| bytesize::ByteSize(bytes).display().iec().to_string();
    Err(driver::Error::Evicts(format!(
        "{address}: {} of {} are used, its maxmemory-policy is {policy}, and a run keeps up to {} on it: it would evict keys \
         of others; take a smaller payload or fewer connections, or a server with room",
        size(used),
        size(limit),
        size(room.bytes)
    )))
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        let mut keys = vec![self.name.load_stream()];
        for index in 0..self.room.connections {
            keys.extend(OwnKeys::new(self.name, index, self.room).keys().map(str::to_owned));
        }
        let remove = || {
            let mut connection = self.address.dial()?;
            for some in keys.chunks(REMOVED_AT_ONCE) {
                redis::cmd("UNLINK")
                    .arg(some)
                    .query::<u64>(&mut connection)
                    .map_err(|error| Error::server("removing what the load wrote", &error))?;
            }
            Ok::<(), Error>(())
        };
        // Where the load took every connection there was, the server may not have noticed yet that they are free.
        let mut removed = remove();
        for _ in 0..REMOVAL_TRIES {
            if removed.is_ok() || crate::server::ending() {
                break;
            }
            std::thread::sleep(REMOVAL_PAUSE);
            removed = remove();
        }
        // A server of our own may have been ended by a signal: then there is nothing to remove.
        if let Err(error) = removed
            && !crate::server::ending()
        {
            tracing::warn!(
                "the load's keys are still there ({error}): they begin with {}",
                self.name.load_stream()
            );
        }
    }
}
