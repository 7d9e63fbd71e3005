//! Operations, writer and reading group together on one server, for a time, under a pattern.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::ledger::{Findings, Ledger};
use crate::progress::Progress;
use crate::proof_reader::{self, ProofReader};
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::lock;
use forebay::buffer::reader::Reader;
use forebay::buffer::writer::{Monitor, Options, Writer};
use forebay::event::jetstream;
use forebay_rig::load::arrivals::Arrivals;
use forebay_rig::load::outcome::Outcome;
use forebay_rig::load::pattern::Pattern;
use forebay_rig::load::payload::{Payloads, Source};
use forebay_rig::load::stage;
use forebay_rig::load::work::Work;
use forebay_rig::load::{append, driver};
use forebay_rig::synth::Synth;
use forebay_watch::profile::Profile;

use super::log::{Log, Rows};

/// Connections of the operations: what a handful of services with small pools come to.
pub const CONNECTIONS: usize = 50;

/// How long what is still owed at the end is waited for, where nothing else is said.
pub const GRACE: Duration = Duration::from_secs(10);

/// Longest wait of the group for new blocks.
const LOOK: Duration = Duration::from_millis(100);

/// What to run together.
#[derive(Clone, Copy)]
pub struct CombinedPlan<'a> {
    pub address: &'a Address,
    pub name: &'a Name,
    pub profile: &'a Profile,
    pub pattern: &'a Pattern,
    pub duration: Duration,
    /// How long what is still owed at the end is waited for.
    pub grace: Duration,
    pub seed: u64,
    pub progress: &'a dyn Progress,
}

/// What came of it.
pub struct CombinedResult {
    pub pattern: Pattern,
    /// Single operations.
    pub operations: Outcome,
    /// Events through the writer, until they were acknowledged.
    pub events: Outcome,
    /// What became of each event.
    pub findings: Findings,
    /// What the group came upon besides blocks, and what ended the writer or the group.
    pub faults: Vec<String>,
    /// Acknowledged events that the group had not read, second by second.
    pub behind: Vec<(f64, f64)>,
}

impl CombinedResult {
    /// How long it ran.
    pub fn seconds(&self) -> f64 {
        self.operations.asked_seconds.min(self.events.asked_seconds)
    }
}

/// What the threads share.
struct Shared<'a> {
    ledger: Mutex<Ledger<'a>>,
    /// The writer has ended: no more events come.
    is_written: AtomicBool,
}

/// Runs the plan.
pub fn hold(plan: &CombinedPlan<'_>, log: &Log, stop: &AtomicBool) -> anyhow::Result<CombinedResult> {
    let load = &plan.profile.load;
    let rows = log.begin(plan.pattern)?;
    let events = Synth::network(plan.seed).with_rate(load.rate);
    let make = |index: u64, out: &mut Vec<u8>| events.write_event(index, out);
    let shared = Shared { ledger: Mutex::new(Ledger::new(&make)), is_written: AtomicBool::new(false) };
    let limits = plan.profile.limits().map_err(anyhow::Error::msg)?;
    let options = Options { limits, patience: plan.grace.max(GRACE), ..Options::default() };
    let writer = Writer::open(plan.address, plan.name, &options)?;
    let monitor = writer.monitor();
    let reader = proof_reader::open(plan.address, plan.name, Some("throughput"), GRACE)?;
    let arrivals = Arrivals::of(plan.pattern, load.rate, plan.duration, plan.seed);
    plan.progress.begin(&format!("throughput: {}", plan.pattern.name()), plan.duration.as_secs());
    let (operations, written, read) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read(reader, &shared, &monitor));
        let operating = scope.spawn(|| operate(plan, arrivals.clone(), &rows, stop));
        let append = append::AppendPlan {
            arrivals: Some(arrivals.clone()),
            duration: plan.duration,
            grace: plan.grace,
            event: &make,
            offered: &mut |lane, index| lock(&shared.ledger).offered(lane, index),
        };
        let written = append::run(append, writer, stop, &mut |second| rows.add("events", second));
        shared.is_written.store(true, Relaxed);
        // Proof: neither thread has anything that panics; if it does, so may we.
        let read = reading.join().expect("a thread that reads");
        (operating.join().expect("a thread that operates"), written, read)
    });
    let (events, error) = written;
    let Read { mut faults, behind } = read;
    faults.extend(error.map(|error| format!("the writer ended: {error}")));
    let mut ledger = lock(&shared.ledger);
    for lane in jetstream::ALL {
        ledger.acknowledged(lane, monitor.lane(lane).acknowledged);
    }
    let findings = ledger.findings();
    Ok(CombinedResult {
        pattern: plan.pattern.clone(),
        operations: operations?,
        events,
        findings,
        faults,
        behind,
    })
}

/// Single operations, all kinds of them, at the plan's moments.
fn operate(
    plan: &CombinedPlan<'_>,
    arrivals: Arrivals,
    rows: &Rows,
    stop: &AtomicBool,
) -> anyhow::Result<Outcome> {
    let work = Work::mix();
    let payloads = Payloads::of(&Source::Events, plan.seed).map_err(anyhow::Error::msg)?;
    let driver = driver::LoadPlan {
        address: plan.address,
        name: plan.name,
        work: &work,
        payloads: &payloads,
        arrivals: Some(arrivals),
        duration: plan.duration,
        connections: CONNECTIONS,
        pipeline: 1,
        grace: plan.grace,
        seed: plan.seed,
    };
    let outcome = stage::run(&driver, stop, &mut |second| {
        plan.progress.at(second.at as u64);
        rows.add("operations", second);
    });
    Ok(outcome?)
}

/// What the group came upon.
struct Read {
    faults: Vec<String>,
    behind: Vec<(f64, f64)>,
}

/// Reads and acknowledges until all that was acknowledged to the writer is read, or nothing more comes.
fn read(mut reader: Reader, shared: &Shared<'_>, monitor: &Monitor) -> Read {
    let mut outcome = Read { faults: Vec::new(), behind: Vec::new() };
    if let Err(error) = read_all(&mut reader, shared, monitor, &mut outcome) {
        outcome.faults.push(format!("the group ended: {error}"));
    }
    outcome
}

fn read_all(
    reader: &mut Reader,
    shared: &Shared<'_>,
    monitor: &Monitor,
    outcome: &mut Read,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let (mut reading, mut last) = (ProofReader::new()?, Instant::now());
    loop {
        // Before the look: what was written by then is seen in the last round.
        let is_written = shared.is_written.load(Relaxed);
        let found = reader.next(LOOK)?;
        let owed = monitor.counts().acknowledged;
        if !found.is_empty() {
            last = Instant::now();
        }
        let taken = reading.take(found, &mut lock(&shared.ledger));
        outcome.faults.extend(taken.others.iter().map(ToString::to_string));
        reader.acknowledge(taken.places())?;
        let done = reading.events;
        let second = outcome.behind.len() as f64 + 1.0;
        if started.elapsed().as_secs_f64() >= second {
            outcome.behind.push((second, owed.saturating_sub(done) as f64));
        }
        if is_written && (done >= owed || last.elapsed() > GRACE) {
            return Ok(());
        }
    }
}
