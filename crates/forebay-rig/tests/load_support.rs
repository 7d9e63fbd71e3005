//! What the tests of the load generator share: runs of it, somebody who meddles meanwhile, and servers that misbehave.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay_rig::load::arrivals::Arrivals;
use forebay_rig::load::driver::{self, Error, LoadPlan};
use forebay_rig::load::outcome::{Outcome, Second};
use forebay_rig::load::pattern::Pattern;
use forebay_rig::load::payload::{Payloads, Source};
use forebay_rig::load::resp;
use forebay_rig::load::work::Work;

use super::support::name;

/// Longer than any run that somebody ends.
pub const LONG: Duration = Duration::from_secs(80);

pub static PAYLOADS: LazyLock<Payloads> = LazyLock::new(|| Payloads::of(&Source::Events, 1).unwrap());

/// A run; usually 1,000 requests a second.
#[derive(Clone)]
pub struct TestLoad {
    pub work: Work,
    /// None for as fast as answers allow.
    pub rate: Option<f64>,
    pub lasts: Duration,
    pub grace: Duration,
    pub connections: usize,
    pub pipeline: usize,
}

impl TestLoad {
    pub fn of(work: &str, lasts: Duration) -> Self {
        Self {
            work: work.parse().unwrap(),
            rate: Some(1_000.0),
            lasts,
            grace: Duration::from_secs(60),
            connections: 4,
            pipeline: 1,
        }
    }

    pub fn millis(work: &str, millis: u64) -> Self {
        Self::of(work, Duration::from_millis(millis))
    }

    pub fn arrivals(&self) -> Option<Arrivals> {
        self.rate.map(|rate| Arrivals::of(&Pattern::Constant, rate, self.lasts, 1))
    }

    pub fn try_on(
        &self,
        address: &Address,
        stop: &AtomicBool,
        each_second: &mut dyn FnMut(&Second),
    ) -> Result<Outcome, Error> {
        let name = name();
        let plan = LoadPlan {
            address,
            name: &name,
            work: &self.work,
            payloads: &PAYLOADS,
            arrivals: self.arrivals(),
            duration: self.lasts,
            connections: self.connections,
            pipeline: self.pipeline,
            grace: self.grace,
            seed: 1,
        };
        driver::run(&plan, stop, each_second)
    }

    /// Runs to its end.
    pub fn on(&self, address: &Address) -> Outcome {
        let outcome = self.try_on(address, &AtomicBool::new(false), &mut |_| {}).unwrap();
        assert_adds_up(&outcome);
        outcome
    }

    /// Runs while `meddle` does on a thread of its own, and ends once a second is over of which `is_enough` says so;
    /// none is asked before `meddle` is done.
    pub fn meanwhile(
        &self,
        address: &Address,
        meddle: impl FnOnce() + Send,
        mut is_enough: impl FnMut(&Second) -> bool,
    ) -> Outcome {
        let (stop, is_done) = (AtomicBool::new(false), AtomicBool::new(false));
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                // Else a check that fails would wait for the run to end by itself.
                let done = SetWhenDropped(&is_done);
                meddle();
                drop(done);
            });
            let mut each_second = |second: &Second| {
                // Always heard, so that it may add up.
                let enough = is_enough(second);
                if is_done.load(Relaxed) && enough {
                    stop.store(true, Relaxed);
                }
            };
            self.try_on(address, &stop, &mut each_second).unwrap()
        });
        assert_adds_up(&outcome);
        assert!(outcome.interrupted, "not within {LONG:?}: {}", told(&outcome));
        outcome
    }
}

struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// An outcome in a line, for a check that fails.
pub fn told(outcome: &Outcome) -> String {
    format!(
        "due {} sent {} right {} wrong {} failed {} unanswered {} unsent {}, connections failed {}, reconnects {}, \
         errors {:?}, {:?}",
        outcome.due,
        outcome.sent,
        outcome.right,
        outcome.wrong,
        outcome.failed(),
        outcome.unanswered,
        outcome.unsent(),
        outcome.connection_failures,
        outcome.reconnects,
        outcome.errors,
        outcome.examples,
    )
}

/// Every request that was due became something, and nothing became anything twice.
pub fn assert_adds_up(outcome: &Outcome) {
    assert!(outcome.adds_up(), "{}", told(outcome));
    let by_kind =
        |pick: fn(&forebay_rig::load::outcome::Figures) -> u64| outcome.kinds.values().map(pick).sum::<u64>();
    assert_eq!(by_kind(|figures| figures.sent), outcome.sent, "{}", told(outcome));
    assert_eq!(by_kind(|figures| figures.right), outcome.right, "{}", told(outcome));
    // An answer that was an error or wrong has no latency; all else has.
    let timed = outcome.response().count();
    let owed = outcome.right + outcome.unanswered + outcome.unsent();
    assert!((owed..=owed + outcome.failed()).contains(&timed), "{timed} timed: {}", told(outcome));
}

/// All that was due was answered rightly.
pub fn assert_all_right(outcome: &Outcome) {
    assert_eq!((outcome.right, outcome.sent), (outcome.due, outcome.due), "{}", told(outcome));
    // How soon the last answer comes is the machine's.
    let is_whole = outcome.shortfall().is_none_or(|why| why.starts_with("the last answer came "));
    assert!(outcome.is_right() && is_whole, "{:?}: {}", outcome.shortfall(), told(outcome));
    assert_eq!((outcome.reconnects, outcome.connection_failures), (0, 0), "{}", told(outcome));
}

/// What a server that misbehaves does with a request: false closes the connection.
pub type Manner = fn(&mut TcpStream) -> bool;

/// A server that takes connections and requests, and answers each in its manner.
pub fn fake(manner: Manner) -> Address {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // Both kinds of threads end with the test's process at the latest.
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve(stream, manner));
        }
    });
    Address::parse(&format!("redis://127.0.0.1:{port}")).unwrap()
}

fn serve(mut stream: TcpStream, manner: Manner) {
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        bytes.extend_from_slice(&piece[..read]);
        while let Ok(Some((_, used))) = resp::parse(&bytes) {
            bytes.drain(..used);
            if !manner(&mut stream) {
                return;
            }
        }
    }
}

/// Sends this; whether it went.
pub fn say(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}
