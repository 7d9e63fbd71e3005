//! What persistence costs: events and operations under each way to fsync, with and without a rewrite of the AOF; what the
//! AOF takes on disk, and what a rewrite takes in time and memory.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay::buffer::connection::Connection;

use super::cell::Fault;
use super::environment::{DurabilityEnvironment, NoEnvironment};
use crate::capacity::fill::{FillPlan, fill};
use crate::claim::{Bound, Claim, Control, Evidence, Judged, Unit};
use crate::ledger::Ledger;
use crate::report::units::{bytes, millis, thousands};
use crate::rewrite;
use crate::target::start;
use crate::{Scale, Subject};
use forebay::block::encode::Encoding;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay_rig::load::arrivals::Arrivals;
use forebay_rig::load::driver;
use forebay_rig::load::outcome::Outcome;
use forebay_rig::load::pattern::Pattern;
use forebay_rig::load::payload::{Payloads, Source};
use forebay_rig::load::stage;
use forebay_rig::load::work::Work;
use forebay_rig::synth::Synth;

const ID: &str = "durability.cost";
/// The step of the brief that is answered.
const RESTART: u8 = 4;
/// Each way to persist: `appendonly`, `appendfsync`, `no-appendfsync-on-rewrite`.
const WAYS: [[&str; 3]; 5] = [
    ["no", "no", "no"],
    ["yes", "everysec", "no"],
    ["yes", "everysec", "yes"],
    ["yes", "always", "no"],
    ["yes", "always", "yes"],
];
/// Connections of the operations.
const CONNECTIONS: usize = 20;
/// Events at quick scale.
const QUICK: u64 = 100_000;
/// How long an fsync takes in the control.
const SLOW: Duration = Duration::from_millis(400);
/// How long what is still under way is waited for.
const GRACE: Duration = Duration::from_secs(5);
/// The same in the control, where most of it will not come.
const GRACE_SLOW: Duration = Duration::from_secs(1);

/// What one way cost.
struct Cost {
    way: [&'static str; 3],
    events_per_second: f64,
    /// Of operations: without a rewrite, and while there is one.
    plain: Outcome,
    rewriting: Outcome,
    rewrite: Option<Rewrite>,
    aof_bytes: u64,
}

impl Cost {
    /// How it fsyncs, in a word.
    fn fsync(&self) -> String {
        if self.way[0] == "no" { "no AOF".into() } else { self.way[1].into() }
    }

    /// Whether it fsyncs during a rewrite.
    fn in_rewrite(&self) -> String {
        match self.way {
            ["no", ..] => "–",
            [.., "yes"] => "no fsync",
            _ => "fsync",
        }
        .into()
    }
}

/// What a rewrite took.
struct Rewrite {
    time: Duration,
    copied_bytes: u64,
    bytes_after: u64,
}

/// The claim, and its control.
pub(super) fn claim(on: &Subject<'_>) -> anyhow::Result<Claim> {
    let payloads = Payloads::of(&Source::Events, on.seed).map_err(anyhow::Error::msg)?;
    let count = match on.scale {
        Scale::Smallest | Scale::Quick => QUICK.min(on.profile.hold.events),
        Scale::Full => on.profile.hold.events,
    };
    on.progress.begin("what persistence costs", WAYS.len() as u64);
    let mut costs = Vec::new();
    for way in WAYS {
        costs.push(cost(on, &payloads, way, count)?);
        on.progress.at(costs.len() as u64);
    }
    let settings = on.profile.conf_settings();
    let set = settings
        .iter()
        .find(|(name, _)| name == "appendfsync")
        .map_or("everysec", |(_, value)| value.as_str());
    // As the profile has it, and so that nothing is put off in a rewrite; the rest is for the table.
    let asked = costs.iter().find(|cost| cost.way == ["yes", set, "no"]);
    let outcomes: Vec<&Outcome> = asked.iter().flat_map(|cost| [&cost.plain, &cost.rewriting]).collect();
    let mut claim = judge(on, set, &outcomes);
    claim.evidence.extend(tables(&costs, count));
    Ok(claim.with(control(on, &payloads)?))
}

/// How long operations are sent.
fn stretch(on: &Subject<'_>) -> Duration {
    let wanted = match on.scale {
        Scale::Smallest => Duration::from_millis(200),
        Scale::Quick => Duration::from_millis(500),
        Scale::Full => Duration::from_secs(20),
    };
    wanted.min(on.profile.load.duration)
}

fn cost(on: &Subject<'_>, payloads: &Payloads, way: [&'static str; 3], count: u64) -> anyhow::Result<Cost> {
    let [aof, appendfsync, on_rewrite] = way;
    let over = [
        ("appendonly", aof.to_owned()),
        ("appendfsync", appendfsync.to_owned()),
        ("no-appendfsync-on-rewrite", on_rewrite.to_owned()),
        ("auto-aof-rewrite-percentage", "0".to_owned()),
    ];
    let (_server, address) = start(on.binary, on.profile, &over)?;
    let address = &address;
    let name: Name = "cost".parse()?;
    let rate = on.profile.load.rate;
    let events = Synth::network(on.seed).with_rate(rate);
    let limits = on.profile.limits().map_err(anyhow::Error::msg)?;
    let plan = FillPlan {
        address,
        name: &name,
        events: &events,
        count,
        rate,
        limits,
        encoding: Encoding::default(),
        used_bytes_max: None,
    };
    let filled = fill(&plan, &mut Ledger::new(&|_, _| {}), on.progress)?;
    anyhow::ensure!(filled.ended.is_none(), "not all events went in: {:?}", filled.ended);
    let mut connection = address.dial()?;
    let aof_bytes = persistence(&mut connection, "aof_current_size")?;
    let plain = operate(on, address, payloads, GRACE)?;
    let over = AtomicBool::new(false);
    let (rewriting, rewrite) = std::thread::scope(|scope| {
        let rewriting = scope.spawn(|| rewrites(&mut connection, aof == "yes", &over));
        let outcome = operate(on, address, payloads, GRACE);
        over.store(true, Relaxed);
        // Proof: it has nothing that panics; if it does, so may we.
        (outcome, rewriting.join().expect("a thread that rewrites"))
    });
    Ok(Cost {
        way,
        events_per_second: filled.counts.acknowledged as f64 / filled.seconds,
        plain,
        rewriting: rewriting?,
        rewrite: rewrite?,
        aof_bytes,
    })
}

/// Rewrites the AOF again and again until it is over; what the first one took.
fn rewrites(
    connection: &mut Connection,
    has_aof: bool,
    over: &AtomicBool,
) -> anyhow::Result<Option<Rewrite>> {
    let mut first = None;
    while has_aof && (first.is_none() || !over.load(Relaxed)) {
        let started = Instant::now();
        rewrite::whole(connection)?;
        let time = started.elapsed();
        if first.is_none() {
            first = Some(Rewrite {
                time,
                copied_bytes: persistence(connection, "aof_last_cow_size")?,
                bytes_after: persistence(connection, "aof_current_size")?,
            });
        }
    }
    Ok(first)
}

fn persistence(connection: &mut Connection, name: &str) -> anyhow::Result<u64> {
    Ok(rewrite::persistence(connection)?.number(name).unwrap_or(0))
}

/// Single operations at the profile's rate.
fn operate(
    on: &Subject<'_>,
    address: &Address,
    payloads: &Payloads,
    grace: Duration,
) -> anyhow::Result<Outcome> {
    let (work, name) = (Work::mix(), "cost-load".parse::<Name>()?);
    let duration = stretch(on);
    let plan = driver::LoadPlan {
        address,
        name: &name,
        work: &work,
        payloads,
        arrivals: Some(Arrivals::of(&Pattern::Constant, on.profile.load.rate, duration, on.seed)),
        duration,
        connections: CONNECTIONS,
        pipeline: 1,
        grace,
        seed: on.seed,
    };
    Ok(stage::run_whole(&plan)?)
}

/// The same operations under `always`, on a disk that is slow.
fn control(on: &Subject<'_>, payloads: &Payloads) -> anyhow::Result<Control> {
    let what = format!("appendfsync always on a disk whose fsync takes {} ms", SLOW.as_millis());
    let environment = match DurabilityEnvironment::new(
        on.binary,
        on.profile,
        Fault::FsyncFails,
        &[("appendfsync", "always")],
    ) {
        Ok(environment) => environment,
        Err(NoEnvironment::Disk(error)) => return Ok(Control::not_run(what, error.to_string())),
        Err(error) => return Err(error.into()),
    };
    environment.disk()?.slow_fsync(SLOW);
    let outcome = operate(on, &environment.address, payloads, GRACE_SLOW);
    environment.disk()?.heal_fsync();
    Ok(Control::of(what, &[judge(on, "always", &[&outcome?])], ID))
}

fn judge(on: &Subject<'_>, appendfsync: &str, outcomes: &[&Outcome]) -> Judged {
    let load = &on.profile.load;
    let statement = format!(
        "with an AOF and appendfsync {appendfsync}, {} operations/s are answered with p99 under the profile's line, also \
         while the AOF is rewritten",
        thousands(load.rate, 0)
    );
    let p99s = outcomes.iter().map(|outcome| outcome.response().percentile(99.0));
    let worst = p99s.fold(0.0, f64::max);
    let (due, right) =
        outcomes.iter().fold((0, 0), |(due, right), outcome| (due + outcome.due, right + outcome.right));
    let why = format!(
        "p99 is {} ms in the worst of {} stretches; of {} operations that were due {} were answered rightly",
        millis(worst),
        outcomes.len(),
        thousands(due as f64, 0),
        thousands(right as f64, 0)
    );
    let line = load.p99_max.as_secs_f64() * 1e3;
    let mut claim = Judged::of(ID, RESTART, statement, (Bound::AtMost, line, Unit::Milliseconds), worst, why);
    if due == 0 {
        return claim.untested("nothing was measured with the profile's appendfsync");
    }
    if right < due {
        let why = claim.why.clone();
        claim = claim.refuted(why);
    }
    claim
}

/// What operations and events cost, and what the AOF takes.
fn tables(costs: &[Cost], count: u64) -> [Evidence; 2] {
    let title = format!(
        "What persistence costs: {} events as fast as they go in; operations at the profile's rate, p99 and the longest in \
         milliseconds, alone and while the AOF is rewritten again and again",
        thousands(count as f64, 0)
    );
    let columns = ["appendfsync", "in a rewrite", "events/s", "p99", "max", "p99 rewriting", "max rewriting"];
    let operations = |cost: &Cost| {
        let mut row = vec![cost.fsync(), cost.in_rewrite(), thousands(cost.events_per_second, 0)];
        for outcome in [&cost.plain, &cost.rewriting] {
            let response = outcome.response();
            row.extend([millis(response.percentile(99.0)), millis(response.max())]);
        }
        row
    };
    let first = evidence(title, &columns, costs.iter().map(operations).collect());
    let title = "What the AOF takes on disk for each event, as it is written and after a rewrite; how long the first rewrite \
                 took, and the memory that was copied meanwhile (copy-on-write)";
    let columns = ["appendfsync", "in a rewrite", "written", "rewritten", "ms", "copied"];
    let an_event = |bytes: u64| format!("{:.1} B", bytes as f64 / count as f64);
    let files = |cost: &Cost| {
        let rewrite = cost.rewrite.as_ref()?;
        Some(vec![
            cost.fsync(),
            cost.in_rewrite(),
            an_event(cost.aof_bytes),
            an_event(rewrite.bytes_after),
            millis(rewrite.time.as_secs_f64() * 1e3),
            bytes(rewrite.copied_bytes as f64),
        ])
    };
    [first, evidence(title.into(), &columns, costs.iter().filter_map(files).collect())]
}

fn evidence(title: String, columns: &[&str], rows: Vec<Vec<String>>) -> Evidence {
    Evidence::Table { title, columns: columns.iter().map(|name| (*name).into()).collect(), rows }
}
