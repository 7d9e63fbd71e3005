//! What the judge says of files that were broken on purpose, and of rounds in which nothing happened.

use forebay_pipe::drain::place::Target;

use super::*;
use crate::claim::Judgement;
use crate::findings::Findings;

fn never(_: &Round<'_>) -> anyhow::Result<Seen> {
    anyhow::bail!("nobody plays it")
}

static SCENARIO: Scenario = Scenario {
    id: "none",
    what: "nothing goes wrong",
    acts: &["it"],
    play: never,
    broken: Broken { what: "nothing", does: Seen::lost },
};

fn judged(change: impl FnOnce(&mut Seen)) -> Judgement {
    let mut seen =
        Seen { findings: Findings { offered: 9, read: 9, ..Findings::default() }, ..Seen::default() };
    seen.acted.add("it", 1);
    change(&mut seen);
    judge::exactly_once("drain", &SCENARIO, &[seen], None).judgement()
}

#[test]
fn the_judge_refutes_whatever_is_wrong_and_nothing_else() {
    assert_eq!(judged(|_| {}), Judgement::Holds);
    assert_eq!(judged(|seen| seen.findings.lost_middle = 1), Judgement::Refuted);
    assert_eq!(judged(|seen| seen.findings.repeats = 1), Judgement::Refuted);
    assert_eq!(judged(|seen| seen.findings.unexpected = 1), Judgement::Refuted);
    assert_eq!(judged(|seen| seen.findings.out_of_order = 1), Judgement::Refuted);
    assert_eq!(judged(|seen| seen.findings.kept = 1), Judgement::Refuted);
    assert_eq!(judged(|seen| seen.faults = 1), Judgement::Refuted);
    assert_eq!(judged(|seen| seen.torn = 1), Judgement::Refuted);
    assert_eq!(judged(|seen| seen.fail("no server")), Judgement::Refuted);
}

#[test]
fn a_round_in_which_nothing_happened_shows_nothing_unless_something_is_wrong() {
    assert_eq!(judged(|seen| seen.acted = crate::acted::Acted::default()), Judgement::Untested);
    let lossy = judged(|seen| {
        seen.acted = crate::acted::Acted::default();
        seen.findings.lost_tail = 1;
    });
    assert_eq!(lossy, Judgement::Refuted);
    let untried = judge::exactly_once("drain", &SCENARIO, &[], Some("no disk"));
    assert_eq!((untried.judgement(), untried.why.as_str()), (Judgement::Untested, "no disk"));
}

#[test]
fn what_a_destination_that_is_not_there_has_is_nothing() {
    let line = (forebay::event::jetstream::ALL[0], b"{}".to_vec());
    let seen = read_back(&[line], &[], &[Target::Folder("/no/such/folder".into())], Seen::default());
    assert_eq!((seen.lost(), seen.files), (1, 0));
    assert!(seen.faults > 0 && !seen.example.is_empty(), "{seen:?}");
}
