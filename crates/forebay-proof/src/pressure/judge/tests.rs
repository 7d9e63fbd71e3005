//! What is claimed of the pressure's judges: each figure decides where it should, and nothing tried is nothing shown.

use std::time::Instant;

use super::super::run_result::tests::refused;
use super::super::watch::{Met, REFUSED};
use super::*;
use crate::ledger::Findings;

const ABSENT: &str = "no such run was made";

/// A run that met its limit and lost nothing.
fn run(policy: Policy, eviction: &str) -> PressureResult {
    let findings = Findings { offered: 1_000, acknowledged: 1_000, read: 1_000, ..Findings::default() };
    let mut seen = refused([Some(10), Some(20)]);
    (seen.policy, seen.eviction, seen.limit, seen.findings) = (policy, eviction.into(), 1 << 20, findings);
    match policy {
        Policy::Wait => {}
        Policy::Spill => seen.counts.spilled = 5,
        Policy::Shed => (seen.counts.shed, seen.findings.given_up) = (5, 5),
        Policy::TrimOldest => (seen.counts.trimmed, seen.findings.given_up) = (5, 5),
    }
    seen
}

fn steady(policy: Policy) -> PressureResult {
    run(policy, EVICTIONS[0])
}

fn of(policy: Policy, break_it: impl FnOnce(&mut PressureResult)) -> Judged {
    let mut seen = steady(policy);
    break_it(&mut seen);
    kept(Some(&seen), "pressure.x", policy, ABSENT)
}

#[test]
fn a_policy_that_keeps_its_word_holds_and_one_that_was_not_run_is_untested() {
    for policy in Policy::ALL {
        let claim = of(policy, |_| ());
        assert!(claim.holds() && claim.measured() == Some(0.0), "{claim:?}");
        assert!(claim.statement.contains(policy.name()), "{}", claim.statement);
        let absent = kept(None, "pressure.x", policy, ABSENT);
        assert_eq!((absent.judgement(), absent.why.as_str()), (Judgement::Untested, ABSENT));
    }
    assert!(of(Policy::Shed, |_| ()).why.starts_with("5 shed; "));
    assert!(of(Policy::Spill, |_| ()).why.starts_with("5 spilled; "));
    assert!(of(Policy::TrimOldest, |_| ()).why.starts_with("5 trimmed; "));
}

#[test]
fn a_loss_or_another_count_than_was_told_refutes() {
    for policy in Policy::ALL {
        let lost = of(policy, |seen| seen.findings.lost_middle = 2);
        assert_eq!((lost.judgement(), lost.measured()), (Judgement::Refuted, Some(2.0)));
    }
    for (policy, given_up) in
        [(Policy::Wait, 3), (Policy::Spill, 3), (Policy::Shed, 4), (Policy::TrimOldest, 7)]
    {
        let claim = of(policy, |seen| seen.findings.given_up = given_up);
        assert_eq!(claim.judgement(), Judgement::Refuted, "{policy:?}");
    }
    assert_eq!(of(Policy::Shed, |seen| seen.findings.given_up = 3).measured(), Some(2.0));
}

#[test]
fn a_writer_that_ended_or_a_reader_that_came_upon_faults_refutes_without_a_loss() {
    let ended = of(Policy::Wait, |seen| seen.failure = Some("gave up".into()));
    assert_eq!(ended.judgement(), Judgement::Refuted);
    assert!(ended.why.starts_with("the writer ended: gave up; "), "{}", ended.why);
    let faults = of(Policy::Wait, |seen| {
        seen.drained.faults.count = 2;
        seen.drained.faults.told = vec!["a".into(); 7];
    });
    assert_eq!(faults.judgement(), Judgement::Refuted);
    assert!(faults.why.ends_with("; but the reader reported 2 faults"), "{}", faults.why);
    assert_eq!(faults.evidence.len(), 5);
    let both = of(Policy::Wait, |seen| (seen.drained.faults.count, seen.findings.lost_tail) = (2, 1));
    assert!(!both.why.contains("but the reader"), "{}", both.why);
    let unreadable = of(Policy::Spill, |seen| (seen.counts.unreadable, seen.findings.lost_tail) = (3, 3));
    assert!(
        unreadable.why.starts_with("3 of the spill folder could not be read again; "),
        "{}",
        unreadable.why
    );
    assert!(!of(Policy::Spill, |_| ()).why.contains("spill folder"));
}

#[test]
fn a_run_that_met_no_limit_or_gave_nothing_up_shows_nothing() {
    let unmet = of(Policy::Wait, |seen| seen.met = None);
    assert_eq!(unmet.judgement(), Judgement::Untested);
    assert!(
        unmet.why.starts_with("the limit of 1.00 MiB was never met: 1,000 events were pushed"),
        "{}",
        unmet.why
    );
    // Even a loss is none of the policy's then.
    assert_eq!(
        of(Policy::Wait, |seen| (seen.met, seen.findings.lost_tail) = (None, 1)).judgement(),
        Judgement::Untested
    );
    let nothing = of(Policy::Shed, |seen| (seen.counts.shed, seen.findings.given_up) = (0, 0));
    assert_eq!(nothing.why, "the limit was met, and nothing was shed");
    let lost = of(Policy::Spill, |seen| (seen.counts.spilled, seen.findings.lost_tail) = (0, 1));
    assert_eq!(lost.judgement(), Judgement::Refuted);
    let none = of(Policy::Wait, |seen| seen.findings = Findings::default());
    assert_eq!(none.why, "no event was acknowledged");
}

#[test]
fn every_run_must_go_past_its_limit() {
    let mut runs = vec![steady(Policy::Wait), run(Policy::Wait, "allkeys-lru")];
    runs[1].limit = 1 << 19;
    let claim = limit(&runs, ABSENT);
    assert!(claim.holds(), "{claim:?}");
    assert_eq!(
        claim.why,
        "2 of 2 runs met a limit of 1.00 MiB, or 512.00 KiB where keys may be evicted, and pushed on: up to 1,000 events each"
    );
    let [Evidence::Table { rows, .. }, _] = &claim.evidence[..] else { panic!("{:?}", claim.evidence) };
    assert_eq!(rows.len(), 1, "what to choose is told of runs that evict nothing");
    runs[0].met = None;
    let claim = limit(&runs, ABSENT);
    assert_eq!((claim.judgement(), claim.measured()), (Judgement::Refuted, Some(1.0)));
    assert_eq!(limit(&[], ABSENT).judgement(), Judgement::Untested);
    let same = limits(&[steady(Policy::Wait), run(Policy::Wait, "allkeys-lru")], &steady(Policy::Wait));
    assert_eq!(same, "1.00 MiB", "limits that are the same are told once");
}

#[test]
fn a_prediction_is_held_against_the_run_that_was_furthest_off() {
    let met = |events: u64| {
        let mut seen = steady(Policy::Wait);
        (seen.limit, seen.empty) = (4_100_000, 100_000);
        seen.met = Some(Met { at: Instant::now(), events, how: REFUSED });
        seen
    };
    let (near, far) = (met(39_000), met(42_000));
    // 4 MB of 100 bytes each.
    let claim = predicted(&[&near, &far], Some(100.0), None, ABSENT);
    assert!(claim.holds() && claim.why.contains("40,000 events predicted"), "{claim:?}");
    assert!(
        claim.measured().is_some_and(|percent| (percent - 4.762).abs() < 0.001),
        "{:?}",
        claim.measured()
    );
    assert!(claim.why.ends_with("the limit met at 42,000: the worst of 2 runs"), "{}", claim.why);
    let claim = predicted(&[&near, &met(43_000)], Some(100.0), None, ABSENT);
    assert_eq!(claim.judgement(), Judgement::Refuted);
    assert_eq!(predicted(&[&near], None, None, ABSENT).why, ABSENT);
    let unmet = PressureResult { met: None, ..met(1) };
    assert_eq!(predicted(&[&unmet], Some(100.0), None, ABSENT).why, "no run met its limit");
    // Of 19,999 events what others hold for a moment would decide.
    let few = predicted(&[&near], Some(200.02), None, ABSENT);
    assert!(few.why.starts_with("there is room for 19,998 events only"), "{few:?}");
    assert!(!predicted(&[&near], Some(200.0), None, ABSENT).why.starts_with("there is room"));
}

#[test]
fn the_profiles_own_policy_is_judged_and_an_unknown_one_named() {
    let mut profile = Profile::load("bluesky-8h").unwrap();
    let evicting = || {
        let mut seen = run(Policy::Wait, "allkeys-lru");
        (seen.watched.evicted, seen.findings.lost_whole) = (1, 10);
        seen
    };
    let all = [steady(Policy::Wait), evicting()];
    let own = own_policy(&all, &profile, ABSENT);
    assert!(!own.why.contains("evicted"), "where nothing was, nothing is said of it: {}", own.why);
    assert!(own.holds() && own.statement.contains("noeviction"), "{own:?}");
    assert_eq!(own.evidence.len(), 1, "what other policies lose is shown beside it");
    assert!(own_policy(&all[..1], &profile, ABSENT).evidence.is_empty());
    profile.settings.insert("maxmemory-policy".into(), toml::Value::String("allkeys-LRU".into()));
    let lossy = own_policy(&all, &profile, ABSENT);
    assert_eq!(lossy.judgement(), Judgement::Refuted);
    assert!(lossy.why.starts_with("1 key evicted: "), "{}", lossy.why);
    // Of another overflow policy nothing follows.
    let shed = [run(Policy::Shed, "allkeys-lru")];
    assert_eq!(own_policy(&shed, &profile, ABSENT).why, ABSENT);
    profile.settings.insert("maxmemory-policy".into(), toml::Value::String("random".into()));
    assert_eq!(own_policy(&all, &profile, ABSENT).why, "this proof does not know that policy");
}

#[test]
fn volatile_policies_are_proven_by_runs_of_each_and_refuted_by_one() {
    let all = || -> Vec<PressureResult> {
        let volatile = EVICTIONS.into_iter().filter(|eviction| is_volatile(eviction));
        volatile.map(|eviction| run(Policy::Wait, eviction)).chain([steady(Policy::Wait)]).collect()
    };
    let claim = volatile(&all(), ABSENT);
    assert!(claim.holds() && claim.why.starts_with("4 runs; under volatile-"), "{claim:?}");
    let some = volatile(&all()[..2], ABSENT);
    assert_eq!(some.judgement(), Judgement::Untested);
    assert!(
        some.why.starts_with("no such run was made (volatile-random, volatile-ttl); 2 runs"),
        "{}",
        some.why
    );
    let mut lossy = all();
    lossy[1].findings.lost_whole = 3;
    lossy[2].met = None;
    let claim = volatile(&lossy[..3], ABSENT);
    assert_eq!(claim.judgement(), Judgement::Refuted, "a loss outweighs what was not run or shows nothing");
    assert!(claim.why.contains("3 runs; under volatile-lfu: "), "{}", claim.why);
    lossy.remove(1);
    assert_eq!(
        volatile(&lossy, ABSENT).judgement(),
        Judgement::Untested,
        "one that shows nothing outweighs a sound one"
    );
    assert_eq!(volatile(&[], ABSENT).why, ABSENT);
}

#[test]
fn keys_of_others_that_were_evicted_are_told() {
    let mut seen = steady(Policy::Wait);
    seen.others = vec![("session:1".into(), 2)];
    let claim = with_others(of(Policy::Wait, |_| ()), &[&seen]);
    assert!(claim.why.contains("session:1"), "{}", claim.why);
    assert_eq!(claim.evidence.len(), 1);
    assert_eq!(with_others(of(Policy::Wait, |_| ()), &[&steady(Policy::Wait)]), of(Policy::Wait, |_| ()));
}

#[test]
fn there_is_a_claim_for_each_policy_and_each_is_of_its_own_run() {
    let profile = Profile::load("bluesky-8h").unwrap();
    let mut runs: Vec<PressureResult> = Policy::ALL.map(steady).into();
    runs[2].findings.lost_tail = 1;
    // Under another eviction policy it counts for nothing here.
    let mut other = run(Policy::Wait, "allkeys-lru");
    other.findings.lost_tail = 1;
    runs.insert(0, other);
    let claims = claims(&runs, &profile, None, ABSENT);
    let says = |id: &str| claims.iter().find(|claim| claim.id == id).map(Judged::judgement);
    assert_eq!(says("pressure.wait"), Some(Judgement::Holds));
    assert_eq!(says("pressure.spill"), Some(Judgement::Holds));
    assert_eq!(says("pressure.shed"), Some(Judgement::Refuted));
    assert_eq!(says("pressure.trim-oldest"), Some(Judgement::Holds));
    assert_eq!(claims.len(), 11);
    let none = super::claims(&[], &profile, None, ABSENT);
    assert!(none.iter().all(|claim| claim.judgement() == Judgement::Untested), "{none:?}");
}

#[test]
fn which_policy_to_choose_is_told_of_runs_without_eviction_and_losses_of_all() {
    let claim =
        limit(&[steady(Policy::Wait), steady(Policy::Shed), run(Policy::Wait, "allkeys-lru")], ABSENT);
    let rows: Vec<usize> = claim
        .evidence
        .iter()
        .filter_map(|evidence| match evidence {
            Evidence::Table { rows, .. } => Some(rows.len()),
            _ => None,
        })
        .collect();
    assert_eq!(rows, [2, 3]);
}
