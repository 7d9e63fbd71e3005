//! What an audit names, held against what was planted.

use std::collections::BTreeSet;

use super::seeded_faults::SeededFault;
use crate::audit::outcome::Audit;
use crate::audit::rules;
use crate::claim::Control;
use forebay::buffer::connect::Facts;

/// Holds the rules that an audit says are broken against those that were.
pub(super) fn compare(what: &str, planted: &[&SeededFault], audit: &Audit) -> Control {
    let expected: BTreeSet<&str> = planted.iter().map(|plant| plant.rule).collect();
    // Which version a server is, and how it was built, cannot be planted.
    let is_planted = |id: &str| !id.starts_with("version.") && id != "memory.allocator";
    let broken = audit.rules.iter().filter(|finding| finding.is_broken() && is_planted(&finding.id));
    let found: BTreeSet<&str> = broken.map(|finding| finding.id.as_str()).collect();
    let list = |ids: Vec<&&str>| ids.into_iter().copied().collect::<Vec<_>>().join(", ");
    let (missed, wrong) =
        (list(expected.difference(&found).collect()), list(found.difference(&expected).collect()));
    let all = expected.len();
    let named = all - expected.difference(&found).count();
    let not_named = if missed.is_empty() { String::new() } else { format!("; not named: {missed}") };
    let beside =
        if wrong.is_empty() { ", and nothing else".into() } else { format!("; and wrongly: {wrong}") };
    let measured = format!("{named} of {all} faults were named{not_named}{beside}");
    Control::when(what, missed.is_empty() && wrong.is_empty(), measured)
}

/// Whether a plant can be found on this server: its rule is about its version, and its build.
pub(super) fn applies(plant: &SeededFault, facts: &Facts) -> bool {
    let has_version = rules::find(plant.rule).is_some_and(|rule| rule.versions.have(facts));
    let is_jemalloc = facts.get("mem_allocator").is_some_and(|name| name.starts_with("jemalloc"));
    has_version && (plant.rule != "memory.activedefrag" || is_jemalloc)
}
