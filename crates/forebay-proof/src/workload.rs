//! The events of all runs: drawn once, so that the ledger of each knows every event's lane before it is pushed.

use std::ops::Range;

use crate::ledger::{Ledger, Make, Prints};
use crate::parallel::by_side;
use crate::progress::Progress;
use crate::wait::go_on;
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse;
use forebay_rig::synth::Synth;

/// Events drawn at a time.
const STEP: u64 = 65_536;

/// Events in their order.
pub(super) struct Offer {
    pub events: Synth,
    /// Events a second that they are cut into blocks at.
    pub rate: f64,
    /// Of each, by its place.
    lanes: Vec<u8>,
    prints: Prints,
}

impl Offer {
    /// Draws so many events.
    pub fn draw(seed: u64, rate: f64, count: u64, progress: &dyn Progress) -> anyhow::Result<Self> {
        let events = Synth::network(seed).with_rate(rate);
        let starts: Vec<u64> = (0..count.div_ceil(STEP)).map(|step| step * STEP).collect();
        progress.begin("drawing the events", starts.len() as u64);
        let (mut lanes, mut prints) = (Vec::new(), Prints::default());
        let draw = |start: &u64| draw(&events, &prints, *start..count.min(start + STEP));
        for (of_some, prints_of_some) in by_side(&starts, progress, draw)? {
            lanes.extend(of_some);
            prints.add(prints_of_some);
        }
        Ok(Self { events, rate, lanes, prints })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.lanes.len() as u64
    }

    /// How many of the first `count` are of each lane.
    pub fn by_lane(&self, count: u64) -> [(Lane, u64); jetstream::ALL.len()] {
        let of = |lane: Lane| {
            let first = (0..count).zip(&self.lanes);
            (lane, first.filter(|(_, of)| usize::from(**of) == lane.index()).count() as u64)
        };
        jetstream::ALL.map(of)
    }

    /// A ledger in which every event is offered.
    pub fn ledger<'a>(&'a self, make: &'a Make<'a>) -> Ledger<'a> {
        let mut ledger = Ledger::with_prints(make, &self.prints);
        for (index, lane) in (0..).zip(&self.lanes) {
            ledger.offered(jetstream::ALL[usize::from(*lane)], index);
        }
        ledger
    }
}

/// The lanes of some events, and what they look like.
fn draw(events: &Synth, prints: &Prints, which: Range<u64>) -> anyhow::Result<(Vec<u8>, Vec<u64>)> {
    go_on()?;
    let (mut lanes, mut seen, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for index in which {
        bytes.clear();
        events.write_event(index, &mut bytes);
        let event = parse::parse(&bytes)
            .map_err(|why| anyhow::anyhow!("synthetic event {index} is no event: {why}"))?;
        lanes.push(event.lane.index() as u8);
        seen.push(prints.of(&bytes));
    }
    Ok((lanes, seen))
}
