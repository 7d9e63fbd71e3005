//! The proof in short, and what its judges say of made-up results.

use std::time::Duration;

use super::seen::Recovery;
use super::sentinel::OldMaster;
use super::*;
use crate::claim::{Control, ControlOutcome, Judgement, Verdict};
use crate::findings::Findings;
use crate::on_own_server;
use forebay_watch::profile::Profile;

#[test]
fn every_fault_of_a_cluster_is_survived_and_every_control_is_refuted() {
    let claims = on_own_server(&Profile::load("bluesky-8h").unwrap(), |on| {
        let on = Subject { scale: Scale::Smallest, ..on };
        FailoverRun { on, rounds: Some(1), only: &[] }.run().unwrap()
    });
    assert_eq!(claims.len(), 7);
    for claim in claims {
        assert!(claim.control().is_some_and(Control::is_refuted), "{claim:?}");
        // A machine that is too busy to time anything says so.
        let is_busy = claim.id == judge::RECOVERY && claim.why.contains("too busy");
        assert!(claim.verdict() == Verdict::Proven || is_busy, "{claim:?}");
    }
}

const FAULTS: [Fault; 2] = [Fault::Killed, Fault::CutOff];

/// Rounds in which both faults acted, and nothing is wrong.
fn sound() -> Seen {
    let findings = Findings { offered: 9, acknowledged: 9, read: 9, ..Findings::default() };
    let handed = follower::Handed { findings, ..follower::Handed::default() };
    Seen { handed: handed.clone(), stored: handed, acted: FAULTS.into(), ..Seen::default() }
}

#[test]
fn what_is_acknowledged_must_be_in_the_buffer_and_handed_out() {
    let judged = |change: fn(&mut Seen)| {
        let mut seen = sound();
        change(&mut seen);
        [REPLICA, TAIL]
            .map(|guarantee| judge::kept(&guarantee, &FAULTS, &[sound(), seen.clone()]).judgement())
    };
    assert_eq!(judged(|_| {}), [Judgement::Holds; 2]);
    for change in [
        |seen: &mut Seen| seen.stored.findings.lost_tail = 1,
        |seen: &mut Seen| seen.handed.findings.lost_whole = 1,
        |seen: &mut Seen| seen.stored.findings.unexpected = 1,
        |seen: &mut Seen| seen.failed = Some("the writer has ended".into()),
    ] {
        assert_eq!(judged(change), [Judgement::Refuted; 2]);
    }
}

#[test]
fn an_event_comes_once_and_in_order() {
    let judged = |change: fn(&mut Seen)| {
        let mut seen = sound();
        change(&mut seen);
        judge::once(&FAULTS, &[sound(), seen]).judgement()
    };
    assert_eq!(judged(|_| {}), Judgement::Holds);
    for change in [
        |seen: &mut Seen| seen.handed.findings.repeats = 1,
        |seen: &mut Seen| seen.handed.findings.out_of_order = 1,
        |seen: &mut Seen| seen.stored.findings.repeats = 1,
        |seen: &mut Seen| seen.stored.findings.out_of_order = 1,
        |seen: &mut Seen| seen.handed.others = 1,
    ] {
        assert_eq!(judged(change), Judgement::Refuted);
    }
}

#[test]
fn a_fault_that_did_nothing_shows_nothing_unless_something_is_wrong() {
    let mut seen = sound();
    seen.acted = vec![Fault::CutOff];
    let judged = judge::kept(&TAIL, &FAULTS, std::slice::from_ref(&seen));
    assert_eq!((judged.judgement(), &*judged.why), (Judgement::Untested, "killed did not act in any round"));
    // What acted in one of several did act.
    assert!(judge::kept(&TAIL, &FAULTS, &[seen.clone(), sound()]).holds());
    seen.stored.findings.lost_middle = 1;
    assert_eq!(judge::kept(&TAIL, &FAULTS, &[seen]).judgement(), Judgement::Refuted);
    assert_eq!(judge::kept(&TAIL, &FAULTS, &[]).judgement(), Judgement::Untested);
}

#[test]
fn the_older_of_two_writers_is_acknowledged_nothing_more() {
    let judged = |change: fn(&mut TwoWriters)| {
        let mut seen = TwoWriters { was_lost: true, ..TwoWriters::default() };
        change(&mut seen);
        judge::newer_wins(&[seen]).judgement()
    };
    assert_eq!(judged(|_| {}), Judgement::Holds);
    for change in [
        |seen: &mut TwoWriters| seen.forked = 1,
        |seen: &mut TwoWriters| seen.renumbered = 1,
        |seen: &mut TwoWriters| seen.findings.lost_tail = 1,
        |seen: &mut TwoWriters| seen.findings.repeats = 1,
        |seen: &mut TwoWriters| seen.failed = Some("it was not fenced".into()),
    ] {
        assert_eq!(judged(change), Judgement::Refuted);
    }
    assert_eq!(judged(|seen| seen.was_lost = false), Judgement::Untested);
}

fn recoveries(beyond_ms: &[u64], late_ms: u64) -> Vec<Recovery> {
    let one = |beyond: &u64| Recovery {
        fault: Fault::Killed,
        elected: Duration::from_secs(2),
        beyond: Duration::from_millis(*beyond),
        late: Duration::from_millis(late_ms),
    };
    beyond_ms.iter().map(one).collect()
}

#[test]
fn recovery_is_judged_by_its_median_and_not_on_a_machine_that_is_too_busy() {
    let judged = |beyond: &[u64], late| {
        let judged = judge::recovery(&recoveries(beyond, late));
        (judged.judgement(), judged.measured())
    };
    assert_eq!(judged(&[100, 9_000, 200], 0), (Judgement::Holds, Some(0.2)));
    assert_eq!(judged(&[100, 1_200, 1_300], 0), (Judgement::Refuted, Some(1.2)));
    assert_eq!(judged(&[100, 1_200, 1_300], 101), (Judgement::Untested, None));
    assert_eq!(judged(&[], 0), (Judgement::Untested, None));
    // What was timed on an idle machine counts.
    let some = [recoveries(&[1_500], 0), recoveries(&[100], 500)].concat();
    assert_eq!(judge::recovery(&some).judgement(), Judgement::Refuted);
}

#[test]
fn streams_must_lie_evenly_over_any_number_of_masters() {
    let ninths: Vec<(u16, u64)> = (0..9).map(|ninth| (ninth * 1_820 + 900, 10)).collect();
    assert!(judge::evenly(&ninths).holds());
    // Even over three masters, and not over nine.
    let thirds: Vec<(u16, u64)> = (0..3).map(|third| (third * 5_461 + 900, 10)).collect();
    assert_eq!(judge::evenly(&thirds).judgement(), Judgement::Refuted);
    assert_eq!(judge::evenly(&[(7, 0)]).judgement(), Judgement::Untested);
    assert!(
        (spread::fullest(&ninths, 3) - 1.0).abs() < 1e-9 && (spread::fullest(&thirds, 9) - 3.0).abs() < 1e-9
    );
}

#[test]
fn an_old_master_may_refuse_writes_and_not_lose_them() {
    let judged =
        |sent, taken, lost| judge::old_master(&[OldMaster { sent, taken, lost, ..OldMaster::default() }]);
    assert!(judged(9, 0, 0).holds());
    assert_eq!(judged(9, 1, 1).judgement(), Judgement::Refuted);
    assert_eq!(judged(0, 0, 0).judgement(), Judgement::Untested);
}

/// The claims of sound rounds, beside a control.
fn beside(control: Came) -> Vec<Claim> {
    let rounds = |guarantee| (Job::Rounds(guarantee, 0, 1), Came::Rounds(Box::new(sound())));
    claims::of(&[Fault::CutOff], &[rounds(REPLICA), rounds(TAIL), (Job::Control, control)])
}

#[test]
fn a_control_counts_when_it_loses_what_one_node_alone_had_and_hands_out_twice() {
    let outcome = |change: fn(&mut Seen)| {
        let mut seen = sound();
        (seen.alone, seen.stored.findings.lost_middle, seen.handed.findings.repeats) = (5, 5, 2);
        change(&mut seen);
        let claims = beside(Came::Rounds(Box::new(seen)));
        [judge::id(&REPLICA), judge::id(&TAIL), judge::ONCE.into()].map(|id| {
            let claim = claims.iter().find(|claim| claim.id == id).unwrap();
            claim.control().unwrap().outcome() == ControlOutcome::Refuted
        })
    };
    assert_eq!(outcome(|_| {}), [true; 3]);
    // Something else than the cut has cost events.
    assert_eq!(outcome(|seen| seen.alone = 4), [false, false, true]);
    assert_eq!(outcome(|seen| seen.handed.findings.repeats = 0), [true, true, false]);
    assert_eq!(outcome(|seen| seen.failed = Some("it ended".into())), [false; 3]);
}

#[test]
fn without_servers_nothing_is_claimed() {
    for claim in beside(Came::NotTried("no cluster".into())) {
        assert_eq!(claim.verdict(), Verdict::Untested, "{claim:?}");
        assert_eq!(claim.control().unwrap().outcome(), ControlOutcome::NotRun, "{claim:?}");
    }
    let all =
        [REPLICA, TAIL].map(|guarantee| (Job::Rounds(guarantee, 0, 1), Came::NotTried("no cluster".into())));
    assert!(claims::of(&FAULTS, &all).iter().all(|claim| claim.why == "no cluster"));
}

#[test]
fn faults_are_said_in_one_sentence() {
    assert_eq!(
        Fault::words_of(&Fault::ALL),
        "a master is killed, stops and continues, hands over or is cut off from its replica and killed, or slots move key by \
         key or in one piece"
    );
    assert_eq!(Fault::words_of(&[Fault::Moved]), "slots move key by key");
    assert_eq!(Fault::words_of(&FAULTS[..1]), "a master is killed");
}
