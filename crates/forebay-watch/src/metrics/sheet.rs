//! Families of figures as they are gathered, and how one is written.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Everything about one figure.
#[derive(Debug, Clone)]
pub struct Family {
    /// Its full name; of a counter, with `_total`.
    pub name: String,
    /// One sentence.
    pub help: &'static str,
    pub(super) samples: Samples,
}

/// Labels, each with its value.
pub(super) type Labels = Vec<(&'static str, String)>;

#[derive(Debug, Clone)]
pub(super) enum Samples {
    Gauge(Vec<(Labels, f64)>),
    Counter(Vec<(Labels, f64)>),
    Histogram(Vec<(Labels, Histogram)>),
}

/// Counts by upper bound, each above the bound before; the last bound is infinite.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    pub sum: f64,
    pub buckets: Vec<(f64, u64)>,
}

/// Families as they are gathered.
pub(super) struct Sheet {
    pub families: Vec<Family>,
    /// The label of everything about the buffer.
    pub buffer: (&'static str, String),
}

impl Sheet {
    pub fn add(&mut self, name: &str, help: &'static str, samples: Samples) {
        self.families.push(Family { name: format!("forebay_{name}"), help, samples });
    }

    /// A figure without labels of its own, where it is known.
    pub fn gauge(&mut self, name: &str, help: &'static str, value: Option<f64>) {
        self.add(name, help, Samples::Gauge(value.map(|value| (Vec::new(), value)).into_iter().collect()));
    }

    pub fn counter(&mut self, name: &str, help: &'static str, value: Option<f64>) {
        let samples = value.map(|value| (Vec::new(), value)).into_iter().collect();
        self.add(name, help, Samples::Counter(samples));
    }

    /// A figure for each value of a label, where it is known.
    pub fn gauges(&mut self, name: &str, help: &'static str, values: Vec<(Labels, Option<f64>)>) {
        self.add(name, help, Samples::Gauge(known(values)));
    }

    pub fn counters(&mut self, name: &str, help: &'static str, values: Vec<(Labels, Option<f64>)>) {
        self.add(name, help, Samples::Counter(known(values)));
    }

    /// The labels of something about the buffer.
    pub fn labels(&self, more: &[(&'static str, &str)]) -> Labels {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        [self.buffer.clone()].into_iter().chain(more).collect()
    }
}

fn known(values: Vec<(Labels, Option<f64>)>) -> Vec<(Labels, f64)> {
    values.into_iter().filter_map(|(labels, value)| Some((labels, value?))).collect()
}

impl Family {
    /// Whether anything is known of it now.
    pub fn has_samples(&self) -> bool {
        match &self.samples {
            Samples::Gauge(samples) | Samples::Counter(samples) => !samples.is_empty(),
            Samples::Histogram(samples) => !samples.is_empty(),
        }
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if !self.has_samples() {
            return Ok(());
        }
        // The encoder puts `_total` behind a counter's name itself.
        let name = self.name.trim_end_matches("_total");
        match &self.samples {
            Samples::Gauge(samples) => {
                let mut metric = encoder.encode_descriptor(name, self.help, None, MetricType::Gauge)?;
                samples
                    .iter()
                    .try_for_each(|(labels, value)| metric.encode_family(labels)?.encode_gauge(value))
            }
            Samples::Counter(samples) => {
                let mut metric = encoder.encode_descriptor(name, self.help, None, MetricType::Counter)?;
                samples.iter().try_for_each(|(labels, value)| {
                    metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(value, None)
                })
            }
            Samples::Histogram(samples) => {
                let mut metric = encoder.encode_descriptor(name, self.help, None, MetricType::Histogram)?;
                samples.iter().try_for_each(|(labels, of)| {
                    let count = of.buckets.iter().map(|(_, count)| count).sum();
                    metric.encode_family(labels)?.encode_histogram::<NoLabelSet>(
                        of.sum,
                        count,
                        &of.buckets,
                        None,
                    )
                })
            }
        }
    }
}
