//! When requests are due: the moments that follow from a pattern.
//!
//! Every pattern but `replay` is a rate that runs in straight pieces over the time of the run. Request `k` is due
//! when the area under the rate reaches `k`: an area that is a square root to solve, so that no sum of
//! intervals drifts. `poisson` takes steps of random size along that area.

use std::sync::Arc;
use std::time::Duration;

use super::curve::Curve;
use super::pattern::Pattern;
use fastrand::Rng;

/// The moments at which requests are due, in nanoseconds since the start, ascending. A clone goes on from the same
/// place.
#[derive(Debug, Clone)]
pub struct Arrivals(Source);

#[derive(Debug, Clone)]
enum Source {
    Curve { curve: Arc<Curve>, piece: usize, start: (f64, f64), area: f64, random: Option<Rng> },
    Recorded { times: Arc<[u64]>, next: usize },
}

impl Arrivals {
    /// Of a pattern at a rate, for so long. The same seed gives the same moments.
    pub fn of(pattern: &Pattern, rate: f64, duration: Duration, seed: u64) -> Self {
        let mut random = matches!(pattern, Pattern::Poisson).then(|| Rng::with_seed(seed));
        let area = random.as_mut().map_or(0.0, step);
        let curve = Arc::new(pattern.curve(rate, duration.as_secs_f64()));
        Self(Source::Curve { curve, piece: 0, start: (0.0, 0.0), area, random })
    }

    /// At moments that were recorded, ascending.
    pub fn recorded(times: Arc<[u64]>) -> Self {
        Self(Source::Recorded { times, next: 0 })
    }
}

/// A step along the area to the next random arrival: exponential with mean 1.
fn step(random: &mut Rng) -> f64 {
    -(1.0 - random.f64()).ln()
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        match &mut self.0 {
            Source::Recorded { times, next } => {
                let time = times.get(*next).copied();
                *next += 1;
                time
            }
            Source::Curve { curve, piece, start, area, random } => loop {
                let current = curve.pieces.get(*piece)?;
                let within = *area - start.1;
                if within < current.area() {
                    let seconds = start.0 + current.at(within);
                    *area += random.as_mut().map_or(1.0, step);
                    return Some((seconds * 1e9) as u64);
                }
                *start = (start.0 + current.seconds, start.1 + current.area());
                *piece += 1;
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn times(pattern: &Pattern, rate: f64) -> Vec<u64> {
        Arrivals::of(pattern, rate, MINUTE, 7).collect()
    }

    fn within(times: &[u64], from: f64, to: f64) -> f64 {
        times.iter().filter(|time| (from..to).contains(&(**time as f64 / 1e9))).count() as f64
    }

    #[test]
    fn a_constant_rate_is_evenly_spaced_and_does_not_drift() {
        let times = times(&Pattern::Constant, 997.0);
        assert_eq!(times.len(), 59_820);
        let worst = times.iter().enumerate().map(|(k, time)| (*time as f64 - k as f64 / 997.0 * 1e9).abs());
        assert!(worst.fold(0.0, f64::max) < 10.0);
    }

    #[test]
    fn every_pattern_ascends_stays_in_time_and_keeps_its_mean() {
        for pattern in Pattern::paced() {
            let times = times(&pattern, 1_000.0);
            assert!(times.is_sorted(), "{pattern}");
            assert!(times.last().is_some_and(|last| *last < 60_000_000_000), "{pattern}");
            let mean = if matches!(pattern, Pattern::Spike(_)) { 72_000.0 } else { 60_000.0 };
            let off = (times.len() as f64 - mean).abs();
            assert!(
                off < if pattern == Pattern::Poisson { 1_500.0 } else { 3.0 },
                "{pattern}: {}",
                times.len()
            );
        }
    }

    #[test]
    fn patterns_have_their_shapes() {
        let ramp = times(&Pattern::Ramp(0.5, 1.5), 1_000.0);
        assert!((within(&ramp, 0.0, 30.0) - 22_500.0).abs() < 3.0);
        let steps = times(&Pattern::Steps(vec![1.0, 0.0, 2.0]), 1_000.0);
        assert_eq!((within(&steps, 0.0, 20.0), within(&steps, 20.0, 40.0)), (20_000.0, 0.0));
        let spike = times(&Pattern::Spike(3.0), 1_000.0);
        assert!((within(&spike, 27.0, 33.0) - 18_000.0).abs() < 3.0);
        let sine = times(&Pattern::Sine(2.15), 1_000.0);
        let ratio = within(&sine, 29.0, 31.0) / (within(&sine, 0.0, 1.0) + within(&sine, 59.0, 60.0));
        assert!((ratio - 2.15).abs() < 0.05, "{ratio}");
        let burst = times(&Pattern::Burst, 1_000.0);
        assert!(within(&burst, 18.001, 30.0) < 1.0);
        assert!((within(&burst, 30.0, 31.0) - 10_000.0).abs() < 3.0);
    }

    #[test]
    fn random_arrivals_are_exponential_and_follow_their_seed() {
        let some: Vec<u64> = times(&Pattern::Poisson, 1_000.0);
        assert_eq!(some, times(&Pattern::Poisson, 1_000.0));
        let other: Vec<u64> = Arrivals::of(&Pattern::Poisson, 1_000.0, MINUTE, 8).collect();
        assert_ne!(some, other);
        // Of an exponential with mean 1 ms, e^-2 = 13.5 % lie above 2 ms.
        let above = some.windows(2).filter(|pair| pair[1] - pair[0] > 2_000_000).count() as f64;
        assert!((above / some.len() as f64 - 0.1353).abs() < 0.01);
    }
}
