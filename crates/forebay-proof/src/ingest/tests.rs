//! The proof in short, and what its judge says of ledgers that were broken on purpose.

use std::ops::Range;

use super::*;
use crate::acted::Acted;
use crate::claim::{Judgement, Verdict};
use crate::on_own_server;
use forebay_rig::jetstream::IngestLedger;
use forebay_watch::profile::Profile;

fn line(index: u64) -> Vec<u8> {
    format!(r#"{{"did":"d","kind":"identity","identity":{{"seq":{index}}}}}"#).into_bytes()
}

fn seen(handed_out: impl Iterator<Item = u64>, owed: Range<u64>) -> Seen {
    let mut ledger = IngestLedger::new(owed, line).unwrap();
    handed_out.for_each(|index| ledger.read(0, &line(index)));
    let mut seen = Seen { events: 10, ..Seen::default() }.with(&ledger, false);
    seen.acted.add("drop", 1);
    seen
}

fn scenario(id: &str) -> &'static Scenario {
    scenario::ALL.iter().find(|scenario| scenario.id == id).unwrap()
}

fn judged(seen: Seen) -> Judgement {
    judge::nothing_wrong(scenario("drop"), &vec![(Way::V2, vec![seen])]).judgement()
}

#[test]
fn the_judge_refutes_one_event_less_one_twice_and_one_of_nobody() {
    assert_eq!(judged(seen(0..10, 0..10)), Judgement::Holds);
    assert_eq!(judged(seen((0..10).filter(|index| *index != 4), 0..10)), Judgement::Refuted);
    assert_eq!(judged(seen((0..10).chain([4]), 0..10)), Judgement::Refuted);
    assert_eq!(judged(seen(0..11, 0..10)), Judgement::Refuted);
    let ended = Seen { failed: Some("no source".into()), ..seen(0..10, 0..10) };
    assert_eq!(judged(ended), Judgement::Refuted);
}

#[test]
fn a_round_in_which_nothing_happened_shows_nothing_unless_something_is_lost() {
    let idle = Seen { acted: Acted::default(), ..seen(0..10, 0..10) };
    assert_eq!(judged(idle), Judgement::Untested);
    let lossy = Seen { acted: Acted::default(), ..seen(0..9, 0..10) };
    assert_eq!(judged(lossy), Judgement::Refuted);
    // One way that shows nothing is enough.
    let rounds = vec![
        (Way::V1, vec![seen(0..10, 0..10)]),
        (Way::V2, vec![Seen { acted: Acted::default(), ..seen(0..10, 0..10) }]),
    ];
    assert_eq!(judge::nothing_wrong(scenario("drop"), &rounds).judgement(), Judgement::Untested);
}

#[test]
fn order_false_alarms_and_wrong_counts_are_refuted() {
    let late = seen([0, 2, 1].into_iter(), 0..3);
    assert_eq!(judge::order([&late].into_iter()).judgement(), Judgement::Refuted);
    assert_eq!(judge::order([&seen(0..3, 0..3)].into_iter()).judgement(), Judgement::Holds);
    assert_eq!(judge::order([].into_iter()).judgement(), Judgement::Untested);
    assert_eq!(judge::false_alarms(1, 5).judgement(), Judgement::Refuted);
    assert_eq!(judge::false_alarms(0, 5).judgement(), Judgement::Holds);
    let beyond =
        |way, lost, said| judge::beyond_retention(way, &[Missing { lost, said, twice: 0 }]).judgement();
    assert_eq!(beyond(Way::V2, 1_000, 1_000), Judgement::Holds);
    assert_eq!(beyond(Way::V2, 1_000, 999), Judgement::Refuted);
    assert_eq!(beyond(Way::V1, 1_000, 950), Judgement::Holds);
    assert_eq!(beyond(Way::V1, 1_000, 850), Judgement::Refuted);
    assert_eq!(beyond(Way::V1, 0, 0), Judgement::Untested);
}

#[test]
fn every_fault_has_a_name_of_its_own_and_a_control_by_one_of_its_ways() {
    let names: std::collections::BTreeSet<_> = faults().collect();
    assert_eq!(names.len(), scenario::ALL.len() + 1);
    for scenario in scenario::ALL {
        assert!(scenario.ways.contains(&scenario.control.1), "{}", scenario.id);
    }
}

#[test]
fn some_faults_are_survived_and_an_engine_without_what_survives_them_is_refuted() {
    let only = ["no-fault", "cut-over", "reorder", "duplicates", "drop", "host-restart", "beyond-retention"]
        .map(String::from);
    let claims = on_own_server(&Profile::load("bluesky-8h").unwrap(), |on| {
        IngestRun { on, rounds: Some(1), only: &only, size: Some(Size::SMALL) }.run().unwrap()
    });
    assert_eq!(claims.len(), 6 + 2 + 3);
    for claim in claims {
        assert!(claim.control().is_some_and(Control::is_refuted), "{claim:?}");
        assert_eq!(claim.verdict(), Verdict::Proven, "{claim:?}");
    }
}
