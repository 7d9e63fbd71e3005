//! One run: a server at a small limit, filled beyond it under an overflow policy and an eviction policy, then drained,
//! with the fate of every event in the ledger.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::environment::PressureEnvironment;
use super::foreign_keys;
use super::policy::{EVICTIONS, Policy};
use super::read::{Drained, Followed, drain, follow, group};
use super::recovery;
use super::run_result::PressureResult;
use super::wait::{STUCK, Still, is_held_back, memory_left, progress, settle, settle_below};
use super::watch::{Live, REFUSED, Watched, by_lane, evictions, watch};
use crate::ledger::{Findings, Ledger};
use crate::progress::Progress;
use crate::push::{Pusher, Stretch};
use crate::wait::go_on;
use crate::workload::Offer;
use forebay::buffer::batch::Limits;
use forebay::buffer::keys::Name;
use forebay::buffer::lock;
use forebay::buffer::overflow::{Fate, FateReport, Listener};
use forebay::buffer::reader::Reader;
use forebay::buffer::writer::{Monitor, Options, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::{self, Folder, Purpose};

/// Shares of the limit: where latency before it is measured, and from where it is approached slowly, so that the
/// moment at which it is met is told exactly.
const BEFORE: f64 = 0.90;
const NEAR: f64 = 0.98;

/// Events a second from there on.
const APPROACH: f64 = 20_000.0;

/// How long the reader that follows may stand still while there is something to read.
const STILL: Duration = Duration::from_secs(10);

/// For how long events are pushed at a pace, and how many a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub rate: f64,
    /// At nine tenths of the limit, beyond it, and after the drain.
    pub before: Duration,
    pub beyond: Duration,
    pub after: Duration,
}

/// What is done to a control between the limit and the drain.
pub(super) type Sabotage<'a> = dyn Fn(&SabotageStage<'_>) -> anyhow::Result<()> + Sync + 'a;

/// Where harm is done.
pub(super) struct SabotageStage<'a> {
    pub environment: &'a PressureEnvironment,
    pub live: &'a Live,
    pub name: &'a Name,
    /// Where blocks are spilled to.
    pub folder: &'a std::path::Path,
}

/// What to run.
pub(super) struct PressureRound<'a> {
    pub policy: Policy,
    pub eviction: &'a str,
    pub name: &'a Name,
    pub offer: &'a Offer,
    pub limits: Limits,
    pub count: u64,
    pub pace: Pace,
    /// Whether the drain acknowledges.
    pub acks: bool,
    pub harm: Option<&'a Sabotage<'a>>,
    pub progress: &'a dyn Progress,
}

/// What the threads of a run bring back.
struct ThreadResults {
    stretches: [Option<Stretch>; 3],
    pushed: u64,
    failure: Option<anyhow::Error>,
    drained: anyhow::Result<Drained>,
    /// Percent of the memory that is not back, and for how long it was waited for.
    left: (f64, Duration),
    followed: Followed,
    watched: anyhow::Result<Watched>,
    evictions: anyhow::Result<BTreeMap<String, u64>>,
}

/// Blocks of a lane under way.
const IN_FLIGHT: usize = 4;

type FateReports = Mutex<Vec<(FateReport, Instant)>>;

impl PressureRound<'_> {
    /// Runs it on a server.
    pub fn run(&self, environment: &PressureEnvironment) -> anyhow::Result<PressureResult> {
        let temporary = Folder::new(Purpose::Spill)?;
        let folder = temporary.path().join("blocks");
        let heard: Arc<FateReports> = Arc::default();
        let ear = Arc::clone(&heard);
        let options = Options {
            limits: self.limits,
            patience: self.pace.beyond + STUCK * 2,
            overflow: self.policy.overflow(&folder),
            // What is under way waits in the server's memory where it is slow, and is no part of what events weigh: of a limit
            // of 10 MiB the usual 16 blocks of six lanes were up to 7 %.
            in_flight: IN_FLIGHT,
            listener: Some(Listener(Arc::new(move |told| lock(&ear).push((told, Instant::now()))))),
            ..Options::default()
        };
        let live = Live::new(environment.limit);
        let reader = group(&environment.address, self.name)?;
        let writer = Writer::open(&environment.address, self.name, &options)?;
        let monitor = writer.monitor();
        let make = |index: u64, out: &mut Vec<u8>| self.offer.events.write_event(index, out);
        let mut ledger = self.offer.ledger(&make);
        let stage = SabotageStage { environment, live: &live, name: self.name, folder: &folder };
        let brought = self.together(&stage, writer, reader, &heard, &mut ledger);
        go_on()?;
        let heard = std::mem::take(&mut *lock(&heard));
        for (told, _) in &heard {
            ledger.told(*told);
        }
        let findings = ledger.findings();
        // The ledger knows of those too that no run came to push.
        let beyond = self.offer.count() - brought.pushed;
        let unknown = findings.unknown.saturating_sub(beyond);
        let met = live.met.get().cloned();
        let was_refused = met.as_ref().filter(|met| met.how == REFUSED);
        let stood = live.stood.get().filter(|_| was_refused.is_some());
        let room = live.room.get().copied();
        let evictions = brought.evictions?;
        Ok(PressureResult {
            policy: self.policy,
            eviction: self.eviction.into(),
            limit: environment.limit,
            empty: environment.empty,
            held: stood.map_or(Vec::new(), |stood| recovery::lanes(stood, room, &heard, &by_lane(&monitor))),
            refused_for: again(&heard, &live)
                .zip(was_refused)
                .map(|(again, met)| again.saturating_duration_since(met.at)),
            met,
            findings: Findings { offered: brought.pushed, unknown, ..findings },
            counts: monitor.counts(),
            drained: brought.drained?,
            // Not by the reader's own account: it may have ended before.
            followed: Followed { owed: live.owed.get().copied().unwrap_or(0), ..brought.followed },
            watched: brought.watched?,
            others: foreign_keys::evicted(self.name, &evictions),
            evictions: self.by_lane(&evictions),
            latency: brought.stretches.map(|stretch| Some(stretch?.latency(&heard, &self.limits))),
            left: brought.left,
            failure: brought.failure.map(|error| error.to_string()),
        })
    }

    /// Writer, readers and onlookers, until everything is over.
    fn together(
        &self,
        stage: &SabotageStage<'_>,
        writer: Writer,
        reader: Reader,
        heard: &FateReports,
        ledger: &mut Ledger<'_>,
    ) -> ThreadResults {
        let (address, live, monitor) = (&stage.environment.address, stage.live, &writer.monitor());
        self.progress.begin(&format!("{} under {}", self.policy.name(), self.eviction), self.count);
        std::thread::scope(|scope| {
            let watching = scope.spawn(|| watch(address, monitor, live));
            let hearing = scope.spawn(|| evictions(address, live));
            let following = scope.spawn(|| follow(address, self.name, live, self.acks));
            let draining = scope.spawn(|| {
                self.wait_to_drain(live, monitor)?;
                for (told, _) in lock(heard).iter() {
                    ledger.told(*told);
                }
                drain(reader, self.acks, live, ledger, self.progress)
            });
            let mut pusher = Pusher::new(writer, &self.offer.events, self.count, self.offer.rate);
            let mut stretches = Default::default();
            let run = self.push(&mut pusher, stage, monitor, &mut stretches);
            let pushed = pusher.next;
            // One that failed is not waited for.
            let failure = run.and_then(|()| Ok(pusher.writer.close().map(|_| ())?)).err();
            self.open(live, monitor);
            live.written.store(true, Relaxed);
            // Proof of each: a thread that panics is a fault of ours, and the scope would panic all the same.
            let drained = draining.join().expect("a thread that drains");
            if !self.acks {
                // It goes on until all is over, and comes upon everything that is there.
                wait_for_the_reader(live, monitor.counts().acknowledged, || false);
            }
            let left = memory_left(stage.environment, live, drained.is_ok());
            live.over.store(true, Relaxed);
            ThreadResults {
                stretches,
                pushed,
                failure,
                drained,
                left,
                followed: following.join().expect("a thread that follows"),
                watched: watching.join().expect("a thread that watches"),
                evictions: hearing.join().expect("a thread that hears"),
            }
        })
    }

    fn by_lane(&self, keys: &BTreeMap<String, u64>) -> Vec<(Lane, u64, u64)> {
        let times = |key: String| keys.get(&key).copied().unwrap_or(0);
        jetstream::ALL
            .into_iter()
            .map(|lane| (lane, times(self.name.stream(lane)), times(self.name.writer(lane))))
            .collect()
    }

    fn push(
        &self,
        pusher: &mut Pusher<'_>,
        stage: &SabotageStage<'_>,
        monitor: &Monitor,
        stretches: &mut [Option<Stretch>; 3],
    ) -> anyhow::Result<()> {
        let (live, pace) = (stage.live, &self.pace);
        let told = |share| {
            move || {
                self.progress.at(monitor.counts().accepted);
                live.is_at(share)
            }
        };
        pusher.bulk(None, told(BEFORE))?;
        stretches[0] = Some(pusher.paced(pace.rate, pace.before, || false)?);
        pusher.bulk(None, told(NEAR))?;
        pusher.bulk(Some(APPROACH), told(f64::INFINITY))?;
        if live.met.get().is_some() {
            rewrite(stage.environment);
            stretches[1] = Some(pusher.paced(pace.rate, pace.beyond, || false)?);
        }
        if self.policy == Policy::Wait {
            if live.met.get().is_some_and(|met| met.how == REFUSED) {
                pusher.bulk(Some(APPROACH), is_held_back(monitor))?;
            }
            self.harm(stage)?;
            self.open(live, monitor);
        }
        let never = || {
            self.progress.at(monitor.counts().accepted);
            false
        };
        pusher.bulk(None, never)?;
        pusher.writer.flush()?;
        if self.policy == Policy::TrimOldest {
            // What is read before it is dropped would come back although it was given up.
            settle(&pusher.writer, monitor)?;
        }
        if self.policy != Policy::Wait {
            self.harm(stage)?;
        }
        self.open(live, monitor);
        settle(&pusher.writer, monitor)?;
        if self.policy == Policy::TrimOldest {
            // The same again: what comes now must find room.
            settle_below(live, BEFORE)?;
        }
        pusher.count += (pace.rate * pace.after.as_secs_f64()) as u64;
        stretches[2] = Some(pusher.paced(pace.rate, pace.after, || false)?);
        Ok(())
    }

    fn harm(&self, stage: &SabotageStage<'_>) -> anyhow::Result<()> {
        self.harm.map_or(Ok(()), |harm| harm(stage))
    }

    /// Lets the drain begin, once the reader that follows has had all that is acknowledged: what is drained is trimmed.
    /// One that stands still is not waited for, nor one whose lanes are evicted.
    fn open(&self, live: &Live, monitor: &Monitor) {
        let owed = *live.owed.get_or_init(|| monitor.counts().acknowledged);
        // It ends where the drain has begun: then it is too late to wait for it.
        wait_for_the_reader(live, owed, || self.eviction != EVICTIONS[0] || live.opened.get().is_some());
        let _ = live.opened.set(Instant::now());
    }

    /// Until the buffer shall be drained: the pushing thread says so. Where it is held back for good, it cannot.
    fn wait_to_drain(&self, live: &Live, monitor: &Monitor) -> anyhow::Result<()> {
        let mut moved = Still::new(progress(&monitor.counts()));
        while live.opened.get().is_none() {
            go_on()?;
            let stands = moved.at(progress(&monitor.counts()));
            let is_beyond = live.met.get().is_some_and(|met| met.at.elapsed() > self.pace.beyond);
            if is_beyond && self.policy == Policy::Wait && stands > STUCK / 6 {
                self.open(live, monitor);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// Until the reader that follows has had so many events; not where that is of no use, nor for one that stands still.
fn wait_for_the_reader(live: &Live, owed: u64, is_of_no_use: impl Fn() -> bool) {
    let mut moved = Still::new(0);
    while !is_of_no_use() && !server::ending() {
        let followed = live.followed.load(Relaxed);
        if followed >= owed || moved.at(followed) >= STILL {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// When the first block was acknowledged after the drain had begun.
fn again(heard: &[(FateReport, Instant)], live: &Live) -> Option<Instant> {
    // Room may have been made by other means than the drain.
    let since = live.room.get().into_iter().chain(live.opened.get()).min()?;
    heard.iter().find(|(told, at)| told.fate == Fate::Acknowledged && at >= since).map(|(_, at)| *at)
}

/// Asks the server to write its data anew, as it would by itself sooner or later. One that does not, copies nothing.
fn rewrite(environment: &PressureEnvironment) {
    let asked = environment.address.connect().map_err(|error| error.to_string()).and_then(
        |(mut connection, facts)| {
            let command = if facts.number("aof_enabled") == Some(1) { "BGREWRITEAOF" } else { "BGSAVE" };
            redis::cmd(command).exec(&mut connection).map_err(|error| error.to_string())
        },
    );
    if let Err(why) = asked {
        tracing::info!("no rewrite at the limit: {why}");
    }
}
