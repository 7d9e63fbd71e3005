//! What is claimed of the durability's controls: each breaks what it says, and is found by that and by nothing else.

use super::super::clients::Read;
use super::*;
use crate::claim::ControlOutcome;
use crate::ledger::Findings;
use forebay::event::jetstream;

/// A block with its number, two events, and a frame.
fn block(number: u64, frame: &[u8]) -> Entry {
    let text = |text: String| Value::BulkString(text.into_bytes());
    let fields = [("f", 1), ("s", number), ("n", 2), ("e", number * 2)];
    let mut values: Vec<Value> =
        fields.into_iter().flat_map(|(name, value)| [text(name.into()), text(value.to_string())]).collect();
    values.extend([text("d".into()), Value::BulkString(frame.to_vec())]);
    (format!("{number}-0"), values)
}

fn blocks() -> Vec<Entry> {
    (1..=4).map(|number| block(number, &[number as u8; 5])).collect()
}

fn field_of(entries: &[Entry], field: &str) -> Vec<u64> {
    entries.iter().map(|entry| number(entry, field).unwrap()).collect()
}

fn changed(plan: BlockSabotage) -> Vec<Entry> {
    let mut entries = blocks();
    plan.change(&mut entries).unwrap();
    entries
}

#[test]
fn each_plan_changes_an_old_block_and_nothing_else() {
    assert_eq!(changed(BlockSabotage::Missing), [&blocks()[..1], &blocks()[2..]].concat());
    let closed = changed(BlockSabotage::Closed);
    assert_eq!((field_of(&closed, "s"), field_of(&closed, "e")), (vec![1, 2, 3], vec![2, 4, 6]));
    assert_eq!(field_of(&closed, "n"), [2, 2, 2]);
    assert_eq!(closed[1].1.last(), blocks()[2].1.last(), "the frames are those of before");
    let repeated = changed(BlockSabotage::Repeated);
    assert_eq!(repeated[..4], blocks());
    assert_eq!((repeated[4].0.as_str(), &repeated[4].1), ("4-01", &blocks()[1].1));
    let moved = changed(BlockSabotage::Moved);
    assert_eq!(field_of(&moved, "s"), [2, 1, 3, 4]);
    assert_eq!(moved.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["1-0", "2-0", "3-0", "4-0"]);
    let flipped = changed(BlockSabotage::Flipped);
    assert_eq!(flipped[1].1.last(), Some(&Value::BulkString(vec![2, 2, 3, 2, 2])));
    assert_eq!([&flipped[..1], &flipped[2..]].concat(), [&blocks()[..1], &blocks()[2..]].concat());
    let mut odd = vec![block(1, b"1"), block(2, b"111"), block(3, b"1")];
    BlockSabotage::Flipped.change(&mut odd).unwrap();
    assert_eq!(odd[1].1.last(), Some(&Value::BulkString(b"101".to_vec())), "a bit is flipped, and not set");
}

#[test]
fn each_plan_says_in_other_words_what_it_does() {
    let plans = [
        BlockSabotage::Missing,
        BlockSabotage::Repeated,
        BlockSabotage::Moved,
        BlockSabotage::Flipped,
        BlockSabotage::Closed,
    ]
    .map(BlockSabotage::words);
    let each: std::collections::BTreeSet<&str> = plans.into_iter().collect();
    assert!(each.len() == plans.len() && plans.iter().all(|words| words.contains("block")), "{plans:?}");
}

#[test]
fn a_plan_is_carried_out_on_a_real_lane_that_has_enough_blocks() {
    let profile = forebay_watch::profile::Profile::load("bluesky-8h").unwrap();
    crate::on_own_server(&profile, |on| {
        let crate::target::Target::Own(_, address) = on.target else { panic!("a server of our own") };
        let (mut connection, key) = (address.dial().unwrap(), on.name.stream(jetstream::LIKES));
        let mut left_of = |blocks: u64| -> u64 {
            redis::cmd("DEL").arg(&key).exec(&mut connection).unwrap();
            for number in 1..=blocks {
                let mut add = redis::cmd("XADD");
                add.arg(&key).arg(format!("{number}-0")).arg("s").arg(number).arg("d").arg("frame");
                add.exec(&mut connection).unwrap();
            }
            BlockSabotage::Missing.plant(address, on.name).unwrap();
            redis::cmd("XLEN").arg(&key).query(&mut connection).unwrap()
        };
        assert_eq!([2, 3, 4].map(&mut left_of), [2, 2, 3]);
    });
}

#[test]
fn a_block_without_what_a_plan_changes_is_an_error() {
    let mut empty = blocks();
    empty[1] = block(2, &[]);
    assert!(BlockSabotage::Flipped.change(&mut empty).is_err());
    let mut other = blocks();
    other[1].1.drain(4..6);
    assert!(BlockSabotage::Closed.change(&mut other).unwrap_err().to_string().contains("without n"));
}

#[test]
fn a_round_shows_what_was_broken_by_that_and_by_nothing_else() {
    let told = |read: Read, findings: Findings| EventFates { findings, read, ..EventFates::default() };
    let lost = Findings { lost_tail: 1, ..Findings::default() };
    let middle = Findings { lost_middle: 1, ..Findings::default() };
    let late = Findings { out_of_order: 1, ..Findings::default() };
    let again = Findings { repeats: 1, ..Findings::default() };
    let missing = || Read { missing: 1, ..Read::default() };
    let back = || Read { back: vec!["x".into()], ..Read::default() };
    let faults = || Read { faults: vec!["x".into()], ..Read::default() };
    let all = [
        (Broken::NoAof, vec![told(Read::default(), lost)]),
        (Broken::NoFsync, vec![told(Read::default(), lost)]),
        (Broken::Planted(BlockSabotage::Missing), vec![told(missing(), middle)]),
        (
            Broken::Planted(BlockSabotage::Repeated),
            vec![told(Read::default(), again), told(back(), Findings::default())],
        ),
        (
            Broken::Planted(BlockSabotage::Moved),
            vec![told(missing(), late), told(back(), late), told(faults(), late)],
        ),
        (Broken::Planted(BlockSabotage::Flipped), vec![told(faults(), middle)]),
        (Broken::Planted(BlockSabotage::Closed), vec![EventFates { silent: 1, ..EventFates::default() }]),
    ];
    let parts = [
        EventFates::default(),
        told(Read::default(), middle),
        told(Read::default(), late),
        told(missing(), Findings::default()),
        told(faults(), Findings::default()),
    ];
    for (broken, shown) in &all {
        for fates in shown {
            assert!(broken.is_found(fates), "{}: {fates:?}", broken.words());
        }
        for fates in &parts {
            // An event lost in the middle is lost.
            let is_lost = matches!(broken, Broken::NoAof | Broken::NoFsync) && fates.findings.lost_middle > 0;
            assert_eq!(broken.is_found(fates), is_lost, "{}: {fates:?}", broken.words());
        }
    }
}

#[test]
fn every_fault_is_played_with_what_its_promise_forbids() {
    let of = |fault, turn| {
        let cell = Cell { fault, appendfsync: Appendfsync::Always, ack: Ack::Reply };
        Play::of(cell, turn)
    };
    let words = |fault, turn| of(fault, turn).broken.words();
    let plans =
        [BlockSabotage::Missing, BlockSabotage::Repeated, BlockSabotage::Moved, BlockSabotage::Flipped]
            .map(BlockSabotage::words);
    for turn in 0..8 {
        assert_eq!(words(Fault::ConnectionCut, turn), plans[turn % 4], "{turn}");
    }
    assert_eq!(words(Fault::Kill, 1), Broken::NoAof.words());
    assert_eq!(words(Fault::PowerCut, 1), Broken::NoFsync.words());
    assert_eq!(words(Fault::FsyncFails, 1), BlockSabotage::Missing.words());
    // By the reply, and under the setting that it needs, whatever the claim's own are.
    let flat = Cell { fault: Fault::Kill, appendfsync: Appendfsync::Always, ack: Ack::Fsync };
    let played = Play::of(flat, 0).cell;
    assert_eq!((played.appendfsync, played.ack), (Appendfsync::Everysec, Ack::Reply));
    assert_eq!(of(Fault::PowerCut, 0).cell.appendfsync, Appendfsync::No);
    let Ok(Guarantee::Within(young)) =
        guarantee(Cell { fault: Fault::PowerCut, appendfsync: Appendfsync::Everysec, ack: Ack::Reply })
    else {
        panic!("under everysec what is young may be lost")
    };
    assert_eq!(of(Fault::PowerCut, 0).before(), young + Duration::from_secs(2));
    // Where what is young may be lost, load lasts until something is old.
    assert!(of(Fault::PowerCut, 0).before() > LONG / 2 && of(Fault::ConnectionCut, 0).before() == BEFORE);
    // Where nothing is promised, what nobody is told of is planted, and load need not last.
    let none = Cell { fault: Fault::PowerCut, appendfsync: Appendfsync::No, ack: Ack::Reply };
    let play = Play::of(none, 0);
    assert_eq!((play.broken.words(), play.before()), (BlockSabotage::Closed.words(), BEFORE));
    assert!(play.is_of(none) && !of(Fault::PowerCut, 0).is_of(none));
}

#[test]
fn a_claim_is_of_the_cell_that_has_its_name_and_of_none_else() {
    let claim = |id: &str| {
        Judged::of(id, 7, "s", (crate::claim::Bound::Exactly, 0.0, crate::claim::Unit::Events), 0.0, "w")
    };
    for cell in Cell::all() {
        assert!(cell_of(&claim(&cell.id())).is_some_and(|found| found.id() == cell.id()));
    }
    assert!(cell_of(&claim("durability.reload")).is_none());
}

#[test]
fn a_control_is_refuted_by_what_was_broken_and_not_run_where_its_fault_did_not_act() {
    let cell = Cell { fault: Fault::ConnectionCut, appendfsync: Appendfsync::Everysec, ack: Ack::Reply };
    let claim = judge::kept(cell, guarantee(cell).unwrap(), &[judge::tests::sound(cell)]);
    let with = |change: &dyn Fn(&mut RoundResult)| {
        let mut seen = judge::tests::sound(cell);
        seen.held.findings.lost_middle = 2;
        seen.held.read.missing = 1;
        change(&mut seen);
        caught(Broken::Planted(BlockSabotage::Missing), &Ok(seen), &claim)
    };
    let refuted = with(&|_| {});
    assert!(refuted.is_refuted(), "{refuted:?}");
    // Something is lost, and not what was taken out.
    let other = with(&|seen| seen.held.read.missing = 0);
    assert!(
        other.outcome() == ControlOutcome::NotRefuted && other.measured.contains("not what was broken"),
        "{other:?}"
    );
    let idle = with(&|seen| seen.acted.count = 0);
    assert!(idle.outcome() == ControlOutcome::NotRun && idle.measured.contains("did not act"), "{idle:?}");
    let absent = caught(Broken::NoAof, &Err(NotRun::Absent("no FUSE".into())), &claim);
    assert_eq!((absent.outcome(), absent.measured.as_str()), (ControlOutcome::NotRun, "no FUSE"));
}
