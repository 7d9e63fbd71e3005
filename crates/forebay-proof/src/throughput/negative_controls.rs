//! The controls: the same runs on a server that is held below the rate, and on one that is paused while somebody
//! changes what is in it. Judged by the same claims, which must refute them.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, unbounded};

use super::combined_load::{CONNECTIONS, CombinedPlan, CombinedResult, hold};
use super::judge;
use super::log::Log;
use crate::Subject;
use crate::claim::{Claim, Control, Judged};
use crate::progress::Silent;
use crate::sabotage::{Ticks, busy, busy_rate, crossable, keep_busy, next_second, overwrite};
use crate::target::start;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::event::jetstream;
use forebay_rig::load::pattern::Pattern;
use forebay_rig::server::Server;
use forebay_watch::profile::Profile;

/// How long a control runs, in seconds.
const SECONDS: u64 = 6;

/// How long what is owed at its end is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// Runs every control and puts it beside its claims.
pub fn attach(on: &Subject<'_>, stop: &AtomicBool, claims: Vec<Judged>) -> anyhow::Result<Vec<Claim>> {
    let mut profile = on.profile.clone();
    profile.load = crossable(&on.profile.load);
    profile.load.duration = Duration::from_secs(SECONDS);
    // So that the scripts hold the server below the rate, whatever that is.
    profile.load.rate = profile.load.rate.max(busy_rate(CONNECTIONS) * 2.0);
    on.progress.begin("controls", 0);
    // Each on a server of its own, side by side: what each does to its server refutes its claims whatever the machine does.
    let (slow, paused) = std::thread::scope(|scope| {
        let slow = scope.spawn(|| held_below(on, stop, &profile));
        let paused = paused(on, stop, &profile);
        // Proof: it has nothing that panics; if it does, so may we.
        (slow.join().expect("a thread with a control"), paused)
    });
    Ok(weighed(claims, &slow?, &paused?))
}

/// Each claim with its control, of what was judged of a server held below the rate, and of one that was paused.
fn weighed(claims: Vec<Judged>, slow: &[Judged], paused: &[Judged]) -> Vec<Claim> {
    let below = busy(CONNECTIONS);
    let stands = "a server that stands still for the last second (SIGSTOP)";
    let changed = "values overwritten behind the run's back";
    let foreign = "an entry of somebody else's in a lane";
    let with = |claim: Judged| {
        // One pattern stands for all: they are judged alike.
        let id =
            if claim.id.starts_with("throughput.rate.") { "throughput.rate.constant" } else { &claim.id };
        let control = |what: &str, judged: &[Judged]| Control::of(what, judged, id);
        let control = match claim.id.as_str() {
            "throughput.stable" | "throughput.fading" => control(stands, paused),
            "throughput.answers" => control(changed, paused),
            "throughput.identical" => control(foreign, paused),
            _ => control(&below, slow),
        };
        claim.with(control)
    };
    claims.into_iter().map(with).collect()
}

/// A run in which `harm` has its way with the server meanwhile.
fn harmed(
    on: &Subject<'_>,
    stop: &AtomicBool,
    profile: &Profile,
    harm: impl FnOnce(&Server, &Address, &Name, &Receiver<u64>, &AtomicBool) -> anyhow::Result<()> + Send,
) -> anyhow::Result<Vec<Judged>> {
    let name: Name = "control".parse()?;
    let (server, address) = start(on.binary, profile, &[])?;
    let (to, ticks) = unbounded();
    let listener = Ticks { to, listener: &Silent };
    let is_over = AtomicBool::new(false);
    let held: anyhow::Result<CombinedResult> = std::thread::scope(|scope| {
        let harming = scope.spawn(|| harm(&server, &address, &name, &ticks, &is_over));
        let plan = CombinedPlan {
            address: &address,
            name: &name,
            profile,
            pattern: &Pattern::Constant,
            duration: profile.load.duration,
            grace: GRACE,
            seed: on.seed,
            progress: &listener,
        };
        let held = hold(&plan, &Log::none(), stop);
        is_over.store(true, Relaxed);
        // Proof: it has nothing that panics; if it does, so may we.
        harming.join().expect("a thread that harms")?;
        held
    });
    Ok(judge::claims(&[held?], profile))
}

/// Somebody else's scripts leave no more than a part of the rate.
fn held_below(on: &Subject<'_>, stop: &AtomicBool, profile: &Profile) -> anyhow::Result<Vec<Judged>> {
    harmed(on, stop, profile, |_, address, _, ticks, is_over| {
        // From the first second on: before it the connections come about.
        next_second(ticks, is_over);
        keep_busy(address, is_over, &bounded(1).0)
    })
}

/// Values and a lane are tampered with, and the last second is stood still through.
fn paused(on: &Subject<'_>, stop: &AtomicBool, profile: &Profile) -> anyhow::Result<Vec<Judged>> {
    harmed(on, stop, profile, |server, address, name, ticks, is_over| {
        while let Some(second) = next_second(ticks, is_over) {
            if second == 2 {
                tamper(address, name)?;
            }
            if second == SECONDS - 1 {
                server.pause()?;
            }
            if second >= SECONDS {
                break;
            }
        }
        // Also where the run ended early.
        server.resume()?;
        Ok(())
    })
}

fn tamper(address: &Address, name: &Name) -> anyhow::Result<()> {
    overwrite(address, name, CONNECTIONS)?;
    let mut foreign = redis::cmd("XADD");
    foreign.arg(name.stream(jetstream::LIKES)).arg("*").arg("f").arg("foreign");
    foreign.exec(&mut address.dial()?)?;
    Ok(())
}

#[cfg(test)]
mod tests;
