//! Candidates tried: each against today, then guarded, then those that are left together.

use anyhow::Context as _;

use super::bench::Bench;
use super::catalogue::{Candidate, CandidateKind, Change, Guard, Measured};
use super::client::Client;
use super::connection_flood::BACKLOG;
use super::experiment::{self, ExperimentPlan, Outcome, Side, Turn};
use super::guard::{self, Guarded};
use super::proposal::Proposal;
use super::row::{Row, Standing};
use super::settings::{Settings, SettingsGuard};
use super::trial_run::{Cut, Work};
use super::variant::{self, SettingsOverlay, Variant};
use crate::Subject;
use crate::printable::error_chain;
use crate::target::Target;
use crate::wait::go_on;
use forebay::buffer::connect::Address;
use forebay_rig::server;

/// Rounds of legs that take their time whatever the server does, at the most.
const SLOW_ROUNDS_MAX: usize = 40;

/// Each against today.
pub(super) fn all(bench: &Bench<'_>, candidates: &[&'static Candidate]) -> anyhow::Result<Vec<Row>> {
    bench.on.progress.begin("settings, each against today's", candidates.len() as u64);
    let mut rows = Vec::new();
    for candidate in candidates {
        go_on()?;
        rows.push(one(bench, candidate).with_context(|| format!("trying {}", candidate.id))?);
        bench.on.progress.at(rows.len() as u64);
    }
    Ok(rows)
}

fn one(bench: &Bench<'_>, candidate: &'static Candidate) -> anyhow::Result<Row> {
    let (from, to) = (from(bench, candidate), candidate.to(&bench.client));
    let row = |outcome, standing| Row {
        candidate,
        from: from.clone(),
        to: to.clone(),
        outcome,
        guard: Guarded::NotNeeded,
        standing,
    };
    if let Some(why) = hindrance(bench, candidate) {
        return Ok(row(None, Standing::Untested(why)));
    }
    if is_so(bench, candidate) {
        return Ok(row(None, Standing::AsItIs));
    }
    let measured = match try_it(bench, candidate) {
        Ok(measured) if measured.is_unknown() => {
            return Ok(row(Some(measured), Standing::Untested("a leg had no figure".into())));
        }
        Ok(measured) => measured,
        // Not a value for this server, or not one for this machine; or a leg went wrong.
        Err(error) if !server::ending() => return Ok(row(None, Standing::Untested(error_chain(&error)))),
        Err(error) => return Err(error),
    };
    if measured.is_worse() {
        return Ok(row(Some(measured), Standing::Worse));
    }
    if !measured.is_better() {
        let is_free = candidate.kind == CandidateKind::Safer && measured.is_harmless();
        let standing = if is_free { Standing::Safer } else { Standing::NoDifference };
        return Ok(row(Some(measured), standing));
    }
    // Of so many candidates one is better by chance now and then; twice it hardly is. And what was chosen because its figures
    // were good is told by figures that had no part in that.
    let again = try_it(bench, candidate)?;
    let is_again =
        again.is_better() && measured.better().any(|metric| again.turn(metric) == Some(Turn::Better));
    let standing = match is_again {
        false => Standing::NotAgain,
        true if candidate.kind == CandidateKind::Choice => Standing::Choice,
        true => Standing::Proposed,
    };
    Ok(row(Some(again), standing))
}

fn try_it(bench: &Bench<'_>, candidate: &Candidate) -> anyhow::Result<Outcome> {
    let (today, other) = sides(bench, candidate)?;
    measure(bench, candidate.measured, today, other)
}

/// What there is today.
fn from(bench: &Bench<'_>, candidate: &Candidate) -> String {
    match candidate.change {
        Change::Server { settings, .. } => {
            let now = |name: &str| bench.settings.get(name).map_or("?", String::as_str).to_owned();
            settings.iter().map(|(name, _)| now(name)).collect::<Vec<_>>().join(", ")
        }
        Change::Client { show, .. } => show(&bench.client),
    }
}

/// Why it cannot be tried here.
fn hindrance(bench: &Bench<'_>, candidate: &Candidate) -> Option<String> {
    let is_given = matches!(bench.on.target, Target::Given(_));
    if is_given && candidate.measured == Measured::ByRestart {
        return Some("it takes restarts, and the server is not ours".into());
    }
    if is_given && candidate.risks_others {
        return Some(
            "it could harm what others have on this server: tried on servers of our own only".into(),
        );
    }
    let has_aof = bench.settings.get("appendonly").is_some_and(|value| value == "yes");
    if !has_aof && candidate.guard == Guard::Durability {
        return Some("the server keeps no AOF".into());
    }
    let Change::Server { settings, is_live } = candidate.change else { return None };
    if let Some((name, _)) = settings.iter().find(|(name, _)| !bench.settings.contains_key(*name)) {
        return Some(format!("this server does not know {name}"));
    }
    (is_given && !is_live).then(|| "it is read at the start only, and the server is not ours to start".into())
}

fn is_so(bench: &Bench<'_>, candidate: &Candidate) -> bool {
    match candidate.change {
        Change::Server { settings, .. } => {
            settings.iter().all(|(name, value)| bench.settings.get(*name).is_some_and(|now| now == value))
        }
        Change::Client { change, .. } => {
            let mut client = bench.client.clone();
            change(&mut client);
            client == bench.client
        }
    }
}

/// Both sides of an experiment.
fn sides(bench: &Bench<'_>, candidate: &Candidate) -> anyhow::Result<(Variant, Variant)> {
    let (mut client, mut changed) = (bench.client.clone(), SettingsOverlay::live(candidate.both));
    match candidate.change {
        Change::Server { settings, is_live } => {
            let SettingsOverlay { live, .. } = SettingsOverlay::live(settings);
            if is_live { changed.live.extend(live) } else { changed.at_start = live }
        }
        Change::Client { change, .. } => change(&mut client),
    }
    let both = SettingsOverlay::live(candidate.both);
    if candidate.measured == Measured::ByRestart {
        // Each is killed and started by itself.
        return apart(bench, &both, &changed, client);
    }
    variants(bench, &both, &changed, client)
}

/// Two sides: today's with these settings, and another with those and this client.
pub(super) fn variants(
    bench: &Bench<'_>,
    today: &SettingsOverlay,
    changed: &SettingsOverlay,
    client: Client,
) -> anyhow::Result<(Variant, Variant)> {
    match bench.on.target {
        Target::Given(address) => taking_turns(bench, address, today, changed, client),
        Target::Own(..) if today.at_start.is_empty() && changed.at_start.is_empty() => {
            // Two servers of the same settings differ by some percent, for as long as they run: by where their memory happens
            // to lie. So both sides have the same one, and its settings take turns.
            let server = Variant::own(&bench.on, &SettingsOverlay::default(), bench.client.clone())?;
            let address = server.address().clone();
            let (mut first, second) = taking_turns(bench, &address, today, changed, client)?;
            first.keep(server);
            Ok((first, second))
        }
        Target::Own(..) => apart(bench, today, changed, client),
    }
}

/// Two sides on a server of our own each.
fn apart(
    bench: &Bench<'_>,
    today: &SettingsOverlay,
    changed: &SettingsOverlay,
    client: Client,
) -> anyhow::Result<(Variant, Variant)> {
    Ok((Variant::own(&bench.on, today, bench.client.clone())?, Variant::own(&bench.on, changed, client)?))
}

/// Two sides on one server.
fn taking_turns(
    bench: &Bench<'_>,
    address: &Address,
    today: &SettingsOverlay,
    changed: &SettingsOverlay,
    client: Client,
) -> anyhow::Result<(Variant, Variant)> {
    // Whatever one side sets, the other sets back.
    let names = changed.live.iter().chain(&today.live).map(|(name, _)| name);
    let now: Settings =
        names.filter_map(|name| Some((name.clone(), bench.settings.get(name)?.clone()))).collect();
    let with = |over: &SettingsOverlay| {
        let mut settings = now.clone();
        settings.extend(over.live.iter().cloned());
        settings
    };
    let variant = |over, client| Variant::given(address, bench.on.name, with(over), client);
    let (today, changed) = (variant(today, bench.client.clone()), variant(changed, client));
    // What the server refuses is told before anything is measured, and nothing of it stays.
    let held = held(bench, &changed)?;
    changed.settle()?;
    today.settle()?;
    held.map_or(Ok(()), |held| held.put_back())?;
    Ok((today, changed))
}

/// What somebody's server has to have back; our own end.
fn held(bench: &Bench<'_>, variant: &Variant) -> anyhow::Result<Option<SettingsGuard>> {
    if matches!(bench.on.target, Target::Given(_)) { variant.hold(&bench.settings) } else { Ok(None) }
}

/// Legs of both sides, in turn.
pub(super) fn measure(
    bench: &Bench<'_>,
    measured: Measured,
    today: Variant,
    other: Variant,
) -> anyhow::Result<Outcome> {
    measure_by(bench, &bench.plan, measured, today, other)
}

/// The same by another plan.
pub(super) fn measure_by(
    bench: &Bench<'_>,
    plan: &ExperimentPlan,
    measured: Measured,
    today: Variant,
    other: Variant,
) -> anyhow::Result<Outcome> {
    // Between two experiments somebody's server is as it was.
    let held = held(bench, &other)?;
    let outcome = played(bench, plan, measured, today, other);
    held.map_or(Ok(()), |held| held.put_back())?;
    outcome
}

fn played(
    bench: &Bench<'_>,
    plan: &ExperimentPlan,
    measured: Measured,
    mut today: Variant,
    mut other: Variant,
) -> anyhow::Result<Outcome> {
    let mut plan = plan.clone();
    if matches!(measured, Measured::ByRestart | Measured::By(Work::Operations)) {
        plan.looks.retain(|rounds| *rounds <= SLOW_ROUNDS_MAX);
    }
    match measured {
        Measured::By(work) => {
            // Until it is over.
            #[cfg(target_os = "linux")]
            let _apart = variant::apart(&[&today, &other]);
            experiment::run(&plan, |side| match side {
                Side::Today => today.run_trial(&bench.course, work),
                Side::Candidate => other.run_trial(&bench.course, work),
            })
        }
        Measured::ByRestart => {
            today.fill(&bench.course)?;
            other.fill(&bench.course)?;
            experiment::run(&plan, |side| match side {
                Side::Today => today.restart(),
                Side::Candidate => other.restart(),
            })
        }
    }
}

/// Settings of somebody's server that what is promised hangs on.
fn is_guarded_by(name: &str) -> bool {
    [
        "append",
        "no-appendfsync",
        "auto-aof",
        "aof-",
        "rdbcompression",
        "save",
        "maxmemory-policy",
        "lazyfree",
        "stream-node",
        "active",
    ]
    .iter()
    .any(|first| name.starts_with(first))
        && !["appendfilename", "appenddirname", "aof_rewrite_cpulist", "aof-rewrite-cpulist"].contains(&name)
}

/// Guards what would be proposed; and what is known to harm, so that the guards are seen to catch it.
pub(super) fn guard(bench: &Bench<'_>, rows: &mut [Row]) -> anyhow::Result<()> {
    let is_guarded = |row: &Row| {
        let is_harmful =
            row.candidate.kind == CandidateKind::Harmful && !matches!(row.standing, Standing::Untested(_));
        row.candidate.guard != Guard::None && (row.standing.is_offered() || is_harmful)
    };
    let guarded: Vec<&'static Candidate> =
        rows.iter().filter(|row| is_guarded(row)).map(|row| row.candidate).collect();
    // As the server is that they are for.
    let profile = match bench.on.target {
        Target::Own(..) => bench.on.profile.clone(),
        Target::Given(_) => bench.on.profile.with_settings(
            bench
                .settings
                .iter()
                .filter(|(name, _)| is_guarded_by(name))
                .map(|(name, value)| (name.as_str(), value.as_str())),
        ),
    };
    let on = Subject { profile: &profile, ..bench.on };
    let mut guards = guard::guards(&on, &guarded, &bench.client)?.into_iter();
    for row in rows.iter_mut().filter(|row| is_guarded(row)) {
        row.guard = guards.next().unwrap_or(Guarded::Untested("nothing was tried".into()));
        match &row.guard {
            Guarded::Lost(what) => row.standing = Standing::Rejected(what.clone()),
            // Without its guard nothing is proposed.
            Guarded::Untested(why) if row.standing.is_offered() => {
                row.standing = Standing::Untested(format!("its guard was not tested: {why}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What an experiment was about, and what came of it.
pub type Tried = (Work, Outcome);

/// In which work what is proposed is measured.
pub(super) const WORKS: [Work; 3] = [Work::Append(Cut::Load), Work::Drain, Work::Operations];

/// What is proposed, all of it at once, against today. None where nothing is.
pub(super) fn together(bench: &Bench<'_>, proposal: &Proposal) -> anyhow::Result<Option<Vec<Tried>>> {
    // Of somebody's server only what a running one takes can be tried.
    let is_own = matches!(bench.on.target, Target::Own(..));
    if proposal.is_empty() || (!is_own && !proposal.has_live()) {
        return Ok(None);
    }
    // Who waits to be connected has no part in these works.
    let mut over = proposal.over.clone();
    over.at_start.retain(|(name, _)| name != BACKLOG);
    let sides = || variants(bench, &SettingsOverlay::default(), &over, proposal.client.clone());
    in_every_work(bench, "what is proposed, together", sides).map(Some)
}

/// Two sides against each other in every kind of work.
fn in_every_work(
    bench: &Bench<'_>,
    what: &str,
    sides: impl Fn() -> anyhow::Result<(Variant, Variant)>,
) -> anyhow::Result<Vec<Tried>> {
    bench.on.progress.begin(what, WORKS.len() as u64);
    let mut outcomes = Vec::new();
    for work in WORKS {
        let (today, other) = sides()?;
        outcomes.push((work, measure(bench, Measured::By(work), today, other)?));
        bench.on.progress.at(outcomes.len() as u64);
    }
    Ok(outcomes)
}

/// A server as Debian ships it, but that it keeps an AOF and fsyncs each write.
const STOCK: [(&str, &str); 3] =
    [("save", "3600 1 300 100 60 10000"), ("appendonly", "yes"), ("appendfsync", "always")];

/// The profile with what is proposed against a server as it comes, both under `always`.
pub(super) fn against_stock(bench: &Bench<'_>, proposal: &Proposal) -> anyhow::Result<Vec<Tried>> {
    let mut over = proposal.over.clone();
    over.live.retain(|(name, _)| name != "appendfsync");
    over.live.push(("appendfsync".into(), "always".into()));
    in_every_work(bench, "against a server as it comes, both under always", || {
        let stock = Variant::bare(&bench.on, &STOCK, bench.client.clone())?;
        Ok((stock, Variant::own(&bench.on, &over, proposal.client.clone())?))
    })
}
