//! Effects in words: both sides of a figure, and what was gained.

use super::experiment::{Effect, Outcome, Turn};
use crate::report::units::thousands;

/// `events/s in +4.1 % (1.2 to 7.0)`.
pub(super) fn effect(effect: &Effect) -> String {
    format!("{} {}", effect.metric.name(), percents(effect))
}

/// Its name, both sides, and the gain.
pub(super) fn cells(effect: &Effect) -> [String; 4] {
    let metric = effect.metric;
    let figure = |value: f64| format!("{}{}", thousands(value, metric.digits()), metric.unit());
    [metric.name().to_owned(), figure(effect.today), figure(effect.candidate), percents(effect)]
}

fn percents(effect: &Effect) -> String {
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    let gain = effect.gain;
    format!("{:+.1} % ({:+.1} to {:+.1})", percent(gain.mid), percent(gain.low), percent(gain.high))
}

/// What an outcome gains, for a comment of one line.
pub(super) fn gains(outcome: &Outcome) -> String {
    let better = outcome.effects.iter().filter(|effect| effect.turn == Turn::Better);
    better.map(effect).collect::<Vec<_>>().join(", ")
}
