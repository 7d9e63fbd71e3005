//! The remedies of an audit as one list: each once, and where two disagree about a setting, the graver one.

use std::fmt::Write as _;

use crate::audit::meaning;
use crate::audit::outcome::{Audit, Finding, Setting};
use crate::audit::rule::{Fix, Severity};

/// How much it matters that something is mended, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Danger,
    Warn,
    /// The profile asks for it, and no graver rule does.
    Profile,
    Note,
}

/// A remedy, and what asked for it.
pub(super) struct Step<'a> {
    pub(super) fix: &'a Fix,
    pub(super) weight: Weight,
    /// What must be.
    must: String,
    /// Who asks for it, the gravest first.
    askers: Vec<String>,
    /// Who asked for another value, with that value.
    overruled: Vec<(String, &'a str)>,
}

/// Every remedy of the audit, the gravest first.
pub(super) fn plan(audit: &Audit) -> Vec<Step<'_>> {
    let mut wishes: Vec<Step> = audit.differing().flat_map(of_setting).collect();
    wishes.extend(audit.rules.iter().filter(|finding| finding.is_broken()).flat_map(of_finding));
    wishes.sort_by_key(|wish| wish.weight);
    let mut steps: Vec<Step> = Vec::new();
    for wish in wishes {
        match steps.iter_mut().find(|step| step.is_about_what(wish.fix)) {
            Some(step) => step.joined_by(wish),
            None => steps.push(wish),
        }
    }
    steps
}

fn of_setting(setting: &Setting) -> impl Iterator<Item = Step<'_>> {
    let must = format!("{} is as the profile asks", setting.name);
    setting.fixes.iter().map(move |fix| Step::new(fix, Weight::Profile, must.clone(), "profile".into()))
}

fn of_finding(finding: &Finding) -> impl Iterator<Item = Step<'_>> {
    let weight = match finding.severity {
        Severity::Danger => Weight::Danger,
        Severity::Warn => Weight::Warn,
        Severity::Note => Weight::Note,
    };
    let asker = format!("{} ({})", finding.id, finding.severity.word());
    let must = finding.must.trim().trim_end_matches('.');
    finding.fixes.iter().map(move |fix| Step::new(fix, weight, must.into(), asker.clone()))
}

impl<'a> Step<'a> {
    fn new(fix: &'a Fix, weight: Weight, must: String, asker: String) -> Self {
        Self { fix, weight, must, askers: vec![asker], overruled: Vec::new() }
    }

    /// The setting it is about, if it is about one.
    pub(super) fn directive(&self) -> Option<&'a str> {
        setting(self.fix).map(|(directive, _)| directive)
    }

    /// Who asks for it, what it mends, and whom it overrules, in a line.
    pub(super) fn reason(&self) -> String {
        let mut text = format!("{}, so that: {}.", self.askers.join(", "), self.must);
        for (asker, value) in &self.overruled {
            let value = if value.is_empty() { "\"\"" } else { value };
            let _ = write!(text, " Wins over {value}, which {asker} asks for.");
        }
        text
    }

    fn is_about_what(&self, fix: &Fix) -> bool {
        match (setting(self.fix), setting(fix)) {
            (Some((one, _)), Some((other, _))) => one.eq_ignore_ascii_case(other),
            _ => self.fix == fix,
        }
    }

    /// Another wish about the same thing, no graver than this one.
    fn joined_by(&mut self, wish: Self) {
        match (setting(self.fix), setting(wish.fix)) {
            (Some((name, mine)), Some((_, theirs))) if !meaning::same(name, mine, theirs) => {
                self.overruled.extend(wish.askers.into_iter().map(|asker| (asker, theirs)));
            }
            _ => {
                self.askers.extend(wish.askers);
                self.askers.dedup();
            }
        }
    }
}

/// The setting of a fix, and its value.
fn setting(fix: &Fix) -> Option<(&str, &str)> {
    match fix {
        Fix::Set { directive, value } | Fix::SetAtStart { directive, value } => Some((directive, value)),
        Fix::Command { .. } | Fix::Shell { .. } | Fix::Do { .. } => None,
    }
}
