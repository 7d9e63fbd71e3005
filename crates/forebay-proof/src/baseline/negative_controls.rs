//! The controls: the same measurements on a server that is paused, one that is kept busy by others, one whose values are
//! changed behind the run's back, and one that somebody else sends commands to.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::unbounded;

use super::bench::{Asked, Bench, CONNECTIONS};
use super::cells::cells;
use super::counters::Counters;
use super::{judge, saturation};
use crate::Subject;
use crate::claim::{Claim, Control, Judged, Judgement};
use crate::sabotage::{Ticks, busy, busy_rate, crossable, next_second, overwrite, while_busy};
use crate::target::start;
use forebay_rig::load::outcome::{Outcome, Second};
use forebay_rig::load::payload::Payloads;
use forebay_rig::load::work::{OperationKind, Work};
use forebay_rig::server::Server;
use forebay_watch::profile::Load;

/// The paused run: so many requests a second over so few connections, for so long, paused for so long.
const PAUSED_RATE: f64 = 1_000.0;
const PAUSED_CONNECTIONS: usize = 10;
const PAUSED_RUN: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(500);

/// What such a pause must show as: requests that waited longer than so many milliseconds.
const LATE_MS: f64 = 50.0;
const LATE_MIN: u64 = 450;

/// Of those, a closed loop sees fewer than one in so many: no more than there are connections, and what else this machine
/// held up.
const HARDLY: u64 = 4;

/// How long the other runs take.
const SHORT: Duration = Duration::from_secs(2);

/// How long a run may take to come upon a value that was overwritten: it ends when it has.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);

/// Commands that somebody else sends.
const FOREIGN: u64 = 7;

/// Runs every control and puts it beside its claims.
pub fn attach(on: &Subject<'_>, payloads: &Payloads, claims: Vec<Judged>) -> anyhow::Result<Vec<Claim>> {
    let (server, address) = start(on.binary, on.profile, &[])?;
    let bench = Bench { address: &address, ..Bench::of(on, payloads) };
    let load = crossable(&on.profile.load);
    let paused = paused(&bench, &server, &load)?;
    let busy_claims = kept_busy(&bench, &load)?;
    let changed = changed(&bench)?;
    let counted = foreign(&bench)?;
    Ok(weighed(claims, &paused, [&busy_claims, &changed, &counted]))
}

/// Each claim with its control: a server that was paused; and what was judged of one that others kept busy, of values that
/// were changed, and of commands that somebody else sent.
fn weighed(claims: Vec<Judged>, paused: &Control, judged: [&[Judged]; 3]) -> Vec<Claim> {
    let [busy_claims, changed, counted] = judged;
    let with = |claim: Judged| {
        let id = claim.id.clone();
        claim.with(match id.as_str() {
            "baseline.p95" => paused.clone(),
            "baseline.answers" => Control::of("values overwritten behind the run's back", changed, &id),
            "baseline.counted" => Control::of(format!("{FOREIGN} commands of somebody else's"), counted, &id),
            _ => Control::of(busy(CONNECTIONS), busy_claims, &id),
        })
    };
    claims.into_iter().map(with).collect()
}

/// A pause must show in the latencies from when requests were due, and all but nothing of it in those from when they
/// were sent, which is what a closed loop would have reported.
fn paused(bench: &Bench<'_>, server: &Server, load: &Load) -> anyhow::Result<Control> {
    let (to, ticks) = unbounded();
    let is_over = AtomicBool::new(false);
    let listener = Ticks { to, listener: bench.progress };
    let bench = Bench { progress: &listener, ..*bench };
    let outcome = std::thread::scope(|scope| {
        let pausing = scope.spawn(|| -> anyhow::Result<()> {
            if next_second(&ticks, &is_over).is_some() {
                server.pause()?;
                std::thread::sleep(PAUSE);
            }
            Ok(server.resume()?)
        });
        let mut tick = |second: &Second| listener.tick(second.at as u64);
        let outcome = bench.ask(
            &Asked {
                work: &Work::mix(),
                connections: PAUSED_CONNECTIONS,
                rate: Some(PAUSED_RATE),
                duration: PAUSED_RUN,
            },
            &AtomicBool::new(false),
            &mut tick,
        );
        is_over.store(true, Relaxed);
        // Proof: it has nothing that panics; if it does, so may we.
        pausing.join().expect("a thread that pauses")?;
        outcome
    })?;
    Ok(judged_pause(&outcome, load))
}

/// Refuted by what was due in the pause, of which a closed loop would have seen hardly anything.
fn judged_pause(outcome: &Outcome, load: &Load) -> Control {
    let (due, sent) = (outcome.response(), outcome.service());
    let late = due.above(LATE_MS);
    let seen_by_closed_loop = sent.above(LATE_MS);
    let judged = judge::latency("baseline.p95", 95.0, load.p95_max.as_secs_f64() * 1e3, outcome, load);
    let what =
        format!("a server paused for {} ms (SIGSTOP) at {PAUSED_RATE:.0} requests/s", PAUSE.as_millis());
    let is_refuted =
        judged.judgement() == Judgement::Refuted && late >= LATE_MIN && seen_by_closed_loop * HARDLY <= late;
    Control::when(
        what,
        is_refuted,
        format!(
            "p95 {:.0} ms: {late} of {} requests took over {LATE_MS:.0} ms from when they were due. From when they were \
             sent, as a closed loop measures, {seen_by_closed_loop} did, and p95 was {:.2} ms",
            due.percentile(95.0),
            due.count(),
            sent.percentile(95.0)
        ),
    )
}

/// Rate, latency and saturation of a server that others keep busy.
fn kept_busy(bench: &Bench<'_>, load: &Load) -> anyhow::Result<Vec<Judged>> {
    let mut load = load.clone();
    // So that it is too high for such a server, whatever the profile says.
    load.rate = load.rate.max(busy_rate(CONNECTIONS) * 2.0);
    while_busy(bench.address, || {
        let paced = bench.run(&Work::mix(), CONNECTIONS, Some(load.rate), SHORT)?;
        let cells = cells(bench, SHORT / 2, &[OperationKind::Set], &[1])?;
        let probes = saturation::find(bench, &load, SHORT / 2)?;
        Ok(vec![
            judge::rate(&cells, &load),
            judge::latency("baseline.p50", 50.0, load.p50_max.as_secs_f64() * 1e3, &paced, &load),
            judge::saturation(&probes, &load),
        ])
    })
}

/// Values that are not what was set.
fn changed(bench: &Bench<'_>) -> anyhow::Result<Vec<Judged>> {
    let (overwritten, noticed) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut failed = None;
    let mut each_second = |second: &Second| {
        if !overwritten.swap(true, Relaxed) {
            failed = overwrite(bench.address, bench.name, CONNECTIONS).err();
        }
        noticed.fetch_or(second.failed > 0, Relaxed);
    };
    let plan = Asked {
        work: &Work::only(OperationKind::Get),
        connections: CONNECTIONS,
        rate: None,
        duration: NOTICED_WITHIN,
    };
    let outcome = bench.ask(&plan, &noticed, &mut each_second)?;
    failed.map_or(Ok(vec![judge::answers(&[&outcome])]), Err)
}

/// Commands that are not ours.
fn foreign(bench: &Bench<'_>) -> anyhow::Result<Vec<Judged>> {
    let before = Counters::read(bench.address)?;
    let outcome = bench.run(&Work::mix(), CONNECTIONS, Some(PAUSED_RATE), SHORT / 4)?;
    let mut connection = bench.address.dial()?;
    for _ in 0..FOREIGN {
        redis::cmd("GET").arg(bench.name.load_value(0, 0)).query::<Option<Vec<u8>>>(&mut connection)?;
    }
    let counters = Counters::read(bench.address)?.since(&before);
    let sent: Vec<(OperationKind, u64)> = OperationKind::ALL
        .into_iter()
        .filter(|kind| *kind != OperationKind::Append)
        .map(|kind| (kind, outcome.kinds.get(&kind).map_or(0, |figures| figures.sent)))
        .collect();
    Ok(vec![judge::difference(&counters, &sent)])
}

#[cfg(test)]
mod tests;
