//! What is claimed of a reader inside a program that knows nothing else, and of the examples: each does what it says.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use forebay::event::jetstream;
use std::time::{Duration, Instant};

use forebay::{Batch, Groups, Item, ReadItem, Reader, ReaderBuilder};
use forebay_rig::server::Server;

use crate::support::*;

#[path = "../examples/append.rs"]
#[allow(dead_code, missing_docs, reason = "its main is called by nobody here")]
mod append;
#[path = "../examples/consume.rs"]
#[allow(dead_code, missing_docs, reason = "its main is called by nobody here")]
mod consume;
#[path = "../examples/front.rs"]
#[allow(dead_code, missing_docs, reason = "its main is called by nobody here")]
mod front;
#[path = "../examples/spill.rs"]
#[allow(dead_code, missing_docs, reason = "its main is called by nobody here")]
mod spill;

fn builder(server: &Server) -> ReaderBuilder {
    Reader::builder(server.url(), name().to_string()).wait(Duration::ZERO).patience(LIMIT)
}

fn likes(batch: &Batch) -> Vec<Vec<u8>> {
    batch.events().map(|(_, event)| event.to_vec()).collect()
}

#[test]
fn what_is_acknowledged_is_let_go_of_and_what_is_not_comes_again() {
    let (server, ledger) = filled(20);
    let open = || builder(&server).group("g").consumer("c").open().unwrap();
    let mut reader = open();
    let mut batches = reader.batches();
    let (first, second) = (batches.next().unwrap().unwrap(), batches.next().unwrap().unwrap());
    let of_second = likes(&second);
    let of_first = likes(&first).len() as u64;
    first.ack().unwrap();
    assert_eq!(held(&server), 20 - of_first / 2);
    drop(second);
    assert!(reader.unacknowledged() > 0);
    let mut again = open();
    let batch = again.batches().next().unwrap().unwrap();
    assert_eq!(likes(&batch)[..of_second.len().min(2)], of_second[..of_second.len().min(2)]);
    let mut all = likes(&batch);
    batch.ack().unwrap();
    for batch in again.batches() {
        let batch = batch.unwrap();
        all.extend(likes(&batch));
        batch.ack().unwrap();
    }
    assert_same(jetstream::LIKES, &all, &ledger.lane(jetstream::LIKES)[of_first as usize..]);
    assert_eq!(held(&server), 0);
    drop(batches);
    // Two connections a reader.
    let connections = || ask::<String>(&server, "CLIENT LIST").unwrap().lines().count() - 1;
    until("two readers have four", || connections() == 4);
    reader.close();
    again.close();
    until("they have none", || connections() == 0);
}

#[test]
fn events_one_by_one_are_acknowledged_by_whole_blocks() {
    let (server, ledger) = filled(6);
    let mut reader = builder(&server).group("g").open().unwrap();
    let mut events = reader.events();
    let mut read = Vec::new();
    for (number, item) in (1..).zip(&mut events) {
        let Item::Event(lane, event) = item.unwrap() else { panic!("a fault") };
        assert_eq!(lane, jetstream::LIKES);
        read.push(event);
        if number == 5 {
            break;
        }
    }
    events.ack().unwrap();
    assert_eq!(held(&server), 4, "of five events two blocks are whole");
    read.extend(events.by_ref().map(|item| match item.unwrap() {
        Item::Event(_, event) => event,
        other => panic!("{other:?}"),
    }));
    events.ack().unwrap();
    assert_same(jetstream::LIKES, &read, ledger.lane(jetstream::LIKES));
    assert_eq!((held(&server), reader.unacknowledged()), (0, 0));
    reader.close();
    let consumers: Vec<redis::Value> =
        ask(&server, &format!("XINFO CONSUMERS {} g", name().stream(jetstream::LIKES))).unwrap();
    assert!(consumers.is_empty(), "{consumers:?}");
}

#[test]
fn damage_and_gaps_come_by_their_place_and_damage_is_let_go_of_only_when_told() {
    let (server, _) = filled(8);
    let mut all = builder(&server).open().unwrap();
    let (mut events, mut blocks) = (0, Vec::new());
    for batch in all.batches() {
        events += likes(&batch.unwrap()).len();
    }
    assert_eq!(events, 16);
    let found = contents(&address(&server));
    blocks.extend(places(&found));
    delete(&server, blocks[2].1);
    // A block of the same place cannot be written again: its successor is replaced at the end of the stream.
    let stream = name().stream(jetstream::LIKES);
    tell(&server, &format!("XADD {stream} * f 1 s 9 n 2 e 18 a 1 z 2 p 1 c 1 w 1 d nonsense"));
    let mut reader = builder(&server).group("g").consumer("c").open().unwrap();
    let (mut faults, mut events) = (Vec::new(), 0);
    for batch in reader.batches() {
        let batch = batch.unwrap();
        faults.extend(batch.faults().to_vec());
        events += likes(&batch).len();
        batch.ack().unwrap();
    }
    assert_eq!(events, 14);
    assert!(matches!(&faults[0], ReadItem::Missing { numbers: (3, 3), events: 2, .. }), "{faults:?}");
    assert!(matches!(&faults[1], ReadItem::Damaged { lane: jetstream::LIKES, .. }), "{faults:?}");
    assert_eq!((faults.len(), held(&server)), (2, 1));
    let mut groups = Groups::connect(&server.url(), &name().to_string()).unwrap();
    assert_eq!(groups.groups().unwrap(), ["g"]);
    assert_eq!(groups.skip_damaged("g").unwrap().skipped.len(), 1);
    assert_eq!(held(&server), 0);
    assert!(groups.drop_group("g").is_err(), "it was read just now");
    drop(reader);
}

#[test]
fn a_reader_waits_no_longer_than_it_was_told_and_comes_on_what_is_written_meanwhile() {
    let (server, mut ledger) = filled(1);
    let mut reader = builder(&server).wait(Duration::from_millis(300)).lanes(["likes"]).open().unwrap();
    let began = Instant::now();
    assert_eq!(reader.batches().count(), 1);
    assert!(began.elapsed() >= Duration::from_millis(300) && began.elapsed() < LIMIT / 3);
    add(&server, &mut ledger, 2);
    assert_eq!(reader.events().count(), 4);
}

#[test]
fn the_examples_append_consume_and_spill() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let url = server.url();
    front::run(&url).unwrap();
    let lines: Vec<Vec<u8>> = (0..3_000).map(|number| event(jetstream::POSTS, number, 20)).collect();
    let input = [lines.join(&b'\n'), b"\nnone\n".to_vec()].concat();
    let (summary, refused) = append::run(&url, "a", &*input).unwrap();
    assert_eq!((summary.acknowledged, refused), (3_000, 1));
    let file = folder.path().join("out");
    let read = || consume::run(&url, "a", "g", &file, Duration::from_millis(50)).unwrap();
    assert_eq!(read(), (3_000, 0));
    assert_eq!(read(), (0, 0), "all of it was acknowledged");
    assert_eq!(std::fs::read(&file).unwrap(), [lines.join(&b'\n'), b"\n".to_vec()].concat());
    let spill = |wait| spill::run(&url, "s", folder.path(), 100, wait).unwrap();
    tell(&server, "CONFIG SET maxmemory 1");
    let (settled, summary) = spill(LIMIT);
    assert_eq!((settled.get(), summary.left, summary.acknowledged), (100, 100, 0));
    tell(&server, "CONFIG SET maxmemory 0");
    let (settled, summary) = spill(LIMIT);
    assert_eq!((settled.get(), summary.recovered, summary.left), (100, 100, 0));
}
