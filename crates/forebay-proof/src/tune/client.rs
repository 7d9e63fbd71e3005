//! How the client side of a leg is set: what a candidate may change besides the server.

use forebay::buffer::batch::Limits;
use forebay_watch::profile::{Blocks, Profile};

/// The writer, the reader and the connections of a leg.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    /// When the writer cuts.
    pub limits: Limits,
    /// Blocks of a lane under way at once.
    pub in_flight: usize,
    /// Whether small packets go at once.
    pub nodelay: bool,
    /// Whether the reader asks for the next blocks before it has worked off the last ones.
    pub ahead: bool,
    /// Bytes of blocks that the reader asks for at once.
    pub answer_bytes: usize,
    /// Connections of the operations.
    pub connections: usize,
    /// Requests under way on each.
    pub pipeline: usize,
    /// For controls: the leg is held back by this part of the time it took.
    pub held_back: f64,
}

impl Client {
    /// As a profile has it, and as Forebay does the rest by itself.
    pub fn of(profile: &Profile) -> Result<Self, String> {
        Ok(Self {
            limits: profile.limits()?,
            in_flight: forebay::buffer::writer::Options::default().in_flight,
            nodelay: true,
            ahead: false,
            answer_bytes: forebay::buffer::reader::ANSWER_BYTES,
            connections: 16,
            pipeline: 1,
            held_back: 0.0,
        })
    }

    /// The profile with blocks as this has them.
    pub fn profile(&self, profile: &Profile) -> Profile {
        let Limits { events_max, bytes_max, linger } = self.limits;
        let blocks = Blocks {
            events_max,
            bytes_max: bytes_max.to_string(),
            linger: humantime::format_duration(linger).to_string(),
        };
        Profile { blocks, ..profile.clone() }
    }

    /// The settings of a writer for this profile, as a profile's file has them.
    pub fn blocks(&self) -> String {
        let Limits { events_max, bytes_max, linger } = self.limits;
        let bytes = match bytes_max {
            // To the byte, whatever it is.
            kib if kib % 1_024 == 0 => format!("{} KiB", kib / 1_024),
            bytes => format!("{bytes} B"),
        };
        let linger = humantime::format_duration(linger);
        format!("[blocks]\nevents_max = {events_max}\nbytes_max = \"{bytes}\"\nlinger = \"{linger}\"\n")
    }
}
