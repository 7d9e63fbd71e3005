//! Holding what was seen against the rules and the profile.

use super::meaning;
use super::outcome::{Audit, Finding, Outcome, Setting};
use super::rule::{Checked, Fix, Rule, State, Unread};
use super::rules;
use super::seen::Seen;
use super::version::Versions;

/// Settings of profiles that a running server does not take.
const AT_START: [&str; 5] = ["databases", "tcp-backlog", "appendfilename", "appenddirname", "io-threads"];

/// Everything that the rules and the profile have to say; `of` names what was looked at.
pub fn audit(seen: &Seen, of: &str, is_file: bool) -> Audit {
    Audit {
        of: of.into(),
        is_file,
        uptime_seconds: seen.count("uptime_in_seconds").ok(),
        settings: settings(seen),
        rules: rules::all().map(|rule| finding(rule, seen)).collect(),
    }
}

/// The settings that the profile names.
fn settings(seen: &Seen) -> Vec<Setting> {
    let each = seen.profile.conf_settings().into_iter().map(|(name, required)| {
        let found = seen.text(&name).map(str::to_owned);
        let (outcome, why, fixes) = match &found {
            Err(Unread(why)) => (Outcome::NotShown, why.clone(), Vec::new()),
            Ok(found) if meaning::same(&name, &required, found) => (Outcome::Ok, String::new(), Vec::new()),
            Ok(_) if !AT_START.contains(&name.as_str()) => {
                (Outcome::Broken, String::new(), vec![Fix::set(&name, &required)])
            }
            Ok(_) => (Outcome::Broken, String::new(), vec![Fix::at_start(&name, &required)]),
        };
        Setting { name, required, found: found.ok(), outcome, why, fixes }
    });
    each.collect()
}

fn finding(rule: &Rule, seen: &Seen) -> Finding {
    let (outcome, read, fixes) = match check(rule, seen) {
        Ok(State::Kept(read)) => (Outcome::Ok, read, Vec::new()),
        Ok(State::Broken(read, fixes)) => (Outcome::Broken, read, fixes),
        Ok(State::Idle(why)) => (Outcome::DoesNotApply, why, Vec::new()),
        Err(Unread(why)) => (Outcome::NotShown, why, Vec::new()),
    };
    Finding {
        id: rule.id.into(),
        section: rule.section(),
        severity: rule.severity,
        must: rule.must.into(),
        outcome,
        read,
        why: rule.why.into(),
        fixes,
        source: rule.source.into(),
    }
}

/// The rule's own check, where the server is one that it is about. Without a version a rule on settings is tried
/// and one on faults is not shown.
fn check(rule: &Rule, seen: &Seen) -> Checked {
    match (&seen.info, rule.versions) {
        (Ok(facts), Versions::Within { .. }) if !rule.versions.have(facts) => {
            Ok(State::Kept(format!("{} {}", facts.server(), facts.version())))
        }
        (Ok(facts), versions) if !versions.have(facts) => {
            Ok(State::Idle(format!("{} {} does not have it", facts.server(), facts.version())))
        }
        (Err(why), Versions::Within { .. }) => Err(why.clone()),
        _ => (rule.check)(seen),
    }
}
