//! One side of an experiment: a server with settings, and a client. Of somebody's server there is one for both sides, and
//! each leg begins with the settings of its side.

use std::time::{Duration, Instant};

use redis::Connection;

use super::client::Client;
use super::leg::{self, Course, Cut, Figures, Place, Work};
use super::metric::Metric;
use super::settings::{self, Settings};
use crate::buffer::connect::Address;
use crate::buffer::keys::Name;
use crate::proof::Subject;
use crate::proof::target::Target;
use crate::server::{Conf, Server};

/// A server of no profile: what it is by default, and these.
pub struct Bare<'a>(pub &'a [(&'a str, &'a str)]);

/// Settings over the profile's: those that a running server takes, and those that are read at its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Over {
    pub live: Vec<(String, String)>,
    pub at_start: Vec<(String, String)>,
}

/// Where the legs of a side take place.
pub struct Arm {
    server: Option<Server>,
    address: Address,
    name: Name,
    /// Set before each leg, where the server is somebody's.
    pub settings: Settings,
    pub client: Client,
}

impl Over {
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

impl Arm {
    /// On a server of our own with the profile's settings and these over them. What a running server takes is set so: then it
    /// says why where it does not.
    pub fn own(on: &Subject<'_>, over: &Over, client: Client) -> anyhow::Result<Self> {
        let at_start: Vec<(&str, String)> =
            over.at_start.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let Target::Own(server, address) = Target::own_with(on.binary, on.profile, &at_start)? else {
            anyhow::bail!("a server of our own is somebody's");
        };
        let mut connection = address.dial()?;
        for (name, value) in &over.live {
            settings::set(&mut connection, name, value)?;
        }
        Ok(Self { server: Some(server), address, name: on.name.clone(), settings: Settings::new(), client })
    }

    /// On a server of our own without the profile's settings.
    pub fn bare(on: &Subject<'_>, bare: &Bare<'_>, client: Client) -> anyhow::Result<Self> {
        let server = Server::start(on.binary, &Conf::from_iter(bare.0.iter().copied()))?;
        let address = Address::parse(&server.url())?;
        Ok(Self { server: Some(server), address, name: on.name.clone(), settings: Settings::new(), client })
    }

    /// On somebody's, with these settings set before each leg.
    pub fn given(address: &Address, name: &Name, settings: Settings, client: Client) -> Self {
        Self { server: None, address: address.clone(), name: name.clone(), settings, client }
    }

    /// A connection of its own.
    pub fn connection(&self) -> anyhow::Result<Connection> {
        Ok(self.address.dial()?)
    }

    /// Runs a leg.
    pub fn leg(&self, course: &Course<'_>, work: Work) -> anyhow::Result<Figures> {
        if !self.settings.is_empty() {
            let mut connection = self.connection()?;
            for (name, value) in &self.settings {
                settings::set(&mut connection, name, value)?;
            }
        }
        course.leg(work, &self.place(), &self.client)
    }

    /// Fills the buffer, and has the AOF written anew as the server's settings want it.
    pub fn fill(&self, course: &Course<'_>) -> anyhow::Result<()> {
        course.fill(&self.place(), &self.client, Cut::Load)?;
        leg::rewrite(&mut self.connection()?)
    }

    /// Kills the server and starts it again.
    pub fn restart(&mut self) -> anyhow::Result<Figures> {
        let server = self.server.as_mut().ok_or_else(|| anyhow::anyhow!("it is not ours to kill"))?;
        server.kill()?;
        let started = Instant::now();
        server.restart()?;
        Ok(vec![(Metric::Recovery, milliseconds(started.elapsed()))])
    }

    fn place(&self) -> Place<'_> {
        Place { address: &self.address, name: &self.name }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
