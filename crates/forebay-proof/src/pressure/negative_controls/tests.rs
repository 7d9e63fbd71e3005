//! What is claimed of the pressure's controls: each is refuted by what was broken, and by nothing else.

use std::fs;

use super::super::run_result::tests::refused;
use super::*;
use crate::claim::{ControlOutcome, Verdict};
use crate::ledger::Findings;

/// A run of 1,000 events that met its limit, of which so many are lost in the middle of their lane.
fn run(policy: Policy, lost: u64) -> PressureResult {
    let read = 1_000 - lost;
    let mut seen = refused([Some(10), Some(20)]);
    seen.policy = policy;
    seen.findings =
        Findings { offered: 1_000, acknowledged: 1_000, read, lost_middle: lost, ..Findings::default() };
    (seen.followed.events, seen.followed.owed) = (1_000, 1_000);
    match policy {
        Policy::Wait | Policy::TrimOldest => {}
        Policy::Spill => seen.counts.spilled = 5,
        Policy::Shed => (seen.counts.shed, seen.findings.given_up) = (5, 5),
    }
    seen
}

#[test]
fn an_eviction_is_refuted_by_exactly_what_is_gone() {
    let of = |break_it: fn(&mut PressureResult)| {
        let mut seen = run(Policy::Wait, 10);
        seen.watched.evicted = 2;
        break_it(&mut seen);
        exact(&seen, "pressure.wait")
    };
    let control = of(|_| ());
    assert!(
        control.is_refuted() && control.measured.starts_with("2 keys evicted; 10 events: "),
        "{control:?}"
    );
    assert!(!of(|seen| seen.watched.evicted = 0).is_refuted(), "nothing was evicted");
    assert!(!of(|seen| seen.findings.lost_middle = 9).is_refuted(), "less is told than is gone");
    let nothing =
        of(|seen| (seen.findings.lost_middle, seen.findings.read, seen.findings.repeats) = (0, 1_000, 1));
    assert!(!nothing.is_refuted(), "another fault than a loss");
}

#[test]
fn a_loss_must_be_told_by_its_place_or_counted_by_the_writer() {
    let control = || Control::when("w", true, "2 events");
    let silent = run(Policy::Spill, 2);
    assert_eq!(placed(control(), &silent).outcome(), ControlOutcome::NotRefuted);
    let mut told = run(Policy::Spill, 2);
    told.drained.faults.told = vec!["lane likes: block 7 is missing".into(), "more".into()];
    let with = placed(control(), &told);
    assert!(with.is_refuted() && with.measured == "2 events; lane likes: block 7 is missing", "{with:?}");
    let mut counted = run(Policy::Spill, 2);
    counted.counts.unreadable = 1;
    assert!(placed(control(), &counted).is_refuted());
}

#[test]
fn a_reader_that_had_everything_has_met_the_stranger_and_one_that_had_not_may_not_have() {
    let of = |events: u64, missing: u64, faults: u64| {
        let mut seen = run(Policy::Wait, 0);
        (seen.followed.events, seen.followed.missing, seen.followed.faults.count) = (events, missing, faults);
        stranger(&seen, "pressure.readers")
    };
    assert_eq!(of(1_000, 0, 1).outcome(), ControlOutcome::Refuted);
    assert_eq!(of(1_000, 0, 0).outcome(), ControlOutcome::NotRefuted, "it came by, and said nothing");
    let late = of(900, 0, 0);
    assert_eq!(late.outcome(), ControlOutcome::NotRun);
    assert_eq!(late.measured, "the reader had 900 of 1000 events when the run was over");
    assert_eq!(
        of(900, 100, 0).outcome(),
        ControlOutcome::NotRefuted,
        "what it was told is missing, it has had"
    );
    assert_eq!(of(900, 0, 1).outcome(), ControlOutcome::Refuted);
}

#[test]
fn a_run_that_never_met_its_limit_must_show_nothing_though_nothing_is_lost() {
    let of = |break_it: fn(&mut PressureResult)| {
        let mut seen = run(Policy::Wait, 0);
        seen.met = None;
        break_it(&mut seen);
        out_of_reach(&seen, "pressure.limit").is_refuted()
    };
    assert!(of(|_| ()));
    assert!(!of(|seen| seen.met = run(Policy::Wait, 0).met), "it holds, and says so");
    assert!(!of(|seen| seen.findings.lost_tail = 1));
    assert!(!of(|seen| seen.findings.read = 0));
}

/// Runs in which each thing is broken as it should be.
struct Runs {
    seen: Vec<PressureResult>,
    evicted: PressureResult,
    taken: PressureResult,
    trimmed: PressureResult,
    flipped: PressureResult,
    still: PressureResult,
    unread: PressureResult,
    never: PressureResult,
}

impl Runs {
    fn broken() -> Self {
        let placed = |policy| {
            let mut seen = run(policy, 10);
            seen.drained.faults.told.push("a place".into());
            seen
        };
        let mut steady = run(Policy::Wait, 0);
        (steady.limit, steady.empty) = (20_000_000, 0);
        steady.met = steady.met.map(|met| super::super::watch::Met { events: 100_000, ..met });
        let mut evicted = run(Policy::Wait, 10);
        (evicted.watched.evicted, evicted.eviction) = (1, EVICTING.into());
        let mut unread = run(Policy::Wait, 0);
        (unread.left.0, unread.followed.faults.count) = (90.0, 1);
        let mut never = run(Policy::Wait, 0);
        never.met = None;
        let mut still = refused([Some(10), Some(2_500)]);
        still.findings = run(Policy::Wait, 0).findings;
        Self {
            seen: vec![steady],
            evicted,
            taken: placed(Policy::Shed),
            trimmed: placed(Policy::TrimOldest),
            flipped: placed(Policy::Spill),
            still,
            unread,
            never,
        }
    }

    /// A claim of this id that holds, with its control.
    fn claim(&self, id: &str) -> Claim {
        let (bound, unit) = (crate::claim::Bound::Exactly, crate::claim::Unit::Events);
        let judged = Judged::of(id, 6, "s", (bound, 0.0, unit), 0.0, "w");
        let played = Played {
            seen: &self.seen,
            evicted: &self.evicted,
            taken: &self.taken,
            trimmed: &self.trimmed,
            flipped: &self.flipped,
            still: &self.still,
            unread: &self.unread,
            never: &self.never,
            wrong: 600.0,
        };
        played.weighed(vec![judged], None).remove(0)
    }
}

#[test]
fn each_claim_is_proven_by_its_own_control_and_by_no_other() {
    type Mends = fn(&mut Runs);
    let of_each: [(&str, &str, Mends); 11] = [
        ("limit", "a run whose limit is out of reach", |runs| runs.never = run(Policy::Wait, 0)),
        // 600 bytes an event would fill 20 MB at a third of what it took.
        ("predicted", "a prediction from events kept one an entry", |runs| runs.seen[0].limit = 60_000_000),
        ("spill", "a byte flipped in the spill folder", |runs| runs.flipped = run(Policy::Spill, 0)),
        ("shed", "a block taken out with XDEL", |runs| runs.taken = run(Policy::Shed, 0)),
        ("trim-oldest", "a block taken out with XDEL", |runs| {
            runs.trimmed = run(Policy::TrimOldest, 0);
            (runs.trimmed.counts.trimmed, runs.trimmed.findings.given_up) = (5, 5);
        }),
        ("wait", "a server that evicts keys", |runs| runs.evicted = run(Policy::Wait, 0)),
        ("eviction", "a server that evicts keys", |runs| runs.evicted = run(Policy::Wait, 0)),
        ("volatile", "the same with a policy that evicts any key", |runs| {
            runs.evicted = run(Policy::Wait, 0);
        }),
        ("resumes", "a server that holds writes back for 2 s", |runs| {
            runs.still = refused([Some(1), Some(2)]);
        }),
        ("memory", "a group that reads and acknowledges nothing", |runs| runs.unread.left.0 = 0.0),
        ("readers", "an entry of somebody else's in a lane", |runs| runs.unread.followed.faults.count = 0),
    ];
    for (id, what, mend) in of_each {
        let id = format!("pressure.{id}");
        let claim = Runs::broken().claim(&id);
        assert_eq!(claim.verdict(), Verdict::Proven, "{claim:?}");
        assert!(claim.control().is_some_and(|control| control.what.starts_with(what)), "{claim:?}");
        let mut mended = Runs::broken();
        mend(&mut mended);
        assert!(mended.claim(&id).missed_its_control(), "{id}: {:?}", mended.claim(&id));
    }
    assert_eq!(Runs::broken().claim("pressure.other").control(), None);
}

#[test]
fn one_bit_is_flipped_in_the_middle_of_the_largest_spill_file() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: usize| fs::write(folder.path().join(name), vec![0x30; bytes]).unwrap();
    assert!(flip_a_byte_in(folder.path()).is_err(), "nothing was spilled");
    put("a.spill", 10);
    put("b.spill", 31);
    put("c.other", 99);
    flip_a_byte_in(folder.path()).unwrap();
    let mut due = vec![0x30; 31];
    due[15] = 0x20;
    assert_eq!(fs::read(folder.path().join("b.spill")).unwrap(), due);
    for (name, bytes) in [("a.spill", 10), ("c.other", 99)] {
        assert_eq!(fs::read(folder.path().join(name)).unwrap(), vec![0x30; bytes]);
    }
}

#[test]
fn a_small_run_goes_straight_beyond_its_limit_and_has_events_for_it() {
    assert_eq!(enough(1_000, 100.0), 15);
    let minute = Duration::from_secs(60);
    let long = Pace { before: minute, beyond: minute, after: minute, rate: 94.0 };
    let pace = short(long);
    let moment = Duration::from_millis(200);
    assert_eq!((pace.before, pace.beyond, pace.after), (Duration::ZERO, moment, moment));
}

#[test]
fn a_run_that_waits_under_a_policy_that_evicts_lanes_is_one_that_evicts() {
    let of = |policy, eviction: &str| evicts(&PressureResult { eviction: eviction.into(), ..run(policy, 0) });
    assert!(of(Policy::Wait, "allkeys-lru"));
    assert!(!of(Policy::Shed, "allkeys-lru") && !of(Policy::Wait, "noeviction"));
}
