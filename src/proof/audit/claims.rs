//! What an audit claims: the settings are the profile's, and no rule is broken that loses events or stops the buffer.

use super::outcome::{Audit, Outcome};
use super::rule::Severity;
use crate::proof::claim::{Bound, Claim, Control, Unit, Verdict};

/// Step of the brief that asks for it.
const STEP: u8 = 1;

/// The claims, each with its control.
pub fn of(audit: &Audit, settings: Control, rules: Control) -> Vec<Claim> {
    vec![settings_claim(audit, settings), rules_claim(audit, rules)]
}

fn settings_claim(audit: &Audit, control: Control) -> Claim {
    let all = audit.settings.len();
    let unread = audit.settings.iter().filter(|setting| setting.outcome == Outcome::NotShown).count();
    let differing: Vec<String> = audit
        .differing()
        .map(|setting| format!("{} is {}", setting.name, shown(setting.found.as_deref())))
        .collect();
    let why = match (differing.is_empty(), unread) {
        (true, 0) => format!("each of the {all} settings that the profile names means the same here"),
        (true, unread) => format!("{unread} of {all} settings cannot be read"),
        (false, _) => differing.join(", "),
    };
    let mut claim = Claim::judged(
        "audit.settings",
        STEP,
        "No setting differs from what the profile asks",
        (Bound::AtMost, 0.0, Unit::Count),
        differing.len() as f64,
        why,
    );
    conclude(&mut claim, unread, control);
    claim
}

fn rules_claim(audit: &Audit, control: Control) -> Claim {
    let dangers: Vec<&str> = audit.broken(Severity::Danger).map(|finding| finding.id.as_str()).collect();
    let grave = audit.rules.iter().filter(|finding| finding.severity == Severity::Danger);
    let unread = grave.filter(|finding| finding.outcome == Outcome::NotShown).count();
    let others = |severity| audit.broken(severity).count();
    let beside = format!(
        "{} and {} beside",
        count(others(Severity::Warn), "warning"),
        count(others(Severity::Note), "note")
    );
    let why = match (dangers.is_empty(), unread) {
        (true, 0) => format!("none is broken; {beside}"),
        (true, unread) => format!("{unread} of them cannot be read; {beside}"),
        (false, _) => format!("{}; {beside}", dangers.join(", ")),
    };
    let mut claim = Claim::judged(
        "audit.rules",
        STEP,
        "No rule is broken that loses events or stops the buffer",
        (Bound::AtMost, 0.0, Unit::Count),
        dangers.len() as f64,
        why,
    );
    conclude(&mut claim, unread, control);
    claim
}

/// What could not be read may be broken: then nothing is shown, unless something else is.
fn conclude(claim: &mut Claim, unread: usize, control: Control) {
    if claim.verdict == Verdict::Proven && unread > 0 {
        claim.verdict = Verdict::NotShown;
    }
    claim.control = Some(control);
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
