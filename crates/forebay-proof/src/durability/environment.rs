//! Where a cell takes place: a server of our own, on a disk of our own where the fault needs one; or somebody's, that is
//! killed and started by commands of theirs.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::Signal;

use super::alive::{LastSeen, until_gone};
use super::cell::Fault;
use super::not_run::{NotRun, early};
use super::server_state::{run_id, until_no_fsync};
use crate::target::{facts_of, setting};
use crate::wait::wait_for;
use forebay::buffer::connect::Address;
use forebay_rig::server::external_server::{self, Commands, Look, Standing};
use forebay_rig::server::fault::disk::{Disk, DiskError};
use forebay_rig::server::fault::network::{NetworkError, Proxy};
use forebay_rig::server::{Conf, Server, ServerBinary, ServerError};
use forebay_watch::profile::Profile;

/// Room on a disk of our own, which lives in memory.
const ROOM: u64 = 1 << 30;

/// How long somebody's server may take to answer and to have loaded its data.
const LOADING: Duration = Duration::from_secs(600);

/// The same until it takes connections, loaded or not.
const ANSWERING: Duration = Duration::from_secs(60);

/// Settings that a claim about somebody's server rests on.
const SETTINGS: [&str; 3] = ["appendonly", "appendfsync", "dir"];

/// A server of ours, or somebody's.
enum Host {
    Own(Server),
    Given(Box<Given>),
}

/// Somebody's server.
struct Given {
    commands: Commands,
    look: Look,
    /// The id of the process that answered last, by its own account.
    run_id: String,
    set: Settings,
}

/// What somebody's server is set to, each in the order of [`SETTINGS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings([String; SETTINGS.len()]);

impl Settings {
    /// As the server says.
    pub fn of(address: &Address) -> anyhow::Result<Self> {
        let mut connection = address.dial()?;
        Ok(Self(SETTINGS.map(|name| setting(&mut connection, name).unwrap_or_else(|| "not readable".into()))))
    }

    /// What it fsyncs by.
    pub fn appendfsync(&self) -> &str {
        &self.0[1]
    }

    /// Each with its value.
    pub fn words(&self) -> String {
        let words: Vec<String> =
            SETTINGS.iter().zip(&self.0).map(|(name, value)| format!("{name} {value}")).collect();
        words.join(", ")
    }

    /// Refuses a server that is no longer set so: what is claimed would be claimed of something else.
    fn still(&self, address: &Address) -> anyhow::Result<()> {
        let now = Self::of(address)?;
        if now == *self {
            return Ok(());
        }
        let why = format!(
            "{address} was set to {}, and is now to {}: nothing is claimed of settings that change. Where they were made by \
             CONFIG SET, CONFIG REWRITE keeps them over a start",
            self.words(),
            now.words()
        );
        Err(NotRun::Absent(why).into())
    }
}

/// A server, and the disk under it.
pub(super) struct DurabilityEnvironment {
    // In this order: the server ends before its disk goes.
    host: Host,
    pub disk: Option<Disk>,
    proxy: Option<Proxy>,
    pub address: Address,
    /// Where clients find it.
    pub front: Address,
}

/// Why there is no ground.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoEnvironment {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Address(#[from] forebay::buffer::error::Error),
}

impl DurabilityEnvironment {
    /// A server with the profile's settings but for these.
    pub fn new(
        binary: &ServerBinary,
        profile: &Profile,
        fault: Fault,
        over: &[(&str, &str)],
    ) -> Result<Self, NoEnvironment> {
        let disk = match Disk::mount(ROOM) {
            Err(error) if fault.needs_disk() => return Err(error.into()),
            // Where a server ends, a disk that is fast for certain: on one that is busy an fsync may be slow, and
            // `everysec` promises less then.
            disk if fault.ends_server() => disk.ok(),
            _ => None,
        };
        let mut conf = Conf::new();
        for (name, value) in profile.conf_settings() {
            conf.set(name, value);
        }
        conf.set("appendonly", "yes").set("no-appendfsync-on-rewrite", "no");
        for (name, value) in over {
            conf.set(name, *value);
        }
        if let Some(disk) = &disk {
            conf.set("dir", disk.path().to_string_lossy());
        }
        let server = Server::start(binary, &conf)?;
        let address = Address::parse(&server.url())?;
        // What is there before the load came long ago: the kernel has written it.
        if let Some(disk) = &disk {
            disk.settle();
        }
        let is_between = fault == Fault::ConnectionCut;
        let proxy = is_between.then(|| Proxy::start("127.0.0.1", server.port())).transpose()?;
        let front =
            proxy.as_ref().map_or(Ok(address.clone()), |proxy| Address::parse(&server.url_through(proxy)))?;
        Ok(Self { host: Host::Own(server), disk, proxy, address, front })
    }

    /// Somebody's server, which must be set so.
    pub fn given(address: &Address, commands: &Commands, set: &Settings) -> anyhow::Result<Self> {
        set.still(address)?;
        let whose = address.clone();
        let look = Look(Arc::new(move || standing(&whose)));
        let (commands, run_id, set) = (commands.clone(), run_id(address)?, set.clone());
        let host = Host::Given(Box::new(Given { commands, look, run_id, set }));
        Ok(Self { host, disk: None, proxy: None, address: address.clone(), front: address.clone() })
    }

    /// The server, where it is our own.
    pub fn server(&mut self) -> anyhow::Result<&mut Server> {
        match &mut self.host {
            Host::Own(server) => Ok(server),
            Host::Given(..) => anyhow::bail!("{} is not a server of our own", self.address),
        }
    }

    /// Whether this is the command of somebody's that ends it.
    pub fn is_killed_by(&self, line: &str) -> bool {
        matches!(&self.host, Host::Given(given) if given.commands.kill == line)
    }

    /// Whether it is our own.
    pub fn is_own(&self) -> bool {
        matches!(self.host, Host::Own(_))
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        match &self.host {
            Host::Own(server) => server.is_running(),
            Host::Given(..) => self.address.dial().is_ok(),
        }
    }

    /// Whether it answers, and does not refuse writes for what befell its AOF.
    pub fn takes_writes(&self) -> bool {
        let facts =
            self.address.dial().and_then(|mut connection| facts_of(&mut connection, &["persistence"]));
        facts.is_ok_and(|facts| facts.get("aof_last_write_status") != Some("err"))
    }

    /// Kills it, and waits until it is gone: how many processes a kill ended, and when somebody's was last seen, which is
    /// asked until its end.
    pub fn kill(&mut self) -> anyhow::Result<(u64, Option<LastSeen>)> {
        match &mut self.host {
            Host::Own(server) => {
                let is_killed = server.kill()?.signal() == Some(Signal::KILL.as_raw());
                Ok((u64::from(is_killed), None))
            }
            Host::Given(given) => {
                let first = LastSeen::at(until_no_fsync(&self.address).map_err(early)?);
                let end = || given.commands.kill(&given.look);
                let (seen, ended) = until_gone(&self.address, &given.run_id, first, end);
                ended?;
                // It answered before, and now nobody does; that another process comes up is looked at then.
                Ok((1, Some(seen)))
            }
        }
    }

    /// Starts it again, and waits until it has loaded its data; how long that took.
    pub fn restart(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        match &mut self.host {
            Host::Own(server) => server.restart()?,
            Host::Given(given) => {
                given.commands.start()?;
                let (address, mut now) = (&self.address, None);
                wait_for(ANSWERING, "anything answers after --start-cmd", || Ok(address.dial().is_ok()))
                    .with_context(|| {
                        format!(
                            "{address} is down: `{}` has ended, and did not start it",
                            given.commands.start
                        )
                    })?;
                wait_for(LOADING, "it answers and has loaded its data", || {
                    now = run_id(address).ok();
                    Ok(now.is_some())
                })?;
                let (took, now) = (started.elapsed(), now.unwrap_or_default());
                anyhow::ensure!(
                    now != given.run_id,
                    "{address} is the same process as before: it was never down"
                );
                given.run_id = now;
                given.set.still(address)?;
                return Ok(took);
            }
        }
        Ok(started.elapsed())
    }

    /// The last lines of its log, where that is ours.
    pub fn log_tail(&self, lines: usize) -> String {
        match &self.host {
            Host::Own(server) => server.log_tail(lines),
            Host::Given(..) => String::new(),
        }
    }

    /// The proxy between it and its clients.
    pub fn proxy(&self) -> anyhow::Result<&Proxy> {
        self.proxy.as_ref().ok_or_else(|| anyhow::anyhow!("this cell has no proxy"))
    }

    /// The disk of our own.
    pub fn disk(&self) -> anyhow::Result<&Disk> {
        self.disk.as_ref().ok_or_else(|| anyhow::anyhow!("this cell has no disk of its own"))
    }
}

impl Drop for DurabilityEnvironment {
    fn drop(&mut self) {
        // A cell that ended in the middle must not leave somebody's server down.
        if !self.is_own()
            && let Some(Err(error)) = external_server::start_again()
        {
            tracing::warn!("{} is down: {error}", self.address);
        }
    }
}

/// How somebody's server stands.
fn standing(address: &Address) -> Standing {
    match (address.dial(), run_id(address)) {
        (Err(_), _) => Standing::Gone,
        (Ok(_), Err(_)) => Standing::Loading,
        (Ok(_), Ok(_)) => Standing::Ready,
    }
}
