//! What a buffer promises while something breaks: nothing acknowledged is lost, nothing is stored twice, the writer
//! goes on by itself, and where it cannot it says why. The ledger is here, outside of all that is broken.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::reader::{ReadItem, Reader};
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream;
use forebay_rig::server::Server;
use forebay_rig::server::fault::network::Direction;

use crate::support::*;

const ALWAYS: [(&str, &str); 2] = [("appendonly", "yes"), ("appendfsync", "always")];

fn refused(address: &Address) -> Error {
    match Writer::open(address, &name(), &options(3, 4)) {
        Ok(_) => panic!("{address} was taken"),
        Err(error) => error,
    }
}

#[test]
fn no_acknowledged_event_is_missing_after_the_server_was_killed_and_restarted_under_always() {
    for seed in 1..=3 {
        let mut server = server(&ALWAYS);
        let address = address(&server);
        let mut random = Random::new(seed);
        let source = Source::start(open(&address, &options(1 + random.below(8), 16)), seed, 200);
        for _ in 0..3 {
            let before = source.granted();
            source.grant(2_000);
            source.until_acknowledged(before + random.below(1_500));
            server.kill().unwrap();
            server.restart().unwrap();
            source.until_acknowledged(before + 2_000);
        }
        let (ledger, counts) = source.finish();
        assert_eq!((counts.pushed, counts.acknowledged), (6_000, 6_000), "seed {seed}");
        assert_eq!(counts.lost_by_server, 0, "seed {seed}");
        assert!(counts.retries > 0, "seed {seed}: no kill was noticed");
        assert_holds_exactly(&address, &ledger);
    }
}

/// The same with the writer gone too, so that nobody could send again what was acknowledged.
#[test]
fn what_was_acknowledged_is_there_after_server_and_writer_both_ended() {
    for seed in 1..=3 {
        let mut server = server(&ALWAYS);
        let address = address(&server);
        // Short, so that the writer gives up while the server is away.
        let options = Options { patience: Duration::from_secs(2), ..options(4, 16) };
        let source = Source::start(open(&address, &options), seed, 200);
        source.grant(3_000);
        source.until_acknowledged(Random::new(seed).below(2_000));
        server.kill().unwrap();
        let monitor = source.monitor.clone();
        let (ledger, writer, _) = source.stop();
        drop(writer);
        server.restart().unwrap();
        let found = contents(&address);
        assert!(faults(&found).is_empty(), "seed {seed}: {:?}", faults(&found));
        for lane in jetstream::ALL {
            let (events, pushed) = (events_of(lane, &found), ledger.lane(lane));
            let acknowledged = monitor.lane(lane).acknowledged as usize;
            assert!(
                (acknowledged..=pushed.len()).contains(&events.len()),
                "seed {seed}, lane {lane}: {} events of {acknowledged} acknowledged",
                events.len()
            );
            assert_same(lane, &events, &pushed[..events.len()]);
        }
        // One fresh event, by a new writer.
        let mut writer = open(&address, &taking_over(4, 16));
        let mut fresh = Ledger::default();
        fresh.push_many(&mut writer, jetstream::OTHER, 1).unwrap();
        writer.close().unwrap();
        assert_eq!(
            events_of(jetstream::OTHER, &contents(&address)).last(),
            fresh.lane(jetstream::OTHER).last()
        );
    }
}

#[test]
fn a_server_that_lost_acknowledged_blocks_is_found_out_and_the_numbers_go_on() {
    let mut server = server(&[]);
    let address = address(&server);
    let mut writer = open(&address, &options(2, 4));
    let mut ledger = Ledger::default();
    let mut along = likes(&address, None);
    ledger.push_many(&mut writer, jetstream::LIKES, 10).unwrap();
    until("10 are acknowledged", || writer.monitor().counts().acknowledged == 10);
    assert_eq!(numbers(&along.next(LIMIT).unwrap()), [1, 2, 3, 4]);
    server.kill().unwrap();
    server.restart().unwrap();
    ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.pushed, counts.acknowledged, counts.lost_by_server), (14, 14, 10));

    let found = contents(&address);
    let before = entries(&found)[0].id;
    let lost =
        ReadItem::Missing { lane: jetstream::LIKES, numbers: (1, 5), events: 10, before, is_trimmed: false };
    assert_eq!((numbers(&found), faults(&found)), (vec![6, 7], vec![&lost]));
    assert_eq!(entries(&found)[0].before(), 10);
    assert_same(jetstream::LIKES, &events_of(jetstream::LIKES, &found), &ledger.lane(jetstream::LIKES)[10..]);
    // One who was reading all the while is told what is missing: block 5, which it had not been given.
    let found = drain(&mut along);
    assert_eq!(
        found[0],
        ReadItem::Missing { lane: jetstream::LIKES, numbers: (5, 5), events: 2, before, is_trimmed: false }
    );
    assert_eq!(numbers(&found), [6, 7]);
}

#[test]
fn a_group_goes_on_after_the_server_lost_it_and_is_told_what_is_missing() {
    let mut server = server(&[]);
    let address = address(&server);
    let mut writer = open(&address, &options(2, 4));
    let mut ledger = Ledger::default();
    let mut reader = likes(&address, Some(("g", "one")));
    ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
    until("4 are acknowledged", || writer.monitor().counts().acknowledged == 4);
    let found = drain(&mut reader);
    assert_eq!(numbers(&found), [1, 2]);
    ledger.push_many(&mut writer, jetstream::LIKES, 2).unwrap();
    until("6 are acknowledged", || writer.monitor().counts().acknowledged == 6);
    server.kill().unwrap();
    server.restart().unwrap();
    reader.acknowledge(places(&found)).unwrap();
    ledger.push_many(&mut writer, jetstream::LIKES, 2).unwrap();
    writer.close().unwrap();
    let found = drain(&mut reader);
    let [ReadItem::Missing { numbers: (3, 3), events: 2, .. }, ReadItem::Block(jetstream::LIKES, block)] =
        &found[..]
    else {
        panic!("{found:?}")
    };
    assert_eq!(block.number, 4);
    reader.acknowledge(places(&found)).unwrap();
}

#[test]
fn a_connection_cut_anywhere_loses_nothing_and_repeats_nothing() {
    let server = server(&[]);
    let (proxy, near) = proxy(&server);
    let source = Source::start(open(&near, &options(3, 8)), 7, 300);
    let mut random = Random::new(7);
    for round in 0..24 {
        let way = if round % 2 == 0 { Direction::ToServer } else { Direction::ToClient };
        let bytes = random.below(if round % 2 == 0 { 30_000 } else { 600 });
        proxy.cut_after(way, [bytes]);
        source.grant(200);
        until(&format!("cut {round}, {way:?} after {bytes} bytes"), || {
            if proxy.cuts() <= round && source.monitor.counts().acknowledged == source.granted() {
                source.grant(20);
            }
            proxy.cuts() > round
        });
        source.until_acknowledged(source.granted());
    }
    let (ledger, counts) = source.finish();
    assert_eq!(counts.pushed, counts.acknowledged);
    assert!(counts.repeats > 0, "no answer was ever lost");
    assert_eq!(counts.lost_by_server, 0);
    assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn a_paused_server_holds_the_source_back_and_nothing_is_lost() {
    let server = server(&[]);
    let source = Source::start(open(&address(&server), &options(4, 4)), 3, 100);
    source.grant(1_000);
    source.until_acknowledged(1_000);
    server.pause().unwrap();
    source.grant(5_000);
    // As many as one lane takes.
    until("the queues are full", || source.monitor.counts().pushed >= 1_000 + (4 + 4) * 4);
    assert!(source.monitor.counts().pushed - 1_000 <= under_way_max(4, 4));
    server.resume().unwrap();
    finish_and_check(&server, source);
}

/// Then the blocks of the old connection and the same ones of the new reach the server side by side.
#[test]
fn a_server_paused_for_longer_than_an_answer_may_take_is_written_to_again() {
    let server = server(&[]);
    let source = Source::start(open(&address(&server), &options(4, 16)), 4, 100);
    source.grant(1_000);
    source.until_acknowledged(1_000);
    server.pause().unwrap();
    source.grant(5_000);
    until("the answer is given up", || source.monitor.counts().retries > 0);
    server.resume().unwrap();
    finish_and_check(&server, source);
}

#[test]
fn a_server_that_forgets_the_script_is_taught_it_again() {
    let server = server(&[]);
    let source = Source::start(open(&address(&server), &options(3, 16)), 5, 100);
    for _ in 0..10 {
        source.grant(600);
        source.until_acknowledged(source.granted() - 300);
        tell(&server, "SCRIPT FLUSH");
    }
    // At the latest these find it gone.
    source.grant(100);
    let (ledger, counts) = source.finish();
    assert_eq!(counts.acknowledged, 6_100);
    assert!(counts.retries > 0, "no flush was noticed");
    assert_holds_exactly(&address(&server), &ledger);
}

/// What may be on its way at most: what waits for the compressor, and in each lane what waits and is in flight.
fn under_way_max(events_max: u64, in_flight: u64) -> u64 {
    let (drafts, lanes, ready) = (16 + 2, jetstream::ALL.len() as u64, 4 + 1);
    (drafts + lanes * (ready + in_flight + 1)) * events_max
}

/// Waits until the source is held back, and checks that by then memory is bounded.
fn until_held_back(source: &Source, why: &str) {
    until(&format!("{why} holds the lanes up"), || {
        source.monitor.trouble().is_some_and(|trouble| trouble.contains(why))
            && source.monitor.counts().retries > 20
    });
    // Standing still means: not one event more while every lane tries again and again.
    let (mut seen, mut tries) = (0, 0);
    until("the source stands still", || {
        let counts = source.monitor.counts();
        if counts.pushed != seen {
            (seen, tries) = (counts.pushed, counts.retries);
        }
        counts.retries >= tries + 18
    });
    let counts = source.monitor.counts();
    let under_way = counts.pushed - counts.acknowledged;
    assert!(under_way <= under_way_max(4, 4), "{under_way} events are under way");
    assert!(counts.pushed < source.granted(), "the source was not held back");
}

fn finish_and_check(server: &Server, source: Source) {
    let granted = source.granted();
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (granted, 0));
    assert_holds_exactly(&address(server), &ledger);
}

#[test]
fn a_full_server_holds_the_source_back_until_there_is_room() {
    let server = server(&[("maxmemory-policy", "noeviction")]);
    let source = Source::start(open(&address(&server), &options(4, 4)), 9, 300);
    source.grant(200);
    source.until_acknowledged(200);
    tell(&server, "SETRANGE filler 30000000 x");
    let used: u64 = info(&server, "used_memory").parse().unwrap();
    tell(&server, &format!("CONFIG SET maxmemory {}", used + 1_000_000));
    source.grant(20_000);
    until_held_back(&source, "OOM");
    tell(&server, "DEL filler");
    source.until_acknowledged(source.granted());
    assert_eq!(source.monitor.trouble(), None);
    finish_and_check(&server, source);
}

#[test]
fn a_limit_lowered_while_running_holds_the_source_back_until_it_is_raised() {
    let server = server(&[("maxmemory", "1gb"), ("maxmemory-policy", "noeviction")]);
    let source = Source::start(open(&address(&server), &options(4, 4)), 11, 50);
    source.grant(500);
    source.until_acknowledged(250);
    tell(&server, "CONFIG SET maxmemory 100000");
    source.grant(5_000);
    until_held_back(&source, "OOM");
    tell(&server, "CONFIG SET maxmemory 1gb");
    finish_and_check(&server, source);
}

#[test]
fn a_full_buffer_can_be_drained_by_a_reader_that_was_restarted() {
    let server = server(&[("maxmemory-policy", "noeviction")]);
    let address = address(&server);
    drop(likes(&address, Some(("g", "one"))));
    let mut writer = open(&address, &options(2, 4));
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 10).unwrap();
    writer.close().unwrap();
    tell(&server, "CONFIG SET maxmemory 100000");
    let mut reader = likes(&address, Some(("g", "one")));
    let found = drain(&mut reader);
    assert_same(jetstream::LIKES, &events_of(jetstream::LIKES, &found), ledger.lane(jetstream::LIKES));
    reader.acknowledge(places(&found)).unwrap();
    assert_eq!(ask::<u64>(&server, &format!("XLEN {}", name().stream(jetstream::LIKES))).unwrap(), 0);
}

#[test]
fn a_server_that_cannot_save_holds_the_source_back_until_it_can() {
    let server = server(&[("save", "3600 1000000"), ("stop-writes-on-bgsave-error", "yes")]);
    let source = Source::start(open(&address(&server), &options(4, 4)), 13, 50);
    source.grant(500);
    source.until_acknowledged(250);
    // A folder stands where the snapshot should go.
    let obstacle = server.dir().join("dump.rdb");
    std::fs::create_dir(&obstacle).unwrap();
    tell(&server, "BGSAVE");
    until("the snapshot has failed", || info(&server, "rdb_last_bgsave_status") == "err");
    source.grant(5_000);
    until_held_back(&source, "MISCONF");
    std::fs::remove_dir(&obstacle).unwrap();
    tell(&server, "BGSAVE");
    finish_and_check(&server, source);
}

#[test]
fn a_server_that_becomes_a_replica_holds_the_source_back_until_it_is_a_master_again() {
    let server = server(&[]);
    let source = Source::start(open(&address(&server), &options(4, 4)), 15, 50);
    source.grant(500);
    source.until_acknowledged(250);
    // A master that never answers, so that nothing is taken from it.
    tell(&server, "REPLICAOF 127.0.0.1 1");
    source.grant(5_000);
    until_held_back(&source, "");
    let why = source.monitor.trouble().unwrap();
    assert!(why.to_ascii_lowercase().contains("replica") || why.contains("ReadOnly"), "{why}");
    tell(&server, "REPLICAOF NO ONE");
    finish_and_check(&server, source);
}

#[test]
fn patience_ends_in_an_error_that_names_how_many_events_are_not_acknowledged() {
    let mut server = server(&[]);
    let address = address(&server);
    let patience = Duration::from_millis(300);
    let mut writer = open(&address, &Options { patience, ..options(2, 4) });
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 10).unwrap();
    until("10 are acknowledged", || writer.monitor().counts().acknowledged == 10);
    server.kill().unwrap();
    ledger.push_many(&mut writer, jetstream::LIKES, 7).unwrap();
    let error = writer.close().unwrap_err();
    let Error::Lost { unacknowledged: 7, waited, .. } = error else { panic!("{error}") };
    assert!(waited >= patience, "{waited:?}");
    let text = error.to_string();
    for part in [server.url().as_str(), "7 events are not acknowledged", "efused"] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    assert!(!text.contains("after 0s"), "{text}");
}

#[test]
fn a_writer_dropped_while_the_server_is_away_ends_and_takes_nothing_with_it() {
    let mut server = server(&ALWAYS);
    let address = address(&server);
    let mut writer = open(&address, &options(2, 4));
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 10).unwrap();
    until("10 are acknowledged", || writer.monitor().counts().acknowledged == 10);
    server.kill().unwrap();
    ledger.push_many(&mut writer, jetstream::LIKES, 10).unwrap();
    drop(writer);
    server.restart().unwrap();
    assert_same(
        jetstream::LIKES,
        &events_of(jetstream::LIKES, &contents(&address)),
        &ledger.lane(jetstream::LIKES)[..10],
    );
}

#[test]
fn a_key_that_holds_something_else_is_named() {
    let stream = name().stream(jetstream::LIKES);
    let hash = name().writer(jetstream::LIKES);
    for key in [&stream, &hash] {
        let server = server(&[]);
        tell(&server, &format!("SET {key} mine"));
        let error = refused(&address(&server));
        assert!(matches!(&error, Error::WrongType { key: named, .. } if named.contains(key)), "{error}");
        assert!(error.to_string().contains("another buffer"), "{error}");
        assert_eq!(ask::<String>(&server, &format!("GET {key}")).unwrap(), "mine");
    }
    // And while a writer is at work.
    let server = server(&[]);
    let address = address(&server);
    let mut writer = open(&address, &options(2, 4));
    tell(&server, &format!("SET {stream} mine"));
    Ledger::default().push_many(&mut writer, jetstream::LIKES, 4).unwrap();
    let error = writer.close().unwrap_err();
    assert!(matches!(&error, Error::WrongType { key, .. } if key.contains(&stream)), "{error}");
    let in_group = read_options(&[jetstream::LIKES], Some(("g", "one")));
    let error = Reader::open(&address, &name(), in_group).err().unwrap();
    assert!(matches!(&error, Error::WrongType { key, .. } if *key == stream), "{error}");
    let error = likes(&address, None).next(Duration::ZERO).unwrap_err();
    assert!(matches!(&error, Error::WrongType { .. }), "{error}");
}

#[test]
fn a_server_that_cannot_hold_a_buffer_is_refused_with_what_it_is() {
    let (master, replica) = (server(&[]), server(&[]));
    tell(&replica, &format!("REPLICAOF 127.0.0.1 {}", master.port()));
    let error = refused(&address(&replica));
    assert!(matches!(&error, Error::Unfit { why, .. } if why.contains("replica")), "{error}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", master.port())), "{error}");

    let node = server(&[("cluster-enabled", "yes")]);
    let error = refused(&address(&node));
    assert!(matches!(&error, Error::Unfit { why, .. } if why.contains("redis+cluster://")), "{error}");
    let error = refused(&Address::parse(&node.url().replace("redis://", "redis+cluster://")).unwrap());
    assert!(
        matches!(&error, Error::Connect { why, .. } if why.contains("the cluster is not made yet")),
        "{error}"
    );
}

#[test]
fn a_refused_login_and_a_refused_connection_are_told_apart_and_no_password_is_shown() {
    let mut server = server(&[]);
    let mut admin = connection(&server);
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("right").exec(&mut admin).unwrap();
    let with = |login: &str| Address::parse(&format!("redis://{login}127.0.0.1:{}", server.port())).unwrap();
    for login in ["", ":wrong@"] {
        let error = refused(&with(login));
        assert!(matches!(error, Error::Login { .. }), "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
    let right = with(":right@");
    open(&right, &options(3, 4)).close().unwrap();
    server.kill().unwrap();
    let error = refused(&right);
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!(error.to_string().contains("is it running") && !error.to_string().contains("right@"), "{error}");
}
