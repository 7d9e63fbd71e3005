//! One side of an experiment: a server with settings, and a client. Of somebody's server there is one for both sides, and
//! each leg begins with the settings of its side.

use anyhow::Context as _;
use forebay::buffer::connection::Connection;

use super::client::Client;
#[cfg(target_os = "linux")]
use super::cores::Cores;
use super::metric::Metric;
use super::settings::{self, Settings, SettingsGuard};
use super::trial_run::{Figures, TrialServer, TrialSetup, Work};
use crate::Subject;
use crate::rewrite;
use crate::target::start;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay_rig::server::Server;

/// How often a leg's events are appended before starts are timed.
const FILLS: usize = 20;
/// Lines of a server's log in which a start tells how long it loaded, and how it tells.
const LOG_LINES: usize = 40;
const LOADED: &str = "DB loaded from append only file: ";

/// Settings over the profile's: those that a running server takes, and those that are read at its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsOverlay {
    pub live: Vec<(String, String)>,
    pub at_start: Vec<(String, String)>,
}

/// Where the legs of a side take place.
pub struct Variant {
    server: Option<Server>,
    address: Address,
    name: Name,
    /// Whether it is about threads of the server: then it has all cores.
    needs_cores: bool,
    /// Set before each leg, where the server is somebody's.
    pub settings: Settings,
    pub client: Client,
}

impl SettingsOverlay {
    /// These, which a running server takes.
    pub fn live(settings: &[(&str, &str)]) -> Self {
        let live = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Self { live, at_start: Vec::new() }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &(String, String)> {
        self.live.iter().chain(&self.at_start)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }
}

impl Variant {
    /// On a server of our own with the profile's settings and these over them. What a running server takes is set so: then it
    /// says why where it does not.
    pub fn own(on: &Subject<'_>, over: &SettingsOverlay, client: Client) -> anyhow::Result<Self> {
        let at_start: Vec<(&str, String)> =
            over.at_start.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let (server, address) = start(on.binary, on.profile, &at_start)?;
        let mut connection = address.dial()?;
        for (name, value) in &over.live {
            settings::set(&mut connection, name, value)?;
        }
        let needs_cores = over.at_start.iter().any(|(name, _)| name == "io-threads");
        let (name, settings) = (on.name.clone(), Settings::new());
        Ok(Self { server: Some(server), address, name, needs_cores, settings, client })
    }

    /// On a server of our own with these settings and none of the profile's.
    pub fn bare(on: &Subject<'_>, settings: &[(&str, &str)], client: Client) -> anyhow::Result<Self> {
        let server = Server::start(on.binary, &settings.iter().copied().collect())?;
        let address = Address::parse(&server.url())?;
        let (name, settings) = (on.name.clone(), Settings::new());
        Ok(Self { server: Some(server), address, name, needs_cores: false, settings, client })
    }

    /// On somebody's, with these settings set before each leg.
    pub fn given(address: &Address, name: &Name, settings: Settings, client: Client) -> Self {
        let (address, name) = (address.clone(), name.clone());
        Self { server: None, address, name, needs_cores: false, settings, client }
    }

    /// What somebody's server has to have back when this is over.
    pub fn hold(&self, all: &Settings) -> anyhow::Result<Option<SettingsGuard>> {
        let names = self.settings.keys().map(String::as_str);
        (!self.settings.is_empty()).then(|| settings::hold(&self.address, all, names)).transpose()
    }

    /// Where its server answers.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Keeps the server of another for as long as this one is there.
    pub fn keep(&mut self, other: Self) {
        self.server = other.server;
    }

    /// A connection of its own.
    pub fn connection(&self) -> anyhow::Result<Connection> {
        Ok(self.address.dial()?)
    }

    /// Gives somebody's server this side's settings.
    pub fn settle(&self) -> anyhow::Result<()> {
        if self.settings.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection()?;
        self.settings.iter().try_for_each(|(name, value)| settings::set(&mut connection, name, value))
    }

    /// Runs a leg.
    pub fn run_trial(&self, course: &TrialSetup<'_>, work: Work) -> anyhow::Result<Figures> {
        self.settle()?;
        course.run_trial(work, &self.place(), &self.client)
    }

    /// Fills the buffer with more than a leg's events, and has the AOF written anew as the server's settings want it.
    pub fn fill(&self, course: &TrialSetup<'_>) -> anyhow::Result<()> {
        course.fill_much(&self.place(), &self.client, FILLS)?;
        rewrite::whole(&mut self.connection()?)
    }

    /// Kills the server and starts it again; how long it loaded, by its own account: whoever asks from outside looks every few
    /// milliseconds only.
    pub fn restart(&mut self) -> anyhow::Result<Figures> {
        let server = self.server.as_mut().context("it is not ours to kill")?;
        server.kill()?;
        server.restart()?;
        let log = server.log_tail(LOG_LINES);
        let seconds =
            loaded(&log).with_context(|| format!("the server's log says nothing of loading: {log}"))?;
        Ok(vec![(Metric::Recovery, seconds * 1e3)])
    }

    fn place(&self) -> TrialServer<'_> {
        TrialServer { address: &self.address, name: &self.name }
    }
}

/// Servers of our own and this thread on cores of their own.
#[cfg(target_os = "linux")]
pub fn apart(variants: &[&Variant]) -> Option<Cores> {
    if variants.iter().any(|variant| variant.needs_cores) {
        return None;
    }
    let servers: Vec<u32> =
        variants.iter().filter_map(|variant| Some(variant.server.as_ref()?.pid())).collect();
    if servers.is_empty() { None } else { Cores::apart(&servers) }
}

/// Seconds of the last `DB loaded from append only file: 0.123 seconds`.
fn loaded(log: &str) -> Option<f64> {
    let line = log.lines().rev().find(|line| line.contains(LOADED))?;
    line.split(LOADED).nth(1)?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_load_of_a_log_counts() {
        let log = "1:M * DB loaded from append only file: 0.120 seconds\n1:M * Ready\n\
                   1:M * DB loaded from base file a.rdb: 0.700 seconds\n\
                   1:M * DB loaded from append only file: 0.345 seconds\n1:M * Opening";
        assert_eq!(loaded(log), Some(0.345));
        assert_eq!(loaded("1:M * Ready to accept connections"), None);
    }
}
