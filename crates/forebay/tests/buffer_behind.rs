//! What is claimed of frames that go behind the append script, in one transaction with it: they are stored once, in order, by the
//! writer that has the lane and by no other, and where a server takes no transactions they go through the script.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::reader::Reader;
use forebay::buffer::writer::{Ack, Monitor, Options, Writer};
use forebay::event::jetstream::LIKES;
use forebay::event::parse::parse;
use forebay_rig::server::Server;
use forebay_rig::server::fault::disk::Disk;
use forebay_rig::server::fault::network::Direction;

use crate::buffer_fsync::{cut_power, on_disk, servers};
use crate::support::*;

/// Numbers of events that no encoding makes small: a block of two of them is above 40 KiB.
const BYTES: usize = 32 << 10;

pub fn large(number: u64) -> Vec<u8> {
    let mut random = Random::new(number + 1);
    let text: String = (0..BYTES).map(|_| char::from(b'!' + 2 + random.below(57) as u8)).collect();
    let text = text.replace('\\', "_");
    format!(
        r#"{{"time_us":{},"kind":"commit","commit":{{"collection":"app.bsky.feed.like","n":{number},"text":"{text}"}}}}"#,
        number + 1
    )
    .into_bytes()
}

fn push(writer: &mut Writer, numbers: std::ops::Range<u64>) -> Result<(), Error> {
    numbers
        .into_iter()
        .try_for_each(|number| writer.push_at(&parse(&large(number)).unwrap(), Duration::ZERO).map(drop))
}

/// A writer at work, whose first events are acknowledged.
fn at_work(address: &Address, options: &Options, events: u64) -> (Writer, Monitor) {
    let mut writer = open(address, options);
    push(&mut writer, 0..events).unwrap();
    let monitor = writer.monitor();
    until("the first are acknowledged", || monitor.counts().acknowledged == events);
    (writer, monitor)
}

/// Everything of the lane, which must be the events of these numbers.
fn assert_holds(server: &Server, numbers: impl Iterator<Item = u64>) {
    let found = contents(&address(server));
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
    let events: Vec<Vec<u8>> = numbers.map(large).collect();
    assert_same(LIKES, &events_of(LIKES, &found), &events);
}

fn aside() -> String {
    format!("{}:append", name().stream(LIKES))
}

/// How often the server carried out a transaction that adds a block.
fn transactions(server: &Server) -> u64 {
    let stat = redis::cmd("INFO").arg("commandstats").query::<String>(&mut connection(server)).unwrap();
    let of = |line: &str| line.strip_prefix("cmdstat_rename:calls=")?.split(',').next()?.parse().ok();
    stat.lines().find_map(of).unwrap_or(0)
}

#[test]
fn large_blocks_are_stored_in_order_behind_the_script_and_their_entries_are_as_others() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(2, 16));
    push(&mut writer, 0..40).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.retries), (40, 0));
    assert_holds(&server, 0..40);
    assert!(transactions(&server) >= 20, "{}", transactions(&server));
    let entries: Vec<(String, Vec<Vec<u8>>)> =
        ask(&server, &format!("XRANGE {} - +", name().stream(LIKES))).unwrap();
    let hash: Vec<String> = ask(&server, &format!("HMGET {} epoch s e", name().writer(LIKES))).unwrap();
    let field = |entry: &[Vec<u8>], at: usize| String::from_utf8(entry[2 * at + 1].clone()).unwrap();
    let names: Vec<&[u8]> = entries[0].1.iter().step_by(2).map(|name| &**name).collect();
    assert_eq!(names, [&b"f"[..], b"s", b"n", b"e", b"a", b"z", b"p", b"c", b"w", b"d"]);
    let last = &entries.last().unwrap().1;
    assert_eq!([field(last, 6), field(last, 1), field(last, 3)], hash[..], "epoch, s and e");
    assert_eq!(ask::<u64>(&server, &format!("EXISTS {}", aside())).unwrap(), 0);
}

#[test]
fn answers_that_are_lost_store_no_block_twice() {
    let server = server(&[]);
    let (proxy, address) = proxy(&server);
    let mut writer = open(&address, &options(2, 16));
    // In the middle of commands and of answers too.
    let mut random = Random::new(7);
    for round in 0..10 {
        let way = if round % 2 == 0 { Direction::ToServer } else { Direction::ToClient };
        proxy.cut_after(way, [random.below(if round % 2 == 0 { 100_000 } else { 400 })]);
        push(&mut writer, round * 10..(round + 1) * 10).unwrap();
    }
    push(&mut writer, 100..140).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (140, 0));
    assert_holds(&server, 0..140);
}

#[test]
fn a_server_that_forgets_the_script_adds_nothing_without_it() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(2, 16));
    for round in 0..20 {
        push(&mut writer, round * 4..(round + 1) * 4).unwrap();
        tell(&server, "SCRIPT FLUSH");
    }
    assert_eq!(writer.close().unwrap().acknowledged, 80);
    assert_holds(&server, 0..80);
}

#[test]
fn a_writer_whose_lane_was_taken_adds_nothing_more() {
    let server = server(&[]);
    let (mut old, _) = at_work(&address(&server), &options(2, 16), 10);
    let mut new = open(&address(&server), &taking_over(2, 16));
    // Until it hears of it.
    let fenced = (10..10_000).find_map(|number| push(&mut old, number..number + 1).err());
    assert!(matches!(fenced, Some(Error::Fenced { .. })), "{fenced:?}");
    push(&mut new, 10..20).unwrap();
    new.close().unwrap();
    assert_holds(&server, 0..20);
}

#[test]
fn a_full_server_takes_large_blocks_once_it_has_room() {
    let server = server(&[]);
    let (mut writer, monitor) = at_work(&address(&server), &options(2, 4), 10);
    tell(&server, "CONFIG SET maxmemory 1");
    push(&mut writer, 10..16).unwrap();
    until("it is refused", || monitor.counts().retries > 0);
    assert_eq!(monitor.counts().acknowledged, 10);
    tell(&server, "CONFIG SET maxmemory 0");
    push(&mut writer, 16..40).unwrap();
    assert_eq!(writer.close().unwrap().acknowledged, 40);
    assert_holds(&server, 0..40);
    assert!(transactions(&server) > 10, "after trouble they go behind the script again");
}

#[test]
fn a_user_who_may_not_do_it_has_frames_go_through_the_script() {
    for denied in ["-multi", "-exec", "-rename"] {
        let server = server(&[]);
        tell(&server, &format!("ACL SETUSER writer on >word ~* &* +@all {denied}"));
        let address = Address::parse(&format!("redis://writer:word@127.0.0.1:{}", server.port())).unwrap();
        let mut writer = open(&address, &options(2, 16));
        push(&mut writer, 0..20).unwrap();
        let counts = writer.close().unwrap();
        assert_eq!(counts.acknowledged, 20, "{denied}");
        assert!(counts.retries <= 1, "{denied}: refused once, not for each block: {counts:?}");
        assert_holds(&server, 0..20);
        assert_eq!(transactions(&server), 0, "{denied}");
    }
}

/// The commands of a transaction whose MULTI is refused are carried out one by one: none of them may count what another did not do.
#[test]
fn a_user_who_loses_the_right_to_it_in_the_middle_loses_no_event_also_where_the_server_is_full() {
    for (denied, is_full) in ["-multi", "-exec", "-rename", "-multi -rename"]
        .into_iter()
        .flat_map(|denied| [(denied, false), (denied, true)])
    {
        let server = server(&[]);
        tell(&server, "ACL SETUSER writer on >word ~* &* +@all");
        let address = Address::parse(&format!("redis://writer:word@127.0.0.1:{}", server.port())).unwrap();
        let (mut writer, monitor) = at_work(&address, &options(2, 16), 20);
        let mut both = redis::pipe();
        let mut user = redis::cmd("ACL");
        user.arg("SETUSER").arg("writer").arg(denied.split(' ').collect::<Vec<_>>());
        both.atomic().add_command(user).ignore();
        let memory = if is_full { "1" } else { "0" };
        both.cmd("CONFIG").arg("SET").arg("maxmemory").arg(memory).ignore();
        both.exec(&mut connection(&server)).unwrap();
        push(&mut writer, 20..40).unwrap();
        if is_full {
            until("it is refused", || monitor.counts().retries > 1);
            assert_eq!(monitor.counts().acknowledged, 20, "{denied}");
            tell(&server, "CONFIG SET maxmemory 0");
        }
        push(&mut writer, 40..80).unwrap();
        let counts = writer.close().unwrap();
        assert_eq!((counts.acknowledged, counts.lost_by_server), (80, 0), "{denied} {is_full}");
        assert_holds(&server, 0..80);
    }
}

#[test]
fn groups_that_wait_for_blocks_are_given_each_of_them() {
    for binary in servers() {
        let server = Server::start(&binary, &[("requirepass", "")].into_iter().collect()).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = ["a", "b"]
            .map(|group| {
                let (address, stop) = (address(&server), Arc::clone(&stop));
                std::thread::spawn(move || {
                    let mut reader =
                        Reader::open(&address, &name(), read_options(&[LIKES], Some((group, "c")))).unwrap();
                    let mut all = Vec::new();
                    loop {
                        // Asked before: what was stored before it was set is found after it.
                        let is_last = stop.load(Relaxed);
                        let found = reader.next(Duration::from_millis(200)).unwrap();
                        if is_last && found.is_empty() {
                            return all;
                        }
                        all.extend(found);
                    }
                })
            })
            .into();
        let mut writer = open(&address(&server), &options(2, 16));
        for round in 0..30 {
            // One at a time, so that they wait for each.
            push(&mut writer, round * 4..(round + 1) * 4).unwrap();
            let monitor = writer.monitor();
            until("it is acknowledged", || monitor.counts().acknowledged == (round + 1) * 4);
        }
        writer.close().unwrap();
        stop.store(true, Relaxed);
        let events: Vec<Vec<u8>> = (0..120).map(large).collect();
        for reader in readers {
            let found = reader.join().unwrap();
            assert!(faults(&found).is_empty(), "{binary:?}: {:?}", faults(&found));
            assert_same(LIKES, &events_of(LIKES, &found), &events);
        }
    }
}

#[test]
fn a_stream_that_a_torn_transaction_left_aside_is_put_back_and_two_are_told_of() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(2, 16));
    push(&mut writer, 0..10).unwrap();
    writer.close().unwrap();
    tell(&server, &format!("RENAME {} {}", name().stream(LIKES), aside()));
    let mut writer = open(&address(&server), &options(2, 16));
    push(&mut writer, 10..20).unwrap();
    writer.close().unwrap();
    assert_holds(&server, 0..20);
    // Under a writer at work.
    let mut writer = open(&address(&server), &options(2, 16));
    tell(&server, &format!("RENAME {} {}", name().stream(LIKES), aside()));
    push(&mut writer, 20..30).unwrap();
    writer.close().unwrap();
    assert_holds(&server, 0..30);
    // And where the next block is small.
    let mut writer = open(&address(&server), &options(1, 16));
    tell(&server, &format!("RENAME {} {}", name().stream(LIKES), aside()));
    let small = br#"{"time_us":9,"kind":"commit","commit":{"collection":"app.bsky.feed.like"}}"#;
    writer.push_at(&parse(small).unwrap(), Duration::ZERO).unwrap();
    assert_eq!(writer.close().unwrap().lost_by_server, 0);
    assert_eq!(ask::<u64>(&server, &format!("XLEN {}", name().stream(LIKES))).unwrap(), 16);
    let fields: Vec<String> = ask(&server, &format!("HKEYS {}", name().writer(LIKES))).unwrap();
    assert!(!fields.iter().any(|field| field.starts_with("lost:")), "{fields:?}");
    // With a block that was added there and not counted.
    let mut writer = open(&address(&server), &options(2, 16));
    push(&mut writer, 30..32).unwrap();
    writer.close().unwrap();
    tell(&server, &format!("HSET {} s 16 e 31", name().writer(LIKES)));
    tell(&server, &format!("RENAME {} {}", name().stream(LIKES), aside()));
    let mut writer = open(&address(&server), &options(2, 16));
    push(&mut writer, 32..34).unwrap();
    writer.close().unwrap();
    let last: Vec<(String, Vec<Vec<u8>>)> =
        ask(&server, &format!("XREVRANGE {} + - COUNT 1", name().stream(LIKES))).unwrap();
    assert_eq!([&last[0].1[3][..], &last[0].1[7]], [&b"18"[..], b"35"], "its number and its events go on");
    tell(&server, &format!("COPY {} {}", name().stream(LIKES), aside()));
    let refused =
        Writer::open(&address(&server), &name(), &options(2, 16)).map(drop).unwrap_err().to_string();
    assert!(refused.contains(&aside()) && refused.contains("another"), "{refused}");
}

#[test]
fn where_the_hash_counts_other_events_the_script_says_what_the_entry_has() {
    let server = server(&[]);
    let (mut writer, _) = at_work(&address(&server), &options(2, 1), 4);
    tell(&server, &format!("HSET {} e 1000", name().writer(LIKES)));
    push(&mut writer, 4..8).unwrap();
    assert_eq!(writer.close().unwrap().acknowledged, 8);
    let last: Vec<(String, Vec<Vec<u8>>)> =
        ask(&server, &format!("XREVRANGE {} + - COUNT 1", name().stream(LIKES))).unwrap();
    assert_eq!(last[0].1[7], b"1004");
}

#[test]
fn a_block_whose_answer_was_lost_is_acknowledged_by_a_server_that_is_full_by_now() {
    let server = server(&[]);
    let (proxy, address) = proxy(&server);
    let (mut writer, monitor) = at_work(&address, &options(2, 1), 2);
    proxy.leave_unanswered("XADD", 1);
    push(&mut writer, 2..4).unwrap();
    until("the second is stored", || {
        ask::<u64>(&server, &format!("XLEN {}", name().stream(LIKES))).unwrap() == 2
    });
    assert_eq!(monitor.counts().acknowledged, 2);
    tell(&server, "CONFIG SET maxmemory 1");
    proxy.cut_all();
    until("it is acknowledged", || monitor.counts().acknowledged == 4);
    tell(&server, "CONFIG SET maxmemory 0");
    writer.close().unwrap();
    assert_holds(&server, 0..4);
}

#[test]
fn a_key_that_holds_something_else_is_named_and_stays() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(2, 16));
    tell(&server, &format!("SET {} theirs", name().stream(LIKES)));
    push(&mut writer, 0..2).unwrap();
    let error = writer.close().unwrap_err();
    assert!(matches!(&error, Error::WrongType { key, .. } if *key == name().stream(LIKES)), "{error}");
    assert_eq!(ask::<String>(&server, &format!("GET {}", name().stream(LIKES))).unwrap(), "theirs");
}

#[test]
fn what_was_acknowledged_behind_the_script_outlives_power_cuts_in_the_middle_of_it() {
    for binary in servers() {
        let disk = Disk::mount(64 << 20).unwrap();
        let mut server = on_disk(&binary, &disk, "always");
        let mut writer = open(&address(&server), &Options { ack: Ack::Fsync, ..options(2, 16) });
        let monitor = writer.monitor();
        let (mut random, mut cuts) = (Random::new(3), 0);
        std::thread::scope(|scope| {
            let pushing = scope.spawn(move || {
                push(&mut writer, 0..600).unwrap();
                writer.close().unwrap()
            });
            let mut due = 0;
            while !pushing.is_finished() {
                due += 50 + random.below(100);
                until("more is acknowledged", || {
                    monitor.counts().acknowledged >= due || pushing.is_finished()
                });
                if !pushing.is_finished() {
                    cut_power(&mut server, &disk);
                    cuts += 1;
                }
            }
            let counts = pushing.join().unwrap();
            assert_eq!((counts.acknowledged, counts.lost_by_server), (600, 0), "{binary:?}");
        });
        assert!(cuts >= 3, "{binary:?}: {cuts} cuts");
        assert_holds(&server, 0..600);
        assert_eq!(ask::<u64>(&server, &format!("EXISTS {}", aside())).unwrap(), 0);
    }
}
