//! What an audit claims: the settings are the profile's, and no rule is broken that loses events or stops the buffer.

use super::outcome::{Audit, Outcome, Setting};
use super::rule::Severity;
use crate::claim::{Bound, Claim, Control, Judged, Unit};

/// Settings that no event depends on by themselves. Where they do harm a rule says so.
const BESIDE: [&str; 6] = ["databases", "tcp-backlog", "tcp-keepalive", "timeout", "bind", "protected-mode"];

/// Step of the brief that asks for it.
const STEP: u8 = 1;

/// The claims, each with its control.
pub fn of(audit: &Audit, settings: Control, rules: Control) -> Vec<Claim> {
    vec![settings_claim(audit, settings), rules_claim(audit, rules)]
}

fn settings_claim(audit: &Audit, control: Control) -> Claim {
    let all = audit.settings.len();
    let unread = audit.settings.iter().filter(|setting| setting.outcome == Outcome::NotShown).count();
    let (beside, differing): (Vec<&Setting>, Vec<&Setting>) =
        audit.differing().partition(|setting| BESIDE.contains(&setting.name.as_str()));
    let differing: Vec<String> = differing
        .into_iter()
        .map(|setting| format!("{} is {}", setting.name, shown(setting.found.as_deref())))
        .collect();
    let why = match (differing.is_empty(), unread) {
        (true, 0) if all == 0 => "the profile names no setting".into(),
        (true, 0) if beside.is_empty() => {
            format!("each of the {all} settings that the profile names means the same here")
        }
        (true, 0) => {
            let names: Vec<&str> = beside.iter().map(|setting| setting.name.as_str()).collect();
            format!("of {all} only {}, which no event depends on", names.join(", "))
        }
        (true, unread) => format!("{unread} of {all} settings cannot be read"),
        (false, _) => differing.join(", "),
    };
    let statement = "No setting that events depend on differs from what the profile asks";
    none(("audit.settings", statement), (differing.len(), all, unread), why, control)
}

fn rules_claim(audit: &Audit, control: Control) -> Claim {
    let dangers: Vec<&str> = audit.broken(Severity::Danger).map(|finding| finding.id.as_str()).collect();
    let grave = audit.rules.iter().filter(|finding| finding.severity == Severity::Danger);
    let about = grave.filter(|finding| finding.outcome != Outcome::DoesNotApply);
    let all = about.clone().count();
    let unread = about.filter(|finding| finding.outcome == Outcome::NotShown).count();
    let others = |severity| audit.broken(severity).count();
    let beside = format!(
        "{} and {} beside",
        count(others(Severity::Warn), "warning"),
        count(others(Severity::Note), "note")
    );
    let why = match (dangers.is_empty(), unread) {
        (true, 0) => format!("none of the {all} that are about this server is broken; {beside}"),
        (true, unread) => format!("{unread} of them cannot be read; {beside}"),
        (false, _) => format!("{}; {beside}", dangers.join(", ")),
    };
    let statement = "No rule is broken that loses events or stops the buffer";
    none(("audit.rules", statement), (dangers.len(), all, unread), why, control)
}

/// A claim that there is none of something among so many. What could not be read may be one: then it is untested, unless one
/// was found.
fn none(
    (id, statement): (&str, &str),
    (found, all, unread): (usize, usize, usize),
    why: String,
    control: Control,
) -> Claim {
    let asked = (Bound::AtMost, 0.0, Unit::Count);
    let mut claim = Judged::of(id, STEP, statement, asked, found as f64, &*why);
    if claim.holds() && (unread > 0 || all == 0) {
        claim = claim.untested(why).test_with("forebay audit, by a user who may read CONFIG and INFO");
    }
    claim.with(control)
}

fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

fn shown(value: Option<&str>) -> &str {
    match value {
        None => "unknown",
        Some("") => "\"\"",
        Some(value) => value,
    }
}
