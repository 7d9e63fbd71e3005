//! Fills a buffer through the real writer, with blocks cut by a simulated clock, and watches memory meanwhile.
//!
//! At 94 events a second 8 hours of events would take 8 hours. The writer's cutter takes the time as an
//! argument, so blocks are cut here exactly as they would be at that rate, while everything else runs as fast
//! as it can.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::memory_probe::{MemoryProbe, Point};
use crate::progress::Progress;
use crate::push::Pusher;
use forebay::block::encode::Encoding;
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::lock;
use forebay::buffer::writer::{Counts, Monitor, Options, Writer};
use forebay::event::jetstream;
use forebay_rig::synth::Synth;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long a server may refuse before the fill counts as ended: it is full, and stays so. A busy machine may
/// be silent for some seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to fill with.
#[derive(Clone, Copy)]
pub struct FillPlan<'a> {
    pub address: &'a Address,
    pub name: &'a Name,
    pub events: &'a Synth,
    pub count: u64,
    /// Events a second on the simulated clock.
    pub rate: f64,
    pub limits: Limits,
    /// How frames are made.
    pub encoding: Encoding,
    /// Stop once the server uses so many bytes, should it not be ours to fill.
    pub used_bytes_max: Option<u64>,
}

/// What came of it.
pub struct Filled {
    pub counts: Counts,
    pub seconds: f64,
    /// Memory as it filled, from an empty buffer to after the last event.
    pub curve: Vec<Point>,
    /// Why it ended early.
    pub ended: Option<String>,
}

/// Pushes `plan.count` events, or as many as the server takes. The ledger hears of each.
pub fn fill(plan: &FillPlan<'_>, ledger: &mut Ledger<'_>, progress: &dyn Progress) -> anyhow::Result<Filled> {
    let options =
        Options { limits: plan.limits, encoding: plan.encoding, patience: PATIENCE, ..Options::default() };
    let mut gauge = MemoryProbe::open(plan.address)?;
    let first = gauge.empty_buffer(plan.address, plan.name, &options)?;
    let started = Instant::now();
    let writer = Writer::open(plan.address, plan.name, &options)?;
    let monitor = writer.monitor();
    let (done, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let curve = Mutex::new(vec![first]);
    let pushed = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                let events = monitor.counts().acknowledged;
                progress.at(events);
                if let Ok(point) = gauge.look(events) {
                    over.fetch_or(plan.used_bytes_max.is_some_and(|max| point.used_bytes > max), Relaxed);
                    lock(&curve).push(point);
                }
                std::thread::sleep(LOOK);
            }
        });
        let pushed = push_all(plan, writer, ledger, &over);
        done.store(true, Relaxed);
        pushed
    });
    let ended = match pushed {
        Ok(true) => None,
        Ok(false) => Some("the memory line was reached".into()),
        Err(Error::Lost { why, .. }) => Some(why),
        Err(error) => return Err(error.into()),
    };
    settle(&monitor, ledger);
    let counts = monitor.counts();
    let mut curve = curve.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let seconds = started.elapsed().as_secs_f64();
    curve.push(gauge.settled(counts.acknowledged)?);
    Ok(Filled { counts, seconds, curve, ended })
}

/// False where `over` was set before all were pushed.
fn push_all(
    plan: &FillPlan<'_>,
    writer: Writer,
    ledger: &mut Ledger<'_>,
    over: &AtomicBool,
) -> Result<bool, Error> {
    let mut pusher = Pusher::new(writer, plan.events, plan.count, plan.rate);
    while pusher.next < pusher.count {
        if over.load(Relaxed) {
            pusher.writer.close()?;
            return Ok(false);
        }
        pusher.offer(ledger)?;
    }
    pusher.writer.close().map(|_| true)
}

fn settle(monitor: &Monitor, ledger: &mut Ledger<'_>) {
    for lane in jetstream::ALL {
        ledger.acknowledged(lane, monitor.lane(lane).acknowledged);
    }
}
