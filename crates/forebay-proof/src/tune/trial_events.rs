//! The events of all legs, made and parsed once: what is measured is the buffer, not how events are made.

use std::ops::Range;

use forebay::event::lane::Lane;
use forebay::event::parse::{self, Event};
use forebay_rig::synth::Synth;

/// Events, one after the other.
pub struct TrialEvents {
    bytes: Vec<u8>,
    events: Vec<(Range<usize>, u64, Lane)>,
}

impl TrialEvents {
    /// Draws so many, at so many a second.
    pub fn draw(seed: u64, rate: f64, count: u64) -> anyhow::Result<Self> {
        let source = Synth::network(seed).with_rate(rate);
        let (mut bytes, mut events) = (Vec::new(), Vec::new());
        for index in 0..count {
            let from = bytes.len();
            source.write_event(index, &mut bytes);
            let event = parse::parse(&bytes[from..])
                .map_err(|why| anyhow::anyhow!("synthetic event {index} is no event: {why}"))?;
            events.push((from..from + event.bytes.len(), event.time_us, event.lane));
        }
        Ok(Self { bytes, events })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.events.len() as u64
    }

    /// Each of them.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.events.iter().map(|(range, time_us, lane)| Event {
            bytes: &self.bytes[range.clone()],
            time_us: *time_us,
            lane: *lane,
            cursor: 0,
        })
    }
}
