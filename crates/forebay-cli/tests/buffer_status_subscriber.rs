//! What is claimed of the listener, whatever is published: what was before it began does not count, nothing counts
//! twice, what is no message of a writer's is counted and passed over, and a server that is gone is noticed.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use forebay::buffer::connect::Address;
use forebay::buffer::status_subscriber::{Ends, StatusSubscriber, WRITERS_MAX, WritersSnapshot};
use forebay::buffer::writer_status::{FateCounts, WriterState};
use forebay::event::jetstream;
use forebay_rig::server::Server;

use crate::buffer_writer_status::{hearing, only};
use crate::support::*;

/// A message of a writer with so many events acknowledged in each lane.
fn message(id: u64, age_ms: u64, state: &str, acknowledged: u64) -> String {
    let mut lanes = String::new();
    for lane in jetstream::ALL {
        write!(
            lanes,
            r#"{}"{lane}":{{"acknowledged":{acknowledged},"spilled":0,"recovered":0,"shed":0,"trimmed":0,"unreadable":0,"lost":0,"refusals":0}}"#,
            if lanes.is_empty() { "" } else { "," }
        )
        .unwrap();
    }
    format!(
        r#"{{"v":1,"id":"{id:012x}","age_ms":{age_ms},"state":"{state}","why":null,"more":[],"lanes":{{{lanes}}}}}"#
    )
}

/// The first message of a run.
fn first(id: u64) -> String {
    message(id, 0, "writing", 0)
}

fn publish(server: &Server, messages: &[impl AsRef<[u8]>]) {
    let mut connection = connection(server);
    for message in messages {
        let heard: u64 = redis::cmd("PUBLISH")
            .arg(name().status_channel())
            .arg(message.as_ref())
            .query(&mut connection)
            .unwrap();
        assert_eq!(heard, 1, "somebody listens");
    }
}

/// Waits until the last of what was published is heard, and looks: publishes one more that is not understood, as the last
/// of so many.
fn after(server: &Server, hearing: &StatusSubscriber, not_understood: u64) -> WritersSnapshot {
    publish(server, &["the end"]);
    until("the last message is heard", || hearing.look().not_understood >= not_understood);
    hearing.look()
}

fn acknowledged(heard: &WritersSnapshot) -> u64 {
    let sums = jetstream::ALL.map(|lane| heard.of(lane).acknowledged);
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
    sums[0]
}

#[test]
fn a_listener_that_begins_late_counts_only_what_comes_then() {
    let server = server(&[]);
    let address = address(&server);
    let early = hearing(&address);
    let mut writer = open(&address, &options(2, 4));
    let mut ledger = Ledger::default();
    until("its first message is out", || !early.look().writers.is_empty());
    ledger.push_many(&mut writer, jetstream::LIKES, 100).unwrap();
    until("they are stored", || writer.monitor().counts().acknowledged == 100);
    let hearing = hearing(&address);
    until("the writer is heard", || !hearing.look().writers.is_empty());
    let heard = hearing.look();
    assert!(heard.sums.values().all(|fates| *fates == FateCounts::default()), "{heard:?}");
    assert_eq!(only(&heard).totals.acknowledged, 100);
    ledger.push_many(&mut writer, jetstream::LIKES, 20).unwrap();
    writer.close().unwrap();
    until("its end is heard", || [&hearing, &early].iter().all(|hearing| hearing.look().ends.closed == 1));
    let heard = hearing.look();
    assert_eq!(heard.of(jetstream::LIKES), FateCounts { acknowledged: 20, ..FateCounts::default() });
    assert_eq!(only(&heard).totals.acknowledged, 120);
    assert_eq!(early.look().of(jetstream::LIKES).acknowledged, 120);
}

#[test]
fn what_is_no_message_of_a_writer_is_counted_and_passed_over() {
    let server = server(&[]);
    let hearing = hearing(&address(&server));
    let good = message(1, 0, "writing", 7);
    let mut garbage: Vec<Vec<u8>> = [
        String::new(),
        "null".into(),
        "[".repeat(10_000),
        good.replace(r#""v":1"#, r#""v":2"#),
        good.replace("posts", "sto ries"),
        good.replace("writing", "dancing"),
        good.replace("000000000001", "00000000000G"),
        good.replace("000000000001", "01"),
        good.replace(r#""acknowledged":7"#, r#""acknowledged":-7"#),
        good.replace(r#""acknowledged":7"#, r#""acknowledged":7.5"#),
        good.replace(r#""acknowledged":7"#, r#""acknowledged":18446744073709551616"#),
        good.replace(r#""age_ms":0"#, r#""age_ms":null"#),
        good.replace("null", &format!("{:?}", "x".repeat(17 << 10))),
        good[..good.len() - 1].into(),
        "x".repeat(1 << 20),
    ]
    .map(String::into_bytes)
    .into();
    garbage.push(vec![0xff, 0xfe, 0]);
    publish(&server, &garbage);
    let unknown = garbage.len() as u64 + 1;
    let heard = after(&server, &hearing, unknown);
    assert_eq!(heard.not_understood, unknown);
    assert_eq!((heard.writers.len(), acknowledged(&heard)), (0, 0));
    // Messages all the same, as far as they can be told: numbers beyond all bounds, and what a terminal would heed.
    let long = good.replace("null", &format!(r#""\u001b[2J{}""#, "ä".repeat(2_000)));
    publish(&server, &[first(1), long]);
    let heard = after(&server, &hearing, unknown + 1);
    let why = only(&heard).why.clone().unwrap();
    assert!(why.starts_with(" [2Jä") && why.chars().count() == 512, "{why}");
    assert_eq!((only(&heard).state, acknowledged(&heard)), (WriterState::Writing, 7));
    publish(&server, &[message(2, u64::MAX, "writing", 5), message(2, u64::MAX, "writing", u64::MAX)]);
    publish(&server, &[first(3), message(3, 0, "writing", u64::MAX)]);
    assert_eq!(acknowledged(&after(&server, &hearing, unknown + 2)), u64::MAX);
}

#[test]
fn counts_never_go_back_and_what_was_overtaken_changes_nothing() {
    let server = server(&[]);
    let hearing = hearing(&address(&server));
    publish(&server, &[first(1), message(1, 1_000, "writing", 10), message(1, 9_000, "closed", 30)]);
    // One that a connection given up had still on its way.
    publish(&server, &[message(1, 8_000, "held back", 20)]);
    let heard = after(&server, &hearing, 1);
    assert_eq!((acknowledged(&heard), only(&heard).state), (30, WriterState::Closed));
    publish(&server, &[message(1, 10_000, "closed", 4)]);
    let heard = after(&server, &hearing, 2);
    assert_eq!((acknowledged(&heard), only(&heard).totals.acknowledged), (30, 180));
    // Nor is what a message leaves out counted again by the next one.
    let mut bare: serde_json::Value = serde_json::from_str(&message(1, 10_500, "closed", 4)).unwrap();
    bare["lanes"] = serde_json::json!({});
    publish(&server, &[bare.to_string(), message(1, 11_000, "closed", 31)]);
    let heard = after(&server, &hearing, 3);
    assert_eq!((acknowledged(&heard), heard.ends), (31, Ends { closed: 1, ..Ends::default() }));
}

/// Where a run's first message came while the listener's connection was away.
#[test]
fn a_run_that_began_after_the_listener_counts_from_its_beginning_whatever_was_missed() {
    let server = server(&[]);
    let started = Instant::now();
    let hearing = hearing(&address(&server));
    until("it has listened for a while", || started.elapsed() > Duration::from_secs(6));
    publish(&server, &[message(1, 1_000, "writing", 5), message(2, 60_000, "writing", 7)]);
    assert_eq!(acknowledged(&after(&server, &hearing, 1)), 5);
    publish(&server, &[message(1, 2_000, "writing", 6), message(2, 61_000, "writing", 9)]);
    assert_eq!(acknowledged(&after(&server, &hearing, 2)), 8);
}

#[test]
fn of_many_writers_the_ones_heard_last_are_kept_and_none_counts_twice() {
    let server = server(&[]);
    let started = Instant::now();
    let hearing = hearing(&address(&server));
    // So that a run may have begun after the listener, and before it was forgotten.
    until("it has listened for a while", || started.elapsed() > Duration::from_secs(6));
    let most = WRITERS_MAX as u64;
    let all: Vec<String> = (1..=most).flat_map(|id| [first(id), message(id, 1, "writing", 1)]).collect();
    publish(&server, &all);
    // The second was heard longest ago from now on.
    publish(&server, &[message(1, 2, "writing", 2), first(most + 1), message(most + 1, 1, "writing", 1)]);
    let heard = after(&server, &hearing, 1);
    let ids: Vec<&str> = heard.writers.iter().map(|writer| writer.id.as_str()).collect();
    assert_eq!((ids.len(), acknowledged(&heard), heard.forgotten), (WRITERS_MAX, most + 2, 1));
    assert!(ids.contains(&"000000000001") && !ids.contains(&"000000000002"), "{ids:?}");
    // It was counted before it was forgotten; only what comes after its first message counts now.
    publish(&server, &[message(2, 1_000, "writing", 50), message(2, 2_000, "closed", 53)]);
    let heard = after(&server, &hearing, 2);
    let counted = (heard.writers.len(), acknowledged(&heard), heard.ends.closed);
    assert_eq!(counted, (WRITERS_MAX, most + 5, 1));
}

#[test]
fn a_user_who_may_not_listen_is_told_and_hears_once_permitted() {
    let server = server(&[]);
    tell(&server, "ACL SETUSER deaf on >opensesame resetchannels -@all +@connection +subscribe");
    let url = server.url().replace("redis://", "redis://deaf:opensesame@");
    let hearing = StatusSubscriber::start(&Address::parse(&url).unwrap(), &name());
    until("it is refused", || {
        hearing
            .look()
            .why_not
            .is_some_and(|why| why.contains("+subscribe &forebay:*") && !why.contains("opensesame"))
    });
    assert!(!hearing.look().is_subscribed);
    tell(&server, "ACL SETUSER deaf &forebay:*");
    until("it listens", || hearing.look().is_subscribed);
    publish(&server, &[first(1), message(1, 0, "writing", 3)]);
    assert_eq!(acknowledged(&after(&server, &hearing, 1)), 3);
}

#[test]
fn a_network_that_swallows_everything_is_noticed_and_got_over() {
    let server = server(&[]);
    let (proxy, near) = proxy(&server);
    let hearing = hearing(&near);
    publish(&server, &[first(1), message(1, 0, "writing", 3)]);
    until("it is heard", || !hearing.look().writers.is_empty());
    proxy.black_hole();
    until("it is noticed", || !hearing.look().is_subscribed);
    proxy.heal();
    until("it listens again", || hearing.look().is_subscribed);
    let listeners =
        || ask::<(String, u64)>(&server, &format!("PUBSUB NUMSUB {}", name().status_channel())).unwrap().1;
    until("the old connection is gone", || listeners() == 1);
    publish(&server, &[message(1, 9_000, "writing", 8)]);
    assert_eq!(acknowledged(&after(&server, &hearing, 1)), 8);
    drop(hearing);
    until("nobody listens any more", || listeners() == 0);
}

/// What answers is no Redis here, so that it can be as slow as it likes within a message.
#[test]
fn a_message_that_comes_in_pieces_is_heard_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::parse(&format!("redis://{}", listener.local_addr().unwrap())).unwrap();
    let hearing = StatusSubscriber::start(&address, &name());
    let (mut socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    asked(&mut socket, &name().status_channel());
    socket.write_all(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n").unwrap();
    let mut wire = String::new();
    for number in 1..=3 {
        let message = message(number, 0, "writing", 1);
        write!(wire, "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n${}\r\n{message}\r\n", message.len()).unwrap();
    }
    // Longer than it reads at a time.
    for piece in wire.as_bytes().chunks(wire.len() / 5) {
        std::thread::sleep(Duration::from_millis(400));
        socket.write_all(piece).unwrap();
    }
    until("all three are heard", || hearing.look().writers.len() == 3);
    assert!(hearing.look().writers.iter().all(|writer| writer.totals.acknowledged == 6));
    assert_eq!(hearing.look().not_understood, 0);
    assert!(hearing.look().is_subscribed);
}

fn asked(socket: &mut TcpStream, what: &str) {
    let mut question = Vec::new();
    until(&format!("{what} is asked"), || {
        let mut piece = [0; 4_096];
        let count = socket.read(&mut piece).unwrap();
        question.extend_from_slice(&piece[..count]);
        String::from_utf8_lossy(&question).contains(what)
    });
}
