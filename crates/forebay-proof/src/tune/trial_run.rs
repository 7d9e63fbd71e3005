//! One leg: a piece of work on one server with one way to be a client, and what it took.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::client::Client;
use super::metric::Metric;
use super::trial_events::TrialEvents;
use crate::memory_probe::MemoryProbe;
use crate::proof_reader;
use crate::rewrite;
use crate::target::facts_of;
use crate::wait::go_on;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{self, Reader};
use forebay::buffer::writer::{Options, Writer};
use forebay_rig::load::arrivals::Arrivals;
use forebay_rig::load::driver;
use forebay_rig::load::keyspace::Keyspace;
use forebay_rig::load::pattern::Pattern;
use forebay_rig::load::payload::Payloads;
use forebay_rig::load::stage::{Stage, allow_connections};
use forebay_rig::load::work::Work as Mix;
use forebay_rig::server;

/// How long a server may refuse before a leg fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long what is under way may take once a leg's time is over.
const GRACE: Duration = Duration::from_secs(5);
/// The group that drains.
const GROUP: &str = "tune";
/// Between two looks at a rewrite.
const PAUSE: Duration = Duration::from_millis(1);

/// What is done in a leg.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Work {
    /// Events are appended as fast as they are taken.
    Append(Cut),
    /// The same with one rewrite of the AOF, begun when half of them are in; its processor time counts too.
    AppendWithRewrite(Cut),
    /// The same while the AOF is rewritten again and again.
    Rewriting(Cut),
    /// What was appended is read, acknowledged and trimmed.
    Drain,
    /// Operations at the profile's rate.
    Operations,
}

impl Work {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append(_) => "appends",
            Self::AppendWithRewrite(_) => "appends and a rewrite",
            Self::Rewriting(_) => "appends in a rewrite",
            Self::Drain => "drains",
            Self::Operations => "operations",
        }
    }
}

/// By which clock blocks are cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// As at the rate at which the profile's events come.
    Held,
    /// As at the rate that the profile's server must bear.
    Load,
    /// As when there is no end of events: by count and by size.
    Full,
}

/// Where a leg takes place.
pub struct TrialServer<'a> {
    pub address: &'a Address,
    pub name: &'a Name,
}

/// What legs have in common.
pub struct TrialSetup<'a> {
    pub feed: &'a TrialEvents,
    pub payloads: &'a Payloads,
    /// Events a second: those that are held, and the load.
    pub held: f64,
    pub load: f64,
    /// How long operations are sent.
    pub stretch: Duration,
    pub seed: u64,
}

/// What a leg took.
pub type Figures = Vec<(Metric, f64)>;

impl TrialSetup<'_> {
    /// Runs a leg; the buffer is empty before and after it.
    pub fn run_trial(&self, work: Work, place: &TrialServer<'_>, client: &Client) -> anyhow::Result<Figures> {
        go_on()?;
        match work {
            Work::Append(cut) => self.append(place, client, cut, None),
            Work::AppendWithRewrite(cut) => self.append(place, client, cut, Some(self.feed.count() / 2)),
            Work::Rewriting(cut) => rewriting(place, || self.append(place, client, cut, None)),
            Work::Drain => self.drain(place, client),
            Work::Operations => self.operate(place, client),
        }
    }

    /// Appends all events so many times, which stay.
    pub fn fill_much(&self, place: &TrialServer<'_>, client: &Client, times: usize) -> anyhow::Result<()> {
        (0..times).try_for_each(|_| self.fill(place, client, Cut::Load, None).map(drop))
    }

    /// Appends all events, and has the AOF rewritten from the event of that index on; what appending took. The buffer stays.
    fn fill(
        &self,
        place: &TrialServer<'_>,
        client: &Client,
        cut: Cut,
        rewrite_from: Option<u64>,
    ) -> anyhow::Result<Duration> {
        let address = place.address.clone().with_nodelay(client.nodelay);
        let options = Options {
            limits: client.limits,
            in_flight: client.in_flight,
            patience: PATIENCE,
            ..Options::default()
        };
        let mut writer = Writer::open(&address, place.name, &options)?;
        let mut connection = place.address.dial()?;
        let started = Instant::now();
        let step = match cut {
            Cut::Held => 1.0 / self.held,
            Cut::Load => 1.0 / self.load,
            Cut::Full => 0.0,
        };
        for (index, event) in self.feed.events().enumerate() {
            if rewrite_from == Some(index as u64) {
                rewrite::begin(&mut connection)?;
            }
            writer.push_at(&event, Duration::from_secs_f64(index as f64 * step))?;
        }
        writer.close()?;
        hold_back(started, client);
        Ok(started.elapsed())
    }

    fn append(
        &self,
        place: &TrialServer<'_>,
        client: &Client,
        cut: Cut,
        rewrite_from: Option<u64>,
    ) -> anyhow::Result<Figures> {
        let _keys = Keys(place);
        let mut gauge = MemoryProbe::open(place.address)?;
        let cpu_seconds = |address: &Address| -> anyhow::Result<f64> {
            if rewrite_from.is_none() {
                return cpu_seconds(address);
            }
            // Of a child that still works INFO says nothing.
            rewrite::until_over(&mut address.dial()?)?;
            Ok(cpu_seconds(address)? + children_cpu_seconds(address)?)
        };
        let (empty, cpu) = (dataset(place.address)?, cpu_seconds(place.address)?);
        let took = self.fill(place, client, cut, rewrite_from)?;
        let cpu = cpu_seconds(place.address)? - cpu;
        let events = self.feed.count() as f64;
        // Once the writer's connections are gone.
        gauge.settled(self.feed.count())?;
        let held = dataset(place.address)?.saturating_sub(empty);
        Ok(vec![
            (Metric::Append, events / took.as_secs_f64()),
            (Metric::ServerCpu, cpu * 1e6 / events),
            (Metric::BytesPerEvent, held as f64 / events),
        ])
    }

    fn drain(&self, place: &TrialServer<'_>, client: &Client) -> anyhow::Result<Figures> {
        let _keys = Keys(place);
        self.fill(place, client, Cut::Load, None)?;
        let cpu = cpu_seconds(place.address)?;
        let options = reader::Options {
            lanes: Vec::new(),
            group: Some((GROUP.into(), GROUP.into())),
            ahead: client.ahead,
            claim_idle: PATIENCE,
            patience: PATIENCE,
        };
        let mut reader =
            Reader::open(&place.address.clone().with_nodelay(client.nodelay), place.name, options)?;
        reader.ask_for(client.answer_bytes);
        let (started, mut events) = (Instant::now(), 0);
        while events < self.feed.count() {
            let found = reader.next(Duration::from_secs(1))?;
            anyhow::ensure!(
                !found.is_empty() || started.elapsed() < PATIENCE,
                "{events} of {} events came within {PATIENCE:?}",
                self.feed.count()
            );
            let blocks = proof_reader::blocks(found)?;
            events += blocks.iter().map(|(_, entry)| entry.events).sum::<u64>();
            reader.acknowledge(blocks.iter().map(|(lane, entry)| (*lane, entry.id)))?;
        }
        hold_back(started, client);
        let took = started.elapsed();
        drop(reader);
        let cpu = cpu_seconds(place.address)? - cpu;
        let events = events as f64;
        Ok(vec![(Metric::Drain, events / took.as_secs_f64()), (Metric::ServerCpu, cpu * 1e6 / events)])
    }

    fn operate(&self, place: &TrialServer<'_>, client: &Client) -> anyhow::Result<Figures> {
        allow_connections(client.connections).map_err(anyhow::Error::msg)?;
        let mix = Mix::mix();
        let _stage =
            Stage::set(place.address, place.name, &mix, Keyspace::of(self.payloads, client.connections))?;
        let plan = driver::LoadPlan {
            address: place.address,
            name: place.name,
            work: &mix,
            payloads: self.payloads,
            arrivals: Some(Arrivals::of(&Pattern::Constant, self.load, self.stretch, self.seed)),
            duration: self.stretch,
            connections: client.connections,
            pipeline: client.pipeline,
            grace: GRACE,
            seed: self.seed,
        };
        let cpu = cpu_seconds(place.address)?;
        let outcome = driver::run(&plan, &AtomicBool::new(false), &mut |_| {})?;
        let cpu = cpu_seconds(place.address)? - cpu;
        anyhow::ensure!(outcome.is_right(), "operations went wrong: {:?}", outcome.errors);
        Ok(vec![
            (Metric::P99, outcome.response().percentile(99.0)),
            (Metric::ServerCpu, cpu * 1e6 / outcome.right as f64),
        ])
    }
}

/// Lets a part of the time pass once more, where a control asks for it.
fn hold_back(started: Instant, client: &Client) {
    if client.held_back > 0.0 {
        std::thread::sleep(started.elapsed().mul_f64(client.held_back));
    }
}

/// Removes a leg's buffer at once, so that none of it is done in the next leg's time.
struct Keys<'a>(&'a TrialServer<'a>);

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        let TrialServer { address, name } = self.0;
        let removed = address.dial().map(|mut connection| {
            redis::cmd("DEL").arg(name.keys()).query::<u64>(&mut connection).map_err(anyhow::Error::from)
        });
        if !matches!(removed, Ok(Ok(_))) && !server::ending() {
            tracing::warn!("a leg's buffer {name} is still there");
        }
    }
}

/// Processor time that a server has taken, its children's not counted.
fn cpu_seconds(address: &Address) -> anyhow::Result<f64> {
    seconds(address, ["used_cpu_sys", "used_cpu_user"])
}

/// Processor time of its children that have ended.
fn children_cpu_seconds(address: &Address) -> anyhow::Result<f64> {
    seconds(address, ["used_cpu_sys_children", "used_cpu_user_children"])
}

/// The sum of two figures of INFO cpu.
fn seconds(address: &Address, names: [&str; 2]) -> anyhow::Result<f64> {
    let facts = facts_of(&mut address.dial()?, &["cpu"])?;
    let of = |name: &str| -> anyhow::Result<f64> {
        let value = facts.get(name).with_context(|| format!("INFO cpu says nothing of {name}"))?;
        Ok(value.parse()?)
    };
    Ok(of(names[0])? + of(names[1])?)
}

/// What a server holds as data: without its clients' buffers and the AOF's, which come and go.
fn dataset(address: &Address) -> anyhow::Result<u64> {
    let facts = facts_of(&mut address.dial()?, &["memory"])?;
    facts.number("used_memory_dataset").context("INFO memory says nothing of used_memory_dataset")
}

/// Works while the AOF is rewritten again and again.
fn rewriting<T>(place: &TrialServer<'_>, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let (over, mut connection) = (AtomicBool::new(false), place.address.dial()?);
    rewrite::begin(&mut connection)?;
    std::thread::scope(|scope| {
        let rewriting = scope.spawn(|| -> anyhow::Result<()> {
            while !over.load(Relaxed) {
                if !rewrite::is_under_way(&rewrite::persistence(&mut connection)?) {
                    rewrite::begin(&mut connection)?;
                }
                std::thread::sleep(PAUSE);
            }
            // So that none goes on in the next leg's time.
            rewrite::until_over(&mut connection)
        });
        let outcome = {
            let _over = EndOnDrop(&over);
            work()
        };
        // Proof: it has nothing that panics; if it does, so may we.
        rewriting.join().expect("a thread that rewrites")?;
        outcome
    })
}

/// Ends the other thread however this one ends: else its scope would wait for ever.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}
