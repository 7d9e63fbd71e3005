//! The capacity proof: do the profile's events fit, under its memory line, and come back the same?
//!
//! First a sample is weighed on a server of its own and what will come is predicted from it. Then every event
//! of the profile goes in through the real writer, with blocks cut as at the profile's rate, and every one is
//! read back and compared. The controls are runs that must be refuted: a limit too small, a prediction from
//! the wrong sample, a buffer with planted damage, and an encoder that loses a byte.

mod checked;
pub(crate) mod fill;
mod judge;
mod measured;
mod negative_controls;
mod readback;
pub(super) mod sample;

use crate::Subject;
use crate::claim::Claim;
use crate::ledger::Ledger;
use crate::target::Target;
use forebay::block::encode::Encoding;
use forebay::buffer::batch::Limits;
use forebay_rig::synth::Synth;

use fill::{FillPlan, fill};
use measured::Measured;
use readback::read_back;
use sample::{Layout, Weight, sample, weigh};

/// The proof of a subject.
pub struct CapacityRun<'a> {
    /// What it is about.
    pub on: Subject<'a>,
}

impl CapacityRun<'_> {
    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        let limits = self.on.profile.limits().map_err(anyhow::Error::msg)?;
        let events = Synth::network(self.on.seed).with_rate(self.on.profile.rate());
        let sample = sample(self.on.scale, self.on.profile.hold.events);
        let weights = self.weigh(&events, sample, limits)?;
        let weight = weights[0].1;
        let make = |index: u64, out: &mut Vec<u8>| events.write_event(index, out);
        let _keys = self.on.target.keys(self.on.name);
        let measured = self.measure(&events, &make, limits, (weight, sample, weights))?;
        let claims = judge::claims(&measured);
        let mut claims = negative_controls::attach(&self.on, &events, &measured, limits, claims)?;
        claims.push(checked::claim(&self.on, &events, limits)?);
        Ok(claims)
    }

    fn weigh(&self, events: &Synth, sample: u64, limits: Limits) -> anyhow::Result<Vec<(Layout, Weight)>> {
        let rates = judge::rates(self.on.profile);
        let blocks = rates.iter().copied().map(Layout::Blocks);
        let plain = rates.iter().copied().map(Layout::PlainBlocks).take(2);
        let layouts = blocks.chain(plain).chain([Layout::EntryAnEvent, Layout::KeyAnEvent]);
        layouts
            .map(|layout| {
                let weight = weigh(&self.on, layout, events, sample, limits)?;
                Ok((layout, weight))
            })
            .collect()
    }

    fn measure<'a>(
        &'a self,
        events: &Synth,
        make: &'a (dyn Fn(u64, &mut Vec<u8>) + Sync),
        limits: Limits,
        (weight, sample, weights): (Weight, u64, Vec<(Layout, Weight)>),
    ) -> anyhow::Result<Measured<'a>> {
        let address = self.on.target.address();
        let limit_bytes = address.connect()?.1.number("maxmemory").filter(|limit| *limit > 0);
        let line =
            limit_bytes.map(|limit| (limit as f64 * self.on.profile.hold.memory_percent_max / 100.0) as u64);
        let plan = FillPlan {
            address,
            name: self.on.name,
            events,
            count: self.on.profile.hold.events,
            rate: self.on.profile.rate(),
            limits,
            encoding: Encoding::default(),
            // A server of our own may fill; on somebody's the line is where we stop.
            used_bytes_max: if matches!(self.on.target, Target::Given(_)) { line } else { None },
        };
        let mut ledger = Ledger::new(make);
        self.on.progress.begin("filling the buffer", plan.count);
        let filled = fill(&plan, &mut ledger, self.on.progress)?;
        self.on.progress.begin("reading it back", filled.counts.acknowledged);
        let read_back = read_back(address, self.on.name, &mut ledger, self.on.progress)?;
        let (_, after) = address.connect()?;
        Ok(Measured {
            profile: self.on.profile,
            limit_bytes,
            weight,
            sample,
            weights,
            filled,
            read_back,
            allocator: after.get("mem_allocator").unwrap_or("unknown").into(),
            fragmentation: after.get("mem_fragmentation_ratio").and_then(|ratio| ratio.parse().ok()),
        })
    }
}
