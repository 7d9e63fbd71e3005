//! The controls: the same runs on a server that is held below the rate, and on one that is paused while somebody
//! changes what is in it. Judged by the same claims, which must refute them.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use redis::{Connection, Script};

use super::log::Log;
use super::together::{CONNECTIONS, Held, Plan, hold};
use super::{Run, judge};
use crate::buffer::connect::Address;
use crate::buffer::keys::Name;
use crate::event::lane::Lane;
use crate::load::arrivals::Pattern;
use crate::profile::Profile;
use crate::proof::claim::{Claim, Control, Verdict};
use crate::proof::progress::Progress;
use crate::proof::target::Target;
use crate::report::units::figure;
use crate::server::Server;

/// How long a control runs, in seconds.
const SECONDS: u64 = 6;

/// How long what is owed at its end is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// Each of somebody else's scripts takes at least this: so the server turns to each connection once in this time.
const SCRIPT: Duration = Duration::from_millis(120);

/// A script that does nothing for a while.
const IDLE: &str = "local n = 0 for i = 1, tonumber(ARGV[1]) do n = n + i % 7 end return n";

/// Runs every control and puts it beside its claims.
pub fn attach(run: &Run<'_>, claims: &mut [Claim]) -> anyhow::Result<()> {
    let mut profile = run.profile.clone();
    profile.load.duration = Duration::from_secs(SECONDS);
    // So that the scripts hold the server below the rate, whatever that is.
    profile.load.rate = profile.load.rate.max(CONNECTIONS as f64 / SCRIPT.as_secs_f64() * 2.0);
    let slow = held_below(run, &profile)?;
    let paused = paused(run, &profile)?;
    let below = format!(
        "a server busy with somebody else's scripts of {} ms: at most {:.0} answers/s",
        SCRIPT.as_millis(),
        CONNECTIONS as f64 / SCRIPT.as_secs_f64()
    );
    let stands = "a server that stands still for the last second (SIGSTOP)";
    let changed = "values overwritten behind the run's back";
    let foreign = "an entry of somebody else's in a lane";
    for claim in claims {
        let control = |what: &str, judged: &[Claim]| {
            // One pattern stands for all: they are judged alike.
            let id =
                if claim.id.starts_with("throughput.rate.") { "throughput.rate.constant" } else { &claim.id };
            let judged = judged.iter().find(|judged| judged.id == id);
            let caught = judged.is_some_and(|judged| judged.verdict == Verdict::Refuted);
            let measured = judged.map_or("no such claim".into(), |judged| {
                let measured =
                    judged.measured.map_or("no figure".into(), |measured| figure(measured, judged.unit));
                format!("{measured}: {}", judged.why)
            });
            Control { what: what.into(), caught, measured }
        };
        claim.control = Some(match claim.id.as_str() {
            "throughput.stable" | "throughput.fading" => control(stands, &paused),
            "throughput.answers" => control(changed, &paused),
            "throughput.identical" => control(foreign, &paused),
            _ => control(&below, &slow),
        });
    }
    Ok(())
}

/// Tells another thread of every second.
struct Ticks<'a> {
    to: Sender<u64>,
    listener: &'a dyn Progress,
}

impl Progress for Ticks<'_> {
    fn begin(&self, _: &str, total: u64) {
        self.listener.begin("control", total);
    }

    fn at(&self, done: u64) {
        self.listener.at(done);
        // Nobody listens any more: then there is nothing left to do.
        let _ = self.to.send(done);
    }
}

/// A run in which `harm` has its way with the server meanwhile.
fn harmed(
    run: &Run<'_>,
    profile: &Profile,
    harm: impl FnOnce(&Server, &Address, &Name, &Receiver<u64>, &AtomicBool) -> anyhow::Result<()> + Send,
) -> anyhow::Result<Vec<Claim>> {
    let name: Name = "control".parse()?;
    let Target::Own(server, address) = Target::own(run.binary, profile)? else {
        unreachable!("own is our own")
    };
    let (to, ticks) = unbounded();
    let listener = Ticks { to, listener: run.progress };
    let is_over = AtomicBool::new(false);
    let held: anyhow::Result<Held> = std::thread::scope(|scope| {
        let harming = scope.spawn(|| harm(&server, &address, &name, &ticks, &is_over));
        let plan = Plan {
            address: &address,
            name: &name,
            profile,
            pattern: &Pattern::Constant,
            duration: profile.load.duration,
            grace: GRACE,
            seed: run.seed,
            progress: &listener,
        };
        let held = hold(&plan, &Log::none(), run.stop);
        is_over.store(true, Relaxed);
        // Proof: it has nothing that panics; if it does, so may we.
        harming.join().expect("a thread that harms")?;
        held
    });
    Ok(judge::claims(&[held?], profile))
}

/// Somebody else's scripts leave no more than a part of the rate.
fn held_below(run: &Run<'_>, profile: &Profile) -> anyhow::Result<Vec<Claim>> {
    harmed(run, profile, |_, address, _, ticks, is_over| {
        let mut connection = address.dial()?;
        let script = Script::new(IDLE);
        let mut rounds = 100_000_u64;
        let mut busy = |rounds: u64| -> anyhow::Result<Duration> {
            let started = Instant::now();
            script.arg(rounds).invoke::<i64>(&mut connection)?;
            Ok(started.elapsed())
        };
        // From the first second on: before it the connections come about.
        next(ticks, is_over);
        while !is_over.load(Relaxed) && !crate::server::ending() {
            if busy(rounds)? < SCRIPT {
                rounds = rounds.saturating_mul(2).min(1 << 40);
            }
        }
        Ok(())
    })
}

/// Values and a lane are tampered with, and the last second is stood still through.
fn paused(run: &Run<'_>, profile: &Profile) -> anyhow::Result<Vec<Claim>> {
    harmed(run, profile, |server, address, name, ticks, is_over| {
        while let Some(second) = next(ticks, is_over) {
            if second == 2 {
                tamper(&mut address.dial()?, name)?;
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

/// The next second that ends; none once the run is over.
fn next(ticks: &Receiver<u64>, is_over: &AtomicBool) -> Option<u64> {
    while !is_over.load(Relaxed) {
        if let Ok(second) = ticks.recv_timeout(Duration::from_millis(100)) {
            return Some(second);
        }
    }
    None
}

fn tamper(connection: &mut Connection, name: &Name) -> anyhow::Result<()> {
    let mut all = redis::pipe();
    for index in 0..CONNECTIONS {
        all.cmd("SET").arg(name.load_value(index, 0)).arg("changed").arg("XX").ignore();
        all.cmd("SET").arg(name.load_value(index, 1)).arg("changed").arg("XX").ignore();
    }
    all.cmd("XADD").arg(name.stream(Lane::Likes)).arg("*").arg("f").arg("foreign").ignore();
    all.query::<()>(connection)?;
    Ok(())
}
