//! What is claimed of limits: each formula, what is unknown, and that a real server is full where it was told to be.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::time::Duration;

use forebay::block::encode::{Encoding, Wanted};
use forebay::buffer::limit::{Bound, Full, Headroom, LimitKind, Limits, Log, Measured, Memory};
use forebay::buffer::look;
use forebay::buffer::measure::Machine;
use forebay::buffer::stat::Stat;
use forebay::buffer::writer;
use forebay::event::parse::parse;
use forebay_rig::server::Server;
use forebay_rig::synth::Synth;

use crate::support::*;

/// 1,000 events of 100 bytes, a block each ten, and nothing but a `maxmemory` of 1,000,000 that is known.
fn measured() -> Measured {
    Measured {
        events: Ok(1_000),
        blocks: Ok(100),
        bytes_per_event: Ok(100.0),
        used_bytes: Ok(200_000),
        not_counted_bytes: 0,
        maxmemory_bytes: Ok(1_000_000),
        data_bytes: Ok(100_000),
        resident_bytes: Ok(400_000),
        largest_copy_bytes: 0,
        log: Ok(None),
        memory: Err("the server runs on another machine".into()),
    }
}

/// A log of 100,000 bytes with this much free beside it.
fn log(free_bytes: u64, growth_percent: u64) -> Log {
    Log {
        bytes: 100_000,
        base_bytes: 100_000,
        growth_percent: Ok(growth_percent),
        rewrite_bytes_min: Ok(0),
        free_bytes: Ok(free_bytes),
    }
}

fn bound(limits: &Limits, of: LimitKind) -> Bound {
    limits.all.iter().find(|(kind, _)| *kind == of).unwrap().1.clone()
}

fn events(measured: &Measured, of: LimitKind) -> u64 {
    match bound(&Limits::of(measured), of) {
        Bound::At(room) => room.events,
        other => panic!("{other:?}"),
    }
}

#[test]
fn maxmemory_leaves_what_the_server_does_not_count_and_others_use() {
    let limits = Limits::of(&measured());
    let room = Headroom { used_bytes: 200_000, limit_bytes: 1_000_000, events: 8_000 };
    assert_eq!(limits.first(), Some((LimitKind::Maxmemory, room)));
    assert_eq!(limits.events_at_limit(), Some(9_000));
    assert_eq!(limits.full(80.0), Full::In(100.0));
    assert_eq!(events(&Measured { not_counted_bytes: 50_000, ..measured() }, LimitKind::Maxmemory), 8_500);
}

#[test]
fn a_rate_of_nothing_divides_nothing() {
    let limits = Limits::of(&measured());
    for rate in [0.0, -0.0, f64::MIN_POSITIVE / 4.0] {
        assert_eq!(limits.full(rate), Full::NotFilling, "{rate}");
    }
    for rate in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(limits.full(rate), Full::Unknown(_)), "{rate}");
    }
    assert_eq!((limits.full(0.0).seconds(), limits.full(0.0).why_not()), (None, Some("nothing comes in")));
}

#[test]
fn over_the_limit_is_full_now_at_any_rate_and_whatever_an_event_weighs() {
    let over = Measured { maxmemory_bytes: Ok(100_000), bytes_per_event: Err("none".into()), ..measured() };
    for rate in [0.0, 5.0] {
        assert_eq!(Limits::of(&over).full(rate), Full::Now, "{rate}");
    }
    assert_eq!(Limits::of(&over).full(5.0).seconds(), Some(0.0));
    assert_eq!(Limits::of(&over).events_at_limit(), Some(1_000));
}

#[test]
fn what_is_unknown_is_no_limit_and_is_told_by_name() {
    let none = Limits::of(&Measured { maxmemory_bytes: Ok(0), ..measured() });
    assert_eq!((none.first(), none.events_at_limit()), (None, None));
    let Full::Unknown(why) = none.full(5.0) else { panic!() };
    for part in ["maxmemory: it is not set", "disk: the server writes no", "RAM: the server runs on another"]
    {
        assert!(why.contains(part), "{part}: {why}");
    }
    for weight in [Ok(0.0), Ok(f64::NAN), Err("no event is held".to_owned())] {
        let limits = Limits::of(&Measured { bytes_per_event: weight, ..measured() });
        assert!(matches!(bound(&limits, LimitKind::Maxmemory), Bound::Unknown(_)), "{limits:?}");
    }
    let hidden = Limits::of(&Measured { events: Err("a damaged block".into()), ..measured() });
    assert!(hidden.events_at_limit().is_none() && hidden.full(80.0) == Full::In(100.0));
}

#[test]
fn the_disk_needs_room_for_the_log_and_a_rewrite_of_all_that_is_held() {
    let with = |log: Log| Measured { log: Ok(Some(log)), ..measured() };
    let disk = |free, growth| events(&with(log(free, growth)), LimitKind::Disk);
    // An event takes 100 bytes and a tenth of a block's 400: 140 in the log, 100 in its rewrite.
    assert_eq!(disk(100_000 + 240 * 50, 100), 50, "log and rewrite");
    assert_eq!(disk(140 * 50, 0), 50, "no rewrite comes by itself");
    assert_eq!((disk(100_000, 100), disk(99_999, 100)), (0, 0), "a rewrite does not fit");
    assert_eq!(disk(0, 0), 0);
    // The rewrite that is due at 200,000 bytes fits, after 714.3 events: by then 171,428.6 bytes are held, and the
    // log is as large; the disk has 1,100,000.
    let left = (1_100_000.0 - 2.0 * 171_428.57) / 240.0;
    assert_eq!(disk(1_000_000, 100), 714 + left as u64);
    // A rewrite long overdue gives back what was read since.
    let overdue = Log { bytes: 5_000_000, ..log(340_000, 100) };
    assert_eq!(events(&with(overdue), LimitKind::Disk), (5_340_000 - 200_000) / 240);
    // One that is overdue and does not fit gives back nothing.
    let stuck = Log { bytes: 5_000_000, ..log(99_999, 100) };
    assert_eq!(events(&with(stuck), LimitKind::Disk), 0);
    // One that is not due before the disk is full gives back nothing.
    let late = Log { rewrite_bytes_min: Ok(10_000_000), ..log(340_000, 100) };
    assert_eq!(events(&with(late), LimitKind::Disk), 1_000);
    let Bound::At(room) = bound(&Limits::of(&with(log(1_000_000, 100))), LimitKind::Disk) else { panic!() };
    assert_eq!((room.used_bytes, room.limit_bytes), (200_000, 1_100_000));
}

#[test]
fn a_log_or_disk_that_is_not_known_is_unknown() {
    let unknown = |log: Result<Option<Log>, String>| {
        matches!(bound(&Limits::of(&Measured { log, ..measured() }), LimitKind::Disk), Bound::Unknown(_))
    };
    let why = || "not told".to_owned();
    assert!(unknown(Err(why())));
    assert!(unknown(Ok(Some(Log { free_bytes: Err(why()), ..log(1, 100) }))));
    assert!(unknown(Ok(Some(Log { growth_percent: Err(why()), ..log(1 << 30, 100) }))));
    assert!(unknown(Ok(Some(Log { rewrite_bytes_min: Err(why()), ..log(1 << 30, 100) }))));
}

#[test]
fn memory_keeps_room_for_what_a_fork_copies_and_for_other_programs() {
    let memory = |limit_bytes, available_bytes, largest_copy_bytes| {
        let memory = Ok(Memory { limit_bytes, available_bytes });
        events(&Measured { memory, largest_copy_bytes, ..measured() }, LimitKind::Memory)
    };
    // 400,000 are resident; a quarter of what is resident by then may be copied.
    assert_eq!(memory(1_000_000, 9_000_000, 0), (600_000 - 100_000) / 125);
    assert_eq!(memory(1_000_000, 9_000_000, 300_000), 3_000, "a larger copy was seen");
    assert_eq!(memory(9_000_000, 600_000, 0), 4_000, "others have the rest");
    assert_eq!(memory(300_000, 9_000_000, 0), 0, "over it already");
    assert_eq!(memory(450_000, 9_000_000, 0), 0, "a fork would not fit");
}

#[test]
fn the_limit_that_is_met_first_binds() {
    let all = |free, available_bytes| Measured {
        log: Ok(Some(log(free, 0))),
        memory: Ok(Memory { limit_bytes: 1 << 40, available_bytes }),
        ..measured()
    };
    let first = |measured: &Measured| Limits::of(measured).first().unwrap().0;
    assert_eq!(first(&all(1 << 40, 1 << 40)), LimitKind::Maxmemory);
    assert_eq!(first(&all(1_000, 1 << 40)), LimitKind::Disk);
    assert_eq!(first(&all(1 << 40, 101_000)), LimitKind::Memory);
    assert_eq!(first(&Measured { maxmemory_bytes: Ok(0), ..all(2_000_000, 2_000_000) }), LimitKind::Disk);
}

/// What is known where the server runs elsewhere.
fn elsewhere() -> Machine {
    let why = || "the server runs on another machine".to_owned();
    Machine { memory: Err(why()), free_bytes: Err(why()) }
}

/// Waits until the writer's connections are gone: what the server keeps for them would count as in use.
fn until_alone(server: &Server) {
    until("the writer's connections are gone", || info(server, "connected_clients") == "1");
}

fn look(server: &Server) -> Stat {
    until_alone(server);
    look::look(&address(server), &name()).unwrap()
}

/// A server that takes nothing for so long is full: one that only waits for the processor is not.
const FULL: Duration = Duration::from_secs(5);

/// Pushes synthetic events from this one on, at the most so many, until the server takes no more.
fn fill(server: &Server, events_max: u64, from: u64, count: u64) -> bool {
    // All blocks alike, as they are at a steady rate.
    let encoding = Encoding { wanted: Wanted::Dense, ..Encoding::default() };
    let options = writer::Options { patience: FULL, encoding, ..options(events_max, 2) };
    let mut writer = open(&address(server), &options);
    let (synth, mut bytes) = (Synth::network(7), Vec::new());
    for index in from..from + count {
        bytes.clear();
        synth.write_event(index, &mut bytes);
        if writer.push_at(&parse(&bytes).unwrap(), Duration::ZERO).is_err() {
            return false;
        }
    }
    writer.close().is_ok()
}

/// Fills a server to about half, tells where it will be full, and fills it: events told and events taken.
fn told_and_taken(
    server: &Server,
    events_max: u64,
    is_half: impl Fn() -> bool,
    machine: impl Fn() -> Machine,
) -> (u64, u64) {
    const STEP: u64 = 10_000;
    let mut from = 0;
    while !is_half() {
        assert!(fill(server, events_max, from, STEP), "full before half");
        until_alone(server);
        from += STEP;
    }
    let limits = Limits::of(&look(server).measured(machine()));
    let told = limits.events_at_limit().unwrap();
    assert!(told > from, "{limits:?}");
    assert!(!fill(server, events_max, from, told), "never full: {limits:?}");
    (told, look(server).events().unwrap())
}

#[test]
fn a_server_is_full_within_5_percent_of_the_events_told_at_half() {
    // Few events a block weigh otherwise than many; and other keys count as the buffer's do. Beside these a server reckons more for
    // the nodes of small blocks than they take: 5 % of those of 64 events.
    for (events_max, others_bytes) in [(512, 0), (16, 0), (128, 4 << 20)] {
        let server = server(&[("maxmemory", "32mb")]);
        if others_bytes > 0 {
            tell(&server, &format!("SETRANGE other {others_bytes} x"));
        }
        let used = || info(&server, "used_memory").parse::<u64>().unwrap();
        let (told, taken) = told_and_taken(&server, events_max, || used() > 16 << 20, elsewhere);
        let off = (told as f64 - taken as f64).abs() / taken as f64 * 100.0;
        println!("{events_max} events a block: {told} told, {taken} taken, {off:.2} % off");
        assert!(off <= 5.0, "{events_max} events a block: {told} told, {taken} taken, {off:.2} % off");
    }
}

/// A small disk, gone with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this user may mount none.
    fn mount(mebibytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_small_disk_binds_and_holds_what_was_told() {
    let Some(disk) = SmallDisk::mount(24) else {
        println!("not shown: this user may not mount a small disk");
        return;
    };
    let settings = [("appendonly", "yes"), ("dir", disk.path()), ("auto-aof-rewrite-percentage", "0")];
    let server = server(&[&settings[..], &[("maxmemory", "1gb")]].concat());
    let written = || info(&server, "aof_current_size").parse::<u64>().unwrap();
    let machine = || {
        let free_bytes = forebay_watch::machine::Disk::of(disk.path()).unwrap().free_bytes;
        Machine { free_bytes: Ok(free_bytes), ..elsewhere() }
    };
    let limits = || Limits::of(&look(&server).measured(machine()));
    let (told, taken) = told_and_taken(&server, 16, || written() > 10 << 20, machine);
    assert_eq!(limits().first().unwrap().0, LimitKind::Disk);
    // An event is reckoned to take in the log what it takes in memory, and 25 bytes: a little too much, never too little.
    println!("{told} told, {taken} taken");
    assert!(told <= taken && told as f64 >= 0.7 * taken as f64, "{told} told, {taken} taken");
}
