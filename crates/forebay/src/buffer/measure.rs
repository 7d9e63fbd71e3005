//! What the limits of a buffer hang on beside what is held: settings of the server, and the machine beneath it.

use std::collections::HashMap;

use super::limit::{Known, Memory};
use super::permitted_query::Asker;
use crate::event::stream::Stream;

/// What an event is taken to weigh before any is held: those of Bluesky at 94 a second, in encoding 2 or 1, with a fifth more
/// than `forebay capacity` finds for made-up ones.
pub fn assumed_bytes_per_event(events: Stream) -> f64 {
    if events.is_jetstream() { 115.0 } else { 250.0 }
}

/// Settings that tell where the log lies and when it is rewritten.
#[derive(Debug, Clone)]
pub struct Conf {
    /// `dir`.
    pub dir: Known<String>,
    /// `auto-aof-rewrite-percentage`.
    pub growth_percent: Known<u64>,
    /// `auto-aof-rewrite-min-size`, in bytes.
    pub rewrite_bytes_min: Known<u64>,
}

/// What is known of the machine beneath the server.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its memory.
    pub memory: Known<Memory>,
    /// What the disk of the server's folder has left.
    pub free_bytes: Known<u64>,
}

impl Conf {
    /// Reads the settings; a server that refuses is no failure.
    pub(super) fn read(asker: &mut Asker<'_>) -> Self {
        let mut get = |name: &str| -> Known<String> {
            let answer: Result<Option<HashMap<String, String>>, _> =
                asker.permitted("CONFIG GET", redis::cmd("CONFIG").arg("GET").arg(name));
            let refused = |code: &str| format!("the server refuses CONFIG GET {name} ({code})");
            let why = |error: redis::RedisError| match error.code() {
                Some(code) => refused(code),
                None => format!("CONFIG GET {name} has no answer"),
            };
            let hidden = || format!("the server hides its setting {name}");
            answer.map_err(why)?.ok_or_else(|| refused("NOPERM"))?.remove(name).ok_or_else(hidden)
        };
        let number = |name: &str, text: Known<String>| {
            let text = text?;
            text.parse().map_err(|_| format!("{name} {text:?} is not a number"))
        };
        let percent = "auto-aof-rewrite-percentage";
        let min = "auto-aof-rewrite-min-size";
        Self {
            dir: get("dir"),
            growth_percent: number(percent, get(percent)),
            rewrite_bytes_min: number(min, get(min)),
        }
    }
}
