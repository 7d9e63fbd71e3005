//! `forebay ingest --config pipeline.toml`, or `forebay run`, for an hour, with a fault a minute: of the host, of the way to it, of
//! the server, of the program itself, of the disk that files are made on. At the end every event of the network is there once.
//!
//! `FOREBAY_MINUTES` says for how many minutes, `FOREBAY_RATE` at how many events a second; `FOREBAY_FILES` names a folder that is to
//! have the files at the end.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;
use std::time::{Duration, Instant};

use forebay_rig::jetstream::{Fault, Form, IngestLedger, Protocol, Settings, Simulator};
use forebay_rig::server::Server;
use forebay_rig::server::fault::disk::Disk;
use rustix::process::Signal;

use crate::cli_support::{Ran, forebay, run};
use crate::ingest_support::{ended, json, signal, stored, whole};
use crate::pipe_support::{ledger_of, set};
use crate::support::{server, until};

const HISTORY: u64 = 20_000;

/// Bytes of the disk with the files.
const DISK_ROOM: u64 = 4 << 30;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// What goes wrong in a minute.
#[derive(Debug, Clone)]
enum Trouble {
    Nothing,
    /// Of the host, from the next connection on, and the connections are ended.
    Host(Fault),
    Cut,
    OtherVersion,
    ServerKilled,
    ServerFull,
    ServerStopped,
    Killed,
    Ended,
    DiskFull,
}

fn troubles() -> Vec<Trouble> {
    use Trouble::{Cut, Ended, Host, Killed, Nothing, OtherVersion, ServerFull, ServerKilled, ServerStopped};
    let second = Duration::from_secs(1);
    vec![
        Nothing,
        Host(Fault::Drop { every: 5_000 }),
        ServerKilled,
        Host(Fault::Reset { every: 5_000 }),
        Killed,
        Host(Fault::CutOver { swallow: 50, reorder: 20, close_after: 500 }),
        ServerFull,
        Host(Fault::TimeBack { jitter_us: 50_000 }),
        Cut,
        Host(Fault::Reorder { every: 500, by: 5 }),
        OtherVersion,
        Host(Fault::Status { code: 503, times: 3 }),
        Ended,
        Host(Fault::Stall { after: 10_000, for_: 45 * second }),
        ServerStopped,
        Host(Fault::Idle { after: 8_000, for_: 5 * second }),
        Host(Fault::LargeFrame { bytes: 16 << 20, after: 5_000 }),
        Host(Fault::SlowHandshake { wait: 3 * second }),
    ]
}

/// The same, and of the disk with the files.
fn troubles_of_a_pipeline() -> Vec<Trouble> {
    let mut all = troubles();
    all.insert(3, Trouble::DiskFull);
    all
}

struct Hour {
    simulator: Simulator,
    server: Server,
    config: std::path::PathBuf,
    /// That of the files, where there are some.
    disk: Option<Disk>,
    child: Child,
    /// What runs said that have ended.
    told: Vec<serde_json::Value>,
}

impl Hour {
    fn start(config: &std::path::Path, has_files: bool) -> Child {
        let config = config.to_str().unwrap();
        let verb: &[&str] = if has_files {
            &["run", config, "--listen", "127.0.0.1:0"]
        } else {
            &["ingest", "--config", config]
        };
        forebay(&[verb, &["--json", "--quiet"]].concat()).spawn().unwrap()
    }

    /// The run that was told to end, or was killed, is followed by another.
    fn again(&mut self, by: Signal) {
        signal(&self.child, by);
        until("it ends", || self.child.try_wait().unwrap().is_some());
        let next = Self::start(&self.config, self.disk.is_some());
        let ran = ended(std::mem::replace(&mut self.child, next));
        if by == Signal::TERM {
            assert!(ran.code <= 1, "{} {}", ran.code, ran.err);
            self.told.push(first_json(&ran));
        }
    }

    fn make(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::Nothing => {}
            Trouble::Host(fault) => {
                self.simulator.change(|settings| settings.faults = vec![fault.clone()]);
                self.simulator.cut();
            }
            Trouble::Cut => self.simulator.cut(),
            Trouble::OtherVersion => {
                self.simulator.change(|settings| {
                    settings.protocol = match settings.protocol {
                        Protocol::V1 => Protocol::V2,
                        Protocol::V2 => Protocol::V1,
                    };
                });
                self.simulator.cut();
            }
            Trouble::ServerKilled => {
                self.server.kill().unwrap();
                self.server.restart().unwrap();
            }
            Trouble::ServerFull => set(&self.server, "maxmemory", "1mb"),
            Trouble::ServerStopped => self.server.pause().unwrap(),
            Trouble::Killed => self.again(Signal::KILL),
            Trouble::Ended => self.again(Signal::TERM),
            Trouble::DiskFull => self.disk.as_ref().unwrap().set_room(0),
        }
    }

    /// What was made is over.
    fn mend(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::Host(_) => self.simulator.change(|settings| settings.faults = Vec::new()),
            Trouble::ServerFull => set(&self.server, "maxmemory", "0"),
            Trouble::ServerStopped => self.server.resume().unwrap(),
            Trouble::DiskFull => self.disk.as_ref().unwrap().set_room(DISK_ROOM),
            _ => {}
        }
    }
}

/// What ingest said: the first line, where a drain said something after it.
fn first_json(ran: &Ran) -> serde_json::Value {
    let line = ran.out.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(line).unwrap_or_else(|_| json(ran))
}

#[test]
#[ignore = "an hour"]
fn nightly_an_hour_with_a_fault_a_minute() {
    let (hour, total) = an_hour(&troubles(), None);
    let ledger = ledger_of(&hour.simulator, &hour.server, 0, total);
    println!("{total} events, {ledger:?}");
    assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{ledger:?}");
}

#[test]
#[ignore = "an hour"]
fn nightly_the_whole_pipeline_with_a_fault_a_minute() {
    let disk = Disk::mount(DISK_ROOM).unwrap();
    let to = disk.path().join("files");
    let (hour, total) = an_hour(&troubles_of_a_pipeline(), Some(disk));
    let verified = run(&["files", "verify", to.to_str().unwrap()]);
    println!("{}", String::from_utf8_lossy(&verified.out));
    assert_eq!(verified.code, 0, "{}", verified.err);
    let mut ledger = IngestLedger::new(0..total, |index| hour.simulator.line(index, Form::V1)).unwrap();
    let mut replay = forebay(&["replay", to.to_str().unwrap(), "--quiet"]).spawn().unwrap();
    let mut lanes = BTreeMap::new();
    for line in BufReader::new(replay.stdout.take().unwrap()).split(b'\n') {
        let line = line.unwrap();
        let (next, lane) = (lanes.len(), forebay::event::parse::parse(&line).unwrap().lane);
        ledger.read(*lanes.entry(lane.name().to_owned()).or_insert(next), &line);
    }
    assert!(replay.wait().unwrap().success());
    println!("{total} events in files, {ledger:?}");
    if let Some(kept) = std::env::var_os("FOREBAY_FILES") {
        let copied = std::process::Command::new("cp").arg("-a").arg(&to).arg(kept).status();
        assert!(copied.unwrap().success());
    }
    assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{ledger:?}");
}

/// A run of that many minutes, through its end; and how many events there were.
fn an_hour(troubles: &[Trouble], disk: Option<Disk>) -> (Hour, u64) {
    let (minutes, rate) = (number("FOREBAY_MINUTES", 60), number("FOREBAY_RATE", 938));
    let total = HISTORY + rate * 60 * minutes;
    let simulator = Simulator::start(Settings {
        protocol: Protocol::V1,
        rate: rate as f64,
        history: HISTORY,
        last: Some(total - 1),
        ..Settings::default()
    })
    .unwrap();
    let server =
        server(&[("appendonly", "yes"), ("appendfsync", "everysec"), ("maxmemory-policy", "noeviction")]);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("pipeline.toml");
    let mut text = format!(
        "[source]\nurls = [\"{}/subscribe\"]\nsince = \"oldest\"\n\n[buffer]\nurl = \"{}\"\nname = \"test\"\n",
        simulator.url(),
        server.url()
    );
    if let Some(disk) = &disk {
        let to = disk.path().join("files");
        writeln!(text, "[sink]\nto = \"{}\"\nmax_age = \"1m\"", to.display()).unwrap();
    }
    std::fs::write(&config, text).unwrap();
    let child = Hour::start(&config, disk.is_some());
    let mut hour = Hour { simulator, server, config, disk, child, told: Vec::new() };
    let began = Instant::now();
    for minute in 0..minutes {
        let trouble = &troubles[minute as usize % troubles.len()];
        let ends = Duration::from_secs(60 * (minute + 1));
        hour.make(trouble);
        // Half a minute of it, and half a minute to get over it.
        let half = ends.checked_sub(Duration::from_secs(30)).unwrap();
        until_then(began + half, &mut hour);
        hour.mend(trouble);
        until_then(began + ends, &mut hour);
        println!(
            "minute {minute}: {trouble:?}; {} of {} stored; {} connections",
            stored(&hour.server),
            hour.simulator.tip(),
            hour.simulator.connections()
        );
    }
    whole(&hour.simulator, total);
    until("everything is stored", || stored(&hour.server) >= total);
    signal(&hour.child, Signal::TERM);
    until("it ends", || hour.child.try_wait().unwrap().is_some());
    let (out, mut err) = (hour.child.stdout.take(), String::new());
    hour.child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut err));
    let last = std::io::read_to_string(out.unwrap()).unwrap();
    println!("acted: {:?}", hour.simulator.acted());
    for run in &hour.told {
        println!("a run said: {run}");
    }
    println!("the last run said: {last}{err}; {:.1} min", began.elapsed().as_secs_f64() / 60.0);
    (hour, total)
}

/// Waits until a moment; the run must not end by itself.
fn until_then(moment: Instant, hour: &mut Hour) {
    while Instant::now() < moment {
        if hour.child.try_wait().unwrap().is_some() {
            let mut err = String::new();
            hour.child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut err));
            panic!("it ended by itself: {err}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
