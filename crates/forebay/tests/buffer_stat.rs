//! What a look at a buffer promises: counts that are exact, unknown where unknown, and nothing touched.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use forebay::buffer::look;
use forebay::buffer::stat::{GroupStat, LaneStat, Stat};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::Server;

use crate::support::*;

fn look(server: &Server) -> Stat {
    look::look(&address(server), &name()).unwrap()
}

fn lane(stat: &Stat, lane: Lane) -> &LaneStat {
    stat.lanes.iter().find(|stat| stat.lane == lane).unwrap()
}

fn group<'a>(stat: &'a Stat, name: &str) -> &'a GroupStat {
    stat.groups.iter().find(|group| group.group == name).unwrap()
}

/// Appends likes in blocks of so many.
fn append(server: &Server, ledger: &mut Ledger, events: u64, events_max: u64) {
    let mut writer = open(&address(server), &options(events_max, 8));
    ledger.push_many(&mut writer, jetstream::LIKES, events).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_buffer_that_is_not_there_has_no_lanes() {
    let server = server(&[]);
    let stat = look(&server);
    assert!(stat.lanes.is_empty() && stat.groups.is_empty());
    assert_eq!((stat.events(), stat.bytes_per_event(), stat.events_per_second_in()), (Some(0), None, None));
    assert_eq!(stat.limit_bytes(), None);
    assert_eq!(ask::<u64>(&server, "DBSIZE").unwrap(), 0);
}

#[test]
fn a_groups_count_of_events_still_to_read_is_exact_after_trimming() {
    let server = server(&[]);
    let mut ledger = Ledger::default();
    // Blocks of different sizes: 7, 7, 6, then eight of 5: no count of blocks gives the count of events.
    append(&server, &mut ledger, 20, 7);
    append(&server, &mut ledger, 40, 5);
    let (mut fast, mut slow) =
        (likes(&address(&server), Some(("fast", "one"))), likes(&address(&server), Some(("slow", "one"))));
    let check = |read_fast: u64, read_slow: u64, held: u64, total: u64| {
        let stat = look(&server);
        let lane = lane(&stat, jetstream::LIKES);
        assert_eq!((lane.events, lane.total, stat.events()), (Some(held), Some(total), Some(held)));
        assert_eq!(group(&stat, "fast").unread_events, Some(total - read_fast));
        assert_eq!(group(&stat, "slow").unread_events, Some(total - read_slow));
    };
    check(0, 0, 60, 60);
    let all = drain(&mut fast);
    check(60, 0, 60, 60);
    fast.acknowledge(places(&all)).unwrap();
    // Four blocks: 7 + 7 + 6 + 5.
    let first = slow.next(LIMIT).unwrap();
    check(60, 25, 60, 60);
    slow.acknowledge(places(&first)).unwrap();
    check(60, 25, 35, 60);
    append(&server, &mut ledger, 9, 9);
    check(60, 25, 44, 69);
    let rest = drain(&mut slow);
    slow.acknowledge(places(&rest)).unwrap();
    check(60, 69, 9, 69);
    let rest = drain(&mut fast);
    fast.acknowledge(places(&rest)).unwrap();
    check(69, 69, 0, 69);
    append(&server, &mut ledger, 3, 9);
    check(69, 69, 3, 72);
}

#[test]
fn every_lane_s_events_blocks_epoch_and_memory_are_told() {
    let server = server(&[("maxmemory", "64mb")]);
    let mut writer = open(&address(&server), &options(10, 8));
    let mut ledger = Ledger { padding: 500, ..Ledger::default() };
    ledger.push_many(&mut writer, jetstream::POSTS, 95).unwrap();
    ledger.push_many(&mut writer, jetstream::FOLLOWS, 10).unwrap();
    writer.close().unwrap();
    let before = lane(&look(&server), jetstream::POSTS).epoch;
    drop(open(&address(&server), &options(10, 8)));
    let stat = look(&server);
    assert_eq!(stat.lanes.iter().map(|lane| lane.lane).collect::<Vec<_>>(), jetstream::ALL);
    let posts = lane(&stat, jetstream::POSTS);
    assert_eq!((posts.events, posts.blocks, posts.total), (Some(95), Some(10), Some(95)));
    assert!(before.is_some() && posts.epoch > before, "{:?} after {before:?}", posts.epoch);
    let bytes = posts.bytes.unwrap();
    assert!(
        (95 * 300..95 * 1_000).contains(&bytes),
        "{bytes} bytes for 95 events of 700 that hardly compress"
    );
    let likes = lane(&stat, jetstream::LIKES);
    assert_eq!(
        (likes.events, likes.blocks, likes.oldest_age_ms, likes.bytes),
        (Some(0), Some(0), None, Some(0))
    );
    assert_eq!(stat.events(), Some(105));
    assert_eq!(stat.limit_bytes(), Some(64 << 20));
}

#[test]
fn what_is_pending_is_told_by_group_with_its_age() {
    let server = server(&[]);
    append(&server, &mut Ledger::default(), 20, 2);
    let mut reader = likes(&address(&server), Some(("g", "one")));
    let found = drain(&mut reader);
    let second = likes(&address(&server), Some(("g", "two"))).next(std::time::Duration::ZERO).unwrap();
    assert!(second.is_empty());
    let first = places(&found)[0].1;
    until("the server's clock has gone on", || look(&server).at_ms >= Some(first.ms + 20));
    let stat = look(&server);
    let told = group(&stat, "g");
    assert_eq!((told.pending_blocks, told.unread_events), (Some(10), Some(0)));
    // Since they were given, and so no longer than since they were stored.
    let later = look(&server).at_ms.unwrap();
    assert!(told.pending_age_ms.is_some_and(|age| age <= later - first.ms), "{:?}", told.pending_age_ms);
    assert_eq!(lane(&stat, jetstream::LIKES).oldest_age_ms, stat.at_ms.map(|at_ms| at_ms - first.ms));
    assert!(told.consumers >= 1);
    reader.acknowledge(places(&found)).unwrap();
    let stat = look(&server);
    assert_eq!((group(&stat, "g").pending_blocks, group(&stat, "g").pending_age_ms), (Some(0), None));
    assert_eq!(lane(&stat, jetstream::LIKES).oldest_age_ms, None);
}

#[test]
fn a_look_changes_nothing() {
    let server = server(&[]);
    append(&server, &mut Ledger::default(), 20, 2);
    drop(drain(&mut likes(&address(&server), Some(("g", "one")))));
    let changes = || info(&server, "rdb_changes_since_last_save");
    let before = changes();
    look(&server);
    assert_eq!(changes(), before);
}
