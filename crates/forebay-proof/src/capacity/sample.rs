//! What an event weighs, by layout and by rate: each measured on a server of its own with a sample.

use forebay::buffer::connection::Connection;

use super::fill::{FillPlan, fill};
use crate::ledger::Ledger;
use crate::memory_probe::{MemoryProbe, Point};
use crate::progress::Progress;
use crate::target::{scratch, scratch_like};
use crate::{Scale, Subject};
use forebay::block::encode::{Encoding, Wanted};
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay_rig::synth::Synth;

/// Of fewer events, what a server holds besides them would count for too much.
const SAMPLE_MIN: u64 = 20_000;

/// Events in each sample, where so many are to be held.
pub fn sample(scale: Scale, events: u64) -> u64 {
    let most = match scale {
        Scale::Smallest | Scale::Quick => 100_000,
        Scale::Full => 500_000,
    };
    events.clamp(SAMPLE_MIN, most)
}

/// Commands sent before their answers are read.
const PIPELINE: u64 = 500;

/// What a sample weighs.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    /// `used_memory` before the first event.
    pub empty_bytes: u64,
    /// Bytes of `used_memory` for each event.
    pub per_event: f64,
}

/// A way to keep events in Redis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Layout {
    /// Forebay's blocks, cut at so many events a second.
    Blocks(f64),
    /// The same in encoding 1 alone.
    PlainBlocks(f64),
    /// A stream entry for each event.
    EntryAnEvent,
    /// A key for each event and its name in a list: what the predecessor did.
    KeyAnEvent,
}

impl Layout {
    /// Its name in tables.
    pub fn name(self) -> String {
        match self {
            Self::Blocks(rate) => format!("blocks at {rate:.0}/s"),
            Self::PlainBlocks(rate) => format!("encoding 1 at {rate:.0}/s"),
            Self::EntryAnEvent => "XADD an event".into(),
            Self::KeyAnEvent => "SET + LPUSH".into(),
        }
    }
}

/// Weighs `count` events in a layout; blocks on a server with the subject's stream nodes.
pub fn weigh(
    on: &Subject<'_>,
    layout: Layout,
    events: &Synth,
    count: u64,
    limits: Limits,
) -> anyhow::Result<Weight> {
    let progress = on.progress;
    progress.begin(&format!("weighing {}", layout.name()), count);
    let (_server, address) = match layout {
        Layout::Blocks(_) | Layout::PlainBlocks(_) => scratch_like(on.target, on.binary, 0),
        // People who write these have the defaults, which are better for them.
        Layout::EntryAnEvent | Layout::KeyAnEvent => scratch(on.binary, 0),
    }?;
    let (before, after) = put(&address, layout, events, count, limits, progress)?;
    let bytes = after.used_bytes.saturating_sub(before.used_bytes);
    Ok(Weight { empty_bytes: before.used_bytes, per_event: bytes as f64 / count as f64 })
}

/// Puts `count` events on a server, in a layout; memory before and afterwards.
pub fn put(
    address: &Address,
    layout: Layout,
    events: &Synth,
    count: u64,
    limits: Limits,
    progress: &dyn Progress,
) -> anyhow::Result<(Point, Point)> {
    let (rate, wanted) = match layout {
        Layout::Blocks(rate) => (rate, Wanted::Measured),
        Layout::PlainBlocks(rate) => (rate, Wanted::Plain),
        Layout::EntryAnEvent | Layout::KeyAnEvent => {
            let mut gauge = MemoryProbe::open(address)?;
            let before = gauge.look(0)?;
            one_by_one(&mut address.connect()?.0, layout, events, count, progress)?;
            return Ok((before, gauge.settled(count)?));
        }
    };
    let name: Name = "sample".parse()?;
    let encoding = Encoding { wanted, ..Encoding::default() };
    let plan = FillPlan { address, name: &name, events, count, rate, limits, encoding, used_bytes_max: None };
    let filled = fill(&plan, &mut Ledger::new(&|_, _| {}), progress)?;
    anyhow::ensure!(filled.ended.is_none(), "the sample did not fit: {:?}", filled.ended);
    let ends = filled.curve.first().copied().zip(filled.curve.last().copied());
    ends.ok_or_else(|| anyhow::anyhow!("the sample was not weighed"))
}

/// The layouts that people write by hand.
fn one_by_one(
    connection: &mut Connection,
    layout: Layout,
    events: &Synth,
    count: u64,
    progress: &dyn Progress,
) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    for from in (0..count).step_by(PIPELINE as usize) {
        let mut pipe = redis::pipe();
        for index in from..(from + PIPELINE).min(count) {
            bytes.clear();
            events.write_event(index, &mut bytes);
            if layout == Layout::EntryAnEvent {
                pipe.cmd("XADD").arg("events").arg("*").arg("d").arg(&bytes).ignore();
            } else {
                let key = format!("event:{index}");
                pipe.cmd("SET").arg(&key).arg(&bytes).ignore();
                pipe.cmd("LPUSH").arg("events").arg(&key).ignore();
            }
        }
        pipe.query::<()>(connection)?;
        progress.at(from);
    }
    Ok(())
}
