//! What is claimed of the durability's judge: each promise is held against its own figure, whatever no configuration permits
//! refutes, and a round in which the fault did nothing shows nothing.

use std::time::Duration;

use super::super::clients::Read;
use super::*;
use crate::claim::Judgement;
use crate::ledger::Findings;
use forebay_rig::server::fault::Acted;

/// What is wrong with a round.
type Change = fn(&mut RoundResult);

fn cell(fault: Fault, appendfsync: Appendfsync) -> Cell {
    Cell { fault, appendfsync, ack: Ack::Reply }
}

fn kill() -> Cell {
    cell(Fault::Kill, Appendfsync::Everysec)
}

/// A round that cost nothing.
pub(in crate::durability) fn sound(cell: Cell) -> RoundResult {
    let fates = EventFates {
        findings: Findings { offered: 1_000, acknowledged: 1_000, read: 1_000, ..Findings::default() },
        ..EventFates::default()
    };
    RoundResult {
        cell,
        held: fates.clone(),
        through: fates,
        back: Some(Duration::from_millis(20)),
        again: Some(Duration::from_millis(30)),
        helped: false,
        before: 1_500,
        acted: Acted::of("servers killed", 1),
        failure: None,
        log: Vec::new(),
    }
}

fn judged(change: impl Fn(&mut RoundResult), cell: Cell) -> Judged {
    let mut seen = sound(cell);
    change(&mut seen);
    kept(cell, guarantee(cell).unwrap(), &[sound(cell), seen])
}

fn verdict(change: impl Fn(&mut RoundResult), cell: Cell) -> Judgement {
    judged(change, cell).judgement()
}

#[test]
fn a_round_that_costs_nothing_holds_and_is_told_with_its_figures() {
    let one = kept(kill(), Guarantee::Nothing, &[sound(kill())]);
    assert_eq!((one.judgement(), one.measured(), one.lost_worst), (Judgement::Holds, Some(0.0), Some(0)));
    assert_eq!(
        one.why,
        "0 of 1,000 lost that nobody had read, 0 of 1,000 lost that a group reads; 1,500 were acknowledged before it; the \
         server was back after 20.0 ms"
    );
    let two = judged(|_| {}, kill());
    assert!(two.why.starts_with("the worst of 2 rounds: "), "{}", two.why);
    assert_eq!(kept(kill(), Guarantee::Nothing, &[]).judgement(), Judgement::Untested);
}

#[test]
fn where_nothing_may_be_lost_one_event_of_either_buffer_refutes() {
    let changes: [Change; 2] =
        [|seen| seen.held.findings.lost_tail = 1, |seen| seen.through.findings.lost_middle = 1];
    for change in changes {
        let claim = judged(change, kill());
        assert_eq!((claim.judgement(), claim.measured()), (Judgement::Refuted, Some(1.0)));
        assert_eq!(claim.lost_worst, Some(1));
    }
    let both =
        judged(|seen| (seen.held.findings.lost_tail, seen.through.findings.lost_tail) = (2, 3), kill());
    assert_eq!((both.measured(), both.lost_worst), (Some(5.0), Some(5)));
}

#[test]
fn what_came_late_is_excused_after_a_kill_under_everysec_and_nowhere_else() {
    let late = |seen: &mut RoundResult| {
        (seen.held.findings.lost_tail, seen.held.late) = (2, 2);
        (seen.through.findings.lost_tail, seen.through.late) = (3, 3);
    };
    let excused = judged(late, kill());
    assert_eq!((excused.judgement(), excused.measured()), (Judgement::Holds, Some(0.0)));
    assert!(excused.why.contains("excused, in the worst round: 5, "), "{}", excused.why);
    assert_eq!(excused.lost_worst, Some(5), "excused, and told");
    assert_eq!(verdict(late, cell(Fault::KillInRewrite, Appendfsync::Everysec)), Judgement::Holds);
    for other in [
        cell(Fault::Kill, Appendfsync::Always),
        cell(Fault::Restart, Appendfsync::Everysec),
        Cell { ack: Ack::Fsync, ..kill() },
    ] {
        assert_eq!(verdict(late, other), Judgement::Refuted, "{}", other.id());
    }
    // One more than that is not.
    let more = |seen: &mut RoundResult| {
        late(seen);
        seen.held.findings.lost_tail += 1;
    };
    assert_eq!(judged(more, kill()).measured(), Some(1.0));
}

#[test]
fn where_the_youngest_may_be_lost_the_oldest_that_was_is_what_counts() {
    let power = cell(Fault::PowerCut, Appendfsync::Everysec);
    let lost_for = |oldest: u64, newest: u64| {
        move |seen: &mut RoundResult| {
            seen.held.findings.lost_tail = 7;
            seen.held.lost_for = Some((Duration::from_millis(oldest), Duration::from_millis(newest)));
            seen.through.lost_for = Some((Duration::from_millis(5), Duration::from_millis(1)));
        }
    };
    let young = judged(lost_for(2_000, 3), power);
    assert_eq!((young.judgement(), young.measured()), (Judgement::Holds, Some(2_000.0)));
    assert!(young.why.contains("7 of 1,000 lost (acknowledged 2,000 to 3.00 ms before)"), "{}", young.why);
    assert_eq!(verdict(lost_for(2_001, 3), power), Judgement::Refuted);
    assert_eq!(judged(|_| {}, power).measured(), Some(0.0));
}

#[test]
fn where_nothing_is_promised_only_what_nobody_is_told_of_refutes() {
    let power = cell(Fault::PowerCut, Appendfsync::No);
    assert_eq!(verdict(|seen| seen.held.findings.lost_tail = 900, power), Judgement::Holds);
    for silent in [(1, 0), (0, 1)] {
        let claim = judged(|seen| (seen.held.silent, seen.through.silent) = silent, power);
        assert_eq!((claim.judgement(), claim.measured()), (Judgement::Refuted, Some(1.0)), "{silent:?}");
    }
}

/// Each with a part of what is said of it.
#[test]
fn what_no_configuration_permits_refutes_whatever_is_promised() {
    let told = |read: &mut Read| read.faults.push("at some place".into());
    let wrongs: [(Change, &str); 10] = [
        (|seen| seen.held.findings.unexpected = 2, "2 read that were never offered"),
        (|seen| seen.through.findings.unexpected = 2, "2 read that were never offered"),
        (|seen| seen.held.findings.repeats = 2, "2 stored twice"),
        (|seen| seen.held.silent = 2, "2 lost at places that no reader was told of"),
        (|seen| seen.through.silent = 2, "2 lost at places that no reader was told of"),
        (|seen| seen.held.findings.out_of_order = 2, "2 out of their lane's order"),
        (|seen| seen.through.findings.out_of_order = 2, "2 out of their lane's order"),
        (|seen| seen.held.read.back.push("went back".into()), "1 fault told by a reader"),
        (|seen| seen.failure = Some("it fell over".into()), "a client ended: it fell over"),
        (|seen| seen.again = None, "nothing was acknowledged any more after it"),
    ];
    for cell in [kill(), cell(Fault::PowerCut, Appendfsync::Everysec), cell(Fault::PowerCut, Appendfsync::No)]
    {
        for (change, says) in wrongs {
            let claim = judged(change, cell);
            assert_eq!(claim.judgement(), Judgement::Refuted, "{}: {says}", cell.id());
            assert!(claim.why.contains(says), "{}: {}", cell.id(), claim.why);
        }
        let both =
            judged(|seen| [&mut seen.held.read, &mut seen.through.read].into_iter().for_each(told), cell);
        assert!(both.why.contains("2 faults told by readers"), "{}", both.why);
        assert_eq!(both.evidence.len(), 2, "each is evidence");
    }
    // Given to the group again, after a kill, is no fault.
    let again = judged(|seen| seen.through.findings.repeats = 4, kill());
    assert!(again.judgement() == Judgement::Holds && again.why.contains("4 given to the group again"));
    let helped = judged(|seen| seen.helped = true, kill());
    assert!(helped.why.contains("only once it was restarted"), "{}", helped.why);
}

#[test]
fn a_lane_that_goes_back_for_a_group_is_a_fault_where_the_server_may_lose_nothing() {
    let back = |seen: &mut RoundResult| seen.through.read.back.push("went back".into());
    assert_eq!(verdict(back, kill()), Judgement::Refuted);
    let young = cell(Fault::PowerCut, Appendfsync::Everysec);
    assert_eq!(verdict(back, young), Judgement::Holds);
    // Whatever the writer waits for: the group was given what was only answered.
    assert_eq!(verdict(back, Cell { ack: Ack::Fsync, ..young }), Judgement::Holds);
    // What was excused may have been given to the group before.
    let late = |seen: &mut RoundResult| {
        back(seen);
        (seen.held.findings.lost_tail, seen.held.late) = (1, 1);
    };
    assert_eq!(verdict(late, kill()), Judgement::Holds);
}

#[test]
fn what_was_acknowledged_after_the_server_was_back_is_owed_where_less_is_promised_too() {
    let after = |seen: &mut RoundResult| seen.through.after = 3;
    let power = cell(Fault::PowerCut, Appendfsync::Everysec);
    let claim = judged(after, power);
    assert!(
        claim.judgement() == Judgement::Refuted && claim.why.contains("3 lost that were acknowledged after")
    );
    let both = judged(|seen| (seen.held.after, seen.through.after) = (2, 3), power);
    assert!(both.why.contains("5 lost that were acknowledged after"), "{}", both.why);
    // Where none may be lost, it is among the lost already.
    assert_eq!(verdict(after, kill()), Judgement::Holds);
}

#[test]
fn a_round_in_which_the_fault_did_nothing_shows_nothing() {
    let idle = |seen: &mut RoundResult| seen.acted = Acted::of("servers killed", 0);
    let claim = judged(idle, kill());
    assert_eq!(claim.judgement(), Judgement::Untested);
    assert!(claim.why.contains("did not act: no servers killed"), "{}", claim.why);
    let lost = |seen: &mut RoundResult| {
        idle(seen);
        seen.held.findings.lost_tail = 1;
    };
    assert_eq!(verdict(lost, kill()), Judgement::Refuted, "lost all the same");
}

#[test]
fn what_was_not_played_is_untested_and_what_did_not_end_refuted() {
    let of = |why: NotRun| played(kill(), Guarantee::Nothing, &Err(why));
    let absent = of(NotRun::Absent("no FUSE here".into()));
    assert!(absent.judgement() == Judgement::Untested && absent.why.contains("no FUSE here"));
    let broken = of(NotRun::Broken("it never came back".into()));
    assert!(broken.judgement() == Judgement::Refuted && broken.why.contains("it never came back"));
}

#[test]
fn claims_have_a_step_and_the_words_of_what_is_promised() {
    let of = |cell: Cell| claims(&[(cell, Ok(vec![sound(cell)]))]).remove(0);
    assert_eq!(of(cell(Fault::Restart, Appendfsync::Everysec)).step, RESTART);
    assert_eq!(of(kill()).step, FAULT);
    for (cell, says) in [
        (kill(), "last seen without a pending fsync, or more than 2 s before its end"),
        (cell(Fault::Kill, Appendfsync::Always), "costs no acknowledged event"),
        (cell(Fault::PowerCut, Appendfsync::Everysec), "acknowledged more than 2 s before it"),
        (cell(Fault::PowerCut, Appendfsync::No), "of whose place readers are not told"),
    ] {
        let claim = of(cell);
        assert!(
            claim.statement.contains(says) && claim.statement.starts_with("with "),
            "{}",
            claim.statement
        );
    }
    assert!(!of(cell(Fault::Pause, Appendfsync::Everysec)).statement.starts_with("with "));
    // A kill that cost something under everysec says why it may have.
    let mut late = sound(kill());
    late.held.findings.lost_tail = 1;
    let of_late = |cell: Cell| {
        let seen = RoundResult { cell, held: late.held.clone(), ..sound(cell) };
        claims(&[(cell, Ok(vec![seen]))]).remove(0).why.contains("answers up to 2 s before it writes")
    };
    assert!(of_late(kill()) && !of_late(cell(Fault::Kill, Appendfsync::Always)));
    assert!(!of_late(cell(Fault::Restart, Appendfsync::Everysec)));
    assert!(!of(kill()).why.contains("answers up to 2 s before it writes"));
}
