//! From what was run to claims, each with the control that the same judge was tried on.

use forebay::buffer::writer::Ack;

use super::epoch::TwoWriters;
use super::fault::Fault;
use super::guarantee::{Guarantee, REPLICA, TAIL};
use super::job::{Came, Job};
use super::judge;
use super::seen::{Recovery, Seen};
use super::sentinel::OldMaster;
use super::spread::Streams;
use crate::claim::{Claim, Control, Judged};

/// What is broken in the controls.
const NO_TAIL: &str =
    "a writer with --ack reply that keeps no tail, whose master is cut off from its replica and killed";
const NO_MEMORY: &str =
    "a group whose reader began again shortly before, and does not know what it was handed";
const SAME_ADDRESS: &str = "a client that dials the address again that it knows";
const NO_WAIT: &str =
    "a newer writer that does not wait until a replica has its claim (--ack reply, no tail)";
const PLAIN_KEYS: &str = "the same streams under their plain names";
const NO_MINIMUM: &str = "the same with min-replicas-to-write 0";

/// Jobs with what came of them.
type Played = [(Job, Came)];

/// What was tried; or why it could not be.
type Tried<'a, T> = Result<Vec<T>, &'a str>;

/// Every claim of what was run, under these faults.
pub(super) fn of(faults: &[Fault], played: &Played) -> Vec<Claim> {
    let ran = |is_it: fn(&Job) -> bool| played.iter().any(|(job, _)| is_it(job));
    let mut claims = Vec::new();
    if ran(|job| matches!(job, Job::Rounds(..))) {
        claims.extend(of_rounds(faults, played));
    }
    if ran(|job| matches!(job, Job::TwoWriters(..))) {
        claims.push(of_two_writers(played));
    }
    if ran(|job| matches!(job, Job::Spread)) {
        claims.push(of_spread(played));
    }
    if ran(|job| matches!(job, Job::OldMaster(..))) {
        claims.push(of_old_masters(played));
    }
    claims
}

/// What came of some jobs.
fn came<'a, T>(
    played: &'a Played,
    is_it: impl Fn(&Job) -> bool,
    of: impl Fn(&'a Came) -> Option<T>,
) -> Tried<'a, T> {
    let of_jobs = played.iter().filter(|(job, _)| is_it(job)).map(|(_, came)| came);
    let of_one = |came: &'a Came| match came {
        Came::NotTried(why) => Err(why.as_str()),
        came => Ok(of(came)),
    };
    let all: Vec<Option<T>> = of_jobs.map(of_one).collect::<Result<_, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// What a judge says of what was tried, or of nothing.
fn judged<T>(tried: Tried<'_, T>, judge: impl Fn(&[T]) -> Judged) -> Judged {
    match tried {
        Ok(seen) => judge(&seen),
        Err(why) => judge(&[]).untested(why),
    }
}

/// The same of what was broken, which must be refuted, and show what it is for.
fn control<T>(
    what: &str,
    tried: Tried<'_, T>,
    judge: impl Fn(&[T]) -> Judged,
    shows: impl Fn(&[T]) -> bool,
) -> Control {
    match tried {
        Ok(seen) => {
            let broken = judge(&seen);
            let id = broken.id.clone();
            Control::of(what, &[broken], &id).and(shows(&seen))
        }
        Err(why) => Control::not_run(what, why),
    }
}

/// What is claimed of a writer and a group over all faults.
fn of_rounds(faults: &[Fault], played: &Played) -> Vec<Claim> {
    let seen = |came: &Came| match came {
        Came::Rounds(seen) => Some((**seen).clone()),
        _ => None,
    };
    let under = |guarantee: Guarantee| {
        let is_it = move |job: &Job| matches!(job, Job::Rounds(of, ..) if of.id == guarantee.id);
        came(played, is_it, seen)
    };
    let broken = || came(played, |job| matches!(job, Job::Control), seen);
    let mut claims: Vec<Claim> = [REPLICA, TAIL]
        .into_iter()
        .map(|guarantee| {
            let judge = |faults: &[Fault], seen: &[Seen]| judge::kept(&guarantee, faults, seen);
            let control =
                control(NO_TAIL, broken(), |seen| judge(&[Fault::CutOff], seen), has_lost_what_was_cut);
            judged(under(guarantee), |seen| judge(faults, seen)).with(control)
        })
        .collect();
    if faults.contains(&Fault::CutOff) {
        let all = under(REPLICA).and_then(|seen| Ok([seen, under(TAIL)?].concat()));
        let control =
            control(NO_MEMORY, broken(), |seen| judge::once(&[Fault::CutOff], seen), was_handed_twice);
        claims.push(judged(all, |seen| judge::once(faults, seen)).with(control));
    }
    if faults.iter().any(|fault| fault.is_election()) {
        let times =
            |seen: Vec<Seen>| seen.into_iter().flat_map(|seen| seen.recoveries).collect::<Vec<Recovery>>();
        let control = control(SAME_ADDRESS, broken().map(times), judge::recovery, |_| true);
        claims.push(judged(under(TAIL).map(times), judge::recovery).with(control));
    }
    claims
}

/// Exactly what the node alone had that was killed.
fn has_lost_what_was_cut(seen: &[Seen]) -> bool {
    seen.iter().all(|seen| seen.failed.is_none() && seen.stored.findings.lost() == seen.alone)
}

fn was_handed_twice(seen: &[Seen]) -> bool {
    seen.iter().all(|seen| seen.failed.is_none() && seen.handed.findings.repeats > 0)
}

fn of_two_writers(played: &Played) -> Claim {
    let with = |ack: Ack| {
        let is_it = move |job: &Job| matches!(job, Job::TwoWriters(of, _) if *of == ack);
        came(played, is_it, |came| match came {
            Came::TwoWriters(seen) => Some(seen.clone()),
            _ => None,
        })
    };
    let forks = |seen: &[TwoWriters]| {
        seen.iter().all(|seen| seen.failed.is_none() && seen.forked > 0 && seen.renumbered > 0)
    };
    let control = control(NO_WAIT, with(Ack::Reply), judge::newer_wins, forks);
    judged(with(Ack::Replica), judge::newer_wins).with(control)
}

fn of_spread(played: &Played) -> Claim {
    let of = |streams: fn(&Streams) -> Vec<(u16, u64)>| {
        let all = came(
            played,
            |job| matches!(job, Job::Spread),
            |came| match came {
                Came::Spread(all) => Some(streams(all)),
                _ => None,
            },
        );
        all.map(|all| all.concat())
    };
    let control = control(PLAIN_KEYS, of(|all| all.plain.clone()), judge::evenly, |_| true);
    judged(of(|all| all.spread.clone()), judge::evenly).with(control)
}

fn of_old_masters(played: &Played) -> Claim {
    let with = |replicas_min: u64| {
        let is_it = move |job: &Job| matches!(job, Job::OldMaster(min) if *min == replicas_min);
        came(played, is_it, |came| match came {
            Came::OldMaster(seen) => Some(seen.clone()),
            _ => None,
        })
    };
    let taken = |seen: &[OldMaster]| seen.iter().all(|seen| seen.taken > 0);
    let control = control(NO_MINIMUM, with(0), judge::old_master, taken);
    judged(with(1), judge::old_master).with(control)
}
