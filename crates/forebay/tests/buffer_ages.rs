//! What a look says of ages and of memory where neither is simple: while ids lie in the future, and after the rate rose.

use forebay::buffer::look;
use forebay::buffer::stat::{LaneStat, Stat};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::Server;

use super::support::{
    Ledger, address, ask, drain, info, likes, name, open, options, places, server, tell, until,
};

/// A day, in milliseconds.
const DAY_MS: u64 = 86_400_000;

fn look(server: &Server) -> Stat {
    look::look(&address(server), &name()).unwrap()
}

fn lane(stat: &Stat, lane: Lane) -> &LaneStat {
    stat.lanes.iter().find(|stat| stat.lane == lane).unwrap()
}

/// Appends likes in blocks of so many.
fn append(server: &Server, ledger: &mut Ledger, events: u64, events_max: u64) {
    let mut writer = open(&address(server), &options(events_max, 8));
    ledger.push_many(&mut writer, jetstream::LIKES, events).unwrap();
    writer.close().unwrap();
}

/// As a server whose clock was a day ahead for a while has it: what comes next is stored tomorrow.
fn clock_was_ahead(server: &Server) {
    let at_ms = look(server).at_ms.unwrap() + DAY_MS;
    tell(server, &format!("XSETID {} {at_ms}-0", name().stream(jetstream::LIKES)));
}

#[test]
fn ages_and_rates_are_unknown_while_ids_lie_in_the_future() {
    let server = server(&[]);
    let mut ledger = Ledger::default();
    append(&server, &mut ledger, 20, 10);
    let mut reader = likes(&address(&server), Some(("g", "c")));
    let stat = look(&server);
    assert!(lane(&stat, jetstream::LIKES).oldest_age_ms.is_some() && stat.oldest_age_ms().is_some());
    assert!(stat.groups[0].behind_ms.is_some());
    clock_was_ahead(&server);
    append(&server, &mut ledger, 20, 10);
    // The oldest was stored before, or while the clock was ahead: nobody can tell.
    let stat = look(&server);
    assert_eq!((lane(&stat, jetstream::LIKES).oldest_age_ms, stat.oldest_age_ms()), (None, None));
    let found = drain(&mut reader);
    reader.acknowledge(places(&found).into_iter().take(2)).unwrap();
    drop(reader);
    drop(likes(&address(&server), Some(("behind", "c"))));
    let stat = look(&server);
    let likes = lane(&stat, jetstream::LIKES);
    assert_eq!((likes.oldest_age_ms, stat.oldest_age_ms()), (None, None), "not an age of 0");
    assert_eq!((likes.events_per_second_in, stat.events_per_second_in()), (None, None));
    let behind = stat.groups.iter().find(|group| group.group == "behind").unwrap();
    assert_eq!((behind.unread_events, behind.behind_ms), (Some(20), None));
    let g = stat.groups.iter().find(|group| group.group == "g").unwrap();
    assert_eq!((g.unread_events, g.behind_ms), (Some(0), Some(0)), "it has all");
}

#[test]
fn a_block_that_is_stored_during_the_look_is_not_one_of_the_future() {
    let server = server(&[]);
    let mut ledger = Ledger::default();
    let mut writer = open(&address(&server), &options(1, 8));
    let mut looks = 0;
    until("a hundred looks beside a writer", || {
        ledger.push_many(&mut writer, jetstream::LIKES, 50).unwrap();
        assert!(look(&server).oldest_age_ms().is_some());
        tell(&server, &format!("XTRIM {} MAXLEN 1", name().stream(jetstream::LIKES)));
        looks += 1;
        looks == 100
    });
    writer.close().unwrap();
}

#[test]
fn a_lane_s_memory_is_told_within_a_fifth_after_the_rate_rose() {
    let server = server(&[]);
    let mut ledger = Ledger { padding: 60, ..Ledger::default() };
    // The blocks of a quiet night, and then those of a burst.
    append(&server, &mut ledger, 3_000, 1);
    let used = |server: &Server| info(server, "used_memory_dataset").parse::<u64>().unwrap();
    let key = name().stream(jetstream::LIKES);
    let before = used(&server) - ask::<u64>(&server, &format!("MEMORY USAGE {key} SAMPLES 0")).unwrap();
    append(&server, &mut ledger, 40_000, 512);
    let takes = (used(&server) - before) as f64;
    let told = lane(&look(&server), jetstream::LIKES).bytes.unwrap() as f64;
    assert!((told / takes - 1.0).abs() < 0.2, "{told} told, {takes} taken");
    let of_the_oldest = ask::<u64>(&server, &format!("MEMORY USAGE {key} SAMPLES 64")).unwrap() as f64;
    assert!(of_the_oldest < takes / 1.5, "{of_the_oldest}: the oldest nodes tell little of {takes}");
}
