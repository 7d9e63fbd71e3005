//! Holding what was seen against the rules and the profile.

use super::meaning;
use super::outcome::{Audit, Finding, Outcome, Setting};
use super::possible::possible;
use super::rule::{Checked, Fix, Rule, Severity, State, Unread};
use super::rules;
use super::snapshot::AuditSnapshot;
use super::version::Versions;
use forebay::buffer::secret;

/// Settings of profiles that a running server does not take.
const AT_START: [&str; 5] = ["databases", "tcp-backlog", "appendfilename", "appenddirname", "io-threads"];

/// Everything that the rules and the profile have to say; `of` names what was looked at.
pub fn audit(seen: &AuditSnapshot, of: &str, is_file: bool) -> Audit {
    Audit {
        of: of.into(),
        is_file,
        config_file: seen.field("config_file").ok().map(str::to_owned),
        uptime_seconds: seen.count("uptime_in_seconds").ok(),
        settings: settings(seen),
        rules: rules::all().map(|rule| finding(rule, seen)).collect(),
    }
}

/// The settings that the profile names.
fn settings(seen: &AuditSnapshot) -> Vec<Setting> {
    let each = seen.profile.conf_settings().into_iter().map(|(name, required)| {
        let is_secret = secret::is_name(&name);
        let found = if is_secret {
            Err(Unread("a password is neither shown nor compared".into()))
        } else {
            seen.text(&name).map(secret::text)
        };
        let required = if is_secret { secret::HIDDEN.into() } else { required };
        let (outcome, why, fixes) = match &found {
            Err(Unread(why)) => (Outcome::NotShown, why.clone(), Vec::new()),
            Ok(found) if meaning::keeps(&name, &required, found) => (Outcome::Ok, String::new(), Vec::new()),
            Ok(_) => {
                (Outcome::Broken, String::new(), vec![possible(seen, setting_fix(seen, &name, &required))])
            }
        };
        Setting { name, required, found: found.ok(), outcome, why, fixes }
    });
    each.collect()
}

/// What makes a setting the profile's, where that does no harm.
fn setting_fix(seen: &AuditSnapshot, name: &str, required: &str) -> Fix {
    if name == "maxmemory-policy" && required.to_ascii_lowercase().starts_with("allkeys") {
        return Fix::act(
            "none: the profile asks for eviction and for no loss; the conflict eviction.loss says what resolves it",
        );
    }
    if let ("maxmemory", Ok(used)) = (name, seen.count("used_memory"))
        && let Some(wanted) = forebay_watch::profile::redis_bytes(required)
        && wanted > 0
        && used as f64 > wanted as f64 * seen.profile.hold.memory_percent_max / 100.0
    {
        return Fix::act(format!(
            "first drain the buffer: it takes {used} bytes, and with maxmemory {required} it stood"
        ));
    }
    if let ("databases", Ok(info), Ok(wanted)) = (name, seen.info(), required.parse::<u64>())
        && let Some(used) = info.databases().map(|(number, _)| number).max()
        && used >= wanted
    {
        return Fix::act(format!(
            "first move or remove the keys of database {used}: with databases {wanted} the server would not start"
        ));
    }
    if AT_START.contains(&name) { Fix::at_start(name, required) } else { Fix::set(name, required) }
}

fn finding(rule: &Rule, seen: &AuditSnapshot) -> Finding {
    let mut severity = rule.severity;
    let (outcome, read, fixes) = match check(rule, seen) {
        Ok(State::Kept(read)) => (Outcome::Ok, read, Vec::new()),
        Ok(State::Broken(read, fixes)) => (Outcome::Broken, read, fixes),
        Ok(State::Danger(read, fixes)) => {
            severity = Severity::Danger;
            (Outcome::Broken, read, fixes)
        }
        Ok(State::Idle(why)) => (Outcome::DoesNotApply, why, Vec::new()),
        Err(Unread(why)) => (Outcome::NotShown, why, Vec::new()),
    };
    Finding {
        id: rule.id.into(),
        section: rule.section(),
        severity,
        must: rule.must.into(),
        outcome,
        read,
        why: rule.why.into(),
        fixes: fixes.into_iter().map(|fix| possible(seen, fix)).collect(),
        source: rule.source.into(),
    }
}

/// The rule's own check, where the server is one that it is about. Without a version a rule on settings is tried
/// and one on faults is not shown.
fn check(rule: &Rule, seen: &AuditSnapshot) -> Checked {
    match (&seen.info, rule.versions) {
        (Ok(facts), Versions::Within { .. }) if !rule.versions.have(facts) => {
            Ok(State::Kept(format!("{} is none of those with it", facts.running())))
        }
        (Ok(facts), versions) if !versions.have(facts) => {
            Ok(State::Idle(format!("{} does not have it", facts.running())))
        }
        (Err(why), Versions::Within { .. }) => Err(why.clone()),
        _ => (rule.check)(seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::negative_controls::made_up;
    use crate::audit::negative_controls::seeded_faults::FaultSource;
    use forebay_watch::profile::Profile;

    #[test]
    fn a_setting_that_would_harm_now_is_no_remedy() {
        let profile = Profile::load("bluesky-8h").unwrap();
        let fix = |says: &'static [(&str, &str)], name: &str, value: &str| {
            let root = tempfile::tempdir().unwrap();
            setting_fix(&made_up(&profile, root.path(), &[FaultSource::Says(says)]), name, value)
        };
        let is_set = |fix: &Fix| matches!(fix, Fix::Set { .. });
        // 90 % of 1,000 bytes are 900.
        assert!(is_set(&fix(&[("used_memory", "900")], "maxmemory", "1000")));
        let full = fix(&[("used_memory", "901")], "maxmemory", "1000");
        assert!(full.line().contains("first drain the buffer"), "{full:?}");
        // Without a limit there is nothing that it could be over.
        assert!(is_set(&fix(&[("used_memory", "901")], "maxmemory", "0")));
        let keys = &[("db3", "keys=1,expires=0,avg_ttl=0")];
        let moved = fix(keys, "databases", "3");
        assert!(moved.line().contains("keys of database 3"), "{moved:?}");
        assert!(!fix(keys, "databases", "4").line().contains("keys of database"));
        assert!(fix(&[], "maxmemory-policy", "AllKeys-lru").line().contains("eviction.loss"));
        assert!(is_set(&fix(&[], "maxmemory-policy", "noeviction")));
        assert!(matches!(fix(&[], "tcp-backlog", "511"), Fix::SetAtStart { .. }));
    }

    #[test]
    fn a_rule_of_other_versions_is_not_held_against_a_server_and_without_a_version_a_fault_is_not_shown() {
        let profile = Profile::load("bluesky-8h").unwrap();
        let root = tempfile::tempdir().unwrap();
        let seen =
            |version: &'static [(&str, &str)]| made_up(&profile, root.path(), &[FaultSource::Says(version)]);
        let within = rules::all().find(|rule| matches!(rule.versions, Versions::Within { .. })).unwrap();
        let since = rules::find("use.other-writers").unwrap();
        let old = seen(&[("redis_version", "6.2.5")]);
        assert!(matches!(check(since, &old), Ok(State::Idle(_))));
        let new = seen(&[("redis_version", "99.0.0")]);
        assert!(matches!(check(within, &new), Ok(State::Kept(why)) if why.contains("none of those with it")));
        assert!(!matches!(check(since, &new), Ok(State::Idle(_))));
        let mut unknown = new;
        unknown.info = Err(Unread("INFO is not permitted".into()));
        assert!(matches!(check(within, &unknown), Err(Unread(why)) if why == "INFO is not permitted"));
        // Whatever its own check would make of it.
        let sure = Rule { check: |_| Ok(State::Kept("as it should be".into())), ..*within };
        assert!(matches!(check(&sure, &unknown), Err(Unread(why)) if why == "INFO is not permitted"));
    }

    #[test]
    fn a_setting_that_is_the_profiles_is_kept_and_another_one_is_not() {
        let profile = Profile::load("bluesky-8h").unwrap();
        let root = tempfile::tempdir().unwrap();
        let outcome = |how: &[FaultSource]| {
            let settings = settings(&made_up(&profile, root.path(), how));
            settings.iter().find(|setting| setting.name == "appendfsync").unwrap().outcome
        };
        assert_eq!(outcome(&[]), Outcome::Ok);
        assert_eq!(outcome(&[FaultSource::Settings(&[("appendfsync", "no")])]), Outcome::Broken);
    }
}
