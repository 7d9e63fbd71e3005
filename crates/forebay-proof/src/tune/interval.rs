//! How sure a mean is: the trimmed mean of some differences, and its interval by the bootstrap.
//!
//! A fifth of the differences on either side is left out, because a machine that others use too has legs that say nothing.
//! How far the mean would lie off in another run is told by drawing from the differences again, some thousand times: the
//! interval is so many of these standard errors wide as Student's t asks for with as many differences as were kept (Efron
//! and Tibshirani, An Introduction to the Bootstrap, 12.3; Wilcox, Introduction to Robust Estimation, 4.3). Percentiles of the
//! drawn means would be too narrow where there are few, and call too much a difference.

use fastrand::Rng;

/// The part left out on either side.
const TRIMMED: f64 = 0.2;
/// Draws.
const DRAWS: usize = 2_000;
/// Fewer differences say nothing.
pub const FEWEST: usize = 6;
/// What is claimed of an interval: in so many of a thousand runs it holds what there is. An experiment has three figures and looks at
/// them up to four times: together that is about 0.99.
pub const CONFIDENCE: f64 = 0.999;
/// Student's t for that, by degrees of freedom; between two, the one before counts.
const T: [(usize, f64); 14] = [
    (3, 12.924),
    (4, 8.610),
    (5, 6.869),
    (6, 5.959),
    (7, 5.408),
    (8, 5.041),
    (9, 4.781),
    (10, 4.587),
    (12, 4.318),
    (15, 4.073),
    (20, 3.850),
    (30, 3.646),
    (60, 3.460),
    (200, 3.340),
];

/// A mean, and where it may lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub mid: f64,
    pub high: f64,
}

impl Interval {
    /// Of these values; none of too few.
    pub fn of(values: &[f64], seed: u64) -> Option<Self> {
        if values.len() < FEWEST || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mid = mean(&mut values.to_vec());
        let mut draw = Rng::with_seed(seed);
        let mut sample = vec![0.0; values.len()];
        let square = |_| {
            // Proof: it is below the length, which is an usize.
            sample.fill_with(|| values[draw.usize(..values.len())]);
            (mean(&mut sample) - mid).powi(2)
        };
        let error = ((0..DRAWS).map(square).sum::<f64>() / DRAWS as f64).sqrt();
        let freedom = values.len() - 2 * trimmed(values.len()) - 1;
        let reach = error * student(freedom);
        Some(Self { low: mid - reach, mid, high: mid + reach })
    }

    /// Of logarithms, as ratios.
    #[must_use]
    pub fn exp(self) -> Self {
        Self { low: self.low.exp(), mid: self.mid.exp(), high: self.high.exp() }
    }
}

/// How many of so many are left out on either side.
fn trimmed(count: usize) -> usize {
    (count as f64 * TRIMMED) as usize
}

/// The trimmed mean of values, which it sorts.
fn mean(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let cut = trimmed(values.len());
    let kept = &values[cut..values.len() - cut];
    kept.iter().sum::<f64>() / kept.len() as f64
}

fn student(freedom: usize) -> f64 {
    T.iter().rev().find(|(at, _)| *at <= freedom).map_or(f64::INFINITY, |(_, t)| *t)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// About normal, from twelve even draws.
    fn normal(draw: &mut Rng) -> f64 {
        (0..12).map(|_| draw.f64()).sum::<f64>() - 6.0
    }

    /// How often an interval of so many noisy values around `truth` misses 0, and its mean half width.
    fn misses(count: usize, truth: f64, spikes: bool) -> (f64, f64) {
        let mut draw = Rng::with_seed(count as u64);
        let runs = 1_000;
        let (mut missed, mut width) = (0, 0.0);
        for run in 0..runs {
            let values: Vec<f64> = (0..count)
                .map(|_| {
                    let spike = if spikes && draw.u64(..7) == 0 { 5.0 } else { 1.0 };
                    truth + 0.04 * spike * normal(&mut draw)
                })
                .collect();
            let interval = Interval::of(&values, run).unwrap();
            missed += u64::from(interval.low > 0.0 || interval.high < 0.0);
            width += (interval.high - interval.low) / 2.0;
        }
        (missed as f64 / runs as f64, width / runs as f64)
    }

    #[test]
    fn an_interval_of_noise_holds_nothing_as_often_as_it_says() {
        for count in [6, 14, 32] {
            for spikes in [false, true] {
                let (missed, width) = misses(count, 0.0, spikes);
                println!("{count} {spikes}: {missed} {width}");
                assert!(missed <= 0.01, "{count} values, spikes {spikes}: {missed} of intervals miss it");
            }
        }
    }

    #[test]
    fn a_true_difference_is_found() {
        let (found, _) = misses(40, 0.05, false);
        assert!(found > 0.9, "{found}");
    }

    #[test]
    fn equal_values_leave_no_doubt_and_few_or_odd_ones_say_nothing() {
        let interval = Interval::of(&[0.1; 8], 1).unwrap();
        assert!((interval.low - 0.1).abs() < 1e-12 && (interval.high - 0.1).abs() < 1e-12, "{interval:?}");
        assert_eq!(Interval::of(&[0.1; FEWEST - 1], 1), None);
        assert_eq!(Interval::of(&[0.1, 0.2, f64::NAN, 0.1, 0.1, 0.2], 1), None);
    }
}
