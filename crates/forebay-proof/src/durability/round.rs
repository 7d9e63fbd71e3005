//! One cell: load, the fault in the midst of it, the server back, load again, and the fate of every event.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::cell::Cell;
use super::clients::{FLAT, FateReports, Read, Signals, THROUGH, WRITERS, Writing, follow, open, read_all};
use super::environment::DurabilityEnvironment;
use super::event_fates::EventFates;
use super::inject_fault::{InjectedFault, inject_fault};
use super::not_run::{NotRun, early};
use crate::ledger::Ledger;
use crate::printable::error_chain;
use crate::wait::{go_on, wait};
use crate::workload::Offer;
use fastrand::Rng;
use forebay::buffer::batch::Limits;
use forebay::buffer::keys::Name;
use forebay::buffer::lock;
use forebay::buffer::overflow::FateReport;
use forebay::event::jetstream;
use forebay_rig::server::fault::Acted;

/// Events that each writer has acknowledged before the fault, at the least.
const EVENTS: u64 = 100;
/// The same of the one that goes flat out.
const EVENTS_FLAT: u64 = 20_000;
/// Events that must be acknowledged after the fault: a writer at the profile's rate has them within a second.
const AGAIN: u64 = 100;
/// How long the server has to take writes again by itself.
const ALONE: Duration = Duration::from_secs(6);
/// Lines of the server's log that are kept.
const LOG_LINES: usize = 40;

/// What happened, and how it went on.
struct FaultCourse {
    injected: InjectedFault,
    again: Option<Duration>,
    helped: bool,
}

/// What is done to what is stored, once nothing more is written: for controls.
pub(super) type StoredSabotage<'a> = &'a dyn Fn(&DurabilityEnvironment, &Name) -> anyhow::Result<()>;

/// What to run.
pub(super) struct DurabilityRound<'a> {
    pub cell: Cell,
    pub offer: &'a Offer,
    pub limits: Limits,
    /// The profile's.
    pub rate: f64,
    /// How long there is load before the fault.
    pub before: Duration,
    pub seed: u64,
    /// What the names of the buffers begin with.
    pub base: &'a Name,
    pub plant: Option<StoredSabotage<'a>>,
}

/// What came of it.
pub(super) struct RoundResult {
    pub cell: Cell,
    /// The buffers that nobody reads until the end: what the server kept.
    pub held: EventFates,
    /// The one that a group reads and acknowledges all the time: what the pipeline got.
    pub through: EventFates,
    /// From the server's start to its first answer, where it had ended.
    pub back: Option<Duration>,
    /// From the end of the fault until events are acknowledged again; none where they never were.
    pub again: Option<Duration>,
    /// Whether it took a restart until the server took writes again.
    pub helped: bool,
    /// Events acknowledged before the fault.
    pub before: u64,
    /// What shows that the fault acted.
    pub acted: Acted,
    /// What ended a client, or the wait for one.
    pub failure: Option<String>,
    /// What the server logged about it.
    pub log: Vec<String>,
}

/// Rounds of a cell, or why there are none.
pub(super) type Rounds = Result<Vec<RoundResult>, NotRun>;

impl DurabilityRound<'_> {
    /// Runs it.
    pub fn run(&self, environment: &mut DurabilityEnvironment) -> anyhow::Result<RoundResult> {
        let names = names(self.base)?;
        let (signals, heard): (Arc<Signals>, [Arc<FateReports>; WRITERS]) = Default::default();
        let address = environment.front.clone();
        let writing = |place: usize| Writing {
            place,
            address: &address,
            name: &names[place],
            offer: self.offer,
            limits: self.limits,
            ack: self.cell.ack,
            rate: (place != FLAT).then_some(self.rate),
            signals: &signals,
            heard: &heard[place],
        };
        let writers: [Writing<'_>; WRITERS] = std::array::from_fn(writing);
        let opened = writers.iter().map(|writer| writer.open(Default::default()));
        let opened: Vec<_> = opened.collect::<Result<_, _>>().map_err(early)?;
        let reader = open(&address, &names[THROUGH], true).map_err(early)?;
        let make = |index: u64, out: &mut Vec<u8>| self.offer.events.write_event(index, out);
        let mut ledger = self.offer.ledger(&make);
        let (mut pushed, mut failures) = ([0; WRITERS], Vec::new());
        let (course, through) = std::thread::scope(|scope| {
            let writing = writers.iter().zip(opened);
            let writing: Vec<_> =
                writing.map(|(writer, opened)| scope.spawn(|| writer.write(opened))).collect();
            let reading = scope.spawn(|| follow(&address, &names[THROUGH], reader, &signals, &mut ledger));
            let course = self.course(environment, &signals, &heard);
            signals.over.store(true, Relaxed);
            for (writer, pushed) in writing.into_iter().zip(&mut pushed) {
                match writer.join().expect("a thread that writes") {
                    Ok(events) => *pushed = events,
                    Err(error) => failures.push(error.to_string()),
                }
            }
            signals.written.store(true, Relaxed);
            (course, reading.join().expect("a thread that reads"))
        });
        go_on()?;
        let FaultCourse { injected, again, helped } = course?;
        let through = through.unwrap_or_else(|error| {
            failures.push(error_chain(&error));
            Read::default()
        });
        let fates = |ledger: Ledger<'_>, place: usize, read| {
            let beyond = self.offer.count() - pushed[place];
            EventFates::of(ledger, &lock(&heard[place]), beyond, injected.moment, read)
        };
        let through = fates(ledger, THROUGH, through);
        let mut held = Vec::new();
        for place in (0..WRITERS).filter(|place| *place != THROUGH) {
            if let Some(plant) = self.plant {
                plant(environment, &names[place])?;
            }
            let mut ledger = self.offer.ledger(&make);
            let read = read_all(&address, &names[place], &mut ledger)?;
            held.push(fates(ledger, place, read));
        }
        Ok(RoundResult {
            cell: self.cell,
            through,
            held: EventFates::of_all(held),
            back: injected.back,
            again,
            helped,
            before: injected.before,
            acted: injected.acted,
            failure: failures.into_iter().next(),
            log: log(environment),
        })
    }

    /// Load, the fault, and load again.
    fn course(
        &self,
        environment: &mut DurabilityEnvironment,
        signals: &Signals,
        heard: &[Arc<FateReports>; WRITERS],
    ) -> anyhow::Result<FaultCourse> {
        let mut draw = Rng::with_seed(self.seed);
        let started = Instant::now();
        let acknowledged = |place: usize| signals.acknowledged[place].load(Relaxed);
        // At any moment between two fsyncs of a second.
        let before = self.before + Duration::from_millis(draw.u64(..1_000));
        let is_loaded = || (0..FLAT).all(|place| acknowledged(place) >= EVENTS);
        wait("load has lasted", || Ok(started.elapsed() >= before && is_loaded())).map_err(early)?;
        signals.flat.store(true, Relaxed);
        wait("events are acknowledged flat out", || Ok(acknowledged(FLAT) >= EVENTS_FLAT)).map_err(early)?;
        let injected = inject_fault(self.cell, environment, signals, &mut draw)?;
        let (since, so_far) = (Instant::now(), std::array::from_fn::<_, WRITERS, _>(acknowledged));
        signals.injected.store(true, Relaxed);
        let is_again = || (0..WRITERS).all(|place| acknowledged(place) >= so_far[place] + AGAIN);
        let mut helped = false;
        let resumed = wait("events are acknowledged again", || {
            if !helped && since.elapsed() > ALONE && environment.is_own() && environment.is_running() {
                // What somebody would do who finds it so.
                helped = true;
                environment.server()?.terminate()?;
                environment.restart()?;
            }
            // What was stored before may be acknowledged while nothing new is taken.
            Ok(is_again() && environment.takes_writes())
        });
        let again = resumed.is_ok().then(|| since.elapsed());
        if again.is_some() {
            // A writer notices what a lane has lost with the lane's next block. At a rate so low that none comes in time, a
            // reader may be told of less than is lost.
            let _ =
                wait("every lane has had an event again", || Ok(heard.iter().all(|of| is_whole(of, since))));
        }
        go_on()?;
        Ok(FaultCourse { injected, again, helped })
    }
}

/// Whether every lane that a writer was ever acknowledged something in has had something since then.
fn is_whole(heard: &FateReports, since: Instant) -> bool {
    let heard = lock(heard);
    let at = heard.partition_point(|(_, when)| *when < since);
    let has = |part: &[(FateReport, Instant)], lane| part.iter().any(|(told, _)| told.lane == lane);
    jetstream::ALL.into_iter().all(|lane| has(&heard[at..], lane) || !has(&heard[..at], lane))
}

/// The buffers of a cell, whose names begin with this.
pub(super) fn names(base: &Name) -> anyhow::Result<[Name; WRITERS]> {
    let of = |what: &str| format!("{base}.{what}").parse::<Name>();
    Ok([of("through")?, of("held")?, of("flat")?])
}

/// What the server logged that is more than its usual start and end.
fn log(environment: &DurabilityEnvironment) -> Vec<String> {
    let told = ["rror", "runcat", "Bad file", "fsync", "slow", "fork", "MISCONF", "Unrecoverable", "corrupt"];
    let log = environment.log_tail(LOG_LINES);
    log.lines().filter(|line| told.iter().any(|word| line.contains(word))).map(str::to_owned).collect()
}
