//! How proofs run an ingest: all that hosts have, from the oldest event on.

use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::Options;
use forebay_pipe::ingest::{Config, EVENT_BYTES_MAX, Filter, Host, SILENCE, Until};

/// How long an ingest tries a host or a server that is away: only failures take as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Blocks of a lane under way: few, so that a writer whose server is full is soon full too.
const IN_FLIGHT: usize = 4;

/// An ingest of all that these hosts have.
pub(crate) fn ingest_config(hosts: Vec<Host>, address: Address, name: Name) -> Config {
    Config {
        hosts,
        file: None,
        is_lines: false,
        filter: Filter::default(),
        compress: false,
        dictionary: None,
        since_us: Some(1),
        event_bytes_max: EVENT_BYTES_MAX,
        until: Until::default(),
        address,
        name,
        options: Options { in_flight: IN_FLIGHT, patience: PATIENCE, ..Options::default() },
        patience: PATIENCE,
        silence: SILENCE,
        sabotage: None,
    }
}
