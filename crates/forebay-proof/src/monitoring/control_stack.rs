//! What the controls are judged by: a second Prometheus and Alertmanager beside the first, over the same rigs. One rule
//! is deaf, another fires for no cause, and nothing is said to be resolved.

use super::received_alerts::Outcome;
use forebay_watch::deploy::rules::Rule;

/// The rule that is deaf: that of a cause which is tried in every run.
pub(super) const DEAF: &str = "ForebayWriterStopped";
/// The rule that fires for no cause.
pub(super) const NOISE: &str = "ForebayControlNoise";
/// A metric that nobody exports.
pub(super) const NOBODY: &str = "forebay_no_such_metric";

/// The deployed rules, broken.
pub(super) fn rules(deployed: &[Rule]) -> Vec<Rule> {
    let deaf = |rule: &Rule| match &*rule.name {
        DEAF => Rule { expr: format!("{NOBODY} > 0"), ..rule.clone() },
        _ => rule.clone(),
    };
    let noise = deployed.first().map(|rule| Rule {
        name: NOISE.into(),
        expr: "forebay_buffer_present >= 0".into(),
        ..rule.clone()
    });
    deployed.iter().map(deaf).chain(noise).collect()
}

/// Whether the deaf rule was deaf, and the others were heard: else something else was broken.
pub(super) fn is_deaf_alone(outcomes: &[Outcome]) -> bool {
    let mut came = outcomes.iter().flat_map(|outcome| &outcome.came);
    let is_deaf = came.clone().all(|came| came.alert != DEAF || came.after.is_none());
    is_deaf && came.any(|came| came.alert != DEAF && came.after.is_some())
}
