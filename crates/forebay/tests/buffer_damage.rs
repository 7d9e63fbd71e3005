//! What a reader promises where a buffer was damaged: what is missing, gone or not readable is told by its place, once,
//! and the rest comes as ever.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::time::Duration;

use forebay::block::damage::Damage;
use forebay::block::decode::Decoder;
use forebay::buffer::entry::Id;
use forebay::buffer::reader::{Options, ReadItem, Reader};
use forebay::event::jetstream;
use forebay_rig::server::Server;

use crate::support::*;

#[test]
fn a_missing_block_is_told_by_its_place() {
    for (group, ahead) in [(None, false), (Some(("g", "one")), true)] {
        let (server, _) = filled(9);
        let ids: Vec<Id> = places(&contents(&address(&server))).iter().map(|place| place.1).collect();
        for at in [3, 4, 7] {
            delete(&server, ids[at]);
        }
        let mut reader = Reader::open(
            &address(&server),
            &name(),
            Options { ahead, ..read_options(&[jetstream::LIKES], group) },
        )
        .unwrap();
        let found = drain(&mut reader);
        assert_eq!(numbers(&found), [1, 2, 3, 6, 7, 9]);
        let lane = jetstream::LIKES;
        let missing = [
            ReadItem::Missing { lane, numbers: (4, 5), events: 4, before: ids[5], is_trimmed: false },
            ReadItem::Missing { lane, numbers: (8, 8), events: 2, before: ids[8], is_trimmed: false },
        ];
        assert_eq!(faults(&found), missing.iter().collect::<Vec<_>>());
        assert_eq!((&found[3], &found[6]), (&missing[0], &missing[1]), "not where they should stand");
    }
}

/// Who is told: the one it was given to when it comes back, or the one who takes over.
#[test]
fn a_block_that_was_given_out_and_is_gone_is_told_by_its_place_and_holds_up_nothing() {
    for (consumer, claim_idle) in [("dead", NEVER), ("heir", Duration::from_millis(1))] {
        let (server, _) = filled(4);
        let mut dead = likes(&address(&server), Some(("g", "dead")));
        let ids: Vec<Id> = places(&few(&mut dead)).iter().map(|place| place.1).collect();
        drop(dead);
        delete(&server, ids[1]);
        let options = Options { claim_idle, ..read_options(&[jetstream::LIKES], Some(("g", consumer))) };
        let mut reader = Reader::open(&address(&server), &name(), options).unwrap();
        let mut found = Vec::new();
        until("all four are told of", || {
            found.extend(reader.next(Duration::from_millis(5)).unwrap());
            found.len() >= 4
        });
        let gone = ReadItem::Gone { lane: jetstream::LIKES, id: ids[1] };
        assert_eq!((numbers(&found), faults(&found)), (vec![1, 3, 4], vec![&gone]));
        let mut done = places(&found);
        done.push((jetstream::LIKES, ids[1]));
        reader.acknowledge(done).unwrap();
        assert_eq!(held(&server), 0);
    }
}

type Fields = Vec<(String, Vec<u8>)>;

/// A sound block's fields.
fn sound() -> Fields {
    let (server, _) = filled(1);
    let mut entries: Vec<(String, Vec<Vec<u8>>)> =
        ask(&server, &format!("XRANGE {} - +", name().stream(jetstream::LIKES))).unwrap();
    let pair = |pair: &[Vec<u8>]| (String::from_utf8(pair[0].clone()).unwrap(), pair[1].clone());
    entries.remove(0).1.chunks(2).map(pair).collect()
}

fn field<'a>(fields: &'a mut [(String, Vec<u8>)], name: &str) -> &'a mut Vec<u8> {
    &mut fields.iter_mut().find(|field| field.0 == name).unwrap().1
}

/// What a reader finds where such an entry is all there is.
fn read_back(server: &Server, fields: &Fields) -> Vec<ReadItem> {
    tell(server, &format!("DEL {}", name().stream(jetstream::LIKES)));
    let mut command = redis::cmd("XADD");
    command.arg(name().stream(jetstream::LIKES)).arg("5-1");
    for (name, value) in fields {
        command.arg(name).arg(value);
    }
    command.exec(&mut connection(server)).unwrap();
    contents(&address(server))
}

#[test]
fn an_entry_that_cannot_be_read_is_told_by_its_place_and_with_what_is_wrong() {
    let (server, sound) = (server(&[]), sound());
    let told = |fields: &Fields| {
        let found = read_back(&server, fields);
        let [ReadItem::Damaged { lane: jetstream::LIKES, id: Id { ms: 5, seq: 1 }, why }] = &found[..] else {
            panic!("{found:?}")
        };
        why.clone()
    };
    let with = |name: &str, value: &[u8]| {
        let mut fields = sound.clone();
        *field(&mut fields, name) = value.to_vec();
        fields
    };
    for name in ["f", "s", "n", "e", "a", "z", "p", "c", "w", "d"] {
        let without = sound.iter().filter(|field| field.0 != name).cloned().collect();
        assert_eq!(told(&without), Damage::Missing(name));
    }
    for name in ["f", "s", "n", "e", "a", "z", "p"] {
        for value in [&b""[..], b"x", b"-1", b"1.5", b"\xff", b"18446744073709551616"] {
            assert_eq!(told(&with(name, value)), Damage::NotANumber(name), "{}", value.escape_ascii());
        }
    }
    // Of a later format, nothing else is known.
    let newer = told(&vec![("f".to_owned(), b"9".to_vec())]);
    assert_eq!(newer, Damage::Newer(9));
    assert!(newer.to_string().contains("use a newer forebay"), "{newer}");
    // The order of the fields and unknown ones do not matter.
    let mut fields: Fields = sound.iter().rev().cloned().collect();
    fields.push(("later".into(), b"d".to_vec()));
    assert_eq!(numbers(&read_back(&server, &fields)), [1]);
}

#[test]
fn a_flipped_byte_in_a_stored_frame_is_found_when_the_block_is_opened() {
    let mut fields = sound();
    let frame = field(&mut fields, "d");
    let middle = frame.len() / 2;
    frame[middle] ^= 0x10;
    let found = read_back(&server(&[]), &fields);
    let [ReadItem::Block(_, entry)] = &found[..] else { panic!("{found:?}") };
    let why = Decoder::new().unwrap().open(entry.sealed()).unwrap_err();
    assert!(matches!(why, Damage::Frame(_)), "{why}");
}

#[test]
fn a_damaged_block_is_told_once_and_not_as_missing_too() {
    let (server, mut ledger) = filled(2);
    tell(&server, &format!("XADD {} * f 9", name().stream(jetstream::LIKES)));
    // The writer counts it, as one of a later version would have.
    tell(&server, &format!("HSET {} s 3 e 6", name().writer(jetstream::LIKES)));
    add(&server, &mut ledger, 1);
    for group in [None, Some(("g", "one"))] {
        let mut reader =
            Reader::open(&address(&server), &name(), read_options(&[jetstream::LIKES], group)).unwrap();
        let found = drain(&mut reader);
        assert_eq!(numbers(&found), [1, 2, 4]);
        let [ReadItem::Damaged { why: Damage::Newer(9), .. }] = faults(&found)[..] else {
            panic!("{found:?}")
        };
    }
}
