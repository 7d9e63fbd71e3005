//! What tests of `forebay ingest` share: the program against a network of our own, and how far it came by what the server has.

use std::process::Child;

use forebay_rig::jetstream::{Protocol, Settings, Simulator};
use forebay_rig::server::Server;
use rustix::process::{Pid, Signal, kill_process};

use crate::cli_support::{Ran, forebay};
use crate::pipe_support::urls;
use crate::support::{Random, ask, until};

/// A protocol, and whether its own stream is asked.
pub const FORMS: [(Protocol, bool); 3] = [(Protocol::V1, false), (Protocol::V2, false), (Protocol::V2, true)];

pub fn simulator(protocol: Protocol, history: u64, live: u64, rate: f64) -> Simulator {
    let last = Some(history + live - 1);
    Simulator::start(Settings { protocol, history, last, rate, ..Settings::default() }).unwrap()
}

/// A run of the program on these, from the oldest event on where the buffer has none.
pub struct Ingest {
    args: Vec<String>,
}

impl Ingest {
    pub fn of(server: &Server, urls: &[String]) -> Self {
        let mut args: Vec<String> =
            ["ingest", "--buffer", "test", "--since", "oldest", "--json"].map(str::to_owned).into();
        args.extend(["--url".into(), server.url()]);
        for url in urls {
            args.extend(["--source".into(), url.clone()]);
        }
        Self { args }
    }

    pub fn at(server: &Server, simulator: &Simulator, (protocol, is_own): (Protocol, bool)) -> Self {
        Self::of(server, &urls(simulator, protocol, is_own))
    }

    #[must_use]
    pub fn with(mut self, more: &[&str]) -> Self {
        self.args.extend(more.iter().copied().map(str::to_owned));
        self
    }

    pub fn start(&self) -> Child {
        forebay(&self.args.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap()
    }

    pub fn run(&self) -> Ran {
        ended(self.start())
    }
}

/// What it came to, once it has ended.
pub fn ended(mut child: Child) -> Ran {
    // Its output is short: it fits a pipe.
    until("it ends", || child.try_wait().unwrap().is_some());
    child.wait_with_output().unwrap().into()
}

pub fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

pub fn json(ran: &Ran) -> serde_json::Value {
    serde_json::from_slice(&ran.out)
        .unwrap_or_else(|_| panic!("{} {} {}", ran.code, String::from_utf8_lossy(&ran.out), ran.err))
}

/// Waits until all events exist: one that ends at the live end then brings all of them.
pub fn whole(simulator: &Simulator, total: u64) {
    until("all events exist", || simulator.tip() >= total);
}

/// Events that the server has stored by now; as many as before where it does not answer.
pub fn stored(server: &Server) -> u64 {
    let lanes = ["posts", "likes", "reposts", "follows", "blocks", "other"];
    let of = |lane: &str| ask::<Option<u64>>(server, &format!("HGET forebay:{{test.{lane}.0}}:writer e"));
    lanes.iter().filter_map(|lane| of(lane).ok().flatten()).sum()
}

/// Kills the program so many times, each time some events after the last, and lets the last run end. How many events were stored
/// at each kill.
pub fn killed(
    ingest: &Ingest,
    (server, simulator): (&Server, &Simulator),
    total: u64,
    rounds: u64,
    seed: u64,
) -> (Vec<u64>, Ran) {
    let (mut random, mut at) = (Random::new(seed), Vec::new());
    let again = Ingest { args: ingest.args.clone() }.with(&["--takeover"]);
    for _ in 0..rounds {
        let before = stored(server);
        let enough = (before + 1 + random.below(total / (2 * rounds).max(1))).min(total - 1);
        let mut child = again.start();
        until("it has stored some", || stored(server) >= enough || child.try_wait().unwrap().is_some());
        // And somewhere within a block.
        let within = std::time::Instant::now();
        let micros = u128::from(random.below(30_000));
        until("a moment", || within.elapsed().as_micros() >= micros);
        child.kill().unwrap();
        child.wait().unwrap();
        at.push(stored(server));
    }
    whole(simulator, total);
    (at, Ingest { args: again.args }.with(&["--once"]).run())
}
