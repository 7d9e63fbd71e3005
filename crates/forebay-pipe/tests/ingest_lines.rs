//! Sources that are no Jetstream: a file that grows, and any WebSocket of lines.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use forebay_pipe::ingest::Config;
use forebay_pipe::ingest::running::Running;
use forebay_rig::jetstream::{Network, Settings, Simulator};
use forebay_rig::server::Server;

use crate::support::{Waits, config, read_all, server, until};

fn line(index: u64) -> Vec<u8> {
    static NETWORK: std::sync::OnceLock<Network> = std::sync::OnceLock::new();
    NETWORK.get_or_init(|| Network::new(1, 938.0)).line(index)
}

fn add(path: &Path, from: u64, to: u64) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let lines: Vec<u8> = (from..to).flat_map(|index| [line(index), b"\n".to_vec()].concat()).collect();
    file.write_all(&lines).unwrap();
}

fn of_file(server: &Server, path: &Path, follows: bool) -> Config {
    Config { file: Some((path.into(), follows)), hosts: Vec::new(), ..config(server, &[]) }
}

/// What the buffer holds, sorted, against these events of the network.
fn assert_holds(server: &Server, upto: u64) {
    let mut held: Vec<Vec<u8>> = read_all(server).into_iter().flatten().collect();
    let mut owed: Vec<Vec<u8>> = (0..upto).map(line).collect();
    held.sort();
    owed.sort();
    assert!(held == owed, "{} events instead of {upto}", held.len());
}

#[test]
fn a_file_is_read_once_however_often_it_is_begun() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let path = folder.path().join("events");
    for (before, upto) in [(0, 3_000), (3_000, 3_000), (3_000, 5_000)] {
        add(&path, before, upto);
        let running = Running::start(of_file(&server, &path, false));
        running.wait();
        let counted = running.end().0.unwrap();
        assert_eq!((counted.pushed, counted.missed.len()), (upto - before, 0), "{counted:?}");
    }
    assert_holds(&server, 5_000);
}

#[test]
fn a_file_that_grows_and_is_renamed_is_followed() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let path = folder.path().join("events");
    add(&path, 0, 1_000);
    let running = Running::start(of_file(&server, &path, true));
    running.wait_for(1_000);
    add(&path, 1_000, 2_000);
    std::fs::rename(&path, folder.path().join("events.1")).unwrap();
    add(&path, 2_000, 3_000);
    // Who had it open goes on for a moment.
    add(&folder.path().join("events.1"), 3_000, 3_500);
    running.wait_for(3_500);
    running.end().0.unwrap();
    // Renamed while nobody reads.
    add(&path, 3_500, 4_000);
    std::fs::rename(&path, folder.path().join("events.2")).unwrap();
    add(&path, 4_000, 4_500);
    let running = Running::start(of_file(&server, &path, true));
    running.wait_for(1_000);
    let counted = running.end().0.unwrap();
    assert!(counted.missed.is_empty(), "{counted:?}");
    assert_holds(&server, 4_500);
}

#[test]
fn a_server_that_is_killed_has_the_file_read_again_from_where_it_stands() {
    let mut server = server(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    add(&path, 0, 20_000);
    let running = Running::start(of_file(&server, &path, true));
    running.wait_for(12_000);
    server.kill().unwrap();
    server.restart().unwrap();
    until("that it is noticed", &running, |counted| counted.reopened == 1);
    add(&path, 20_000, 21_000);
    let since = std::time::Instant::now();
    let stored = || read_all(&server).iter().map(Vec::len).sum::<usize>();
    while stored() < 21_000 {
        assert!(since.elapsed() < crate::support::LIMIT);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    running.end().0.unwrap();
    assert_holds(&server, 21_000);
}

#[test]
fn a_file_that_is_gone_is_told_with_where_it_stood() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let path = folder.path().join("events");
    add(&path, 0, 1_000);
    let running = Running::start(of_file(&server, &path, false));
    running.wait();
    running.end().0.unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    std::fs::rename(&path, folder.path().join("kept")).unwrap();
    add(&path, 1_000, 1_500);
    std::fs::remove_file(folder.path().join("kept")).unwrap();
    let running = Running::start(of_file(&server, &path, false));
    running.wait();
    let (outcome, heard) = running.end();
    let counted = outcome.unwrap();
    assert_eq!((counted.missed.len(), counted.missed[0].from, counted.pushed), (1, size, 500), "{counted:?}");
    assert!(heard.remarks.iter().any(|remark| remark.contains("lost from byte")), "{heard:?}");
}

#[test]
fn a_host_without_a_cursor_is_taken_as_it_comes_and_what_nobody_heard_is_told() {
    let simulator = Simulator::start(Settings { rate: 2_000.0, history: 0, ..Settings::default() }).unwrap();
    let server = server(&[]);
    let url = format!("{}/subscribe", simulator.url());
    let config = Config { is_lines: true, ..config(&server, &[url]) };
    let running = Running::start(config.clone());
    running.wait_for(1_000);
    simulator.cut();
    running.wait_for(2_000);
    let counted = running.end().0.unwrap();
    let [missed] = &counted.missed[..] else { panic!("{counted:?}") };
    assert!(missed.to > missed.from && missed.events.is_none(), "{missed:?}");
    // The same of a run that was away.
    let running = Running::start(config);
    running.wait_for(500);
    let counted = running.end().0.unwrap();
    assert_eq!(counted.missed.len(), 1, "{counted:?}");
    assert!(counted.missed[0].from >= missed.to, "{counted:?}");
}
