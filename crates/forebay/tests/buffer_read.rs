//! What a reader promises: every block to somebody until it is acknowledged, order within a lane, every doubt told by
//! its place and no false alarm, and nothing trimmed that a group still needs.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use forebay::buffer::entry::Id;
use forebay::buffer::error::Error;
use forebay::buffer::group_admin::Groups;
use forebay::buffer::reader::{self, Options, ReadItem, Reader};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::fault::network::Direction;

use crate::support::*;

#[test]
fn an_empty_buffer_has_nothing_and_that_is_no_error() {
    let server = server(&[]);
    assert_eq!(contents(&address(&server)), []);
    assert_eq!(drain(&mut likes(&address(&server), Some(("g", "one")))), []);
    let made = [name().stream(jetstream::LIKES), name().meta()];
    let keys: std::collections::BTreeSet<String> = ask(&server, "KEYS *").unwrap();
    assert_eq!(keys, made.into(), "the group makes its stream, and says what the buffer is");
}

#[test]
fn a_reader_without_a_group_leaves_no_trace() {
    let (server, ledger) = filled(20);
    let before: u64 = info(&server, "rdb_changes_since_last_save").parse().unwrap();
    assert_holds_exactly(&address(&server), &ledger);
    assert_holds_exactly(&address(&server), &ledger);
    assert_eq!(info(&server, "rdb_changes_since_last_save").parse::<u64>().unwrap(), before);
}

#[test]
fn the_signal_that_ends_a_read_breaks_off_a_question_and_not_the_read() {
    let (mut server, _) = filled(20);
    let mut reader = likes(&address(&server), Some(("g", "one")));
    let (before, found) = (held(&server), reader.next(LIMIT).unwrap());
    let stop = Arc::new(AtomicBool::new(true));
    reader.stop_on(&stop);
    tell(&server, "CLIENT KILL TYPE normal");
    reader.acknowledge(places(&found)).unwrap();
    assert_eq!(held(&server), before - found.len() as u64, "what is acknowledged is trimmed");
    // Broken off at each try, it does end.
    server.kill().unwrap();
    let error = reader.acknowledge(places(&found)).unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
}

#[test]
fn a_wait_ends_when_something_arrives_and_not_before_its_time() {
    for ahead in [false, true] {
        let server = server(&[]);
        let mut options = read_options(&jetstream::ALL, Some(("g", "one")));
        options.ahead = ahead;
        let mut reader = Reader::open(&address(&server), &name(), options).unwrap();
        let started = Instant::now();
        assert_eq!(reader.next(Duration::from_millis(300)).unwrap(), []);
        assert!(started.elapsed() >= Duration::from_millis(300));
        let mut ledger = Ledger::default();
        for round in 0..3 {
            let server_address = address(&server);
            let waits = std::thread::spawn(move || {
                let found = reader.next(LIMIT).unwrap();
                (reader, found)
            });
            until("the reader waits at the server", || info(&server, "blocked_clients") == "1");
            let mut writer = open(&server_address, &crate::support::options(2, 4));
            ledger.push_many(&mut writer, jetstream::POSTS, 2).unwrap();
            writer.close().unwrap();
            let (back, found) = waits.join().unwrap();
            reader = back;
            assert_same(
                jetstream::POSTS,
                &events_of(jetstream::POSTS, &found),
                &ledger.lane(jetstream::POSTS)[2 * round..],
            );
        }
    }
}

#[test]
fn everything_comes_once_and_in_order_whether_asked_for_ahead_or_not() {
    let server = server(&[]);
    let source = Source::start(open(&address(&server), &options(3, 16)), 21, 200);
    source.grant(6_000);
    let (ledger, _) = source.finish();
    for (group, ahead) in
        [(None, false), (None, true), (Some(("a", "one")), false), (Some(("b", "one")), true)]
    {
        let mut options = read_options(&jetstream::ALL, group);
        options.ahead = ahead;
        let mut reader = Reader::open(&address(&server), &name(), options).unwrap();
        let found = drain(&mut reader);
        assert_eq!(faults(&found), Vec::<&ReadItem>::new());
        for lane in jetstream::ALL {
            assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
        }
    }
}

#[test]
fn what_a_consumer_did_not_acknowledge_comes_again_when_it_comes_back_under_its_name() {
    let (server, ledger) = filled(10);
    let address = address(&server);
    let mut reader = likes(&address, Some(("g", "one")));
    let first = few(&mut reader);
    reader.acknowledge(places(&first[..2])).unwrap();
    drop(reader);
    let mut reader = likes(&address, Some(("g", "one")));
    let found = drain(&mut reader);
    assert_eq!(numbers(&found), (3..=10).collect::<Vec<_>>());
    assert_same(jetstream::LIKES, &events_of(jetstream::LIKES, &found), &ledger.lane(jetstream::LIKES)[4..]);
    assert_eq!(faults(&found), Vec::<&ReadItem>::new());
}

#[test]
fn a_gap_left_by_what_was_acknowledged_is_not_taken_for_a_loss_when_coming_back() {
    let (server, mut ledger) = filled(4);
    let address = address(&server);
    let mut reader = likes(&address, Some(("g", "one")));
    let found = few(&mut reader);
    reader.acknowledge(places(&found[2..])).unwrap();
    drop(reader);
    add(&server, &mut ledger, 2);
    let found = drain(&mut likes(&address, Some(("g", "one"))));
    assert_eq!((numbers(&found), faults(&found)), (vec![1, 2, 5, 6], vec![]));
}

#[test]
fn what_a_dead_consumer_left_lying_is_taken_over_by_another() {
    let (server, ledger) = filled(6);
    let address = address(&server);
    let mut dead = likes(&address, Some(("g", "dead")));
    let lying = numbers(&few(&mut dead));
    drop(dead);
    let options = Options {
        claim_idle: Duration::from_millis(1),
        ..read_options(&[jetstream::LIKES], Some(("g", "alive")))
    };
    let mut alive = Reader::open(&address, &name(), options).unwrap();
    let mut found = Vec::new();
    until("everything came", || {
        found.extend(alive.next(Duration::from_millis(5)).unwrap());
        found.len() >= 6
    });
    assert_eq!(faults(&found), Vec::<&ReadItem>::new());
    let mut all = numbers(&found);
    all.sort_unstable();
    assert_eq!((lying, all), (vec![1, 2, 3, 4], (1..=6).collect()));
    alive.acknowledge(places(&found)).unwrap();
    assert_eq!(held(&server), 0);
    let mut events = events_of(jetstream::LIKES, &found);
    events.sort();
    let mut pushed = ledger.lane(jetstream::LIKES).to_vec();
    pushed.sort();
    assert_same(jetstream::LIKES, &events, &pushed);
}

#[test]
fn a_slow_consumer_is_not_given_again_what_it_holds_itself() {
    let (server, mut ledger) = filled(6);
    let options = Options {
        claim_idle: Duration::from_millis(1),
        ..read_options(&[jetstream::LIKES], Some(("g", "slow")))
    };
    let mut reader = Reader::open(&address(&server), &name(), options).unwrap();
    let mut found = drain(&mut reader);
    add(&server, &mut ledger, 1);
    for _ in 0..5 {
        found.extend(reader.next(Duration::from_millis(20)).unwrap());
    }
    assert_eq!(numbers(&found), (1..=7).collect::<Vec<_>>());
    reader.acknowledge(places(&found)).unwrap();
    assert_eq!(held(&server), 0);
}

#[test]
fn a_block_goes_when_every_group_is_done_with_it_and_not_before() {
    let (server, _) = filled(12);
    let address = address(&server);
    let (mut one, mut two) = (likes(&address, Some(("a", "one"))), likes(&address, Some(("b", "one"))));
    let all = drain(&mut one);
    one.acknowledge(places(&all)).unwrap();
    assert_eq!(held(&server), 12, "the other group was given nothing yet");
    let some = few(&mut two);
    two.acknowledge(places(&some[2..])).unwrap();
    assert_eq!(held(&server), 12, "the other group has the first two in hand");
    two.acknowledge(places(&some[1..2])).unwrap();
    assert_eq!(held(&server), 12, "the other group has the first in hand");
    two.acknowledge(places(&some[..1])).unwrap();
    assert_eq!(held(&server), 8, "the other group was not given the fifth");
    let rest = drain(&mut two);
    two.acknowledge(places(&rest)).unwrap();
    assert_eq!(held(&server), 0);
}

#[test]
fn two_consumers_of_a_group_share_a_lane_without_false_alarms() {
    let (server, ledger) = filled(0);
    let address = address(&server);
    let source = Source::start(open(&address, &options(2, 16)), 23, 100);
    let mut consumers = ["one", "two"].map(|consumer| likes(&address, Some(("g", consumer))));
    let (mut found, mut random) = (Vec::new(), Random::new(23));
    let mut held_back: [Vec<(Lane, Id)>; 2] = Default::default();
    for round in 0..150 {
        source.grant(30);
        if round % 10 == 9 {
            source.until_acknowledged(source.granted());
        }
        let who = random.below(2) as usize;
        let new = consumers[who].next(Duration::ZERO).unwrap();
        held_back[who].extend(places(&new));
        found.extend(new);
        if random.below(3) == 0 {
            consumers[who].acknowledge(held_back[who].drain(..)).unwrap();
        }
    }
    let (pushed, _) = source.finish();
    for (consumer, held_back) in consumers.iter_mut().zip(held_back) {
        let new = drain(consumer);
        consumer.acknowledge(places(&new).into_iter().chain(held_back)).unwrap();
        found.extend(new);
    }
    assert_eq!(faults(&found), Vec::<&ReadItem>::new());
    assert_eq!(held(&server), 0);
    let mut events = events_of(jetstream::LIKES, &found);
    events.sort();
    let mut expected = [ledger.lane(jetstream::LIKES), pushed.lane(jetstream::LIKES)].concat();
    expected.sort();
    assert_same(jetstream::LIKES, &events, &expected);
}

#[test]
fn a_connection_lost_between_reads_loses_nothing_repeats_nothing_and_raises_no_alarm() {
    for (group, ahead) in
        [(None, false), (None, true), (Some(("g", "one")), false), (Some(("g", "one")), true)]
    {
        let (server, mut ledger) = filled(200);
        let (proxy, near) = proxy(&server);
        let mut options = read_options(&[jetstream::LIKES], group);
        options.ahead = ahead;
        let mut reader = Reader::open(&near, &name(), options).unwrap();
        // The first answer passes; the next, asked for ahead or not, breaks off in the middle.
        proxy.cut_after(Direction::ToClient, [20_000]);
        let mut found = few(&mut reader);
        if ahead {
            until("it is cut", || proxy.cuts() == 1);
        }
        add(&server, &mut ledger, 100);
        found.extend(drain(&mut reader));
        assert_eq!(faults(&found), Vec::<&ReadItem>::new(), "{group:?}, ahead {ahead}");
        assert_eq!(numbers(&found), (1..=300).collect::<Vec<_>>(), "{group:?}, ahead {ahead}");
        assert_same(jetstream::LIKES, &events_of(jetstream::LIKES, &found), ledger.lane(jetstream::LIKES));
        // And before the answer to an acknowledgement, in the middle of it, and of that to the trim after it.
        for bytes in if group.is_some() { &[0, 2, 6][..] } else { &[] } {
            let before = proxy.cuts();
            proxy.cut_after(Direction::ToClient, [*bytes]);
            reader.acknowledge(places(&found)).unwrap();
            assert_eq!(proxy.cuts(), before + 1, "after {bytes} bytes");
        }
        assert_eq!(held(&server), if group.is_some() { 0 } else { 300 });
    }
}

/// The answer asked for ahead says that there is nothing, and was given before there was something.
#[test]
fn what_has_arrived_is_found_at_once_even_where_an_older_answer_is_on_its_way() {
    for group in [None, Some(("g", "one"))] {
        let (server, mut ledger) = filled(4);
        let options = Options { ahead: true, ..read_options(&[jetstream::LIKES], group) };
        let mut reader = Reader::open(&address(&server), &name(), options).unwrap();
        few(&mut reader);
        // Answered before this is: the server takes one command after the other.
        let asked = if group.is_some() { "cmdstat_xreadgroup" } else { "cmdstat_xread" };
        until("the server has answered twice", || {
            let stats: String = ask(&server, "INFO commandstats").unwrap();
            let line = stats.lines().find(|line| line.starts_with(&format!("{asked}:")));
            line.is_some_and(|line| !line.contains("calls=1,"))
        });
        add(&server, &mut ledger, 1);
        assert_eq!(numbers(&reader.next(Duration::ZERO).unwrap()), [5], "{group:?}");
    }
}

#[test]
fn an_answer_cut_in_the_middle_is_asked_for_again() {
    for group in [None, Some(("g", "one"))] {
        let (server, ledger) = filled(300);
        let (proxy, near) = proxy(&server);
        let options = Options { ahead: true, ..read_options(&[jetstream::LIKES], group) };
        let mut reader = Reader::open(&near, &name(), options).unwrap();
        let mut found = Vec::new();
        proxy.cut_after(Direction::ToClient, [1_000, 7_000, 12_000, 30_000]);
        until("it is cut four times", || {
            found.extend(reader.next(Duration::ZERO).unwrap());
            proxy.cuts() == 4
        });
        found.extend(drain(&mut reader));
        assert_eq!(faults(&found), Vec::<&ReadItem>::new());
        assert_same(jetstream::LIKES, &events_of(jetstream::LIKES, &found), ledger.lane(jetstream::LIKES));
    }
}

#[test]
fn a_reader_gives_up_after_its_patience() {
    let (mut server, _) = filled(1);
    let options = Options {
        patience: Duration::from_millis(300),
        ..read_options(&[jetstream::LIKES], Some(("g", "one")))
    };
    let mut reader = Reader::open(&address(&server), &name(), options).unwrap();
    let found = drain(&mut reader);
    server.kill().unwrap();
    for error in [reader.next(LIMIT).unwrap_err(), reader.acknowledge(places(&found)).unwrap_err()] {
        assert!(matches!(error, Error::Lost { .. }), "{error}");
        assert!(error.to_string().contains(&server.url()), "{error}");
    }
}

#[test]
fn what_a_dead_consumer_left_is_taken_over_while_a_reader_catches_up() {
    let (server, _) = filled(2_000);
    let address = address(&server);
    let options = Options {
        claim_idle: Duration::from_millis(1),
        ahead: true,
        ..read_options(&[jetstream::LIKES], Some(("g", "alive")))
    };
    let mut alive = Reader::open(&address, &name(), options).unwrap();
    alive.ask_for(1);
    // From the first answer on, one is always on its way.
    let mut found = alive.next(LIMIT).unwrap();
    let mut dead = likes(&address, Some(("g", "dead")));
    let lying = numbers(&few(&mut dead));
    drop(dead);
    while numbers(&found).iter().filter(|number| lying.contains(number)).count() < lying.len() {
        let more = alive.next(LIMIT).unwrap();
        assert!(!numbers(&more).contains(&2_000), "it had caught up before");
        found.extend(more);
    }
    assert_eq!(faults(&found), Vec::<&ReadItem>::new());
}

#[test]
fn two_readers_without_a_name_of_their_own_share_a_group_and_see_no_hole() {
    let (server, ledger) = filled(300);
    let address = address(&server);
    let names = [reader::own_consumer(), reader::own_consumer()];
    assert_ne!(names[0], names[1]);
    let mut readers = names.each_ref().map(|own| likes(&address, Some(("g", own))));
    let mut found = [Vec::new(), Vec::new()];
    for round in 0.. {
        let who = round % 2;
        let new = readers[who].next(Duration::ZERO).unwrap();
        if new.is_empty() {
            break;
        }
        readers[who].acknowledge(places(&new)).unwrap();
        found[who].extend(new);
    }
    for found in &found {
        assert_eq!((faults(found), found.is_empty()), (vec![], false));
    }
    let all: usize = found.iter().map(Vec::len).sum();
    assert_eq!((all, held(&server)), (300, 0));
    let mut events = events_of(jetstream::LIKES, &found.concat());
    events.sort();
    let mut pushed = ledger.lane(jetstream::LIKES).to_vec();
    pushed.sort();
    assert_same(jetstream::LIKES, &events, &pushed);
    let [one, other] = readers;
    let [mut one, mut other] = [one, other];
    one.leave();
    other.leave();
    let left: Vec<redis::Value> =
        ask(&server, &format!("XINFO CONSUMERS {} g", name().stream(jetstream::LIKES))).unwrap();
    assert_eq!(left.len(), 0, "{left:?}");
}

/// Whichever way it went: its reader left, or somebody deleted it.
#[test]
fn blocks_that_a_consumer_had_that_is_gone_are_not_missing() {
    for by_hand in [false, true] {
        let (server, mut ledger) = filled(4);
        let address = address(&server);
        let mut stays = likes(&address, Some(("g", "stays")));
        let mut goes = likes(&address, Some(("g", "goes")));
        let first = few(&mut stays);
        stays.acknowledge(places(&first)).unwrap();
        add(&server, &mut ledger, 4);
        let theirs = drain(&mut goes);
        assert_eq!(numbers(&theirs), [5, 6, 7, 8]);
        if by_hand {
            // Seen by the one that stays.
            add(&server, &mut ledger, 1);
            assert_eq!(faults(&stays.next(LIMIT).unwrap()), Vec::<&ReadItem>::new());
            add(&server, &mut ledger, 1);
            goes.acknowledge(places(&theirs)).unwrap();
            let last = drain(&mut goes);
            goes.acknowledge(places(&last)).unwrap();
            tell(&server, &format!("XGROUP DELCONSUMER {} g goes", name().stream(jetstream::LIKES)));
        } else {
            goes.acknowledge(places(&theirs)).unwrap();
            goes.leave();
        }
        add(&server, &mut ledger, 1);
        let found = drain(&mut stays);
        assert!(!found.is_empty());
        assert_eq!(faults(&found), Vec::<&ReadItem>::new(), "by hand: {by_hand}");
    }
}

#[test]
fn a_consumer_that_holds_blocks_is_not_struck_off_when_it_leaves() {
    let (server, _) = filled(10);
    let address = address(&server);
    let mut reader = likes(&address, Some(("g", "one")));
    let found = few(&mut reader);
    reader.acknowledge(places(&found[..2])).unwrap();
    reader.leave();
    let found = drain(&mut likes(&address, Some(("g", "one"))));
    assert_eq!(numbers(&found), (3..=10).collect::<Vec<_>>());
}

#[test]
fn what_somebody_else_acknowledged_is_forgotten_and_what_nobody_does_has_a_bound() {
    let (server, mut ledger) = filled(64);
    let address = address(&server);
    let mut reader = likes(&address, Some(("g", "one")));
    reader.hold_at_most(64);
    let first = few(&mut reader);
    Groups::open(&address, &name()).unwrap().acknowledge("g", &places(&first)).unwrap();
    let mut rest = Vec::new();
    while rest.len() < 60 {
        rest.extend(reader.next(LIMIT).unwrap());
    }
    assert_eq!(reader.held(), 60, "the first four are forgotten");
    add(&server, &mut ledger, 4);
    let error = loop {
        match reader.next(LIMIT) {
            Ok(found) => assert!(!found.is_empty()),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, Error::Unacknowledged { blocks: 64, .. }), "{error}");
    Groups::open(&address, &name()).unwrap().acknowledge("g", &places(&rest)).unwrap();
    add(&server, &mut ledger, 1);
    assert_eq!(numbers(&reader.next(LIMIT).unwrap()), [69]);
}

#[test]
fn a_group_at_the_highest_sequence_number_there_is_lets_its_lane_be_trimmed() {
    let (server, _) = filled(6);
    let address = address(&server);
    let ids: Vec<Id> = places(&contents(&address)).iter().map(|place| place.1).collect();
    let key = name().stream(jetstream::LIKES);
    let mut reader = likes(&address, Some(("g", "one")));
    let found = drain(&mut reader);
    for last in [format!("{}-{}", ids[2].ms, u64::MAX), format!("{}-{}", u64::MAX, u64::MAX)] {
        tell(&server, &format!("XGROUP CREATE {key} strange {last}"));
        let up_to = found.iter().take_while(|item| match item {
            ReadItem::Block(_, entry) => entry.id.ms <= ids[2].ms,
            _ => false,
        });
        let done: Vec<ReadItem> =
            if last.starts_with(&u64::MAX.to_string()) { found.clone() } else { up_to.cloned().collect() };
        reader.acknowledge(places(&done)).unwrap();
        assert_eq!(held(&server), 6 - done.len() as u64, "{last}");
        tell(&server, &format!("XGROUP DESTROY {key} strange"));
    }
}

/// The clock of a server is that of its ids: a stream that somebody put an id of far in the future into stands for one that
/// came from a clock that was ahead.
#[test]
fn a_reader_without_a_group_goes_on_where_the_server_came_back_with_less_and_an_older_clock() {
    let mut server = server(&[]);
    let key = name().stream(jetstream::LIKES);
    let (donor, _) = filled(3);
    let rows: Vec<(String, Vec<Vec<u8>>)> = ask(&donor, &format!("XRANGE {key} - +")).unwrap();
    for (number, (_, fields)) in (1..).zip(rows) {
        let mut add = redis::cmd("XADD");
        add.arg(&key).arg(format!("99999999999999-{number}")).arg(fields);
        add.exec(&mut connection(&server)).unwrap();
    }
    let mut reader = likes(&address(&server), None);
    assert_eq!(numbers(&drain(&mut reader)), [1, 2, 3]);
    // It keeps nothing.
    server.kill().unwrap();
    server.restart().unwrap();
    let mut ledger = Ledger { padding: 50, ..Ledger::default() };
    add(&server, &mut ledger, 2);
    let mut found = Vec::new();
    until("the new blocks are read", || {
        found.extend(reader.next(Duration::from_millis(50)).unwrap());
        entries(&found).len() == 2
    });
    assert_eq!(numbers(&found), [1, 2]);
    let [ReadItem::WentBack { lane: jetstream::LIKES, read: Id { ms: 99_999_999_999_999, seq: 3 }, .. }] =
        faults(&found)[..]
    else {
        panic!("{found:?}")
    };
}
