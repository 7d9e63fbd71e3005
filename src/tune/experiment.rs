//! Today against a candidate: legs in the order today, candidate, candidate, today, until the answer is clear.
//!
//! Each four legs give one difference of logarithms for each metric; what drifts evenly falls out of it. After some rounds
//! the interval of the differences is looked at, and again after more, at the most as often as the plan says. A metric is
//! better or worse where its interval has no 0 in it and its mean is as large as what counts; else no difference was seen.

use super::interval::Interval;
use super::leg::Figures;
use super::metric::Metric;

/// How long to go on, and how sure to be.
#[derive(Debug, Clone)]
pub struct Plan {
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

    /// What is better.
    pub fn better(&self) -> impl Iterator<Item = Metric> {
        self.effects.iter().filter(|effect| effect.turn == Turn::Better).map(|effect| effect.metric)
    }

    /// Better in something and worse in nothing.
    pub fn is_better(&self) -> bool {
        self.has(Turn::Better) && !self.has(Turn::Worse)
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
pub fn run(plan: &Plan, mut leg: impl FnMut(Side) -> anyhow::Result<Figures>) -> anyhow::Result<Outcome> {
    use Side::{Candidate, Today};
    leg(Today)?;
    leg(Candidate)?;
    let mut rounds: Vec<[Figures; 4]> = Vec::new();
    let most = plan.looks.iter().copied().max().unwrap_or(0);
    loop {
        rounds.push([leg(Today)?, leg(Candidate)?, leg(Candidate)?, leg(Today)?]);
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

fn judge(plan: &Plan, rounds: &[[Figures; 4]]) -> Outcome {
    let metrics = rounds.first().map_or(&[][..], |round| &round[0]);
    let effects = metrics.iter().filter_map(|(metric, _)| effect(plan, *metric, rounds)).collect();
    Outcome { effects, rounds: rounds.len() }
}

fn effect(plan: &Plan, metric: Metric, rounds: &[[Figures; 4]]) -> Option<Effect> {
    let of = |figures: &Figures| figures.iter().find(|(other, _)| *other == metric).map(|(_, value)| *value);
    let rounds: Vec<[f64; 4]> =
        rounds.iter().map(|[a, b, c, d]| Some([of(a)?, of(b)?, of(c)?, of(d)?])).collect::<Option<_>>()?;
    let gains: Vec<f64> = rounds
        .iter()
        .map(|[a, b, c, d]| (metric.gain(*a, *b).ln() + metric.gain(*d, *c).ln()) / 2.0)
        .collect();
    let gain = Interval::of(&gains, plan.seed)?.exp();
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
    let side = |at: [usize; 2]| median(rounds.iter().flat_map(|round| at.map(|at| round[at])).collect());
    Some(Effect {
        metric,
        today: side([0, 3]),
        candidate: side([1, 2]),
        gain,
        turn,
        is_clear: turn != Turn::Same || is_none,
    })
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
