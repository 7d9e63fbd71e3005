//! What is claimed of `durability --url` at greater length: the right verdict every time, however long a kill command takes.

use forebay_proof::claim::Verdict;

use super::external_server::{Theirs, claim, report};

/// Runs of each.
const RUNS: u32 = 20;

#[test]
#[ignore = "nightly"]
fn nightly_a_kill_command_of_any_length_gets_the_right_verdict_every_time() {
    for (seconds, cuts) in [(0.0, false), (0.3, false), (1.0, false), (3.0, false), (0.3, true), (1.0, true)]
    {
        let (mut right, mut excused) = (0, 0);
        for _ in 0..RUNS {
            let theirs = Theirs::start(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
            let kill = if cuts { theirs.kill_and_cut(seconds) } else { theirs.kill_after(seconds) };
            let ran = theirs.durability(&kill, &theirs.start_again());
            let report = report(&ran);
            let kill = claim(&report, "durability.kill.everysec");
            let (verdict, code) = if cuts { (Verdict::Refuted, 1) } else { (Verdict::Proven, 0) };
            assert_eq!((kill.verdict(), ran.code), (verdict, code), "after {seconds} s: {kill:?}");
            excused += u32::from(kill.why.contains("excused"));
            right += 1;
        }
        println!(
            "nightly durability --url: kill after {seconds} s{}: {right} of {RUNS} right, {excused} with events excused",
            if cuts { ", log cut" } else { "" }
        );
    }
}
