//! What is claimed of `forebay ingest` however it is ended, killed, or held back: every event is there once.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use forebay_rig::jetstream::Simulator;
use forebay_rig::server::Server;
use rustix::process::Signal;

use crate::cli_support::{holds, run};
use crate::ingest_support::{FORMS, Ingest, ended, json, killed, signal, simulator, stored, whole};
use crate::pipe_support::ledger_of;
use crate::support::{server, tell, until};

#[test]
fn once_from_the_oldest_event_on_everything_is_there_once_and_again_nothing_is_new() {
    for form in FORMS {
        let (simulator, server) = (simulator(form.0, 6_000, 0, 1_000.0), server(&[]));
        let ingest = Ingest::at(&server, &simulator, form).with(&["--once"]);
        let ran = ingest.run();
        assert_eq!(ran.code, 0, "{form:?} {}", ran.err);
        let told = json(&ran);
        assert_eq!(
            (&told["pushed"], &told["writer"]["acknowledged"]),
            (&6_000.into(), &6_000.into()),
            "{told}"
        );
        assert!(told["error"].is_null() && told["missed"].as_array().unwrap().is_empty(), "{told}");
        for field in [
            "received",
            "repeats",
            "refused",
            "connections",
            "reopened",
            "held_back",
            "event_us",
            "settled_us",
            "seconds",
        ] {
            assert!(told[field].is_number(), "{field} {told}");
        }
        assert!(told["host"].as_str().unwrap().starts_with(&simulator.url()), "{told}");
        let again = ingest.run();
        assert_eq!((again.code, &json(&again)["pushed"]), (0, &0.into()), "{form:?} {}", again.err);
        assert!(ledger_of(&simulator, &server, 0, 6_000).is_clean(), "{form:?}");
    }
}

#[test]
fn ended_in_mid_stream_and_begun_again_everything_is_there_once() {
    for form in FORMS {
        let (simulator, server) = (simulator(form.0, 4_000, 8_000, 4_000.0), server(&[]));
        let ingest = Ingest::at(&server, &simulator, form);
        let child = ingest.start();
        until("some are stored", || stored(&server) >= 5_000);
        signal(&child, Signal::TERM);
        let ran = ended(child);
        assert_eq!(ran.code, 0, "{form:?} {}", ran.err);
        assert!(ran.err.contains("stopping: sending what was read"), "{}", ran.err);
        let told = json(&ran);
        assert_eq!(told["pushed"], told["writer"]["acknowledged"], "what was read is stored: {told}");
        whole(&simulator, 12_000);
        let ran = ingest.with(&["--once"]).run();
        assert_eq!(ran.code, 0, "{form:?} {}", ran.err);
        let ledger = ledger_of(&simulator, &server, 0, 12_000);
        assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{form:?} {ledger:?}");
    }
}

#[test]
fn killed_five_times_in_a_row_everything_is_there_once() {
    for (form, seed) in FORMS.into_iter().zip(1..) {
        let (simulator, server) = (simulator(form.0, 6_000, 9_000, 3_000.0), server(&[]));
        let (at, ran) =
            killed(&Ingest::at(&server, &simulator, form), (&server, &simulator), 15_000, 5, seed);
        assert_eq!(ran.code, 0, "{form:?} {at:?} {}", ran.err);
        let ledger = ledger_of(&simulator, &server, 0, 15_000);
        assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{form:?} {at:?} {ledger:?}");
    }
}

#[test]
fn one_that_was_killed_is_replaced_without_a_flag() {
    let form = FORMS[0];
    let (simulator, server) = (simulator(form.0, 3_000, 3_000, 3_000.0), server(&[]));
    let ingest = Ingest::at(&server, &simulator, form);
    let mut child = ingest.start();
    until("some are stored", || stored(&server) >= 3_500);
    child.kill().unwrap();
    child.wait().unwrap();
    whole(&simulator, 6_000);
    let ran = ingest.with(&["--once"]).run();
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ledger = ledger_of(&simulator, &server, 0, 6_000);
    assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{ledger:?}");
}

#[test]
fn a_second_one_on_the_same_buffer_is_refused_and_the_first_continues() {
    let form = FORMS[1];
    let (simulator, server) = (simulator(form.0, 1_000, 20_000, 1_000.0), server(&[]));
    let ingest = Ingest::at(&server, &simulator, form);
    let first = ingest.start();
    until("the first has begun", || stored(&server) >= 1_000);
    let args = ["--url", &server.url(), "--buffer", "test", "--source", &simulator.url()];
    let check = json(&run(&[&["ingest", "--check", "--json"], &args[..]].concat()));
    assert_eq!(check["buffer"]["writer"], "writing", "{check}");
    let second = ingest.run();
    assert_eq!(second.code, 2, "{}", second.err);
    holds(&second.err, &["has a writer", "--takeover"]);
    let before = stored(&server);
    until("the first goes on", || stored(&server) > before + 500);
    signal(&first, Signal::INT);
    let ran = ended(first);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ledger = ledger_of(&simulator, &server, 0, stored(&server));
    assert!(ledger.is_clean(), "{ledger:?}");
}

#[test]
fn a_full_server_lets_the_source_go_and_everything_comes_once_there_is_room() {
    let form = FORMS[0];
    let (simulator, server) = (simulator(form.0, 4_000, 60_000, 10_000.0), server(&[]));
    let child = Ingest::at(&server, &simulator, form).start();
    until("some are stored", || stored(&server) >= 5_000);
    tell(&server, "CONFIG SET maxmemory 1");
    until("the source is let go", || simulator.open() == 0);
    tell(&server, "CONFIG SET maxmemory 0");
    until("all are stored", || stored(&server) >= 64_000);
    signal(&child, Signal::TERM);
    let ran = ended(child);
    assert_eq!(ran.code, 0, "{}", ran.err);
    holds(&ran.err, &["the server takes no events", "asked again from the cursor"]);
    assert!(json(&ran)["held_back"].as_u64().unwrap() >= 1);
    let ledger = ledger_of(&simulator, &server, 0, 64_000);
    assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{ledger:?}");
}

/// One that has read what the server does not take, and was told to end.
fn ending_on_a_full_server(server: &Server, simulator: &Simulator) -> Child {
    let child = Ingest::at(server, simulator, FORMS[0]).start();
    until("some are stored", || stored(server) >= 3_000);
    tell(server, "CONFIG SET maxmemory 1");
    let before = stored(server);
    until("the server takes nothing", || simulator.tip() > before + 2_000);
    signal(&child, Signal::TERM);
    child
}

#[test]
fn told_to_end_while_the_server_takes_nothing_it_ends_soon_with_three_and_nothing_is_lost() {
    let (simulator, server) = (simulator(FORMS[0].0, 2_000, 10_000, 2_000.0), server(&[]));
    let child = ending_on_a_full_server(&server, &simulator);
    let since = Instant::now();
    let ran = ended(child);
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    assert_eq!(ran.code, 3, "{}", ran.err);
    holds(&ran.err, &["are not stored", "the next run asks the source for them again"]);
    assert!(json(&ran)["unstored"].as_u64().unwrap() > 0);
    tell(&server, "CONFIG SET maxmemory 0");
    whole(&simulator, 12_000);
    let ran = Ingest::at(&server, &simulator, FORMS[0]).with(&["--once", "--takeover"]).run();
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ledger = ledger_of(&simulator, &server, 0, 12_000);
    assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{ledger:?}");
}

#[test]
fn a_second_signal_ends_it_at_once_with_130() {
    let (simulator, server) = (simulator(FORMS[0].0, 2_000, 10_000, 2_000.0), server(&[]));
    let mut child = ending_on_a_full_server(&server, &simulator);
    // The first one may not have been taken by now: signals of a kind that wait are one.
    let since = Instant::now();
    until("it ends", || {
        signal(&child, Signal::TERM);
        child.try_wait().unwrap().is_some()
    });
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(ended(child).code, 130);
}

/// What a folder holds, in bytes.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|meta| meta.len()).sum()
}

#[test]
fn killed_while_it_spills_everything_is_there_once() {
    for (is_killed, form) in [(false, FORMS[0]), (true, FORMS[0]), (true, FORMS[1]), (true, FORMS[2])] {
        let (simulator, server) = (simulator(form.0, 4_000, 16_000, 4_000.0), server(&[]));
        let folder = tempfile::tempdir().unwrap();
        let spill = folder.path().join("spill");
        let ingest = Ingest::at(&server, &simulator, FORMS[0]).with(&[
            "--spill",
            spill.to_str().unwrap(),
            "--takeover",
        ]);
        let mut child = ingest.start();
        until("some are stored", || stored(&server) >= 5_000);
        tell(&server, "CONFIG SET maxmemory 1");
        until("some are spilled", || bytes_in(&spill) > 200_000);
        if is_killed {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            signal(&child, Signal::TERM);
            let ran = ended(child);
            assert_eq!(ran.code, 3, "{}", ran.err);
        }
        tell(&server, "CONFIG SET maxmemory 0");
        whole(&simulator, 20_000);
        let ran = ingest.with(&["--once"]).run();
        assert_eq!(ran.code, 0, "{}", ran.err);
        let ledger = ledger_of(&simulator, &server, 0, 20_000);
        assert!(
            ledger.lost().is_empty() && ledger.twice.is_empty(),
            "{form:?} killed {is_killed}: {} lost, {} twice {}",
            ledger.lost().len(),
            ledger.twice.len(),
            json(&ran)
        );
    }
}

#[test]
fn what_a_server_that_was_killed_has_lost_is_asked_for_again() {
    let (simulator, mut server) = (
        simulator(FORMS[0].0, 4_000, 16_000, 4_000.0),
        server(&[("appendonly", "yes"), ("appendfsync", "everysec")]),
    );
    let child = Ingest::at(&server, &simulator, FORMS[0]).start();
    until("some are stored", || stored(&server) >= 6_000);
    server.kill().unwrap();
    server.restart().unwrap();
    until("all are stored", || stored(&server) >= 20_000);
    signal(&child, Signal::TERM);
    let ran = ended(child);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(json(&ran)["reopened"].as_u64().unwrap() >= 1, "{}", ran.err);
    let ledger = ledger_of(&simulator, &server, 0, 20_000);
    assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{ledger:?}");
}
