//! The controls of the audit: faults are planted, and each must be named, and nothing else.

mod compare;
pub mod machine;
pub mod seeded_faults;
mod server;

use std::collections::BTreeSet;
use std::path::Path;

use compare::compare;
use seeded_faults::{How, MODEL, PLANTS, Plant};

use super::judge;

use super::outcome::Outcome;
use super::rule::Unread;
use super::seen::{FileFaults, Seen};
use super::settings::Settings;
use super::trial::Tried;
use super::usage::Usage;
use super::users::Users;
use crate::claim::Control;
use forebay::buffer::connect::Facts;
use forebay::buffer::secret;
use forebay_watch::profile::Profile;

pub use server::{on_a_server, start};

/// What INFO of a healthy server says, as far as rules read it.
const HEALTHY_INFO: &str = "redis_version:8.4.1\nconfig_file:/etc/redis/redis.conf\nmem_allocator:jemalloc-5.3.0\n\
    used_memory:400000000\nused_memory_rss:420000000\nmem_clients_normal:20000\nmem_not_counted_for_evict:0\n\
    aof_enabled:1\naof_last_write_status:ok\naof_last_bgrewrite_status:ok\nrdb_last_bgsave_status:ok\n\
    aof_delayed_fsync:0\naof_current_size:1000000\naof_last_cow_size:0\nrdb_last_cow_size:0\nevicted_keys:0\n\
    rejected_connections:0\nrole:master\nconnected_slaves:0\nuptime_in_seconds:864000\n\
    cmdstat_info:calls=1\n";

/// Settings that a rule reads and that cannot be given to every server, or have no reason to be.
const HEALTHY_SETTINGS: [(&str, &str); 4] =
    [("activedefrag", "yes"), ("port", "6379"), ("tls-port", "0"), ("dir", "/var/lib/redis")];

/// A server made of data, with these faults and no others, on a machine made of files under `root`.
pub fn made_up(profile: &Profile, root: &Path, faults: &[How]) -> Seen {
    Seen {
        host: machine::host(root, faults),
        fsync: Ok(machine::fsync(faults)),
        ..without_machine(profile, faults)
    }
}

/// The same with no machine to look at.
fn without_machine(profile: &Profile, faults: &[How]) -> Seen {
    let mut settings = Settings::default();
    for (name, value) in MODEL.into_iter().chain(HEALTHY_SETTINGS) {
        settings.set(name, value);
    }
    let mut seen = Seen {
        profile: profile.clone(),
        on_disk: Ok(Some(settings.clone())),
        settings: Ok(settings),
        info: Ok(Facts::of(HEALTHY_INFO)),
        users: Ok(Users { default_rules: "on #*** ~* -@all +ping".into(), others: 1, unknown: Vec::new() }),
        usage: Ok(Usage::default()),
        host: Err(Unread("no machine was made up".into())),
        fsync: Err(Unread("no machine was made up".into())),
        file: None,
        is_own: false,
    };
    for how in faults {
        plant_into(&mut seen, how);
    }
    seen
}

/// Plants a fault into what was seen of a server; those of its machine are planted elsewhere.
fn plant_into(seen: &mut Seen, how: &How) {
    match (how, &mut seen.settings, &mut seen.users, &mut seen.info) {
        (How::Settings([("rename-command", value)]), _, Ok(users), _) => {
            users.unknown.push(value.split(' ').next().unwrap_or_default().to_lowercase());
        }
        (How::Settings(pairs), Ok(settings), ..) => {
            for (name, value) in *pairs {
                settings.set(name, *value);
                if let Ok(Some(on_disk)) = &mut seen.on_disk {
                    on_disk.set(name, *value);
                }
            }
        }
        (How::Running(name, value), Ok(settings), ..) => settings.set(name, *value),
        (How::DefaultUser(rules), _, Ok(users), _) => users.default_rules = (*rules).into(),
        (How::Says(pairs), .., Ok(info)) => {
            for (name, value) in *pairs {
                info.set(name, value);
            }
        }
        (How::Line(line), ..) => seen.file = Some(line_faults(line)),
        _ => {}
    }
}

/// What is said of a file of this line.
fn line_faults(line: &str) -> FileFaults {
    let said = vec![format!("redis.conf:1: {line}")];
    let none = FileFaults::default();
    match line.split(' ').next() {
        Some("maxmemroy") => FileFaults { unknown: said, ..none },
        Some("databases") => {
            let refused = vec![(None, said.concat())];
            let tried =
                Tried { server: "redis 7.0.15".into(), refused, is_started: Some(true), ..Tried::default() };
            FileFaults { tried: Some(tried), ..none }
        }
        _ => FileFaults { fatal: said, ..none },
    }
}

/// Faults planted together into a server and a machine made of data, and singly into what was seen of the server that is
/// judged: settings of its own, each as a rule that it keeps forbids it.
pub fn of_rules(seen: &Seen) -> Control {
    let together = on_data(&seen.profile);
    let can_be_planted = |plant: &&Plant| seen.settings.is_ok() && plant.together && plant.is_setting();
    let kept = outcomes(seen).into_iter().filter(|(_, outcome)| *outcome == Outcome::Ok).map(|(id, _)| id);
    let kept: BTreeSet<String> = kept.collect();
    let tried: Vec<&Plant> =
        PLANTS.iter().filter(can_be_planted).filter(|plant| kept.contains(plant.rule)).collect();
    let is_missed = |plant: &&&Plant| {
        let mut changed = seen.clone();
        for how in plant.how {
            plant_into(&mut changed, how);
        }
        !outcomes(&changed).contains(&(plant.rule.into(), Outcome::Broken))
    };
    let missed: Vec<&str> = tried.iter().filter(is_missed).map(|plant| plant.rule).collect();
    let what = format!(
        "{}; and {} settings of the server that was looked at, each changed for the worse",
        together.what,
        tried.len()
    );
    let not_named = if missed.is_empty() { String::new() } else { format!(", but {}", missed.join(", ")) };
    let named = tried.len() - missed.len();
    let measured =
        format!("{}; {named} of {} of those settings were named{not_named}", together.measured, tried.len());
    Control::when(what, together.is_refuted() && missed.is_empty(), measured)
}

/// What came of each rule.
fn outcomes(seen: &Seen) -> BTreeSet<(String, Outcome)> {
    judge::audit(seen, "", false).rules.into_iter().map(|finding| (finding.id, finding.outcome)).collect()
}

/// Faults planted into data: a control that needs no server, and takes no time.
fn on_data(profile: &Profile) -> Control {
    let planted: Vec<&Plant> = PLANTS.iter().filter(|plant| plant.together && plant.is_data()).collect();
    let faults: Vec<How> = planted.iter().flat_map(|plant| plant.how.iter().copied()).collect();
    let what = "a made-up server and machine with faults planted in their settings and files";
    match tempfile::tempdir() {
        Ok(root) => {
            let seen = made_up(profile, root.path(), &faults);
            compare(what, &planted, &judge::audit(&seen, what, false))
        }
        Err(error) => Control::not_run(what, format!("no folder for it: {error}")),
    }
}

/// Every setting of the profile changed by as little as can be: each must be named.
pub fn of_settings(profile: &Profile) -> Control {
    let mut settings = Settings::default();
    // A password is not compared, so that it need not be shown.
    let is_shown = |setting: &(String, String)| !secret::is_name(&setting.0);
    let wanted: Vec<(String, String)> = profile.conf_settings().into_iter().filter(is_shown).collect();
    for (name, value) in &wanted {
        settings.set(name, other(name, value));
    }
    let mut seen = without_machine(profile, &[]);
    seen.settings = Ok(settings);
    let audit = judge::audit(&seen, "a made-up server", false);
    let named = audit.differing().count();
    Control::when(
        format!("a made-up server on which each of the profile's {} settings is another", wanted.len()),
        named == wanted.len(),
        format!("{named} of {} were named", wanted.len()),
    )
}

/// A value that means something else, as near as can be.
fn other(name: &str, value: &str) -> String {
    match (value, forebay_watch::profile::redis_bytes(value)) {
        _ if name == "bind" => "0.0.0.0".into(),
        ("yes", _) => "no".into(),
        ("no", _) => "yes".into(),
        (_, Some(bytes)) => (bytes + 1).to_string(),
        _ => format!("{value}-not"),
    }
}

#[cfg(test)]
mod tests {
    use super::compare::applies;
    use super::*;
    use crate::audit::rules;

    fn profile() -> Profile {
        Profile::load("bluesky-8h").unwrap()
    }

    fn outcome(seen: &Seen, id: &str) -> Outcome {
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
            let plants: Vec<&Plant> = PLANTS.iter().filter(|plant| plant.rule == rule.id).collect();
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
            made_up(&profile(), root.path(), &[How::Says(says)]).info.unwrap()
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
        assert!(
            shown > 10 && of_settings(&profile()).what.contains(&format!("the profile's {shown} settings"))
        );
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
        let planted: Vec<&Plant> = PLANTS.iter().filter(|plant| plant.together).collect();
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
}
