//! Pushes the events of a proof's run: as fast as they are taken, with blocks cut by a simulated clock as at the profile's
//! rate; or at a pace, where every event has its time and latency counts from then.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use forebay::buffer::batch::Limits;
use forebay::buffer::error::Error;
use forebay::buffer::overflow::{Fate, FateReport};
use forebay::buffer::writer::{TryPushError, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse;
use forebay_rig::load::latency::Latency;
use forebay_rig::server;
use forebay_rig::synth::Synth;

/// Events pushed between two looks at whether to stop.
const STEP: u64 = 64;

/// How often it is looked whether there is room.
const ROOM_LOOK: Duration = Duration::from_millis(1);

/// Where events come from, and how far they are pushed.
pub(super) struct Pusher<'a> {
    pub writer: Writer,
    pub events: &'a Synth,
    /// The next event.
    pub next: u64,
    pub count: u64,
    /// Events a second on the simulated clock.
    pub rate: f64,
    /// The simulated clock.
    clock: Duration,
    /// Events of each lane that were pushed.
    pub pushed: [u64; jetstream::ALL.len()],
    bytes: Vec<u8>,
}

/// When the events of a stretch were due.
pub(super) struct Stretch {
    from: [u64; jetstream::ALL.len()],
    due: [Vec<Instant>; jetstream::ALL.len()],
}

impl<'a> Pusher<'a> {
    pub fn new(writer: Writer, events: &'a Synth, count: u64, rate: f64) -> Self {
        Self {
            writer,
            events,
            next: 0,
            count,
            rate,
            clock: Duration::ZERO,
            pushed: [0; jetstream::ALL.len()],
            bytes: Vec::new(),
        }
    }

    /// Pushes as fast as events are taken, or at most so many a second, until `until` or all are pushed.
    pub fn bulk(&mut self, rate_max: Option<f64>, mut until: impl FnMut() -> bool) -> Result<(), Error> {
        let (started, first) = (Instant::now(), self.next);
        while self.next < self.count && (!(self.next - first).is_multiple_of(STEP) || !until()) {
            if let Some(rate) = rate_max {
                sleep_until(started + Duration::from_secs_f64((self.next - first) as f64 / rate));
            }
            self.clock += Duration::from_secs_f64(1.0 / self.rate);
            if self.push(None, &mut until)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Pushes the next event as fast as it is taken. The ledger hears of it first: what fails may be stored all the same.
    pub fn offer(&mut self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        self.clock += Duration::from_secs_f64(1.0 / self.rate);
        self.push(Some(ledger), || false).map(drop)
    }

    /// Pushes an event at its time, `rate` a second, for so long, until `until`, or until all are pushed. What has found no
    /// room by the end of that time is not pushed.
    pub fn paced(
        &mut self,
        rate: f64,
        duration: Duration,
        until: impl Fn() -> bool,
    ) -> Result<Stretch, Error> {
        let mut stretch = Stretch { from: self.pushed, due: Default::default() };
        let (started, base) = (Instant::now(), self.clock);
        for at in (0..).map(|number| Duration::from_secs_f64(f64::from(number) / rate)) {
            if at >= duration || self.next >= self.count || until() {
                break;
            }
            self.pass_until(started, base, at)?;
            let Some(lane) = self.push(None, || started.elapsed() >= duration || until())? else { break };
            stretch.due[lane.index()].push(started + at);
        }
        // What is begun is cut at its time too: the next stretch has another clock.
        while let Some(due) = self.writer.next_due() {
            self.pass_until(started, base, due.saturating_sub(base))?;
        }
        Ok(stretch)
    }

    /// Lets time pass until `at` after `started`, cutting the blocks that fall due.
    fn pass_until(&mut self, started: Instant, base: Duration, at: Duration) -> Result<(), Error> {
        loop {
            let due = self.writer.next_due().map(|due| due.saturating_sub(base)).filter(|due| *due < at);
            sleep_until(started + due.unwrap_or(at));
            self.clock = base + started.elapsed();
            self.writer.expire(self.clock)?;
            if due.is_none() {
                return Ok(());
            }
        }
    }

    /// Pushes the next event, and waits for room until `gives_up`: a writer that is held back for good would keep its caller
    /// for as long as it is patient. Which lane it is of; none where it was given up.
    fn push(
        &mut self,
        ledger: Option<&mut Ledger<'_>>,
        mut gives_up: impl FnMut() -> bool,
    ) -> Result<Option<Lane>, Error> {
        if server::ending() {
            return Err(Error::System("interrupted".into(), None));
        }
        self.bytes.clear();
        self.events.write_event(self.next, &mut self.bytes);
        let event = parse::parse(&self.bytes).map_err(|why| {
            Error::System(format!("synthetic event {} is no event: {why}", self.next), None)
        })?;
        let lane = event.lane;
        if let Some(ledger) = ledger {
            ledger.offered(lane, self.next);
        }
        while let Err(refused) = self.writer.try_push_at(&event, self.clock) {
            match refused {
                TryPushError::Failed(error) => return Err(error),
                _ if gives_up() => return Ok(None),
                _ => std::thread::sleep(ROOM_LOOK),
            }
        }
        self.next += 1;
        self.pushed[lane.index()] += 1;
        Ok(Some(lane))
    }
}

fn sleep_until(at: Instant) {
    let left = at.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        std::thread::sleep(left);
    }
}

impl Stretch {
    /// How long each block took from when it was due to be cut until its fate was known, and how many blocks have none.
    pub fn latency(&self, told: &[(FateReport, Instant)], limits: &Limits) -> Latency {
        let (mut latency, mut seen) = (Latency::default(), HashSet::new());
        for (FateReport { lane, fate, from, events, .. }, at) in told {
            let dues = &self.due[lane.index()];
            let first =
                from.checked_sub(self.from[lane.index()]).and_then(|first| usize::try_from(first).ok());
            let Some(first) = first.filter(|first| *first < dues.len() && *fate != Fate::Trimmed) else {
                continue;
            };
            // Spilled first, acknowledged later: from the first on it is owed.
            if seen.insert((*lane, *from)) {
                let last = dues.get(first + *events as usize - 1).copied();
                let due = match last {
                    Some(last) if *events >= limits.events_max => last,
                    _ => dues[first] + limits.linger,
                };
                latency.record(at.saturating_duration_since(due).as_nanos() as u64);
            }
        }
        latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::scratch;
    use forebay::buffer::writer::Options;
    use forebay_rig::server::ServerBinary;

    #[test]
    fn the_ledger_has_heard_of_an_event_that_could_not_be_pushed() {
        let (server, address) = scratch(&ServerBinary::find(None).unwrap(), 0).unwrap();
        let options = Options { patience: Duration::from_millis(50), ..Options::default() };
        let writer = Writer::open(&address, &"offered".parse().unwrap(), &options).unwrap();
        let events = Synth::network(7);
        let mut pusher = Pusher::new(writer, &events, u64::MAX, 100.0);
        let make = |index: u64, out: &mut Vec<u8>| events.write_event(index, out);
        let mut ledger = Ledger::new(&make);
        pusher.offer(&mut ledger).unwrap();
        drop(server);
        let error = loop {
            if let Err(error) = pusher.offer(&mut ledger) {
                break error;
            }
        };
        assert!(matches!(error, Error::Lost { .. }), "{error}");
        assert_eq!(ledger.findings().offered, pusher.next + 1, "it may be stored all the same");
    }
}
