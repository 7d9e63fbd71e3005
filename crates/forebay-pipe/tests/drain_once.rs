//! What is claimed of a drain to a folder: each event is in one file, in the order of its lane, whenever the drain ends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::destination::DestinationError;
use forebay_pipe::drain::roll::Rolling;
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::drain::step::{Step, Steps};

use crate::drain_support::{append, assert_same, by_lane, config, drained, events, run};
use crate::support::server;

/// Files of a few blocks each.
fn small() -> Rolling {
    Rolling { file_bytes: 30_000, ..Rolling::default() }
}

#[test]
fn every_event_is_in_one_file_in_its_lanes_order_and_the_buffer_lets_go() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..2_000);
    append(&server, &all[..1_200]);
    let config = Config { rolling: small(), ..config(&server, to.path()) };
    let counted = run(&config).unwrap().look();
    assert_eq!((counted.rows, counted.repeats, counted.waiting), (1_200, 0, 0));
    assert!(counted.files > 10, "{counted:?}");
    assert_same(&drained(to.path()), &by_lane(&all[..1_200]), "the first part");
    append(&server, &all[1_200..]);
    run(&config).unwrap();
    assert_same(&drained(to.path()), &by_lane(&all), "all of it");
    let nothing = run(&config).unwrap().look();
    assert_eq!((nothing.commits, nothing.waiting), (0, 0));
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    for lane in by_lane(&all).keys() {
        let left: u64 =
            redis::cmd("XLEN").arg(format!("forebay:{{test.{lane}.0}}")).query(&mut connection).unwrap();
        assert_eq!(left, 0, "{lane}");
    }
}

/// Ends a drain before the `nth` time that it comes to a step; whether it did.
fn ended_before(config: &Config, step: Step, nth: u64) -> bool {
    match run(&Config { steps: Steps::until(step, nth), ..config.clone() }) {
        Ok(_) => false,
        Err(DrainError::Destination(DestinationError::Stopped(at))) => {
            assert_eq!(at, step);
            true
        }
        Err(error) => panic!("before {step:?}: {error}"),
    }
}

#[test]
fn a_drain_that_ends_before_any_step_goes_on_with_nothing_lost_and_nothing_twice() {
    let server = server(&[]);
    let all = events(0..9_000);
    let to = tempfile::tempdir().unwrap();
    let config = Config { rolling: small(), ..config(&server, to.path()) };
    let (mut at, mut acted) = (0, BTreeSet::new());
    for nth in [1, 2, 5] {
        for step in Step::ALL {
            let next = at + 300;
            append(&server, &all[at..next]);
            if ended_before(&config, step, nth) {
                acted.insert(format!("{step:?}"));
            }
            // The next one begins where this one ended, and ends elsewhere.
            at = next;
        }
    }
    assert_eq!(acted.len(), Step::ALL.len(), "{acted:?}");
    run(&config).unwrap();
    assert_same(&drained(to.path()), &by_lane(&all[..at]), "after an end before each step");
}

#[test]
fn what_was_planned_is_made_whatever_the_next_run_would_decide() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..1_500);
    append(&server, &all);
    let first = Config { rolling: small(), ..config(&server, to.path()) };
    // It is planned, and nothing of it is at the destination yet.
    assert!(ended_before(&first, Step::Prepare, 1));
    // The next one would make larger files, and is ended with a commit half published.
    let second = config(&server, to.path());
    assert!(ended_before(&second, Step::Record, 1));
    run(&first).unwrap();
    assert_same(&drained(to.path()), &by_lane(&all), "in all");
}

#[test]
fn staged_files_that_are_gone_are_made_again() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..1_000);
    append(&server, &all);
    let config = config(&server, to.path());
    assert!(ended_before(&config, Step::Publish, 1));
    std::fs::remove_dir_all(to.path().join("forebay/staging")).unwrap();
    run(&config).unwrap();
    assert_same(&drained(to.path()), &by_lane(&all), "in all");
}

#[test]
fn lean_files_give_every_line_again_and_full_ones_do_not_come_beside_them() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = events(0..1_500);
    append(&server, &all[..1_000]);
    let full = config(&server, to.path());
    let lean = Config { is_lean: true, rolling: small(), ..full.clone() };
    assert!(ended_before(&lean, Step::Record, 3));
    run(&lean).unwrap();
    append(&server, &all[1_000..]);
    let error = run(&full).unwrap_err().to_string();
    assert!(error.contains("jetstream-1-lean") && error.contains("columns jetstream-1:"), "{error}");
    run(&lean).unwrap();
    assert_same(&drained(to.path()), &by_lane(&all), "in all");
}

/// A drain at whose first commit another one comes; how both ended.
fn with_another(
    first: &Config,
    second: impl Fn() -> Config + Send + Sync + 'static,
) -> [Option<DrainError>; 2] {
    let came = Arc::new(Mutex::new(None));
    let theirs = Arc::clone(&came);
    let steps = Steps::asked(move |step| {
        let mut theirs = theirs.lock().unwrap();
        if step == Step::Prepare && theirs.is_none() {
            *theirs = Some(run(&second()).err());
        }
        true
    });
    let ended = run(&Config { steps, ..first.clone() }).err();
    let theirs = came.lock().unwrap().take().expect("nobody came");
    [ended, theirs]
}

#[test]
fn a_second_drain_takes_nothing_from_the_first_where_it_has_not_its_folder_or_its_records() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let (to, other) = (folder.path().join("to"), folder.path().join("other"));
    let first = config(&server, &to);
    append(&server, &events(0..300));
    run(&first).unwrap();
    for (folder, says) in [(&to, "another drain uses this destination"), (&other, "is not known here")] {
        append(&server, &events(300..400));
        let second = config(&server, folder);
        let [ended, theirs] = with_another(&first, move || second.clone());
        assert!(ended.is_none(), "{ended:?}");
        assert!(theirs.is_some_and(|why| why.to_string().contains(says)), "{says}");
    }
    assert!(!other.exists());
}

#[test]
fn a_second_drain_that_has_the_records_of_the_first_fences_it() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let (to, other) = (folder.path().join("to"), folder.path().join("other"));
    let all = events(0..400);
    append(&server, &all[..300]);
    let first = config(&server, &to);
    run(&first).unwrap();
    append(&server, &all[300..]);
    let (from, second) = (to.clone(), config(&server, &other));
    let [ended, theirs] = with_another(&first, move || {
        let copied = std::process::Command::new("cp").arg("-a").args([&from, &other]).status().unwrap();
        assert!(copied.success());
        second.clone()
    });
    assert!(matches!(ended, Some(DrainError::Buffer(forebay::Error::TakenOver { .. }))), "{ended:?}");
    assert!(theirs.is_none(), "{theirs:?}");
    assert_same(&drained(&folder.path().join("other")), &by_lane(&all), "in all");
}
