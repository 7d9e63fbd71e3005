//! What is claimed of a drain to a folder: each event is in one file, in the order of its lane, whenever the drain ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

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

#[test]
fn a_second_drain_is_kept_from_the_folder_and_one_to_another_folder_fences_the_first() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    append(&server, &events(0..300));
    let first = config(&server, to.path());
    let other = tempfile::tempdir().unwrap();
    for (second, is_fenced) in [(first.clone(), false), (config(&server, other.path()), true)] {
        let came = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&came);
        // While the first one is at a step, a second one comes.
        let steps = Steps::asked(move |step| {
            if step == Step::Prepare && count.fetch_add(1, Relaxed) == 0 {
                match run(&second) {
                    Err(error) if is_fenced => {
                        assert!(error.to_string().contains("is not known here"), "{error}");
                    }
                    Err(error) => {
                        assert!(error.to_string().contains("another drain uses this destination"), "{error}");
                    }
                    Ok(_) => panic!("two at once"),
                }
            }
            true
        });
        append(&server, &events(300..400));
        let ended = run(&Config { steps, ..first.clone() });
        let fenced =
            |error: &DrainError| matches!(error, DrainError::Buffer(forebay::Error::TakenOver { .. }));
        match ended {
            Ok(_) => assert!(!is_fenced),
            Err(error) => assert!(is_fenced && fenced(&error), "{error}"),
        }
        assert!(came.load(Relaxed) > 0, "nobody came");
    }
}
