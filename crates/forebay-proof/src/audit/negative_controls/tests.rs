//! What is claimed of the audit's controls: each planted fault is found, and nothing else.

use super::compare::applies;
use super::*;
use crate::audit::rules;

fn profile() -> Profile {
    Profile::load("bluesky-8h").unwrap()
}

fn outcome(seen: &AuditSnapshot, id: &str) -> Outcome {
    let audit = judge::audit(seen, "made up", false);
    audit.rules.iter().find(|finding| finding.id == id).unwrap().outcome
}

#[test]
fn a_healthy_server_breaks_no_rule() {
    let root = tempfile::tempdir().unwrap();
    let audit = judge::audit(&made_up(&profile(), root.path(), &[]), "made up", false);
    let broken: Vec<_> =
        audit.rules.iter().filter(|rule| rule.is_broken()).map(|rule| (&rule.id, &rule.read)).collect();
    assert!(broken.is_empty(), "{broken:?}");
    let unread: Vec<_> = audit
        .rules
        .iter()
        .filter(|rule| rule.outcome == Outcome::NotShown)
        .map(|rule| (&rule.id, &rule.read))
        .collect();
    assert!(unread.is_empty(), "{unread:?}");
}

#[test]
fn every_rule_finds_what_is_planted_for_it() {
    for rule in rules::all() {
        let plants: Vec<&SeededFault> = PLANTS.iter().filter(|plant| plant.rule == rule.id).collect();
        assert!(!plants.is_empty(), "{} has no plant", rule.id);
        for plant in plants.into_iter().filter(|plant| plant.is_data()) {
            let root = tempfile::tempdir().unwrap();
            let seen = made_up(&profile(), root.path(), plant.how);
            assert_eq!(outcome(&seen, rule.id), Outcome::Broken, "{}", rule.id);
        }
    }
    for plant in PLANTS {
        assert!(rules::find(plant.rule).is_some(), "{} is no rule", plant.rule);
    }
    let of_data = PLANTS.iter().filter(|plant| plant.is_data()).count();
    assert!(of_data > PLANTS.len() / 2, "{of_data} of {} need no server", PLANTS.len());
}

#[test]
fn a_value_that_is_changed_is_another_and_as_near_as_can_be() {
    for (name, value, near) in [
        ("bind", "127.0.0.1", "0.0.0.0"),
        ("bind", "yes", "0.0.0.0"),
        ("appendonly", "yes", "no"),
        ("appendonly", "no", "yes"),
        ("maxmemory", "2gb", "2147483649"),
        ("hz", "10", "11"),
        ("maxmemory-policy", "noeviction", "noeviction-not"),
    ] {
        assert_eq!(other(name, value), near, "{name} {value}");
    }
}

#[test]
fn a_plant_applies_where_the_server_has_its_version_and_its_build() {
    let plant = |rule: &str| PLANTS.iter().find(|plant| plant.rule == rule).unwrap();
    let root = tempfile::tempdir().unwrap();
    let facts = |says: &'static [(&'static str, &'static str)]| {
        made_up(&profile(), root.path(), &[FaultSource::Says(says)]).info.unwrap()
    };
    let (jemalloc, libc) =
        (facts(&[("mem_allocator", "jemalloc-5.3.0")]), facts(&[("mem_allocator", "libc")]));
    assert!(applies(plant("memory.activedefrag"), &jemalloc));
    assert!(!applies(plant("memory.activedefrag"), &libc));
    assert!(applies(plant("memory.eviction"), &libc));
    let old = facts(&[("redis_version", "6.2.5")]);
    assert!(!applies(plant("use.other-writers"), &old) && applies(plant("use.other-writers"), &jemalloc));
}

#[test]
fn a_line_that_a_server_refuses_is_a_fault_of_a_file_of_its_own_kind() {
    assert_eq!(line_faults("maxmemroy 1gb").unknown, ["redis.conf:1: maxmemroy 1gb"]);
    assert_eq!(line_faults("appendfsync sometimes").fatal, ["redis.conf:1: appendfsync sometimes"]);
    let tried = line_faults("databases 0").tried.unwrap();
    assert_eq!((tried.server.as_str(), tried.is_started), ("redis 7.0.15", Some(true)));
    assert_eq!(tried.refused, [(None, "redis.conf:1: databases 0".to_owned())]);
}

#[test]
fn a_rule_that_misses_its_plant_is_named_and_counted() {
    let root = tempfile::tempdir().unwrap();
    let mut seen = made_up(&profile(), root.path(), &[]);
    let told = of_rules(&seen).measured;
    assert!(told.contains("of those settings were named") && !told.contains("but"), "{told}");
    // Settings that nobody could read are changed in nothing.
    seen.settings = Err(Unread("CONFIG is not permitted".into()));
    assert!(of_rules(&seen).what.contains("and 0 settings"), "{:?}", of_rules(&seen));
}

#[test]
fn the_controls_are_caught_and_a_blind_audit_is_not_let_through() {
    let root = tempfile::tempdir().unwrap();
    let seen = made_up(&profile(), root.path(), &[]);
    for control in [of_rules(&seen), of_settings(&profile())] {
        assert!(control.is_refuted(), "{control:?}");
    }
    let shown = profile().conf_settings().into_iter().filter(|(name, _)| name != "requirepass").count();
    assert!(shown > 10 && of_settings(&profile()).what.contains(&format!("the profile's {shown} settings")));
    // What a server has already for the worse shows nothing of it.
    let tried = PLANTS.iter().filter(|plant| plant.together && plant.is_setting()).count();
    let eviction = PLANTS.iter().find(|plant| plant.rule == "memory.eviction").unwrap();
    let evicting = made_up(&profile(), root.path(), eviction.how);
    for (seen, tried) in [(&seen, tried), (&evicting, tried - 1)] {
        let control = of_rules(seen);
        assert!(
            control.is_refuted() && control.what.contains(&format!("and {tried} settings")),
            "{control:?}"
        );
    }
    let healthy = judge::audit(&made_up(&profile(), root.path(), &[]), "made up", false);
    let planted: Vec<&SeededFault> = PLANTS.iter().filter(|plant| plant.together).collect();
    let blind = compare("", &planted, &healthy);
    assert!(!blind.is_refuted() && blind.measured.starts_with("0 of "), "{blind:?}");
    let limit = PLANTS.iter().find(|plant| plant.rule == "memory.maxmemory").unwrap();
    let shrill = compare("", &[], &judge::audit(&made_up(&profile(), root.path(), limit.how), "", false));
    assert!(!shrill.is_refuted() && shrill.measured.contains("wrongly: memory.maxmemory"), "{shrill:?}");
    // What a server is, and not how it is set, is held against no control.
    for plant in PLANTS.iter().filter(|plant| plant.is_data()) {
        let is_given = plant.rule.starts_with("version.") || plant.rule == "memory.allocator";
        let audit = judge::audit(&made_up(&profile(), root.path(), plant.how), "", false);
        let said = compare("", &[], &audit).measured;
        assert_eq!(said.contains(plant.rule), !is_given, "{}: {said}", plant.rule);
    }
}
