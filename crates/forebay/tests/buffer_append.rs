//! What a writer promises while the server is well: every block once, in order, numbers without gaps, one writer a
//! lane, and counters that outlive whatever the lane held.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use forebay::block::encode::Wanted;
use forebay::block::frame::Draft;
use forebay::buffer::error::Error;
use forebay::buffer::scripts;
use forebay::buffer::writer::{Ack, Writer};
use forebay::event::jetstream;
use forebay_rig::server::{Server, ServerKind, Version};

use crate::support::*;

/// Runs the append script by hand: its answer, and the bytes of the frame are its number.
fn append(connection: &mut redis::Connection, epoch: u64, number: u64) -> (String, u64, u64) {
    append_as(connection, epoch, number, "0")
}

fn append_as(connection: &mut redis::Connection, epoch: u64, number: u64, fsync: &str) -> (String, u64, u64) {
    redis::cmd("EVAL")
        .arg(scripts::APPEND)
        .arg(3)
        .arg(name().stream(jetstream::LIKES))
        .arg(name().writer(jetstream::LIKES))
        .arg(format!("{}:append", name().stream(jetstream::LIKES)))
        .arg(epoch)
        .arg(number)
        .arg(10)
        .arg(1)
        .arg(2)
        .arg("")
        .arg("")
        .arg(1)
        .arg(format!("frame {number}"))
        .arg(fsync)
        .query(connection)
        .unwrap()
}

/// On a clock that stands still, so that epochs only count on.
fn claim(connection: &mut redis::Connection) -> (u64, u64, u64, String) {
    claim_at(connection, 0)
}

/// By a run that no other claim was made by.
fn claim_at(connection: &mut redis::Connection, time_ms: u64) -> (u64, u64, u64, String) {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    type Answer = (String, u64, u64, u64, String, String, String, u64, String);
    let (what, epoch, s, e, cursor, ..): Answer = redis::cmd("EVAL")
        .arg(scripts::CLAIM)
        .arg(3)
        .arg(name().stream(jetstream::LIKES))
        .arg(name().writer(jetstream::LIKES))
        .arg(format!("{}:append", name().stream(jetstream::LIKES)))
        .arg("first")
        .arg(format!("run {}", RUNS.fetch_add(1, Relaxed)))
        .arg(0)
        .arg(time_ms)
        .arg("")
        .arg("")
        .query(connection)
        .unwrap();
    assert_eq!(what, "ok");
    (epoch, s, e, cursor)
}

fn stored(server: &Server) -> u64 {
    ask(server, &format!("XLEN {}", name().stream(jetstream::LIKES))).unwrap()
}

#[test]
fn a_block_has_the_fields_of_the_format_in_their_order() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(3, 4));
    let mut ledger = Ledger::default();
    // Two of them make no full block: closing cuts what is left.
    (0..5).for_each(|_| ledger.push(&mut writer, jetstream::LIKES).unwrap());
    writer.close().unwrap();
    let entries: Vec<(String, Vec<Vec<u8>>)> =
        ask(&server, &format!("XRANGE {} - +", name().stream(jetstream::LIKES))).unwrap();
    let mut draft = Draft::default();
    for event in &ledger.lane(jetstream::LIKES)[3..] {
        draft.push(&forebay::event::parse::parse(event).unwrap());
    }
    let block = encode(&draft, Wanted::Measured);
    let epoch: String = ask(&server, &format!("HGET {} epoch", name().writer(jetstream::LIKES))).unwrap();
    let (a, z) = (block.time_min.to_string(), block.time_max.to_string());
    let expected: [(&str, &[u8]); 10] = [
        ("f", b"2"),
        ("s", b"2"),
        ("n", b"2"),
        ("e", b"5"),
        ("a", a.as_bytes()),
        ("z", z.as_bytes()),
        ("p", epoch.as_bytes()),
        ("c", b""),
        ("w", b""),
        ("d", &block.frame),
    ];
    let flat: Vec<&[u8]> = expected.iter().flat_map(|(name, value)| [name.as_bytes(), value]).collect();
    assert_eq!(entries[1].1, flat);
    let keys: Vec<String> = ask(&server, "KEYS *").unwrap();
    let known = name().keys();
    assert!(keys.iter().all(|key| known.contains(key)), "{keys:?}");
}

#[test]
fn a_repeated_block_is_stored_once() {
    let server = server(&[]);
    let mut connection = connection(&server);
    assert_eq!(claim(&mut connection), (1, 0, 0, String::new()));
    assert_eq!(append(&mut connection, 1, 1), ("ok".into(), 1, 1));
    assert_eq!(append(&mut connection, 1, 2), ("ok".into(), 2, 1));
    for number in [1, 2, 2] {
        assert_eq!(append(&mut connection, 1, number), ("repeat".into(), 2, 1));
    }
    assert_eq!(stored(&server), 2);
    assert_eq!(claim(&mut connection), (2, 2, 20, String::new()));
}

#[test]
fn an_epoch_is_the_server_s_time_and_never_less_than_the_one_before() {
    let server = server(&[]);
    let mut connection = connection(&server);
    let mut epoch = |time_ms| claim_at(&mut connection, time_ms).0;
    assert_eq!([0, 5_000, 5_000, 4_000, 6_000].map(&mut epoch), [1, 5_000, 5_001, 5_002, 6_000]);
    let now = 1_800_000_000_123;
    assert_eq!(epoch(now), now);
    let kept: u64 = ask(&server, &format!("HGET {} epoch", name().writer(jetstream::LIKES))).unwrap();
    assert_eq!(kept, now, "all of its digits");
}

#[test]
fn a_gap_is_refused() {
    let server = server(&[]);
    let mut connection = connection(&server);
    claim(&mut connection);
    assert_eq!(append(&mut connection, 1, 2), ("gap".into(), 0, 1));
    append(&mut connection, 1, 1);
    assert_eq!(append(&mut connection, 1, 3), ("gap".into(), 1, 1));
    assert_eq!(stored(&server), 1);
}

#[test]
fn another_epoch_than_the_lane_s_own_is_refused() {
    let server = server(&[]);
    let mut connection = connection(&server);
    claim(&mut connection);
    claim(&mut connection);
    assert_eq!(append(&mut connection, 1, 1), ("fenced".into(), 0, 2));
    assert_eq!(append(&mut connection, 3, 1), ("behind".into(), 0, 2));
    assert_eq!(stored(&server), 0);
}

/// A WAITAOF waits for what was written on its own connection. A block whose first answer was lost was written on
/// another, so the repeat must write something, or the WAITAOF after it would not wait for anything.
#[test]
fn a_repeat_under_fsync_is_a_write_so_that_there_is_something_to_wait_for() {
    let server = server(&[]);
    let mut connection = connection(&server);
    claim(&mut connection);
    append(&mut connection, 1, 1);
    let writes = || info(&server, "rdb_changes_since_last_save").parse::<u64>().unwrap();
    let before = writes();
    assert_eq!(append_as(&mut connection, 1, 1, "1"), ("repeat".into(), 1, 1));
    assert!(writes() > before);
    assert_eq!(stored(&server), 1);
    assert_eq!(claim(&mut connection), (2, 1, 10, String::new()), "the write changed something");
}

#[test]
fn a_fenced_writer_stops_and_says_so() {
    let server = server(&[]);
    let address = address(&server);
    let mut older = open(&address, &options(2, 4));
    let mut ledger = Ledger::default();
    ledger.push_many(&mut older, jetstream::LIKES, 6).unwrap();
    until("the older writer's events are there", || older.monitor().counts().acknowledged == 6);

    let mut newer = open(&address, &taking_over(2, 4));
    let mut late = Ledger::default();
    let mut result = Ok(());
    until("the older writer stops", || {
        result = late.push_many(&mut older, jetstream::LIKES, 2);
        result.is_err()
    });
    let pushed = late.lane(jetstream::LIKES).len() as u64;
    let fenced = result.unwrap_err();
    let Error::Fenced { lane: jetstream::LIKES, mine, theirs, .. } = fenced else {
        panic!("something else went wrong: {fenced}")
    };
    assert!(mine < theirs, "{fenced}");
    let Error::Fenced { unacknowledged, .. } = older.close().unwrap_err() else {
        panic!("closing forgot the error")
    };
    assert!((1..=pushed).contains(&unacknowledged), "{unacknowledged} of {pushed}");
    assert!(fenced.to_string().contains("only one writer"), "{fenced}");

    ledger.push_many(&mut newer, jetstream::LIKES, 4).unwrap();
    newer.close().unwrap();
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn order_within_a_lane_holds_with_16_blocks_in_flight() {
    let server = server(&[]);
    let source = Source::start(open(&address(&server), &options(3, 16)), 1, 40);
    // While the server stands still, blocks gather until as many are under way as may be.
    server.pause().unwrap();
    source.grant(6_000);
    until("the queues are full", || {
        let before = source.monitor.counts().pushed;
        std::thread::sleep(Duration::from_millis(20));
        before > 100 && source.monitor.counts().pushed == before
    });
    server.resume().unwrap();
    let (ledger, counts) = source.finish();
    assert_eq!((counts.pushed, counts.acknowledged), (6_000, 6_000));
    assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn numbers_go_on_after_a_lane_was_trimmed_empty() {
    let server = server(&[]);
    let address = address(&server);
    let mut ledger = Ledger::default();
    let mut writer = open(&address, &options(2, 4));
    ledger.push_many(&mut writer, jetstream::LIKES, 6).unwrap();
    writer.close().unwrap();
    let mut reader = likes(&address, Some(("g", "one")));
    let found = drain(&mut reader);
    assert_eq!(numbers(&found), [1, 2, 3]);
    reader.acknowledge(places(&found)).unwrap();
    assert_eq!(stored(&server), 0);

    let mut writer = open(&address, &options(2, 4));
    ledger.push_many(&mut writer, jetstream::LIKES, 2).unwrap();
    writer.close().unwrap();
    let found = drain(&mut reader);
    assert_eq!((numbers(&found), faults(&found)), (vec![4], vec![]));
    assert_eq!(entries(&found)[0].total, 8);
    assert_same(jetstream::LIKES, &events_of(jetstream::LIKES, &found), &ledger.lane(jetstream::LIKES)[6..]);
}

#[test]
fn the_counters_survive_a_restart_and_the_next_writer_goes_on_from_them() {
    let mut server = server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let address = address(&server);
    let mut ledger = Ledger::default();
    let mut epoch_before = 0;
    for round in 1..=3_u64 {
        let mut writer = open(&address, &options(2, 4));
        ledger.push_many(&mut writer, jetstream::POSTS, 5).unwrap();
        let counts = writer.close().unwrap();
        assert_eq!((counts.acknowledged, counts.blocks, counts.lost_by_server), (5, 3, 0));
        server.kill().unwrap();
        server.restart().unwrap();
        let hash: Vec<u64> =
            ask(&server, &format!("HMGET {} epoch s e", name().writer(jetstream::POSTS))).unwrap();
        assert_eq!(hash[1..], [3 * round, 5 * round]);
        assert!(hash[0] > epoch_before, "{hash:?} after {epoch_before}");
        epoch_before = hash[0];
    }
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn numbers_are_never_given_twice_where_the_hash_was_deleted_and_the_stream_is_there() {
    let server = server(&[]);
    let address = address(&server);
    let mut ledger = Ledger::default();
    let mut writer = open(&address, &options(2, 4));
    ledger.push_many(&mut writer, jetstream::LIKES, 6).unwrap();
    writer.close().unwrap();
    tell(&server, &format!("DEL {}", name().writer(jetstream::LIKES)));
    let mut writer = open(&address, &options(2, 4));
    ledger.push_many(&mut writer, jetstream::LIKES, 2).unwrap();
    until("the lane goes on", || writer.monitor().counts().acknowledged == 2);
    assert_holds_exactly(&address, &ledger);
    // And under a writer that is at work.
    tell(&server, &format!("DEL {}", name().writer(jetstream::LIKES)));
    ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
    assert_eq!(writer.close().unwrap().lost_by_server, 0, "the stream has it all");
    assert_holds_exactly(&address, &ledger);
}

/// What was stored and not answered before the hash went must not be stored again under another number.
#[test]
fn taking_a_lane_up_again_looks_at_the_stream_where_the_hash_is_gone() {
    let server = server(&[]);
    let mut connection = connection(&server);
    claim(&mut connection);
    (1..=3).for_each(|number| drop(append(&mut connection, 1, number)));
    tell(&server, &format!("DEL {}", name().writer(jetstream::LIKES)));
    let mut resume = |epoch: u64, s: u64, e: u64, may_follow: u8| -> (String, u64, u64, u64) {
        redis::cmd("EVAL")
            .arg(scripts::RESUME)
            .arg(3)
            .arg(name().stream(jetstream::LIKES))
            .arg(name().writer(jetstream::LIKES))
            .arg(format!("{}:append", name().stream(jetstream::LIKES)))
            .arg(epoch)
            .arg(s)
            .arg(e)
            .arg("")
            .arg("")
            .arg(0)
            .arg("a run")
            .arg(may_follow)
            .query(&mut connection)
            .unwrap()
    };
    assert_eq!(resume(7, 2, 20, 1), ("ok".into(), 7, 30, 3), "two of three were acknowledged");
    assert_eq!(resume(6, 2, 20, 1), ("fenced".into(), 7, 0, 0));
    assert_eq!(append(&mut crate::support::connection(&server), 7, 3), ("repeat".into(), 3, 7));
    assert_eq!(resume(7, 5, 50, 1), ("ok".into(), 7, 30, 3), "five were acknowledged, three are there");
    assert_eq!(append(&mut crate::support::connection(&server), 7, 6), ("ok".into(), 6, 7));
    // One with a higher epoch that knew of none of these six: as it can.
    assert_eq!(resume(9, 2, 20, 0), ("fenced".into(), 7, 0, 0), "its blocks have their numbers in files");
    assert_eq!(resume(9, 2, 20, 1), ("after".into(), 9, 60, 6));
    assert_eq!(append(&mut crate::support::connection(&server), 7, 7), ("fenced".into(), 6, 9));
    assert_eq!(claim(&mut connection), (10, 6, 60, String::new()));
}

/// Acknowledgement after fsync, whatever this server can do.
#[test]
fn fsync_is_acknowledged_where_the_server_can_and_refused_in_clear_text_where_not() {
    let fsync = writer_options_with(Ack::Fsync);
    let try_open = |server: &Server| Writer::open(&address(server), &name(), &fsync);
    let refused = |server: &Server| match try_open(server) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    };
    let without = server(&[]);
    let why = refused(&without);
    assert!(why.contains("appendonly is off") && why.contains("CONFIG SET appendonly yes"), "{why}");

    let server = server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let mut ledger = Ledger::default();
    let mut writer = try_open(&server).unwrap();
    ledger.push_many(&mut writer, jetstream::LIKES, 20).unwrap();
    assert_eq!(writer.close().unwrap().acknowledged, 20);

    tell(&server, "CONFIG SET no-appendfsync-on-rewrite yes");
    assert!(refused(&server).contains("no-appendfsync-on-rewrite"));
    tell(&server, "CONFIG SET no-appendfsync-on-rewrite no");

    tell(&server, "CONFIG SET appendfsync everysec");
    let (kind, version) = server.identity();
    let (v, remedy) = (Version::new, "CONFIG SET appendfsync always, or acknowledge by the reply");
    let is_early = match kind {
        ServerKind::Redis => (v(7, 4, 0)..=v(7, 4, 1)).contains(&version),
        ServerKind::Valkey => (v(8, 0, 0)..=v(9, 1, 2)).contains(&version),
    };
    if is_early {
        let why = refused(&server);
        assert!(why.contains("redis#13793") && why.contains(remedy), "{why}");
    } else if kind == ServerKind::Redis && version < v(7, 2, 0) {
        let why = refused(&server);
        assert!(why.contains(&format!("redis {version} has no WAITAOF")) && why.contains(remedy), "{why}");
    } else {
        let mut writer = try_open(&server).unwrap();
        ledger.push_many(&mut writer, jetstream::LIKES, 20).unwrap();
        assert_eq!(writer.close().unwrap().acknowledged, 20);
    }
    assert_holds_exactly(&address(&server), &ledger);
}

fn writer_options_with(ack: Ack) -> forebay::buffer::writer::Options {
    forebay::buffer::writer::Options { ack, ..options(3, 4) }
}

/// As it stands where a connection ended between two commands of what should have been a transaction.
#[test]
fn a_block_that_was_added_aside_and_not_counted_is_a_repeat() {
    let server = server(&[]);
    let mut connection = connection(&server);
    claim(&mut connection);
    assert_eq!(append(&mut connection, 1, 1), ("ok".into(), 1, 1));
    let (stream, aside) =
        (name().stream(jetstream::LIKES), format!("{}:append", name().stream(jetstream::LIKES)));
    tell(&server, &format!("RENAME {stream} {aside}"));
    tell(&server, &format!("XADD {aside} * f 1 s 2 n 10 e 20 a 1 z 2 p 1 c 7 w 5 d x"));
    assert_eq!(append(&mut connection, 1, 2), ("repeat".into(), 2, 1));
    assert_eq!((stored(&server), ask::<u64>(&server, &format!("EXISTS {aside}")).unwrap()), (2, 0));
    let hash: Vec<String> =
        ask(&server, &format!("HMGET {} s e c w", name().writer(jetstream::LIKES))).unwrap();
    assert_eq!(hash, ["2", "20", "7", "5"]);
    assert_eq!(append(&mut connection, 1, 3), ("ok".into(), 3, 1));
}
