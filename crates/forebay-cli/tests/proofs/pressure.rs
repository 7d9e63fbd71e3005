//! What is claimed of the pressure proof: it goes past the limit, tells what is gone from what is lost, refutes a
//! server that evicts, shows nothing where the limit was not met, and leaves somebody's server as it was.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay_proof::claim::{Claim, Control, Evidence, Unit, Verdict};
use forebay_proof::report::{Report, json};

use crate::cli_support::{profile_with, run, run_at_once};
use crate::support::{ask, server, tell};

/// A profile with little memory under `policy`, and a pace that fills it soon.
fn profile(dir: &Path, policy: &str, (events, memory): (&str, &str)) -> String {
    profile_with(
        dir,
        &[
            ("2_700_000", events),
            ("hours = 8", "hours = 0.05"),
            ("\"2gb\"", &format!("{memory:?}")),
            ("\"noeviction\"", &format!("{policy:?}")),
        ],
    )
}

/// So many events go beyond so much memory. Of half of this, a twentieth is what lanes and blocks take that have just begun, and
/// no sample foretells that.
const FORETOLD: (&str, &str) = ("330_000", "24mb");
const LITTLE: (&str, &str) = ("66_000", "8mb");

/// Runs `pressure` and gives its exit code, report, and what it said.
fn pressure(policy: &str, size: (&str, &str), more: &[&str]) -> (i32, Report, String) {
    let dir = tempfile::tempdir().unwrap();
    let profile = profile(dir.path(), policy, size);
    let scale: &[&str] = if more.contains(&"--scale") { &[] } else { &["--scale", "smallest"] };
    let fixed = ["pressure", "--json", "--quiet", "--beyond", "300ms", "--profile", &profile];
    let ran = run(&[&fixed[..], scale, more].concat());
    let report = json::from_str(&String::from_utf8_lossy(&ran.out))
        .unwrap_or_else(|error| panic!("{error}: {}", ran.err));
    (ran.code, report, ran.err)
}

fn claim<'a>(report: &'a Report, id: &str) -> &'a Claim {
    report.claims.iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no claim {id}"))
}

/// Claims that are refuted, but for those of time: how fast this machine is at the moment decides no test.
fn refuted(report: &Report) -> Vec<&str> {
    let refuted = report.claims.iter().filter(|claim| claim.verdict() == Verdict::Refuted);
    let (of_time, others): (Vec<_>, Vec<_>) = refuted.partition(|claim| claim.unit == Unit::Seconds);
    for claim in of_time.iter().chain(&others) {
        println!("{}: {}", claim.id, claim.why);
    }
    others.into_iter().map(|claim| claim.id.as_str()).collect()
}

/// The rows of the table of policy against loss, by run.
fn losses(report: &Report) -> Vec<Vec<String>> {
    let tables = claim(report, "pressure.limit").evidence.iter().filter_map(|evidence| match evidence {
        Evidence::Table { title, rows, .. } => Some((title, rows)),
        _ => None,
    });
    let mut losses = tables.filter(|(title, _)| title.starts_with("Policy against loss"));
    losses.next().unwrap().1.clone()
}

fn number(cell: &str) -> u64 {
    cell.replace(',', "").parse().unwrap_or_else(|_| panic!("{cell:?} is no count"))
}

#[test]
fn every_policy_is_taken_past_its_limit_and_what_is_gone_is_counted_to_the_event() {
    let (code, report, _) = pressure("allkeys-lru", LITTLE, &[]);
    // Of so little no sample foretells what an event weighs, nor can the control: that is for make nightly.
    let refuted: Vec<&str> = refuted(&report).into_iter().filter(|id| *id != "pressure.predicted").collect();
    assert_eq!((code, refuted), (1, vec!["pressure.eviction"]));
    assert_every_event_has_its_fate(&report);
}

#[test]
#[ignore = "nightly"]
fn nightly_every_policy_is_taken_past_its_limit_which_is_foretold() {
    let (code, report, _) = pressure("allkeys-lru", FORETOLD, &["--scale", "quick"]);
    assert_eq!((code, refuted(&report)), (1, vec!["pressure.eviction"]));
    let predicted = claim(&report, "pressure.predicted");
    assert_eq!(predicted.verdict(), Verdict::Proven, "{predicted:?}");
    assert_every_event_has_its_fate(&report);
}

/// Of a profile that asks for eviction: its own policy is refuted beside the proof of what would hold.
fn assert_every_event_has_its_fate(report: &Report) {
    for claim in report.claims.iter().filter(|claim| claim.id != "pressure.predicted") {
        assert_ne!(claim.verdict(), Verdict::Untested, "{claim:?}");
        assert!(claim.control().is_some_and(Control::is_refuted), "{claim:?}");
    }
    let conflict = report.conflicts.iter().find(|conflict| conflict.id == "eviction.loss").unwrap();
    for part in
        ["pressure.eviction is refuted", "pressure.wait is proven", "pressure.spill is proven", "evicted"]
    {
        assert!(conflict.evidence.contains(part), "{part}: {}", conflict.evidence);
    }
    let rows = losses(report);
    assert_eq!(rows.len(), 11, "four overflow policies, and seven more eviction policies: {rows:?}");
    for row in &rows {
        let [run, offered, back, given_up, evicted, lost] = &row[..] else { panic!("{row:?}") };
        let [offered, back, given_up, evicted, lost] =
            [offered, back, given_up, evicted, lost].map(|cell| number(cell));
        assert_eq!(offered, back + given_up + lost, "{run}: every event has its fate");
        assert_eq!(evicted > 0, run.contains("allkeys"), "{run}: {evicted} keys were evicted");
        assert_eq!(lost > 0, run.contains("allkeys"), "{run}: {lost} are lost");
        let gives_up = run.starts_with("shed") || run.starts_with("trim-oldest");
        assert_eq!(given_up > 0, gives_up, "{run}: {given_up} were given up");
    }
}

#[test]
fn somebodys_server_is_filled_only_where_that_is_permitted_and_is_as_before_afterwards() {
    let server = server(&[("maxmemory-policy", "allkeys-lfu"), ("maxmemory", "900mb")]);
    tell(&server, "SET somebody else");
    let dir = tempfile::tempdir().unwrap();
    let profile = profile(dir.path(), "noeviction", LITTLE);
    let url = server.url();
    let refused = run_at_once(&["pressure", "--profile", &profile, "--url", &url, "--allow-load"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("--allow-faults"), "{}", refused.err);
    let (code, report, _) = pressure("noeviction", LITTLE, &["--url", &url, "--allow-faults"]);
    let uncaught: Vec<&Claim> = report.claims.iter().filter(|claim| claim.missed_its_control()).collect();
    assert!(uncaught.is_empty(), "{uncaught:#?}");
    assert!([0, 1].contains(&code), "{code}");
    // Of so little no sample foretells what an event weighs: that is for make nightly.
    assert!(refuted(&report).into_iter().all(|id| id == "pressure.predicted"));
    assert_eq!(losses(&report).len(), 4, "nothing that would evict somebody's keys was tried");
    for id in
        ["pressure.wait", "pressure.spill", "pressure.shed", "pressure.trim-oldest", "pressure.eviction"]
    {
        assert_eq!(claim(&report, id).verdict().word(), "proven");
    }
    assert_eq!(claim(&report, "pressure.volatile").verdict().word(), "untested");
    let setting = |name: &str| ask::<Vec<String>>(&server, &format!("CONFIG GET {name}")).unwrap()[1].clone();
    assert_eq!(setting("maxmemory-policy"), "allkeys-lfu");
    assert_eq!(setting("maxmemory"), (900 << 20).to_string());
    assert_eq!(setting("notify-keyspace-events"), "");
    assert_eq!(ask::<u64>(&server, "DBSIZE").unwrap(), 1);
}

#[test]
fn keys_that_others_write_meanwhile_end_the_runs_that_evict_and_those_evicted_are_named() {
    let server = server(&[]);
    let (is_over, deadline) = (AtomicBool::new(false), Instant::now() + Duration::from_secs(300));
    let is_over_by_now = || is_over.load(Relaxed) || Instant::now() > deadline;
    let policy = || ask::<Vec<String>>(&server, "CONFIG GET maxmemory-policy").unwrap()[1].clone();
    let (report, said) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while policy() != "allkeys-lru" && !is_over_by_now() {
                std::thread::sleep(Duration::from_millis(5));
            }
            for number in 0..200 {
                tell(&server, &format!("SET stranger:{number} is-here"));
            }
            // Whatever is evicted, there is one by the next run.
            while !is_over_by_now() {
                tell(&server, "SET stranger:left is-here");
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let (_, report, said) = pressure("allkeys-lru", LITTLE, &["--url", &server.url(), "--allow-faults"]);
        is_over.store(true, Relaxed);
        (report, said)
    });
    let rows = losses(&report);
    assert!((5..11).contains(&rows.len()), "the runs that evict went on: {rows:?}");
    let notes = |claim: &Claim| {
        let notes = claim.evidence.iter().filter_map(|evidence| match evidence {
            Evidence::Note { text } => Some(text.clone()),
            _ => None,
        });
        notes.collect::<Vec<_>>().join("; ")
    };
    assert!(said.contains("of others were evicted: stranger:"), "{said}");
    let told = notes(claim(&report, "pressure.limit"));
    assert!(told.contains("Not run: maxmemory-policy ") && told.contains("volatile-ttl"), "{told}");
    assert!(told.contains("of others were evicted: stranger:"), "{told}");
    for id in ["pressure.limit", "pressure.eviction"] {
        let claim = claim(&report, id);
        assert!(claim.why.contains("of others were evicted: stranger:"), "{}", claim.why);
    }
    assert_eq!(claim(&report, "pressure.volatile").verdict().word(), "untested");
}
