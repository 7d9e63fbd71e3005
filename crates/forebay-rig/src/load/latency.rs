//! How long requests took: HDR histograms of nanoseconds, three digits, up to a minute.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

/// Shortest and longest that are told apart, in nanoseconds. What took longer counts as the longest.
const RANGE: (u64, u64) = (100, 60_000_000_000);

/// Digits that a figure is exact to.
const DIGITS: u8 = 3;

/// Percentiles that a curve is drawn through.
const CURVE: [f64; 19] = [
    0.0, 10.0, 25.0, 50.0, 75.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 99.995,
    99.999, 99.9999,
];

/// Latencies.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        // Proof: the range is not empty, and three digits are allowed.
        Self(Histogram::new_with_bounds(RANGE.0, RANGE.1, DIGITS).expect("bounds that are right"))
    }
}

impl Latency {
    /// One more, in nanoseconds.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos.max(RANGE.0));
    }

    /// All of another's.
    pub fn add(&mut self, other: &Self) {
        // Proof: both have the same bounds.
        self.0.add(&other.0).expect("the same bounds");
    }

    /// None any more.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// So many percent took at most so many milliseconds; 0 where there are none.
    pub fn percentile(&self, percent: f64) -> f64 {
        millis(self.0.value_at_percentile(percent))
    }

    /// The longest, in milliseconds.
    pub fn max(&self) -> f64 {
        millis(self.0.max())
    }

    /// How many took longer than so many milliseconds.
    pub fn above(&self, millis: f64) -> u64 {
        let limit = (millis * 1e6) as u64;
        self.0
            .iter_recorded()
            .filter(|at| at.value_iterated_to() > limit)
            .map(|at| at.count_since_last_iteration())
            .sum()
    }

    /// Milliseconds by percentile, up to the last one that more than a single request stands for.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let stands = |percent: &f64| self.count() as f64 * (100.0 - percent) / 100.0 >= 1.0;
        CURVE.into_iter().filter(stands).map(|percent| (percent, self.percentile(percent))).collect()
    }

    /// The percentile file that plotters of HDR histograms read; values in milliseconds.
    pub fn hgrm(&self) -> String {
        let mut out = format!(
            "{:>12} {:>14} {:>10} {:>14}\n\n",
            "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
        );
        let mut total = 0;
        for step in self.0.iter_quantiles(5) {
            total += step.count_since_last_iteration();
            let quantile = step.quantile_iterated_to();
            let value = millis(step.value_iterated_to().min(self.0.max()));
            // Proof: writing into a String cannot fail.
            write!(out, "{value:>12.6} {quantile:>2.12} {total:>10}").expect("a String takes all");
            let rest =
                if quantile < 1.0 { format!(" {:>14.2}\n", 1.0 / (1.0 - quantile)) } else { "\n".into() };
            out.push_str(&rest);
        }
        let (mean, deviation) = (self.0.mean() / 1e6, self.0.stdev() / 1e6);
        // As above.
        write!(
            out,
            "#[Mean    = {mean:>12.6}, StdDeviation   = {deviation:>12.6}]\n\
             #[Max     = {:>12.6}, Total count    = {:>12}]\n\
             #[Buckets = {:>12}, SubBuckets     = {:>12}]\n",
            self.max(),
            self.count(),
            self.0.buckets(),
            2048,
        )
        .expect("a String takes all");
        out
    }
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_right_to_three_digits() {
        let mut latency = Latency::default();
        (1..=10_000_u64).for_each(|n| latency.record(n * 10_000));
        for (percent, millis) in [(50.0, 50.0), (99.0, 99.0), (99.9, 99.9)] {
            let off = (latency.percentile(percent) - millis).abs() / millis;
            assert!(off < 0.001, "{percent}: {}", latency.percentile(percent));
        }
        assert!((latency.max() - 100.0).abs() < 0.1);
        assert!(latency.above(50.0).abs_diff(5_000) <= 4);
        assert_eq!(latency.curve().last().map(|point| point.0), Some(99.99));
    }

    #[test]
    fn what_is_out_of_range_is_kept_at_the_edge() {
        let mut latency = Latency::default();
        latency.record(0);
        latency.record(u64::MAX);
        assert_eq!(latency.count(), 2);
        assert!((latency.max() - 60_000.0).abs() < 100.0);
        assert_eq!(Latency::default().percentile(99.0).to_bits(), 0.0_f64.to_bits());
        assert!(Latency::default().curve().is_empty() && Latency::default().hgrm().contains("Total count"));
    }

    #[test]
    fn the_percentile_file_has_the_columns_that_plotters_read() {
        let mut latency = Latency::default();
        (1..=100_u64).for_each(|n| latency.record(n * 1_000_000));
        let text = latency.hgrm();
        let last = text.lines().rfind(|line| !line.starts_with('#')).unwrap();
        let cells: Vec<&str> = last.split_whitespace().collect();
        assert_eq!(cells[1..], ["1.000000000000", "100"], "{text}");
    }
}
