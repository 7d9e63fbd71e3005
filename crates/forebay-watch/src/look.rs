//! One look: buffer, server and machine at one moment, over a connection that is kept; or why there is none.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::machine;
use forebay::buffer::connect::{Address, Facts};
use forebay::buffer::error::Error;
use forebay::buffer::limit::Limits;
use forebay::buffer::measure::Machine;
use forebay::buffer::server_stat::ServerStat;
use forebay::buffer::stat::Stat;
use forebay::buffer::watching::Watching;

use super::subject::Subject;

/// How long each answer may take before the server counts as one that gives none.
const PATIENCE: Duration = Duration::from_secs(3);

/// Groups of a lane that are told one by one: each is a label of its own.
pub const GROUPS_MAX: usize = 100;

/// What a look saw.
#[derive(Debug, Clone)]
pub struct WatchSnapshot {
    /// The buffer, and what the server says of itself.
    pub stat: Stat,
    /// More of that.
    pub server: ServerStat,
    /// The machine beneath, where it is this one.
    pub machine: Machine,
    /// When the buffer is full.
    pub limits: Limits,
    /// How long the look took.
    pub took: Duration,
    /// Seconds that the server's clock is ahead of the watcher's; none where it does not say.
    pub clock_offset_s: Option<f64>,
    /// What limits reckon an event to weigh.
    pub weight: Option<EventWeight>,
}

/// Why a look saw no buffer.
#[derive(Debug, Clone)]
pub struct LookFailure {
    /// What failed.
    pub why: String,
    /// What the server said of itself, where it answered that much: one that loads does.
    pub facts: Option<Facts>,
}

/// Looks again and again.
pub(super) struct Looker<'a> {
    subject: &'a Subject,
    connection: Option<Watching>,
    weight: Option<EventWeight>,
}

/// What an event weighed when most were held: a buffer that is kept drained has none to weigh, or a few, beside which what
/// takes memory anyway counts for too much.
#[derive(Debug, Clone, Copy)]
pub struct EventWeight {
    /// Bytes of memory.
    pub bytes_per_event: f64,
    events: u64,
    weighed: Instant,
}

/// Of fewer events, what one weighs is an assumption more than a measurement.
const WEIGHED_MIN: u64 = 2_000;

/// After so long half as many events are enough to weigh them anew: what comes in changes.
const FADES: Duration = Duration::from_secs(3_600);

impl EventWeight {
    /// Whether too few were ever held to weigh them.
    pub fn is_assumed(&self) -> bool {
        self.events < WEIGHED_MIN
    }

    /// The one of an earlier look, or of this one: whichever had more events to weigh.
    fn of(earlier: Option<Self>, now: Option<Self>) -> Option<Self> {
        let (Some(earlier), Some(now)) = (earlier, now) else { return now.or(earlier) };
        let halves = now.weighed.duration_since(earlier.weighed).as_secs_f64() / FADES.as_secs_f64();
        let enough = earlier.events as f64 * 0.5_f64.powf(halves);
        Some(if now.events as f64 >= enough { now } else { earlier })
    }
}

impl WatchSnapshot {
    /// One look on its own, as it was taken.
    pub fn of(address: &Address, stat: Stat, server: ServerStat, took: Duration) -> Self {
        let mut weight = None;
        Self::weighed(address, stat, server, took, &mut weight)
    }

    /// The same beside earlier ones.
    fn weighed(
        address: &Address,
        stat: Stat,
        server: ServerStat,
        took: Duration,
        weight: &mut Option<EventWeight>,
    ) -> Self {
        let machine = machine::machine_of(address, &stat);
        let now = stat.weight().zip(stat.events()).map(|(bytes_per_event, events)| EventWeight {
            bytes_per_event,
            events,
            weighed: Instant::now(),
        });
        *weight = EventWeight::of(*weight, now);
        let limits = stat.limits(&machine, weight.map(|weight| weight.bytes_per_event));
        let clock_offset_s = stat.at_ms.map(|at_ms| (at_ms as f64 - now_ms() as f64) / 1_000.0);
        Self { stat, server, machine, limits, took, clock_offset_s, weight: *weight }
    }

    /// What the server says of itself.
    pub fn facts(&self) -> &Facts {
        &self.stat.facts
    }

    /// What could not be seen because the server refuses this user the command.
    pub fn refused(&self) -> impl Iterator<Item = &String> {
        self.server.refused.iter().chain(&self.stat.refused)
    }
}

impl<'a> Looker<'a> {
    pub fn new(subject: &'a Subject) -> Self {
        Self { subject, connection: None, weight: None }
    }

    /// Looks, or says why that is not possible now.
    pub fn look(&mut self) -> Result<WatchSnapshot, LookFailure> {
        let mut said = None;
        let seen = self.try_look(&mut said);
        if seen.is_err() {
            // Whatever is still to come on it would be taken for the answer to something else.
            self.connection = None;
        }
        seen.map_err(|error| LookFailure { why: error.to_string(), facts: said })
    }

    fn try_look(&mut self, said: &mut Option<Facts>) -> Result<WatchSnapshot, Error> {
        let Subject { address, name, .. } = self.subject;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(address.watching(PATIENCE)?),
        };
        let started = Instant::now();
        let facts = connection.facts(address)?;
        let (stat, server) = connection.look(name, said.insert(facts).clone(), GROUPS_MAX)?;
        let took = started.elapsed();
        Ok(WatchSnapshot::weighed(address, stat, server, took, &mut self.weight))
    }
}

/// Milliseconds since 1970, by the watcher's clock.
pub(super) fn now_ms() -> u64 {
    // A clock before 1970 is no clock.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_weighs_what_it_did_when_most_were_held() {
        let began = Instant::now();
        let of = |bytes_per_event: f64, events: u64, minutes: u64| {
            Some(EventWeight { bytes_per_event, events, weighed: began + Duration::from_secs(60 * minutes) })
        };
        let bytes = |weight: Option<EventWeight>| weight.map(|weight| weight.bytes_per_event);
        let many = EventWeight::of(None, of(150.0, 1_000_000, 0));
        assert_eq!(bytes(EventWeight::of(many, of(9_000.0, 40, 1))), Some(150.0), "nearly drained");
        assert_eq!(bytes(EventWeight::of(many, None)), Some(150.0), "drained");
        assert_eq!(bytes(EventWeight::of(many, of(170.0, 1_200_000, 1))), Some(170.0));
        assert_eq!(
            bytes(EventWeight::of(many, of(300.0, 600_000, 61))),
            Some(300.0),
            "what comes in is another"
        );
    }
}
