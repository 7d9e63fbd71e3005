//! What a run is to send, and why it could not begin.

use std::io;
use std::time::Duration;

use super::arrivals::Arrivals;
use super::payload::Payloads;
use super::work::Work;
use forebay::buffer;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;

/// What to run.
pub struct LoadPlan<'a> {
    /// On which server.
    pub address: &'a Address,
    /// Under whose keys.
    pub name: &'a Name,
    /// What is asked.
    pub work: &'a Work,
    /// What is sent.
    pub payloads: &'a Payloads,
    /// When; none for as fast as answers allow.
    pub arrivals: Option<Arrivals>,
    /// For how long.
    pub duration: Duration,
    /// Over how many connections.
    pub connections: usize,
    /// With how many requests under way on each.
    pub pipeline: usize,
    /// How long after that what is still under way, or due, is waited for.
    pub grace: Duration,
    /// For the mix.
    pub seed: u64,
}

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server, or the way to it.
    #[error("{0}")]
    NoServer(String),
    /// What the server answered beforehand.
    #[error(transparent)]
    Server(#[from] buffer::error::Error),
    /// Others would lose by it.
    #[error("{0}")]
    Evicts(String),
    /// More connections than this process may have.
    #[error("{0}")]
    TooMany(String),
    /// This machine.
    #[error("{doing}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(super) fn waiting(source: io::Error) -> Self {
        Self::System { doing: "waiting for sockets", source }
    }
}
