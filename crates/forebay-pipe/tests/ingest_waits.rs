//! An ingest that begins while its server takes nothing, or is told to stop while something is waited for.

use std::time::{Duration, Instant};

use forebay::buffer::overflow::{Overflow, Spill};
use forebay_pipe::ingest::running::Running;
use forebay_rig::jetstream::{Fault, Protocol, Settings, Simulator};

use crate::scripted::Scripted;
use crate::support::{LIMIT, Waits, config, for_each, ledger_of, server, set, until, urls};

#[test]
fn told_to_stop_while_another_host_waits_for_a_server_that_takes_nothing_it_ends() {
    let settings = |first_seq| Settings {
        protocol: Protocol::V2,
        seed: 35,
        rate: 1_000.0,
        first_seq,
        history: 3_000,
        ..Settings::default()
    };
    let (first, second) =
        (Simulator::start(settings(1)).unwrap(), Simulator::start(settings(777_000)).unwrap());
    let server = server(&[]);
    let hosts = [urls(&first, Protocol::V2, false), urls(&second, Protocol::V2, false)].concat();
    let running = Running::start(config(&server, &hosts));
    running.wait_for(4_000);
    // It answers, and takes nothing: one that gives no answer would be taken for lost on a busy machine.
    set(&server, "maxmemory", "1");
    drop(first);
    until("the other host", &running, |counted| counted.host.contains(&second.address().port().to_string()));
    std::thread::sleep(Duration::from_secs(1));
    let since = Instant::now();
    let (outcome, heard) = running.end();
    // Unheard, it would wait for as long as it is patient.
    assert!(since.elapsed() < LIMIT / 2, "{:?} {outcome:?} {heard:?}", since.elapsed());
    assert!(outcome.as_ref().unwrap().unstored > 0, "{outcome:?} {heard:?}");
}

#[test]
fn told_to_stop_it_ends_soon_whatever_it_waits_for() {
    let deaf = Scripted::raw(|_, mut stream| {
        let _ = std::io::Read::read(&mut stream, &mut [0; 4_096]);
        std::thread::sleep(Duration::from_secs(30));
    });
    let path = "/xrpc/network.bsky.jetstream.subscribeEvents";
    for_each(
        [("ws", "/subscribe", false), ("wss", "/subscribe", false), ("ws", path, true)],
        |(scheme, path, compress)| {
            let server = server(&[]);
            let url = deaf.url(path)[0].replace("ws://", &format!("{scheme}://"));
            let mut config = config(&server, &[url]);
            config.compress = compress;
            let running = Running::start(config);
            std::thread::sleep(Duration::from_secs(1));
            let since = Instant::now();
            let (outcome, _) = running.end();
            assert!(
                since.elapsed() < Duration::from_secs(20),
                "{scheme} {path}: {:?} {outcome:?}",
                since.elapsed()
            );
        },
    );
}

#[test]
fn with_a_spill_folder_a_server_that_takes_no_writes_at_the_start_is_asked_where_the_source_stands() {
    for_each([Some(1), None], |since_us| {
        let simulator = Simulator::start(Settings {
            protocol: Protocol::V2,
            seed: 36,
            rate: 1_000.0,
            history: 3_000,
            last: Some(14_999),
            ..Settings::default()
        })
        .unwrap();
        let server = server(&[]);
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&server, &urls(&simulator, Protocol::V2, false));
        config.options.overflow = Overflow::Spill(Spill { folder: folder.path().into(), bytes_max: 1 << 30 });
        let running = Running::start(config.clone());
        running.wait_for(4_000);
        let one = running.end().0.unwrap().pushed;
        set(&server, "min-replicas-to-write", "1");
        config.since_us = since_us;
        // The server takes writes again before the source has given anything.
        let slow = Fault::SlowHandshake { wait: Duration::from_secs(2) };
        simulator.change(|settings| settings.faults.push(slow));
        let running = Running::start(config);
        std::thread::sleep(Duration::from_secs(1));
        set(&server, "min-replicas-to-write", "0");
        running.wait_for(15_000 - one);
        running.wait_for_silence();
        let (outcome, heard) = running.end();
        let ledger = ledger_of(&simulator, &server, 0, 15_000);
        assert!(
            ledger.lost().is_empty() && ledger.twice.is_empty(),
            "{since_us:?} {ledger:?} {outcome:?} {heard:?}"
        );
    });
}
