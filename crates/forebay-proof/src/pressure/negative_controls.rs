//! The controls: small runs on servers of our own in which something is broken, judged by the same claims.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::environment::PressureEnvironment;
use super::judge;
use super::liveness;
use super::plan::PressurePlan;
use super::policy::{EVICTIONS, Policy};
use super::round::{Pace, PressureRound, Sabotage, SabotageStage};
use super::run_result::PressureResult;
use crate::Subject;
use crate::claim::{Claim, Control, Judged, Judgement};
use crate::parallel::by_side;
use crate::progress::Silent;
use crate::report::units::counted;
use crate::target::set;
use forebay::event::jetstream;

/// Limit of a control's server, at the most.
const LIMIT_MAX: u64 = 24 << 20;

/// Limit that the events of a control do not reach.
const OUT_OF_REACH: u64 = 1 << 30;

/// For how long the server holds writes back once there is room.
const STANDSTILL: Duration = Duration::from_secs(2);

/// When it ends by itself, should nobody end it.
const STANDSTILL_MAX: Duration = Duration::from_secs(60);

/// A policy that evicts lanes.
const EVICTING: &str = "allkeys-lru";

/// Runs every control and puts it beside its claims.
pub(super) fn attach(
    on: &Subject<'_>,
    plan: &PressurePlan,
    seen: &[PressureResult],
    claims: Vec<Judged>,
) -> anyhow::Result<Vec<Claim>> {
    let small = Small { on, plan, limit: plan.limit.min(LIMIT_MAX) };
    let own;
    let evicted = if let Some(seen) = seen.iter().find(|seen| evicts(seen)) {
        seen
    } else {
        own = small.play_under(Policy::Wait, EVICTING, small.limit, true, None)?;
        &own
    };
    let broken: [Broken<'_>; 6] = [
        (Policy::Shed, small.limit, true, Some(&take_a_block)),
        (Policy::TrimOldest, small.limit, true, Some(&take_a_block)),
        (Policy::Spill, small.limit, true, Some(&flip_a_byte)),
        (Policy::Wait, small.limit, true, Some(&stand_still)),
        (Policy::Wait, small.limit, false, Some(&room_and_a_stranger)),
        (Policy::Wait, OUT_OF_REACH, true, None),
    ];
    on.progress.begin("controls", broken.len() as u64);
    let play = |(policy, limit, acks, harm): &Broken<'_>| small.run(*policy, *limit, *acks, *harm);
    let played = by_side(&broken, on.progress, play)?;
    let [taken, trimmed, flipped, still, unread, never] = &played[..] else {
        anyhow::bail!("{} controls were played, and six are told of", played.len());
    };
    let played = Played { seen, evicted, taken, trimmed, flipped, still, unread, never, wrong: plan.wrong };
    Ok(played.weighed(claims, Some(plan)))
}

/// What the controls are judged by: runs in which something is broken.
struct Played<'a> {
    /// The runs of the proof itself.
    seen: &'a [PressureResult],
    evicted: &'a PressureResult,
    taken: &'a PressureResult,
    trimmed: &'a PressureResult,
    flipped: &'a PressureResult,
    still: &'a PressureResult,
    unread: &'a PressureResult,
    never: &'a PressureResult,
    /// Bytes an event in another layout.
    wrong: f64,
}

impl Played<'_> {
    /// Each claim with its control.
    fn weighed(&self, claims: Vec<Judged>, plan: Option<&PressurePlan>) -> Vec<Claim> {
        let with = |claim: Judged| match self.control(&claim, plan) {
            Some(control) => claim.with(control),
            None => claim.without_control(),
        };
        claims.into_iter().map(with).collect()
    }

    fn control(&self, claim: &Judged, plan: Option<&PressurePlan>) -> Option<Control> {
        let Self { seen, evicted, taken, trimmed, flipped, still, unread, never, wrong } = *self;
        let lost = |what: &str, seen: &PressureResult| {
            let policy = seen.policy;
            let judged = judge::kept(Some(seen), &claim.id, policy, "");
            placed(Control::of(what, &[judged], &claim.id), seen)
        };
        Some(match claim.id.as_str() {
            "pressure.limit" => out_of_reach(never, &claim.id),
            "pressure.predicted" => {
                let steady: Vec<&PressureResult> =
                    seen.iter().filter(|seen| seen.eviction == EVICTIONS[0]).collect();
                let judged = judge::predicted(&steady, Some(wrong), plan, "");
                Control::of("a prediction from events kept one an entry", &[judged], &claim.id)
            }
            "pressure.spill" => lost("a byte flipped in the spill folder while the server was full", flipped),
            "pressure.shed" => lost("a block taken out with XDEL behind the writer's back", taken),
            "pressure.trim-oldest" => lost("a block taken out with XDEL behind the writer's back", trimmed),
            "pressure.wait" | "pressure.eviction" => exact(evicted, &claim.id),
            "pressure.volatile" => {
                let judged = judge::judge_all(
                    &[evicted],
                    &claim.id,
                    &claim.statement,
                    (claim.bound, claim.required, claim.unit),
                    "",
                );
                Control::of("the same with a policy that evicts any key, allkeys-lru", &[judged], &claim.id)
            }
            "pressure.resumes" => Control::of(
                format!(
                    "a server that holds writes back for {} s once there is room (CLIENT PAUSE)",
                    STANDSTILL.as_secs()
                ),
                &[liveness::resumes(&[still], "")],
                &claim.id,
            ),
            "pressure.memory" => Control::of(
                "a group that reads and acknowledges nothing, so that nothing is trimmed",
                &[liveness::memory(&[unread], "")],
                &claim.id,
            ),
            "pressure.readers" => stranger(unread, &claim.id),
            _ => return None,
        })
    }
}

/// A policy, a limit, whether the drain acknowledges, and what is done.
type Broken<'a> = (Policy, u64, bool, Option<&'a Sabotage<'a>>);

/// Runs small runs.
struct Small<'a> {
    on: &'a Subject<'a>,
    plan: &'a PressurePlan,
    limit: u64,
}

impl Small<'_> {
    fn run(
        &self,
        policy: Policy,
        limit: u64,
        acks: bool,
        harm: Option<&Sabotage<'_>>,
    ) -> anyhow::Result<PressureResult> {
        self.play_under(policy, EVICTIONS[0], limit, acks, harm)
    }

    fn play_under(
        &self,
        policy: Policy,
        eviction: &str,
        limit: u64,
        acks: bool,
        harm: Option<&Sabotage<'_>>,
    ) -> anyhow::Result<PressureResult> {
        let scene = PressureRound {
            policy,
            eviction,
            limits: self.plan.limits,
            name: self.on.name,
            offer: &self.plan.offer,
            count: enough(self.limit, self.plan.per_event).min(self.plan.events.0),
            pace: short(self.plan.pace),
            acks,
            harm,
            progress: &Silent,
        };
        scene.run(&PressureEnvironment::own(self.on, limit, eviction)?)
    }
}

/// Whether a run of the proof itself is one under a policy that evicts lanes.
fn evicts(seen: &PressureResult) -> bool {
    seen.eviction == EVICTING && seen.policy == Policy::Wait
}

/// Half as many events again as a limit has room for.
fn enough(limit: u64, per_event: f64) -> u64 {
    (limit as f64 / per_event * 1.5) as u64
}

/// Straight to the limit, and a moment beyond it and after.
fn short(pace: Pace) -> Pace {
    let moment = Duration::from_millis(200);
    Pace { before: Duration::ZERO, beyond: moment, after: moment, ..pace }
}

/// A run that evicted keys: refuted, and the loss is exactly what the server no longer holds.
fn exact(seen: &PressureResult, id: &str) -> Control {
    let judged = judge::kept(Some(seen), id, Policy::Wait, "");
    let gone = seen.findings.acknowledged.saturating_sub(seen.findings.read);
    let is_exact = seen.watched.evicted > 0 && seen.findings.lost() == gone && gone > 0;
    let mut control = Control::of("a server that evicts keys (allkeys-lru)", &[judged], id).and(is_exact);
    control.measured =
        format!("{} evicted; {}", counted(seen.watched.evicted, "key", "keys"), control.measured);
    control
}

/// A loss must also be told by its place.
fn placed(control: Control, seen: &PressureResult) -> Control {
    let place = seen.drained.faults.told.first();
    let mut control = control.and(place.is_some() || seen.counts.unreadable > 0);
    if let Some(place) = place {
        control.measured = format!("{}; {place}", control.measured);
    }
    control
}

/// A reader that has had everything has come upon the entry too; one that has not may not have met it.
fn stranger(seen: &PressureResult, id: &str) -> Control {
    let what = "an entry of somebody else's in a lane";
    let (followed, acknowledged) = (&seen.followed, seen.findings.acknowledged);
    let had = followed.events + followed.missing;
    if followed.faults.count == 0 && had < acknowledged {
        return Control::not_run(
            what,
            format!("the reader had {had} of {acknowledged} events when the run was over"),
        );
    }
    Control::of(what, &[liveness::readers(&[seen], "")], id)
}

/// A run that never met its limit must show nothing.
fn out_of_reach(seen: &PressureResult, id: &str) -> Control {
    let judged = judge::kept(Some(seen), id, Policy::Wait, "");
    Control::when(
        "a run whose limit is out of reach: it must show nothing, though nothing is lost",
        judged.judgement() == Judgement::Untested && seen.findings.faults() == 0 && seen.findings.read > 0,
        judged.why,
    )
}

/// Takes a block out of the middle of a lane.
fn take_a_block(stage: &SabotageStage<'_>) -> anyhow::Result<()> {
    let mut connection = stage.environment.address.dial()?;
    let key = stage.name.stream(jetstream::LIKES);
    let entries: Vec<(String, Vec<Vec<u8>>)> =
        redis::cmd("XREVRANGE").arg(&key).arg("+").arg("-").arg("COUNT").arg(100).query(&mut connection)?;
    let (id, _) = entries.last().ok_or_else(|| anyhow::anyhow!("no block to take out"))?;
    let gone: u64 = redis::cmd("XDEL").arg(&key).arg(id).query(&mut connection)?;
    anyhow::ensure!(gone == 1, "XDEL took {gone} blocks");
    Ok(())
}

fn flip_a_byte(stage: &SabotageStage<'_>) -> anyhow::Result<()> {
    flip_a_byte_in(stage.folder)
}

/// Flips a byte in the middle of the largest file of a spill folder.
fn flip_a_byte_in(folder: &Path) -> anyhow::Result<()> {
    let mut files: Vec<(u64, std::path::PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "spill") {
            files.push((entry.metadata()?.len(), entry.path()));
        }
    }
    let (size, path) = files.into_iter().max().ok_or_else(|| anyhow::anyhow!("nothing was spilled"))?;
    let mut bytes = std::fs::read(&path)?;
    bytes[size as usize / 2] ^= 0x10;
    // In place: the writer has the file open.
    let file = std::fs::OpenOptions::new().write(true).open(&path)?;
    file.write_at(&bytes[size as usize / 2..=size as usize / 2], size / 2)?;
    Ok(())
}

/// Makes room on a server that takes no writes for a while all the same: from when the room is known, however late that is.
fn stand_still(stage: &SabotageStage<'_>) -> anyhow::Result<()> {
    let mut connection = stage.environment.address.dial()?;
    let max = STANDSTILL_MAX.as_millis() as u64;
    redis::cmd("CLIENT").arg("PAUSE").arg(max).arg("WRITE").exec(&mut connection)?;
    more_room(stage)?;
    std::thread::sleep(STANDSTILL);
    redis::cmd("CLIENT").arg("UNPAUSE").exec(&mut connection)?;
    Ok(())
}

/// Makes room, and writes an entry that is no block into a lane.
fn room_and_a_stranger(stage: &SabotageStage<'_>) -> anyhow::Result<()> {
    // In one write, which a server works off before it turns to anybody else: blocks follow the entry, so that a reader that
    // reads them all meets it.
    let mut pipe = redis::pipe();
    pipe.cmd("CONFIG").arg("SET").arg("maxmemory").arg(OUT_OF_REACH).ignore();
    pipe.cmd("XADD").arg(stage.name.stream(jetstream::LIKES)).arg("*").arg("somebody").arg("else").ignore();
    pipe.query::<()>(&mut stage.environment.address.dial()?)?;
    freed(stage);
    Ok(())
}

/// Makes room for everything.
fn more_room(stage: &SabotageStage<'_>) -> anyhow::Result<()> {
    set(&mut stage.environment.address.dial()?, "maxmemory", &OUT_OF_REACH.to_string())?;
    freed(stage);
    Ok(())
}

fn freed(stage: &SabotageStage<'_>) {
    stage.live.freed.store(true, Relaxed);
    let _ = stage.live.room.set(Instant::now());
}

#[cfg(test)]
mod tests;
