//! What takes longer of `forebay ingest`: many moments at which it is killed.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::time::{Duration, Instant};

use forebay_rig::jetstream::{Protocol, Settings, Simulator};
use rustix::process::Signal;

use crate::ingest_support::{FORMS, Ingest, ended, json, killed, signal, simulator, stored};
use crate::pipe_support::ledger_of;
use crate::support::{server, until};

#[test]
#[ignore = "nightly"]
fn nightly_ingest_killed_at_two_hundred_moments() {
    const BUFFERS: u64 = 10;
    const KILLS: u64 = 20;
    const EVENTS: (u64, u64) = (20_000, 40_000);
    let (mut moments, mut events, mut repeats) = (0, 0, 0);
    for seed in 0..BUFFERS {
        let form = FORMS[seed as usize % FORMS.len()];
        let (simulator, server) = (simulator(form.0, EVENTS.0, EVENTS.1, 3_000.0), server(&[]));
        let total = EVENTS.0 + EVENTS.1;
        let (at, ran) =
            killed(&Ingest::at(&server, &simulator, form), (&server, &simulator), total, KILLS, 100 + seed);
        assert_eq!(ran.code, 0, "{form:?} {at:?} {}", ran.err);
        let ledger = ledger_of(&simulator, &server, 0, total);
        assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{form:?} {seed} {at:?} {ledger:?}");
        let told: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
        repeats += told["repeats"].as_u64().unwrap();
        (moments, events) = (moments + at.len(), events + total);
    }
    println!(
        "nightly ingest: killed at {moments} moments on {BUFFERS} buffers; {events} events, 0 lost, 0 twice; the last runs \
         dropped {repeats} repeats"
    );
}

/// Seconds of processor time of a process, and its peak of resident memory in MiB.
fn cost(pid: u32) -> (f64, f64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: f64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    (ticks / rustix::param::clock_ticks_per_second() as f64, peak / 1024.0)
}

#[test]
#[ignore = "nightly"]
fn nightly_what_ingest_costs_at_two_thousand_events_a_second() {
    const SECONDS: u64 = 60;
    for form in FORMS {
        let (simulator, server) = (simulator(form.0, 0, 2_000 * (SECONDS + 60), 2_000.0), server(&[]));
        let child = Ingest::at(&server, &simulator, form).start();
        until("it runs", || stored(&server) >= 10_000);
        let (before, began) = (cost(child.id()).0, Instant::now());
        until("a minute has passed", || began.elapsed() >= Duration::from_secs(SECONDS));
        let (after, peak) = cost(child.id());
        let share = (after - before) / began.elapsed().as_secs_f64() * 100.0;
        signal(&child, Signal::TERM);
        let told = json(&ended(child));
        println!(
            "nightly ingest {form:?}: {share:.1} % of a core at 2,000 events/s, peak {peak:.0} MiB; {}",
            told["writer"]["blocks"]
        );
    }
}

#[test]
#[ignore = "nightly"]
fn nightly_ten_million_events_are_replayed_in_the_memory_of_the_first() {
    const EVENTS: u64 = 10_000_000;
    let settings =
        Settings { protocol: Protocol::V2, history: EVENTS, last: Some(EVENTS - 1), ..Settings::default() };
    let (simulator, server) = (Simulator::start(settings).unwrap(), server(&[]));
    let began = Instant::now();
    let child = Ingest::at(&server, &simulator, (Protocol::V2, false)).start();
    let mut peaks = Vec::new();
    for upto in [1_000_000, 5_000_000, EVENTS] {
        let since = Instant::now();
        while stored(&server) < upto {
            assert!(since.elapsed() < Duration::from_secs(600));
            std::thread::sleep(Duration::from_millis(50));
        }
        peaks.push(cost(child.id()).1.round());
    }
    let rate = EVENTS as f64 / began.elapsed().as_secs_f64();
    signal(&child, Signal::TERM);
    assert_eq!(ended(child).code, 0);
    println!(
        "nightly ingest: {EVENTS} events at {rate:.0} a second; peak MiB after 1, 5 and 10 million: {peaks:?}"
    );
}
