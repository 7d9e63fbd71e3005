//! The events of all runs: drawn once, so that the ledger of each knows every event's lane before it is pushed.

use crate::event::lane::Lane;
use crate::event::parse;
use crate::event::synth::Synth;
use crate::proof::ledger::{Ledger, Make, Prints};
use crate::proof::progress::Progress;

/// Events drawn between two looks at the clock.
const STEP: u64 = 16_384;

/// Events in their order.
pub(super) struct Offer {
    pub events: Synth,
    /// Events a second that they are cut into blocks at.
    pub rate: f64,
    lanes: Vec<Lane>,
    prints: Prints,
}

impl Offer {
    /// Draws so many events.
    pub fn draw(seed: u64, rate: f64, count: u64, progress: &dyn Progress) -> anyhow::Result<Self> {
        let events = Synth::network(seed).with_rate(rate);
        progress.begin("drawing the events", count);
        let (mut lanes, mut prints, mut bytes) = (Vec::new(), Prints::default(), Vec::new());
        for index in 0..count {
            if index.is_multiple_of(STEP) {
                anyhow::ensure!(!crate::server::ending(), "interrupted");
                progress.at(index);
            }
            bytes.clear();
            events.write_event(index, &mut bytes);
            let event = parse::parse(&bytes)
                .map_err(|why| anyhow::anyhow!("synthetic event {index} is no event: {why}"))?;
            lanes.push(event.lane);
            prints.add(&bytes);
        }
        Ok(Self { events, rate, lanes, prints })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.lanes.len() as u64
    }

    /// How many of the first `count` are of each lane.
    pub fn by_lane(&self, count: u64) -> [(Lane, u64); Lane::ALL.len()] {
        let of = |lane: Lane| {
            let first = (0..count).zip(&self.lanes);
            (lane, first.filter(|(_, of)| **of == lane).count() as u64)
        };
        Lane::ALL.map(of)
    }

    /// A ledger in which every event is offered.
    pub fn ledger<'a>(&'a self, make: &'a Make<'a>) -> Ledger<'a> {
        let mut ledger = Ledger::with_prints(make, &self.prints);
        for (index, lane) in (0..).zip(&self.lanes) {
            ledger.offered(*lane, index);
        }
        ledger
    }
}
