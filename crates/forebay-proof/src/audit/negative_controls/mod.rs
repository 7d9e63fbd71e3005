//! The controls of the audit: faults are planted, and each must be named, and nothing else.

mod cluster;
mod compare;
pub mod machine;
mod model;
pub mod seeded_faults;
mod server;

use std::collections::BTreeSet;
use std::path::Path;

use compare::compare;
use seeded_faults::{FaultSource, MODEL, PLANTS, SeededFault};

use super::judge;

use super::outcome::Outcome;
use super::rule::Unread;
use super::settings::Settings;
use super::snapshot::{AuditSnapshot, FileFaults};
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
pub fn made_up(profile: &Profile, root: &Path, faults: &[FaultSource]) -> AuditSnapshot {
    AuditSnapshot {
        host: machine::host(root, faults),
        fsync: Ok(machine::fsync(faults)),
        ..without_machine(profile, faults)
    }
}

/// The same with no machine to look at.
fn without_machine(profile: &Profile, faults: &[FaultSource]) -> AuditSnapshot {
    let mut settings = Settings::default();
    for (name, value) in MODEL.into_iter().chain(HEALTHY_SETTINGS) {
        settings.set(name, value);
    }
    let mut seen = AuditSnapshot {
        profile: profile.clone(),
        on_disk: Ok(Some(settings.clone())),
        settings: Ok(settings),
        info: Ok(Facts::of(HEALTHY_INFO)),
        users: Ok(Users { default_rules: "on #*** ~* -@all +ping".into(), others: 1, unknown: Vec::new() }),
        usage: Ok(Usage::default()),
        cluster: Err(Unread("no cluster was made up".into())),
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
fn plant_into(seen: &mut AuditSnapshot, how: &FaultSource) {
    match (how, &mut seen.settings, &mut seen.users, &mut seen.info) {
        (FaultSource::Settings([("rename-command", value)]), _, Ok(users), _) => {
            users.unknown.push(value.split(' ').next().unwrap_or_default().to_lowercase());
        }
        (FaultSource::Settings(pairs), Ok(settings), ..) => {
            for (name, value) in *pairs {
                settings.set(name, *value);
                if let Ok(Some(on_disk)) = &mut seen.on_disk {
                    on_disk.set(name, *value);
                }
            }
        }
        (FaultSource::Running(name, value), Ok(settings), ..) => settings.set(name, *value),
        (FaultSource::DefaultUser(rules), _, Ok(users), _) => users.default_rules = (*rules).into(),
        (FaultSource::Says(pairs), .., Ok(info)) => {
            for (name, value) in *pairs {
                info.set(name, value);
            }
        }
        (FaultSource::InCluster, ..) => cluster::join(seen),
        (FaultSource::ClusterSays(_) | FaultSource::ClusterNodes(_) | FaultSource::OthersSay(_), ..) => {
            cluster::spoil(&mut seen.cluster, how);
        }
        (FaultSource::Line(line), ..) => seen.file = Some(line_faults(line)),
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
pub fn of_rules(seen: &AuditSnapshot) -> Control {
    let together = on_data(&seen.profile);
    let can_be_planted = |plant: &&SeededFault| {
        seen.settings.is_ok() && (plant.together || plant.is_of_node()) && plant.is_setting()
    };
    let kept = outcomes(seen).into_iter().filter(|(_, outcome)| *outcome == Outcome::Ok).map(|(id, _)| id);
    let kept: BTreeSet<String> = kept.collect();
    let tried: Vec<&SeededFault> =
        PLANTS.iter().filter(can_be_planted).filter(|plant| kept.contains(plant.rule)).collect();
    let is_missed = |plant: &&&SeededFault| {
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
fn outcomes(seen: &AuditSnapshot) -> BTreeSet<(String, Outcome)> {
    judge::audit(seen, "", false).rules.into_iter().map(|finding| (finding.id, finding.outcome)).collect()
}

/// Faults planted into data: a control that needs no server, and takes no time.
fn on_data(profile: &Profile) -> Control {
    let planted: Vec<&SeededFault> =
        PLANTS.iter().filter(|plant| plant.together && plant.is_data()).collect();
    let faults: Vec<FaultSource> = planted.iter().flat_map(|plant| plant.how.iter().copied()).collect();
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
mod tests;
