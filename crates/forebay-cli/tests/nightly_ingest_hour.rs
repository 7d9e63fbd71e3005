//! `forebay ingest --config pipeline.toml` for an hour, with a fault a minute: of the host, of the way to it, of the server, of
//! ingest itself. At the end every event of the network is in the buffer once.
//!
//! `FOREBAY_MINUTES` says for how many minutes, `FOREBAY_RATE` at how many events a second.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::process::Child;
use std::time::{Duration, Instant};

use forebay_rig::jetstream::{Fault, Protocol, Settings, Simulator};
use forebay_rig::server::Server;
use rustix::process::Signal;

use crate::cli_support::forebay;
use crate::ingest_support::{ended, json, signal, stored, whole};
use crate::pipe_support::{ledger_of, set};
use crate::support::{server, until};

const HISTORY: u64 = 20_000;

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

struct Hour {
    simulator: Simulator,
    server: Server,
    config: std::path::PathBuf,
    child: Child,
    /// What runs said that have ended.
    told: Vec<serde_json::Value>,
}

impl Hour {
    fn start(config: &std::path::Path) -> Child {
        forebay(&["ingest", "--config", config.to_str().unwrap(), "--json", "--quiet"]).spawn().unwrap()
    }

    /// The run that was told to end, or was killed, is followed by another.
    fn again(&mut self, by: Signal) {
        signal(&self.child, by);
        until("it ends", || self.child.try_wait().unwrap().is_some());
        let next = Self::start(&self.config);
        let ran = ended(std::mem::replace(&mut self.child, next));
        if by == Signal::TERM {
            assert!(ran.code <= 1, "{} {}", ran.code, ran.err);
            self.told.push(json(&ran));
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
        }
    }

    /// What was made is over.
    fn mend(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::Host(_) => self.simulator.change(|settings| settings.faults = Vec::new()),
            Trouble::ServerFull => set(&self.server, "maxmemory", "0"),
            Trouble::ServerStopped => self.server.resume().unwrap(),
            _ => {}
        }
    }
}

#[test]
#[ignore = "an hour"]
fn nightly_an_hour_with_a_fault_a_minute() {
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
    let text = format!(
        "[source]\nurls = [\"{}/subscribe\"]\nsince = \"oldest\"\n\n[buffer]\nurl = \"{}\"\nname = \"test\"\n",
        simulator.url(),
        server.url()
    );
    std::fs::write(&config, text).unwrap();
    let child = Hour::start(&config);
    let mut hour = Hour { simulator, server, config, child, told: Vec::new() };
    let began = Instant::now();
    let all = troubles();
    for minute in 0..minutes {
        let trouble = &all[minute as usize % all.len()];
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
    let Hour { simulator, server, child, told, .. } = hour;
    signal(&child, Signal::TERM);
    let last = ended(child);
    let ledger = ledger_of(&simulator, &server, 0, total);
    println!("acted: {:?}", simulator.acted());
    for run in told.iter().chain([&json(&last)]) {
        println!("a run said: {run}");
    }
    println!("{total} events, {ledger:?}, {:.1} min", began.elapsed().as_secs_f64() / 60.0);
    assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{ledger:?}");
}

/// Waits until a moment; the run must not end by itself.
fn until_then(moment: Instant, hour: &mut Hour) {
    while Instant::now() < moment {
        assert!(hour.child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(50));
    }
}
