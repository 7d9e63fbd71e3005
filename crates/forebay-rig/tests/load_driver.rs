//! What is claimed of the load generator where the server is well: what it counts is what the server got, it measures
//! from when requests were due, and it notices whatever else than the right answer comes back.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay_rig::load::keyspace::Keyspace;
use forebay_rig::load::outcome::Outcome;
use forebay_rig::load::stage::{Stage, allow_connections};
use forebay_rig::load::work::OperationKind;
use forebay_rig::server::Server;

use super::load_support::{LONG, PAYLOADS, TestLoad, assert_adds_up, assert_all_right, told};
use super::support::*;

const PAUSE: Duration = Duration::from_millis(500);

/// How often the server says that it was asked each kind.
fn calls(server: &Server) -> Vec<(OperationKind, u64)> {
    let stats: String = ask(server, "INFO commandstats").unwrap();
    let calls = |kind: OperationKind| {
        let head = format!("cmdstat_{}:calls=", kind.name().to_lowercase());
        let line = stats.lines().find_map(|line| line.strip_prefix(&head));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    };
    OperationKind::ALL.into_iter().map(|kind| (kind, calls(kind))).collect()
}

fn sent(outcome: &Outcome) -> Vec<(OperationKind, u64)> {
    let sent = |kind| outcome.kinds.get(&kind).map_or(0, |figures| figures.sent);
    OperationKind::ALL.into_iter().map(|kind| (kind, sent(kind))).collect()
}

fn keys(server: &Server) -> u64 {
    ask(server, "DBSIZE").unwrap()
}

/// Entries that the group was given, and those of them that nobody acknowledged.
fn read_and_pending(server: &Server) -> (u64, u64) {
    let groups: Vec<redis::Value> = ask(server, &format!("XINFO GROUPS {}", name().load_stream())).unwrap();
    let fields: std::collections::BTreeMap<String, redis::Value> =
        redis::from_redis_value(groups.into_iter().next().unwrap()).unwrap();
    let number = |field: &str| redis::from_redis_value(fields[field].clone()).unwrap();
    (number("entries-read"), number("pending"))
}

#[test]
fn every_command_is_answered_rightly_counted_as_the_server_counts_it_and_removed_afterwards() {
    let server = server(&[]);
    let (address, name) = (address(&server), name());
    for work in ["set", "get", "del", "lpush", "rpop", "xadd", "xreadgroup", "mix"] {
        for (connections, pipeline) in [(1, 1), (1, 16), (20, 1), (20, 16)] {
            for rate in [Some(8_000.0), None] {
                let how = format!("{work}, {connections} connections, {pipeline} deep, at {rate:?}");
                let run = TestLoad { rate, connections, pipeline, ..TestLoad::millis(work, 150) };
                let stage =
                    Stage::set(&address, &name, &run.work, Keyspace::of(&PAYLOADS, connections)).unwrap();
                tell(&server, "CONFIG RESETSTAT");
                let outcome = run.on(&address);
                assert_eq!(calls(&server), sent(&outcome), "{how}");
                assert_all_right(&outcome);
                if rate.is_some() {
                    assert_eq!(outcome.due, 1_200, "{how}");
                }
                let wanted =
                    OperationKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(work));
                // A machine that is busy with something else may not get beyond what the first GET needs.
                let is_long = rate.is_some() || outcome.sent > 2_000;
                let is_right = |kind| outcome.kinds.get(&kind).is_some_and(|figures| figures.right > 0);
                assert!(!is_long || wanted.is_none_or(is_right), "{how}");
                if run.work.reads_stream() {
                    let acknowledged =
                        outcome.kinds.get(&OperationKind::Xack).map_or(0, |figures| figures.right);
                    let (read, pending) = read_and_pending(&server);
                    assert_eq!(read - pending, acknowledged, "{how}");
                    assert!(!is_long || acknowledged > 0, "{how}");
                    // Only what was read last has no turn left.
                    assert!(pending <= (connections * pipeline) as u64, "{how}: {pending} of {read}");
                }
                // What is deleted and popped as fast as it comes may all be gone by now.
                let keeps = ["set", "get", "xadd", "xreadgroup"].contains(&work);
                assert!(!keeps || keys(&server) > 0, "{how}: the check sees keys");
                drop(stage);
                assert_eq!(keys(&server), 0, "{how}");
            }
        }
    }
}

/// The control that everything else stands on: a closed loop would hardly notice the pause.
#[test]
fn a_pause_of_the_server_is_in_the_latency_of_every_request_that_was_due_in_it() {
    const CONNECTIONS: usize = 10;
    let server = server(&[]);
    let run = TestLoad { connections: CONNECTIONS, ..TestLoad::millis("mix", 1_500) };
    let name = name();
    let address = address(&server);
    // More pauses than ours make the closed loop notice more. A calm run comes sooner or later.
    let is_calm = |_| {
        let stage = Stage::set(&address, &name, &run.work, Keyspace::of(&PAYLOADS, CONNECTIONS)).unwrap();
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                server.pause().unwrap();
                std::thread::sleep(PAUSE);
                server.resume().unwrap();
            });
            run.on(&address)
        });
        drop(stage);
        assert_eq!(outcome.due, 1_500);
        assert_all_right(&outcome);
        let [from_due, from_sent] = [outcome.response(), outcome.service()];
        assert_eq!((from_due.count(), from_sent.count()), (1_500, 1_500));
        assert!(from_due.above(50.0) >= 450, "{} above 50 ms", from_due.above(50.0));
        assert!(from_due.max() >= 500.0, "{} ms", from_due.max());
        assert!(outcome.backlog_max >= 400, "{}", outcome.backlog_max);
        from_sent.above(50.0) <= CONNECTIONS as u64
    };
    assert!((0..10).any(is_calm), "a closed loop is said to see as much");
}

/// The first of the load's keys that begin so.
fn a_key(server: &Server, head: &str) -> String {
    let mut connection = connection(server);
    let pattern = format!("forebay:*:load:{head}:*");
    let keys: Vec<String> = redis::cmd("SCAN")
        .arg(0)
        .arg("MATCH")
        .arg(pattern)
        .arg("COUNT")
        .arg(10_000)
        .query::<(u64, Vec<String>)>(&mut connection)
        .unwrap()
        .1;
    keys.into_iter().next().unwrap()
}

/// Runs until a second with a wrong answer is over; what was meddled with, and what came of it.
fn meddled(work: &str, ready_at: u64, meddle: impl Fn(&Server) -> String + Sync) -> (String, Outcome) {
    let server = server(&[]);
    let run = TestLoad { rate: Some(4_000.0), ..TestLoad::of(work, LONG) };
    let address = address(&server);
    let mut key = String::new();
    let outcome = run.meanwhile(
        &address,
        || {
            until("the load is under way", || keys(&server) >= ready_at);
            key = meddle(&server);
        },
        |second| second.failed > 0,
    );
    assert!(outcome.wrong > 0 && outcome.errors.is_empty(), "{}", told(&outcome));
    assert!(outcome.examples.iter().all(|example| example.contains(&key)), "{key}: {}", told(&outcome));
    assert!(!outcome.examples.is_empty() && !outcome.is_right(), "{}", told(&outcome));
    assert!(outcome.right > 10 * outcome.wrong, "{}", told(&outcome));
    (key, outcome)
}

/// All keys are there before anything is read: every connection sets its own first.
const ALL_KEYS: u64 = 1_000;

#[test]
fn a_value_that_somebody_else_overwrote_is_wrong_and_named_and_all_others_are_right() {
    let (key, outcome) = meddled("get", ALL_KEYS, |server| {
        let key = a_key(server, "value");
        tell(server, &format!("SET {key} foreign"));
        key
    });
    assert_eq!(outcome.examples[0], format!("GET {key} was answered with 7 bytes, foreign"));
}

#[test]
fn a_value_in_which_one_byte_changed_is_wrong() {
    let (key, outcome) = meddled("get", ALL_KEYS, |server| {
        let key = a_key(server, "value");
        let last: i64 = ask::<i64>(server, &format!("STRLEN {key}")).unwrap() - 1;
        tell(server, &format!("SETRANGE {key} {last} ]"));
        key
    });
    assert!(outcome.examples[0].starts_with(&format!("GET {key} was answered with ")), "{outcome:?}");
}

#[test]
fn a_value_that_somebody_else_deleted_is_missed() {
    let (key, outcome) = meddled("get", ALL_KEYS, |server| {
        let key = a_key(server, "value");
        tell(server, &format!("DEL {key}"));
        key
    });
    assert_eq!(outcome.examples[0], format!("GET {key} was answered with nothing"));
}

#[test]
fn a_list_that_somebody_else_popped_from_is_noticed() {
    // Twenty connections have a list each, and one of those goes wrong.
    let server = server(&[]);
    let run = TestLoad { rate: Some(2_000.0), connections: 20, ..TestLoad::of("lpush=3,rpop=1", LONG) };
    let mut key = String::new();
    let outcome = run.meanwhile(
        &address(&server),
        || {
            until("the lists are there", || keys(&server) == 20);
            key = a_key(&server, "list");
            until("it is long", || ask::<u64>(&server, &format!("LLEN {key}")).unwrap() > 10);
            tell(&server, &format!("RPOP {key}"));
        },
        |second| second.failed > 0,
    );
    assert!(outcome.wrong > 0 && outcome.wrong <= outcome.due / 10, "{}", told(&outcome));
    assert!(outcome.examples.iter().all(|example| example.contains(&key)), "{}", told(&outcome));
}

type Fields = Vec<(String, Vec<u8>)>;

#[test]
fn each_entry_of_the_stream_that_is_not_the_loads_is_wrong_once() {
    let server = server(&[]);
    let (address, name) = (address(&server), name());
    let run = TestLoad { rate: Some(2_000.0), ..TestLoad::of("xreadgroup", LONG) };
    let _stage = Stage::set(&address, &name, &run.work, Keyspace::of(&PAYLOADS, run.connections)).unwrap();
    let stream = name.load_stream();
    let mut seen = 0;
    let mut quiet = 0;
    let outcome = run.meanwhile(
        &address,
        || {
            until("entries are there", || ask::<u64>(&server, &format!("XLEN {stream}")).unwrap() > 100);
            let [(_, own)]: [(String, Fields); 1] =
                ask(&server, &format!("XRANGE {stream} - + COUNT 1")).unwrap();
            let own = &own[0].1;
            let mut changed = own.clone();
            *changed.last_mut().unwrap() = b']';
            let foreign: [&[&[u8]]; 6] = [
                &[b"d", b"foreign"],
                &[b"d", b""],
                &[b"other", own],
                &[b"d", own, b"more", b""],
                &[b"d", &changed],
                &[b"d", &own[..own.len() - 1]],
            ];
            let mut connection = connection(&server);
            for words in foreign {
                redis::cmd("XADD").arg(&stream).arg("*").arg(words).query::<()>(&mut connection).unwrap();
            }
        },
        |second| {
            seen += second.failed;
            quiet = if second.failed == 0 && second.right > 0 { quiet + 1 } else { 0 };
            seen >= 6 && quiet > 0
        },
    );
    assert_eq!((outcome.wrong, outcome.failed()), (6, 0), "{}", told(&outcome));
    let (read, pending) = read_and_pending(&server);
    assert_eq!(
        outcome.kinds[&OperationKind::Xack].right,
        read - pending,
        "they are acknowledged all the same"
    );
}

#[test]
fn a_run_that_is_stopped_ends_soon_and_owes_only_what_was_due_by_then() {
    let server = server(&[]);
    let address = address(&server);
    for rate in [Some(1_000.0), Some(2.0), None] {
        let run = TestLoad { rate, ..TestLoad::of("mix", LONG) };
        let stage =
            Stage::set(&address, &name(), &run.work, Keyspace::of(&PAYLOADS, run.connections)).map(drop);
        stage.unwrap();
        let stop = AtomicBool::new(false);
        let started = Instant::now();
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(700));
                stop.store(true, Relaxed);
            });
            run.try_on(&address, &stop, &mut |_| {}).unwrap()
        });
        assert!(started.elapsed() < LONG / 2, "{rate:?}");
        assert!(outcome.interrupted, "{rate:?}");
        assert_adds_up(&outcome);
        assert!(outcome.asked_seconds >= 0.6 && outcome.right > 0, "{rate:?}: {}", outcome.asked_seconds);
        assert_eq!(outcome.unanswered, 0, "{rate:?}: what was under way is waited for");
        let due = outcome.asked_seconds * rate.unwrap_or_default();
        assert!(rate.is_none() || (outcome.due as f64 - due).abs() <= 2.0, "{due}: {}", told(&outcome));
    }
}

#[test]
fn a_run_that_is_stopped_while_the_server_is_silent_ends_all_the_same() {
    let server = server(&[]);
    let run = TestLoad { connections: 3, ..TestLoad::of("set", LONG) };
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            server.pause().unwrap();
            std::thread::sleep(Duration::from_millis(200));
            stop.store(true, Relaxed);
        });
        run.try_on(&address(&server), &stop, &mut |_| {}).unwrap()
    });
    server.resume().unwrap();
    assert!(started.elapsed() < LONG / 2);
    assert_adds_up(&outcome);
    assert!(outcome.interrupted && outcome.is_right() && outcome.right > 0, "{}", told(&outcome));
    assert_eq!(outcome.unanswered, 3, "{}", told(&outcome));
    assert!(outcome.unsent() > 0, "{}", told(&outcome));
}

#[test]
fn a_thousand_connections_all_carry_requests() {
    allow_connections(1_000).unwrap();
    let server = server(&[]);
    let (address, name) = (address(&server), name());
    let run = TestLoad { rate: Some(4_000.0), connections: 1_000, ..TestLoad::millis("mix", 1_500) };
    let stage = Stage::set(&address, &name, &run.work, Keyspace::of(&PAYLOADS, run.connections)).unwrap();
    let mut most = 0;
    let stop = AtomicBool::new(false);
    let outcome =
        run.try_on(&address, &stop, &mut |_| most = info(&server, "connected_clients").parse().unwrap());
    let outcome = outcome.unwrap();
    assert!(most >= 1_000, "{most}");
    assert_adds_up(&outcome);
    assert_all_right(&outcome);
    drop(stage);
    assert_eq!(keys(&server), 0);
    assert!(allow_connections(usize::MAX >> 1).unwrap_err().contains("ulimit -Hn"));
}
