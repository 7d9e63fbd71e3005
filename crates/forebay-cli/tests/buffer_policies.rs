//! What is claimed of all four policies on a server that is full of other keys: every event is stored, given up and
//! counted, or returned to the source; and only what the table of promises permits is given up.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use forebay::buffer::overflow::{GivenUp, Overflow, PROMISES, PolicyGuarantee, Spill};
use forebay::buffer::writer::{Counts, Options, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::Server;

use crate::support::*;

/// How long a writer of these tests waits for room that never comes.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lanes of the events: two, so that one is held up beside another.
const LANES: [Lane; 2] = [jetstream::LIKES, jetstream::OTHER];

/// A server with events of an earlier writer and other keys.
struct Full {
    server: Server,
    earlier: Ledger,
    spill: tempfile::TempDir,
}

/// What became of the events of one writer, and what the server had in the end.
#[derive(Debug)]
struct Came {
    counts: Counts,
    /// It ended with an error; its words.
    error: Option<String>,
    stored: u64,
}

impl Full {
    fn new(seed: u64) -> Self {
        let server = server(&[]);
        let mut random = Random::new(seed);
        let mut earlier = Ledger { padding: 300, ..Ledger::default() };
        let mut writer = open(&address(&server), &options(4, 16));
        for lane in LANES {
            earlier.push_many(&mut writer, lane, 3_000 + random.below(3_000)).unwrap();
        }
        writer.close().unwrap();
        for key in 0..20 {
            tell(&server, &format!("SETRANGE other:{key} {} x", 250_000 + random.below(100_000)));
        }
        Self { server, earlier, spill: tempfile::tempdir().unwrap() }
    }

    /// Puts the limit so many bytes below what is used; a negative number above.
    fn limit(&self, over: i64) {
        // What connections of the writer before still hold would be room once they are gone.
        until("nobody but us is connected", || info(&self.server, "connected_clients") == "1");
        let used: i64 = info(&self.server, "used_memory").parse().unwrap();
        tell(&self.server, &format!("CONFIG SET maxmemory {}", used - over));
    }

    fn overflow(&self, promise: &PolicyGuarantee) -> Overflow {
        match promise.policy {
            "wait" => Overflow::Wait,
            "shed" => Overflow::Shed,
            "trim-oldest" => Overflow::TrimOldest,
            "spill" => Overflow::Spill(Spill { folder: self.spill.path().join("s"), bytes_max: 64 << 20 }),
            other => panic!("no policy {other}"),
        }
    }

    /// A writer that pushes until it is told to end or fails; what came of it.
    fn write(&self, promise: &PolicyGuarantee, ledger: &mut Ledger, events: u64) -> Came {
        let options = Options {
            overflow: self.overflow(promise),
            patience: PATIENCE,
            takes_over: true,
            ..options(4, 4)
        };
        let mut writer = Writer::open(&address(&self.server), &name(), &options).unwrap();
        let mut pushed = Ok(());
        for _ in 0..events / 2 {
            pushed =
                pushed.and_then(|()| LANES.into_iter().try_for_each(|lane| ledger.push(&mut writer, lane)));
        }
        let monitor = writer.monitor();
        let closed = writer.close();
        let error = pushed.err().or(closed.err()).map(|error| error.to_string());
        Came { counts: monitor.counts(), error, stored: self.stored() }
    }

    fn stored(&self) -> u64 {
        LANES.into_iter().map(|lane| events_of(lane, &contents(&address(&self.server))).len() as u64).sum()
    }

    fn earlier(&self) -> u64 {
        LANES.into_iter().map(|lane| self.earlier.lane(lane).len() as u64).sum()
    }

    /// What stands in each lane is a run of what was pushed to it: no event twice, none out of order, none changed.
    fn assert_in_order(&self, later: &Ledger) {
        let found = contents(&address(&self.server));
        for lane in LANES {
            let all: Vec<&Vec<u8>> = self.earlier.lane(lane).iter().chain(later.lane(lane)).collect();
            let mut left = all.iter();
            for event in events_of(lane, &found) {
                assert!(left.any(|pushed| **pushed == event), "lane {lane}: an event twice, or out of order");
            }
        }
    }
}

fn promise(policy: &str) -> &'static PolicyGuarantee {
    PROMISES.iter().find(|promise| promise.policy == policy).unwrap()
}

/// Every event of the writer and of the one before it has exactly one fate.
fn account(full: &Full, promise: &PolicyGuarantee, came: &Came, room_needed: bool) {
    let Came { counts, error, stored } = came;
    let returned = counts.open();
    let told = format!("{}: {came:?}", promise.policy);
    assert_eq!(counts.acknowledged + counts.left + counts.shed + returned, counts.pushed, "{told}");
    assert_eq!(stored + counts.trimmed, full.earlier() + counts.acknowledged, "{told}");
    let (new, old) = (counts.shed, counts.trimmed);
    match promise.given_up {
        GivenUp::Nothing => assert_eq!((new, old), (0, 0), "{told}"),
        GivenUp::New => assert_eq!(old, 0, "{told}"),
        GivenUp::Oldest => assert_eq!(new, 0, "{told}"),
    }
    if returned > 0 {
        let error = error.as_deref().unwrap_or_default();
        assert!(error.contains(&format!("{returned} events are not acknowledged")), "{told}");
    }
    assert_eq!(counts.left > 0, promise.policy == "spill" && room_needed, "{told}");
}

/// One policy on a server that is full of other keys, by more than the buffer holds: only those who hold the keys can
/// make room.
pub fn full_of_others(promise: &PolicyGuarantee, seed: u64) -> String {
    let full = Full::new(seed);
    full.limit(6_000_000);
    let mut later = Ledger { padding: 301, ..Ledger::default() };
    let came = full.write(promise, &mut later, 200);
    account(&full, promise, &came, true);
    assert_eq!(
        (came.counts.trimmed, came.stored),
        (0, full.earlier()),
        "nothing is dropped for nothing: {came:?}"
    );
    assert_eq!(came.error.is_some(), ["wait", "trim-oldest"].contains(&promise.policy), "{came:?}");
    if promise.policy == "trim-oldest" {
        let why = came.error.as_deref().unwrap();
        assert!(why.contains("over its maxmemory") && why.contains("nothing is dropped"), "{why}");
    }
    // Once there is room, what was left goes in, before anything else.
    tell(&full.server, "CONFIG SET maxmemory 0");
    let again = full.write(promise, &mut Ledger::default(), 0);
    assert_eq!((again.counts.recovered, again.counts.left), (came.counts.left, 0), "{again:?}");
    assert_eq!(again.stored, full.earlier() + came.counts.accepted, "{again:?}");
    full.assert_in_order(&later);
    format!("{} of {}: {:?}", promise.policy, came.counts.pushed, came.counts)
}

/// The same where the server is over its limit by less than the buffer holds: only `trim-oldest` makes room.
pub fn full_with_others(promise: &PolicyGuarantee, seed: u64) {
    let full = Full::new(seed);
    full.limit(20_000 + Random::new(seed).below(60_000).cast_signed());
    let mut later = Ledger { padding: 301, ..Ledger::default() };
    let came = full.write(promise, &mut later, 200);
    if promise.given_up == GivenUp::Oldest {
        assert!(came.counts.trimmed > 0 && came.error.is_none(), "{came:?}");
        assert!(came.counts.trimmed < full.earlier(), "no more than it takes: {came:?}");
    }
    account(&full, promise, &came, promise.given_up != GivenUp::Oldest);
    full.assert_in_order(&later);
}

/// Others that take whatever room is made: after a few rounds no more is dropped.
#[test]
fn trim_oldest_stops_where_others_take_the_room() {
    let full = Full::new(7);
    full.limit(10_000);
    let stop = AtomicBool::new(false);
    let mut later = Ledger { padding: 301, ..Ledger::default() };
    let came = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut other = connection(&full.server);
            let mut number = 0;
            while !stop.load(Relaxed) {
                number += 1;
                // Refused while the server is full, and tried again at once.
                let _ = redis::cmd("SETRANGE")
                    .arg(format!("more:{number}"))
                    .arg(40_000)
                    .arg("x")
                    .exec(&mut other);
            }
        });
        let came = full.write(promise("trim-oldest"), &mut later, 200);
        stop.store(true, Relaxed);
        came
    });
    account(&full, promise("trim-oldest"), &came, false);
    assert!(came.stored > 0, "a neighbour does not cost the whole buffer: {came:?}");
    full.assert_in_order(&later);
}

#[test]
fn every_event_is_accounted_for_on_a_server_full_of_other_keys_under_every_policy() {
    std::thread::scope(|scope| {
        let runs: Vec<_> = PROMISES
            .iter()
            .map(|promise| scope.spawn(move || println!("{}", full_of_others(promise, 3))))
            .collect();
        for run in runs {
            run.join().unwrap();
        }
    });
}

#[test]
fn every_event_is_accounted_for_where_dropping_the_oldest_makes_room() {
    std::thread::scope(|scope| {
        let runs: Vec<_> =
            PROMISES.iter().map(|promise| scope.spawn(move || full_with_others(promise, 5))).collect();
        for run in runs {
            run.join().unwrap();
        }
    });
}

/// The table and what people read are the same.
#[test]
fn the_promises_are_what_readme_and_help_say() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let help = String::from_utf8(crate::cli_support::run(&["append", "--help"]).out).unwrap();
    let spill = Spill { folder: "x".into(), bytes_max: 1 };
    let policies = [Overflow::Wait, Overflow::Spill(spill), Overflow::Shed, Overflow::TrimOldest];
    for (promise, policy) in PROMISES.iter().zip(policies) {
        assert_eq!(promise.policy, policy.name());
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{}`", promise.policy))).unwrap();
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for (cell, promised) in
            cells[2..5].iter().zip([promise.source, promise.accepted, promise.given_up.words()])
        {
            assert!(
                cell.starts_with(promised),
                "{}: README says {cell:?}, the table {promised:?}",
                promise.policy
            );
        }
        let line = help.lines().find(|line| line.starts_with(&format!("  {:<12} ", promise.policy))).unwrap();
        let said = match promise.given_up {
            GivenUp::Nothing => "",
            other => other.words(),
        };
        assert!(line.contains(said), "{line:?} does not say {said:?}");
        assert_eq!(promise.counted.is_some(), promise.given_up != GivenUp::Nothing);
    }
}
