//! Today against a candidate: legs in the order today, candidate, candidate, today, until the answer is clear.
//!
//! Each four legs give one difference of logarithms for each metric; what drifts evenly falls out of it. After some rounds
//! the interval of the differences is looked at, and again after more, at the most as often as the plan says. A metric is
//! better or worse where its interval has no 0 in it and its mean is as large as what counts; else no difference was seen.

use super::interval::Interval;
use super::metric::Metric;
use super::trial_run::Figures;

/// How long to go on, and how sure to be.
#[derive(Debug, Clone)]
pub struct ExperimentPlan {
    /// After how many rounds of four legs to look.
    pub looks: Vec<usize>,
    /// Of the draws.
    pub seed: u64,
}

/// What became of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Better,
    Worse,
    Same,
    /// A leg had no figure, or one that is no number: nothing can be said.
    Unknown,
}

/// A metric of both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    pub metric: Metric,
    /// Medians.
    pub today: f64,
    pub candidate: f64,
    /// How much better the candidate is, as a ratio: above 1 where it is.
    pub gain: Interval,
    pub turn: Turn,
    /// Whether more rounds could not change what is said.
    is_clear: bool,
}

/// What came of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub effects: Vec<Effect>,
    /// Rounds of four legs.
    pub rounds: usize,
}

/// Which side a leg is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Today,
    Candidate,
}

impl Outcome {
    fn has(&self, turn: Turn) -> bool {
        self.effects.iter().any(|effect| effect.turn == turn)
    }

    /// What became of one.
    pub fn turn(&self, metric: Metric) -> Option<Turn> {
        self.effects.iter().find(|effect| effect.metric == metric).map(|effect| effect.turn)
    }

    /// Whether something could not be told.
    pub fn is_unknown(&self) -> bool {
        self.effects.is_empty() || self.has(Turn::Unknown)
    }

    /// What is better.
    pub fn better(&self) -> impl Iterator<Item = Metric> {
        self.effects.iter().filter(|effect| effect.turn == Turn::Better).map(|effect| effect.metric)
    }

    /// Better in something, and surely in nothing so much worse that it would count for more.
    pub fn is_better(&self) -> bool {
        self.has(Turn::Better) && self.is_harmless()
    }

    /// Worse in nothing, as far as can be told: what noise could hide is bearable.
    pub fn is_harmless(&self) -> bool {
        !self.effects.is_empty()
            && self.effects.iter().all(|effect| {
                matches!(effect.turn, Turn::Better | Turn::Same)
                    && effect.gain.low >= 1.0 - effect.metric.bearable()
            })
    }

    /// Worse in something.
    pub fn is_worse(&self) -> bool {
        self.has(Turn::Worse)
    }

    /// Whether a difference is called at all.
    pub fn is_different(&self) -> bool {
        self.has(Turn::Better) || self.has(Turn::Worse)
    }
}

/// Runs legs until the answer is clear. The first leg of each side only warms up.
pub fn run(
    plan: &ExperimentPlan,
    mut run_trial: impl FnMut(Side) -> anyhow::Result<Figures>,
) -> anyhow::Result<Outcome> {
    use Side::{Candidate, Today};
    run_trial(Today)?;
    run_trial(Candidate)?;
    let mut rounds: Vec<[Figures; 4]> = Vec::new();
    let most = plan.looks.iter().copied().max().unwrap_or(0);
    loop {
        rounds.push([run_trial(Today)?, run_trial(Candidate)?, run_trial(Candidate)?, run_trial(Today)?]);
        if !plan.looks.contains(&rounds.len()) && rounds.len() < most {
            continue;
        }
        let outcome = judge(plan, &rounds);
        tracing::debug!(rounds = rounds.len(), effects = ?outcome.effects, "looked");
        if rounds.len() >= most || outcome.effects.iter().all(|effect| effect.is_clear) {
            return Ok(outcome);
        }
    }
}

fn judge(plan: &ExperimentPlan, rounds: &[[Figures; 4]]) -> Outcome {
    let metrics = rounds.first().map_or(&[][..], |round| &round[0]);
    let effects = metrics.iter().map(|(metric, _)| effect(plan, *metric, rounds)).collect();
    Outcome { effects, rounds: rounds.len() }
}

fn effect(plan: &ExperimentPlan, metric: Metric, rounds: &[[Figures; 4]]) -> Effect {
    let of = |figures: &Figures| {
        let found = figures.iter().find(|(other, _)| *other == metric);
        found.map_or(f64::NAN, |(_, value)| *value)
    };
    let rounds: Vec<[f64; 4]> =
        rounds.iter().map(|legs| [0, 1, 2, 3].map(|run_trial| of(&legs[run_trial]))).collect();
    let gains: Vec<f64> = rounds
        .iter()
        .map(|[a, b, c, d]| f64::midpoint(metric.gain(*a, *b).ln(), metric.gain(*d, *c).ln()))
        .collect();
    let side = |at: [usize; 2]| median(rounds.iter().flat_map(|round| at.map(|at| round[at])).collect());
    let (today, candidate) = (side([0, 3]), side([1, 2]));
    let Some(gain) = Interval::of(&gains, plan.seed).map(Interval::exp) else {
        let gain = Interval { low: 0.0, mid: f64::NAN, high: f64::INFINITY };
        return Effect { metric, today, candidate, gain, turn: Turn::Unknown, is_clear: false };
    };
    let least = metric.least();
    let turn = if gain.low > 1.0 && gain.mid >= 1.0 + least {
        Turn::Better
    } else if gain.high < 1.0 && gain.mid <= 1.0 - least {
        Turn::Worse
    } else {
        Turn::Same
    };
    // No difference that counts is left in the interval.
    let is_none = gain.low > 1.0 - least && gain.high < 1.0 + least;
    let is_clear = turn != Turn::Same || is_none;
    Effect { metric, today, candidate, gain, turn, is_clear }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 0 => f64::midpoint(values[half - 1], values[half]),
        _ => values[half],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;

    fn plan(seed: u64) -> ExperimentPlan {
        ExperimentPlan { looks: vec![8, 14, 24], seed }
    }

    /// An experiment whose legs are noisy by so much, drift by so much a leg, and differ by a factor.
    fn played(seed: u64, noise: f64, drift: f64, factor: f64) -> Outcome {
        let (mut draw, mut legs) = (Rng::with_seed(seed), 0.0);
        run(&plan(seed), |side| {
            legs += 1.0;
            let even = (0..12).map(|_| draw.f64()).sum::<f64>() - 6.0;
            let factor = if side == Side::Candidate { factor } else { 1.0 };
            Ok(vec![(Metric::Append, 500_000.0 * factor * (noise * even + drift * legs).exp())])
        })
        .unwrap()
    }

    #[test]
    fn where_nothing_differs_hardly_ever_a_difference_is_called() {
        let called = (0..200).filter(|seed| played(*seed, 0.05, 0.0, 1.0).is_different()).count();
        assert!(called <= 6, "{called} of 200");
    }

    #[test]
    fn five_percent_either_way_are_found_and_what_drifts_is_not() {
        let found = |factor: f64, turn| {
            (0..50).filter(|seed| played(*seed, 0.04, 0.0, factor).turn(Metric::Append) == Some(turn)).count()
        };
        let (slower, faster) = (found(0.95, Turn::Worse), found(1.05, Turn::Better));
        assert!(slower >= 45 && faster >= 45, "{slower} and {faster} of 50");
        let drifts = (0..50).filter(|seed| played(*seed, 0.01, 0.01, 1.0).is_different()).count();
        assert!(drifts <= 2, "{drifts} of 50");
    }

    #[test]
    fn it_ends_as_soon_as_the_answer_is_clear_and_goes_on_while_it_is_not() {
        assert_eq!(played(1, 0.001, 0.0, 1.0).rounds, 8);
        assert_eq!(played(1, 0.001, 0.0, 0.5).rounds, 8);
        assert_eq!(played(1, 0.3, 0.0, 1.0).rounds, 24);
    }

    #[test]
    fn better_in_one_figure_and_worse_in_another_is_not_better() {
        let outcome = run(&plan(1), |side| {
            let more = if side == Side::Candidate { 1.2 } else { 1.0 };
            Ok(vec![(Metric::Append, 500_000.0 * more), (Metric::ServerCpu, more)])
        })
        .unwrap();
        assert_eq!(outcome.turn(Metric::Append), Some(Turn::Better));
        assert_eq!(outcome.turn(Metric::ServerCpu), Some(Turn::Worse));
        assert!(!outcome.is_better() && outcome.is_worse());
    }

    #[test]
    fn what_noise_could_hide_must_be_bearable() {
        let mut draw = Rng::with_seed(7);
        let mut noisy = |width: f64| {
            run(&plan(1), |side| {
                let more = if side == Side::Candidate { 1.2 } else { 1.0 };
                let cpu = (width * (draw.f64() - 0.5)).exp();
                Ok(vec![(Metric::Append, 500_000.0 * more), (Metric::ServerCpu, cpu)])
            })
            .unwrap()
        };
        assert!(noisy(0.01).is_better());
        let doubtful = noisy(2.0);
        assert_eq!(doubtful.turn(Metric::ServerCpu), Some(Turn::Same), "{doubtful:?}");
        assert!(!doubtful.is_better());
    }

    #[test]
    fn a_figure_that_is_none_leaves_it_unknown_and_not_the_same() {
        let mut legs = 0;
        let outcome = run(&plan(1), |_| {
            legs += 1;
            Ok(vec![
                (Metric::Append, 500_000.0),
                (Metric::BytesPerEvent, if legs == 9 { 0.0 } else { 150.0 }),
            ])
        })
        .unwrap();
        assert_eq!(outcome.turn(Metric::BytesPerEvent), Some(Turn::Unknown));
        assert!(outcome.is_unknown() && !outcome.is_harmless() && !outcome.is_different());
        assert_eq!(outcome.rounds, 24, "it goes on, and never becomes clear");
    }

    #[test]
    fn a_leg_that_fails_ends_it_with_its_error() {
        let error = run(&plan(1), |_| anyhow::bail!("the server went")).unwrap_err();
        assert!(error.to_string().contains("the server went"));
    }
}
