//! What an ingest is told: from where, what of it, and into which buffer.

use std::path::PathBuf;
use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::Options;

use super::filter::Filter;
use super::host::Host;

/// The largest event that is taken where nothing else is said.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// How long a host may say nothing where nothing else is said: hosts ping every 30 s.
pub const SILENCE: Duration = Duration::from_secs(30);

/// What an ingest is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Hosts of one network, in the order in which they are tried.
    pub hosts: Vec<Host>,
    /// A file instead, and whether what is added to it is waited for.
    pub file: Option<(PathBuf, bool)>,
    /// Whether the hosts send any lines, without a cursor: what came while nobody listened is counted by time.
    pub is_lines: bool,
    /// What of it.
    pub filter: Filter,
    /// Whether frames may come compressed: of the second version's stream with the dictionary that its host has, elsewhere with
    /// the one in [`Self::dictionary`].
    pub compress: bool,
    /// The dictionary of `/subscribe`.
    pub dictionary: Option<PathBuf>,
    /// Where a buffer begins that has nothing of the source yet, in microseconds since 1970; else with what comes from now on.
    pub since_us: Option<u64>,
    /// The largest event that is taken.
    pub event_bytes_max: usize,
    /// When it ends by itself.
    pub until: Until,
    /// The server.
    pub address: Address,
    /// The buffer, with what its events are.
    pub name: Name,
    /// How it is written.
    pub options: Options,
    /// How long a host that does not answer is tried, and a server that is away, before it is given up.
    pub patience: Duration,
    /// How long a host may say nothing, not even an answer to a ping, before it is asked again.
    pub silence: Duration,
    /// What is left out on purpose, for proofs alone.
    #[doc(hidden)]
    pub sabotage: Option<Sabotage>,
}

/// What an ingest can be without, so that it can be shown what it is for.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// It resumes at the newest cursor that it has seen, whatever the buffer has.
    LastCursor,
    /// It takes what it has taken already.
    Repeats,
    /// It lets a host of the first version cut over by itself.
    CutOver,
}

/// When an ingest ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Until {
    /// After so long.
    pub after: Option<Duration>,
    /// At the live end: once an event comes that is later than the run's beginning, or nothing comes any more.
    pub is_live: bool,
    /// After so many events.
    pub events: Option<u64>,
}
