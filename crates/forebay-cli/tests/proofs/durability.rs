//! What is claimed of the durability proof: every fault befalls the server, what is lost is counted against what is
//! promised, every control is refuted; somebody's server is killed only where that is permitted, by their own commands, is
//! up again afterwards, and holds nothing of ours.

use std::path::Path;

use forebay_proof::claim::{Claim, Control, Evidence, Verdict};
use forebay_proof::report::terminal;
use rustix::process::{Pid, Signal, kill_process};

use crate::cli_support::{profile_with, run, run_at_once};
use crate::external_server::{Theirs, claim, report};
use crate::support::{tell, until};

fn tables(claim: &Claim) -> Vec<&Vec<Vec<String>>> {
    let tables = claim.evidence.iter().filter_map(|evidence| match evidence {
        Evidence::Table { rows, .. } => Some(rows),
        _ => None,
    });
    tables.collect()
}

fn number(cell: &str) -> u64 {
    cell.replace(',', "").parse().unwrap_or_else(|_| panic!("{cell:?} is no count"))
}

#[test]
fn every_fault_is_held_against_its_promise_and_every_control_is_refuted() {
    // One cell for each fault and each of its promises.
    every_control_is_refuted("smallest", (17, 7));
}

#[test]
#[ignore = "nightly"]
fn nightly_every_fault_under_every_way_to_fsync_is_held_against_its_promise() {
    every_control_is_refuted("quick", (24, 13));
}

/// Runs the proof; `cells` are there at the least, with a disk of our own and without.
fn every_control_is_refuted(scale: &str, cells: (usize, usize)) {
    let dir = tempfile::tempdir().unwrap();
    let few = profile_with(dir.path(), &[("2_700_000", "20_000"), ("hours = 8", "hours = 0.05")]);
    let ran = run(&["durability", "--scale", scale, "--json", "--quiet", "--profile", &few]);
    let report = report(&ran);
    for claim in &report.claims {
        if claim.verdict() == Verdict::Untested {
            // The server of the tests may have no WAITAOF; and there may be no FUSE.
            assert!(claim.why.contains("WAITAOF") || claim.why.contains("FUSE"), "{claim:?}");
            continue;
        }
        assert!(claim.control().is_some_and(Control::is_refuted), "{claim:?}");
        // Durations are the machine's; that nothing is lost is not.
        if claim.required == 0.0 {
            assert_eq!(claim.verdict(), Verdict::Proven, "{claim:?}");
        }
    }
    let first = &report.claims[0];
    let [cost, _, times, acted, left_out, ..] = &tables(first)[..] else { panic!("{first:?}") };
    assert!(acted.len() == cost.len() && acted.iter().all(|row| number(&row[2]) > 0), "{acted:?}");
    let has_disk = report.claims.iter().all(|claim| !claim.why.contains("FUSE"));
    assert!(cost.len() >= if has_disk { cells.0 } else { cells.1 }, "{cost:?}");
    assert_eq!(cost.len(), times.len());
    for row in *cost {
        let [fault, fsync, acknowledged, promised, lost, _] = &row[..] else { panic!("{row:?}") };
        assert!(number(acknowledged) > 1_000, "{row:?}: nothing happened to it");
        assert!(promised != "0" || number(lost) == 0, "{row:?}");
        // Flat out, all since the last fsync goes.
        assert!(fault != "power" || fsync != "no" || number(lost) > 0, "{row:?}: the power was not cut");
    }
    assert!(left_out.iter().all(|row| !row[0].is_empty() && number(&row[1]) > 0), "{left_out:?}");
    // What a claim that is proven allows to be lost cannot be missed: it stands at the end of the screen.
    let screen = terminal::render(&report, 80, false);
    let (_, last) = screen.split_once("Acknowledged events lost, worst round").unwrap();
    for claim in report.claims.iter().filter(|claim| claim.lost_worst.is_some()) {
        let (fault, lost) = (claim.id.split('.').nth(1).unwrap(), claim.lost_worst.unwrap());
        let row = last.lines().find(|line| line.split_whitespace().next() == Some(fault)).unwrap();
        assert!(
            row.split_whitespace().any(|cell| cell != "–" && cell.replace(',', "") == lost.to_string()),
            "{last}"
        );
    }
    let is_worst =
        |claim: &&Claim| claim.id == "durability.power.no" && claim.lost_worst.is_some_and(|lost| lost > 0);
    assert!(!has_disk || report.claims.iter().any(|claim| is_worst(&claim)), "{last}");
}

#[test]
fn somebodys_server_is_killed_by_their_commands_and_is_up_again() {
    let theirs = Theirs::start(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
    let url = theirs.server.url();
    let refused = run_at_once(&["durability", "--url", &url, "--allow-load"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("--kill-cmd"), "{}", refused.err);
    let refused = run_at_once(&["durability", "--url", &url, "--kill-cmd", "true", "--start-cmd", "true"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("--allow-faults"), "{}", refused.err);
    assert!(theirs.server.is_running());

    let ran = theirs.durability(&theirs.kill(), &theirs.start_again());
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.everysec");
    assert_eq!(kill.verdict(), Verdict::Proven, "{kill:?}");
    assert!(kill.control().is_some_and(Control::is_refuted), "{kill:?}");
    assert!(!theirs.server.is_running(), "it was killed");
    assert_eq!(theirs.keys(), 1, "it is up, with what is theirs, and without what is ours");
}

#[test]
fn a_server_without_an_aof_is_refuted_and_a_command_that_ends_nothing_is_a_wrong_one() {
    let theirs = Theirs::start(&[("appendonly", "no"), ("save", "")]);
    let ran = theirs.durability(&theirs.kill(), &theirs.start_again());
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.everysec");
    assert_eq!((kill.verdict(), ran.code), (Verdict::Refuted, 1), "{kill:?}");
    assert!(kill.measured().is_some_and(|lost| lost > 1_000.0), "{kill:?}");

    let theirs = Theirs::start(&[("appendonly", "yes")]);
    // Not in the command's own words: those may be secret, and are hidden in what it says.
    let words = theirs.server.dir().join("words");
    std::fs::write(&words, "no such container").unwrap();
    let fails = format!("cat '{}'; exit 7", words.display());
    for (kill, said) in [("true", "still answers"), (&*fails, "no such container")] {
        let ran = theirs.durability(kill, "true");
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{}", ran.err);
        assert!(theirs.server.is_running());
        assert_eq!(theirs.keys(), 1);
    }
}

#[test]
fn a_server_that_comes_back_with_other_settings_shows_nothing() {
    let theirs = Theirs::start(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
    // Not in its configuration file, so the start forgets it.
    tell(&theirs.server, "CONFIG SET appendfsync always");
    let ran = theirs.durability(&theirs.kill(), &theirs.start_again());
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.always");
    assert_eq!((kill.verdict(), kill.measured()), (Verdict::Untested, None), "{kill:?}");
    assert!(kill.why.contains("appendfsync always") && kill.why.contains("appendfsync everysec"), "{kill:?}");
    assert_eq!(theirs.keys(), 1);
}

/// Ends a run by a signal as soon as a file is there, and waits for its end.
fn interrupt(theirs: &Theirs, kill: &str, start: &str, at: &Path) -> std::process::ExitStatus {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_forebay"));
    command.args(["durability", "--quiet", "--url", &theirs.server.url(), "--allow-faults"]);
    command.args(["--kill-cmd", kill, "--start-cmd", start]).stdout(std::process::Stdio::null());
    let mut run = command.spawn().unwrap();
    until("the command runs", || at.exists() || run.try_wait().unwrap().is_some());
    assert_eq!(run.try_wait().unwrap(), None, "it ended before {}", at.display());
    kill_process(Pid::from_child(&run), Signal::INT).unwrap();
    let mut status = None;
    until("the run has ended", || {
        status = run.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

#[test]
fn a_run_that_is_interrupted_leaves_the_server_up() {
    let theirs = Theirs::start(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
    let (killing, starting) = (theirs.server.dir().join("killing"), theirs.server.dir().join("starting"));
    // In the middle of a command that ends it late, and of one that starts it late.
    let late = format!("touch '{}'; sleep 3; {}", killing.display(), theirs.kill());
    let status = interrupt(&theirs, &late, &theirs.start_again(), &killing);
    assert_eq!(status.code(), Some(130));
    assert!(theirs.server.is_running(), "it was killed although the run had ended");
    assert_eq!(theirs.keys(), 1, "nothing of ours is left");

    let late = format!("touch '{}'; sleep 1; {}", starting.display(), theirs.start_again());
    let status = interrupt(&theirs, &theirs.kill(), &late, &starting);
    assert_eq!(status.code(), Some(130));
    assert!(!theirs.server.is_running(), "the one of before was killed");
    assert_eq!(theirs.keys(), 1, "it was started again, and nothing of ours is left");
}

#[test]
fn a_server_that_does_not_start_again_is_told_with_what_the_command_said() {
    let theirs = Theirs::start(&[("appendonly", "yes")]);
    let flag = theirs.server.dir().join("tried");
    // The first time it fails, as where a volume is not there yet; whoever ends the run tries again.
    let words = theirs.server.dir().join("words");
    std::fs::write(&words, "no volume").unwrap();
    let start = format!(
        "if [ -e '{0}' ]; then {1}; else touch '{0}'; cat '{2}' >&2; exit 3; fi",
        flag.display(),
        theirs.start_again(),
        words.display()
    );
    let ran = theirs.durability(&theirs.kill(), &start);
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.everysec");
    assert_eq!((kill.verdict(), ran.code), (Verdict::Refuted, 1), "{kill:?}");
    assert!(kill.why.contains("no volume") && kill.why.contains("exit status: 3"), "{}", kill.why);
    assert_eq!(theirs.keys(), 1, "it was not left down");
}

#[test]
fn a_start_command_that_starts_nothing_is_told_and_what_is_left_on_the_server_is_named() {
    let theirs = Theirs::start(&[("appendonly", "yes")]);
    let ran = theirs.durability(&theirs.kill(), "true");
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.everysec");
    assert_eq!((kill.verdict(), ran.code), (Verdict::Refuted, 1), "{kill:?}");
    assert!(kill.why.contains("`true` has ended, and did not start it"), "{}", kill.why);
    assert!(ran.err.contains("keys are still on"), "{}", ran.err);
}

#[test]
fn a_kill_that_comes_late_is_judged_by_when_the_server_died_and_its_control_is_refuted() {
    let theirs = Theirs::start(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
    let ran = theirs.durability(&theirs.kill_after(1.0), &theirs.start_again());
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.everysec");
    assert_eq!((kill.verdict(), ran.code), (Verdict::Proven, 0), "{kill:?}");
}

#[test]
fn a_kill_that_cuts_the_log_is_refuted_however_late_it_comes() {
    let theirs = Theirs::start(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
    let ran = theirs.durability(&theirs.kill_and_cut(0.3), &theirs.start_again());
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.everysec");
    assert_eq!((kill.verdict(), ran.code), (Verdict::Refuted, 1), "{kill:?}");
    assert!(kill.measured().is_some_and(|lost| lost > 1_000.0), "{kill:?}");
}
