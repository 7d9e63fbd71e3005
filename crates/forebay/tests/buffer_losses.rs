//! What is claimed of a loss between two reads: whoever comes to the place is told, whatever was read, acknowledged and
//! trimmed before it, and nobody is told of what was trimmed as it should be.

use forebay::buffer::entry::Id;
use forebay::buffer::limit::Limits;
use forebay::buffer::look;
use forebay::buffer::measure::Machine;
use forebay::buffer::reader::ReadItem;
use forebay::buffer::writer::Writer;
use forebay::event::jetstream;
use forebay_rig::server::Server;

use crate::support::*;

/// Pushes so many blocks of one like each, and waits until they count.
fn push(writer: &mut Writer, ledger: &mut Ledger, blocks: u64) {
    let before = writer.monitor().counts().acknowledged;
    ledger.push_many(writer, jetstream::LIKES, blocks).unwrap();
    until("they are acknowledged", || writer.monitor().counts().acknowledged == before + blocks);
}

/// A run of a consumer that reads what is there, acknowledges it and ends.
fn job(server: &Server, group: &str) -> Vec<ReadItem> {
    let mut reader = likes(&address(server), Some((group, "job")));
    let found = drain(&mut reader);
    reader.acknowledge(places(&found)).unwrap();
    found
}

fn missing(found: &[ReadItem]) -> Vec<(u64, u64, u64)> {
    let told = |fault: &&ReadItem| match fault {
        ReadItem::Missing { numbers, events, .. } => (numbers.0, numbers.1, *events),
        other => panic!("{other:?}"),
    };
    faults(found).iter().map(told).collect()
}

#[test]
fn a_group_is_told_what_a_server_lost_between_two_of_its_runs() {
    for is_saved in [false, true] {
        let mut server = server(&[]);
        let mut writer = open(&address(&server), &options(1, 4));
        let mut ledger = Ledger::default();
        push(&mut writer, &mut ledger, 4);
        assert_eq!(numbers(&job(&server, "g")), [1, 2, 3, 4]);
        assert_eq!(held(&server), 0);
        if is_saved {
            tell(&server, "SAVE");
        }
        push(&mut writer, &mut ledger, 2);
        server.kill().unwrap();
        server.restart().unwrap();
        push(&mut writer, &mut ledger, 2);
        // Where the group was lost too, nobody knows that it had read four of them.
        let lost = if is_saved { (5, 6, 2) } else { (1, 6, 6) };
        let found = job(&server, "g");
        assert_eq!((numbers(&found), missing(&found)), (vec![7, 8], vec![lost]));
        assert!(matches!(found[0], ReadItem::Missing { .. }), "it is told of before the next block");
        // Once.
        push(&mut writer, &mut ledger, 2);
        let found = job(&server, "g");
        assert_eq!((numbers(&found), missing(&found)), (vec![9, 10], vec![]));
        writer.close().unwrap();
    }
}

#[test]
fn every_new_reader_that_comes_to_the_place_is_told() {
    let mut server = server(&[]);
    let mut writer = open(&address(&server), &options(1, 4));
    let mut ledger = Ledger::default();
    push(&mut writer, &mut ledger, 3);
    server.kill().unwrap();
    server.restart().unwrap();
    push(&mut writer, &mut ledger, 2);
    // Given to a consumer that tells nobody, and then to its heir under the same name.
    let mut dead = likes(&address(&server), Some(("g", "one")));
    assert_eq!(missing(&drain(&mut dead)), [(1, 3, 3)]);
    drop(dead);
    assert_eq!(missing(&drain(&mut likes(&address(&server), Some(("g", "one"))))), [(1, 3, 3)]);
    assert_eq!(missing(&contents(&address(&server))), [(1, 3, 3)]);
    // And each loss where there were several.
    tell(&server, "SAVE");
    push(&mut writer, &mut ledger, 2);
    server.kill().unwrap();
    server.restart().unwrap();
    push(&mut writer, &mut ledger, 1);
    let found = contents(&address(&server));
    assert_eq!((numbers(&found), missing(&found)), (vec![4, 5, 8], vec![(1, 3, 3), (6, 7, 2)]));
    // Two consumers: blocks that one of them did not see are the other's, lost ones nobody's.
    let mut one = likes(&address(&server), Some(("h", "one")));
    let mut two = likes(&address(&server), Some(("h", "two")));
    assert_eq!(missing(&drain(&mut one)), [(1, 3, 3), (6, 7, 2)]);
    push(&mut writer, &mut ledger, 1);
    assert_eq!(numbers(&drain(&mut two)), [9]);
    push(&mut writer, &mut ledger, 1);
    let found = drain(&mut one);
    assert_eq!((numbers(&found), missing(&found)), (vec![10], vec![]));
    drop(drain(&mut two));
    tell(&server, "SAVE");
    push(&mut writer, &mut ledger, 1);
    server.kill().unwrap();
    server.restart().unwrap();
    push(&mut writer, &mut ledger, 1);
    let found = drain(&mut two);
    assert_eq!((numbers(&found), missing(&found)), (vec![12], vec![(11, 11, 1)]));
    writer.close().unwrap();
}

/// Somebody deleted a block, and the last one that the group had is still there to count from.
#[test]
fn a_group_is_told_what_was_deleted_between_two_of_its_runs_where_its_last_block_is_there() {
    let (server, mut ledger) = filled(3);
    drop(likes(&address(&server), Some(("holds everything", "one"))));
    assert_eq!(numbers(&job(&server, "g")), [1, 2, 3]);
    add(&server, &mut ledger, 3);
    let ids: Vec<Id> = places(&contents(&address(&server))).iter().map(|place| place.1).collect();
    delete(&server, ids[3]);
    let found = job(&server, "g");
    assert_eq!((numbers(&found), missing(&found)), (vec![5, 6], vec![(4, 4, 2)]));
    let found = job(&server, "g");
    assert_eq!(found, []);
}

#[test]
fn a_lane_that_its_groups_trimmed_raises_no_alarm_in_any_of_them() {
    let (server, mut ledger) = filled(4);
    drop(likes(&address(&server), Some(("h", "job"))));
    for round in 0..3 {
        let all: Vec<u64> = (round * 4 + 1..=round * 4 + 4).collect();
        for group in ["g", "h"] {
            let found = job(&server, group);
            assert_eq!((numbers(&found), faults(&found)), (all.clone(), vec![]), "{group}");
        }
        assert_eq!(held(&server), 0);
        add(&server, &mut ledger, 4);
    }
    let found = job(&server, "made later");
    assert_eq!((numbers(&found), faults(&found)), ((13..=16).collect(), vec![]));
    // Two consumers that take turns.
    for (round, consumer) in ["one", "two", "one", "two"].into_iter().enumerate() {
        add(&server, &mut ledger, 1);
        let mut reader = likes(&address(&server), Some(("made later", consumer)));
        let found = drain(&mut reader);
        assert_eq!((numbers(&found), faults(&found)), (vec![17 + round as u64], vec![]));
        reader.acknowledge(places(&found)).unwrap();
    }
}

/// Events held, events ever, and what the groups `half` and `new` have not read of them.
fn counted(server: &Server) -> (Option<u64>, Option<u64>, Option<u64>, Option<u64>) {
    let stat = look::look(&address(server), &name()).unwrap();
    let unread =
        |group: &str| stat.groups.iter().find(|one| one.group == group).and_then(|group| group.unread_events);
    (stat.events(), stat.total(), unread("half"), unread("new"))
}

#[test]
fn what_a_server_lost_of_a_lane_does_not_count_as_held_nor_as_unread() {
    let mut server = server(&[]);
    let mut writer = open(&address(&server), &options(1, 4));
    let mut ledger = Ledger::default();
    push(&mut writer, &mut ledger, 4);
    let mut reader = likes(&address(&server), Some(("half", "one")));
    let found = reader.next(LIMIT).unwrap();
    assert_eq!(numbers(&found), [1, 2, 3, 4]);
    tell(&server, "SAVE");
    push(&mut writer, &mut ledger, 3);
    assert_eq!(counted(&server), (Some(7), Some(7), Some(3), None));
    server.kill().unwrap();
    server.restart().unwrap();
    push(&mut writer, &mut ledger, 2);
    drop(likes(&address(&server), Some(("new", "one"))));
    assert_eq!(counted(&server), (Some(6), Some(9), Some(2), Some(6)), "5 to 7 are gone");
    // The second loss stands beside the first.
    tell(&server, "SAVE");
    push(&mut writer, &mut ledger, 4);
    server.kill().unwrap();
    server.restart().unwrap();
    push(&mut writer, &mut ledger, 1);
    assert_eq!(counted(&server), (Some(7), Some(14), Some(3), Some(7)), "10 to 13 too");
    writer.close().unwrap();
}

#[test]
fn what_an_event_weighs_and_how_many_fit_is_reckoned_from_those_that_a_loss_left() {
    let mut server = server(&[("maxmemory", "1gb")]);
    let mut writer = open(&address(&server), &options(1, 4));
    let mut ledger = Ledger::default();
    let reckoned = |server: &Server| {
        let stat = look::look(&address(server), &name()).unwrap();
        let unknown = Machine { free_bytes: Err("not asked".into()), memory: Err("not asked".into()) };
        (stat.weight().unwrap(), Limits::of(&stat.measured(unknown)).events_at_limit().unwrap())
    };
    push(&mut writer, &mut ledger, 40);
    tell(&server, "SAVE");
    push(&mut writer, &mut ledger, 400);
    let before = reckoned(&server);
    server.kill().unwrap();
    server.restart().unwrap();
    push(&mut writer, &mut ledger, 1);
    let after = reckoned(&server);
    // Were those that are lost counted as held, an event would weigh a tenth.
    assert!(after.0 > before.0 / 2.0 && after.1 < before.1 * 2, "{before:?}, after the loss {after:?}");
    writer.close().unwrap();
}

#[test]
fn blocks_that_are_gone_from_a_lanes_beginning_are_told_unless_they_were_let_go() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(1, 4));
    let mut ledger = Ledger::default();
    push(&mut writer, &mut ledger, 6);
    let gone = || delete(&server, entries(&contents(&address(&server)))[0].id);
    gone();
    // Whoever comes to the place is told, and a group once.
    for _ in 0..2 {
        assert_eq!(missing(&contents(&address(&server))), [(1, 1, 1)]);
    }
    let mut reader = likes(&address(&server), Some(("g", "one")));
    let found = drain(&mut reader);
    assert_eq!((numbers(&found), missing(&found)), (vec![2, 3, 4, 5, 6], vec![(1, 1, 1)]));
    // A group that is done with a part of them lets it go: of that nobody is told.
    reader.acknowledge(places(&found[..3])).unwrap();
    assert_eq!(held(&server), 3);
    assert_eq!(missing(&contents(&address(&server))), []);
    gone();
    assert_eq!(missing(&contents(&address(&server))), [(4, 4, 1)]);
    // A new group begins where the stream does.
    let mut other = likes(&address(&server), Some(("h", "one")));
    assert_eq!(missing(&drain(&mut other)), [(4, 4, 1)]);
    writer.close().unwrap();
    // Where the hash is lost too, nobody knows what was let go.
    tell(&server, &format!("DEL {}", name().writer(jetstream::LIKES)));
    assert_eq!(missing(&contents(&address(&server))), []);
    open(&address(&server), &options(1, 4)).close().unwrap();
    assert_eq!(missing(&contents(&address(&server))), []);
    gone();
    assert_eq!(missing(&contents(&address(&server))), [(5, 5, 1)]);
}

#[test]
fn an_entry_that_is_no_block_hides_nothing_of_what_was_let_go_before_it() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(1, 4));
    let mut ledger = Ledger::default();
    push(&mut writer, &mut ledger, 3);
    let foreign: String =
        ask(&server, &format!("XADD {} * not ours", name().stream(jetstream::LIKES))).unwrap();
    push(&mut writer, &mut ledger, 1);
    let mut reader = likes(&address(&server), Some(("g", "one")));
    let found = drain(&mut reader);
    assert_eq!(numbers(&found), [1, 2, 3, 4]);
    let foreign = (jetstream::LIKES, Id::parse(&foreign).unwrap());
    reader.acknowledge(places(&found).into_iter().take(3).chain([foreign])).unwrap();
    let found = contents(&address(&server));
    assert_eq!((numbers(&found), missing(&found)), (vec![4], vec![]));
    writer.close().unwrap();
}
