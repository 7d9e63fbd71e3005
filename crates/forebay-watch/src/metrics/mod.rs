//! The view as `OpenMetrics` text: a family a figure, with its help; what is unknown has no sample, and never one of 0.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::Subject;
use super::probe::Counted;
use super::view::View;

mod buffer;
mod server;
mod watcher;

/// The media type of [`text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything about one figure.
#[derive(Debug, Clone)]
pub struct Family {
    /// Its full name; of a counter, with `_total`.
    pub name: String,
    /// One sentence.
    pub help: &'static str,
    samples: Samples,
}

/// Labels, each with its value.
type Labels = Vec<(&'static str, String)>;

#[derive(Debug, Clone)]
enum Samples {
    Gauge(Vec<(Labels, f64)>),
    Counter(Vec<(Labels, f64)>),
    Histogram(Vec<(Labels, Histogram)>),
}

/// Counts by upper bound, each above the bound before; the last bound is infinite.
#[derive(Debug, Clone, Default)]
struct Histogram {
    sum: f64,
    buckets: Vec<(f64, u64)>,
}

/// Families as they are gathered.
struct Sheet {
    families: Vec<Family>,
    /// The label of everything about the buffer.
    buffer: (&'static str, String),
}

impl Sheet {
    fn add(&mut self, name: &str, help: &'static str, samples: Samples) {
        self.families.push(Family { name: format!("forebay_{name}"), help, samples });
    }

    /// A figure without labels of its own, where it is known.
    fn gauge(&mut self, name: &str, help: &'static str, value: Option<f64>) {
        self.add(name, help, Samples::Gauge(value.map(|value| (Vec::new(), value)).into_iter().collect()));
    }

    fn counter(&mut self, name: &str, help: &'static str, value: Option<f64>) {
        let samples = value.map(|value| (Vec::new(), value)).into_iter().collect();
        self.add(name, help, Samples::Counter(samples));
    }

    /// A figure for each value of a label, where it is known.
    fn gauges(&mut self, name: &str, help: &'static str, values: Vec<(Labels, Option<f64>)>) {
        self.add(name, help, Samples::Gauge(known(values)));
    }

    fn counters(&mut self, name: &str, help: &'static str, values: Vec<(Labels, Option<f64>)>) {
        self.add(name, help, Samples::Counter(known(values)));
    }

    /// The labels of something about the buffer.
    fn labels(&self, more: &[(&'static str, &str)]) -> Labels {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        [self.buffer.clone()].into_iter().chain(more).collect()
    }
}

fn known(values: Vec<(Labels, Option<f64>)>) -> Vec<(Labels, f64)> {
    values.into_iter().filter_map(|(labels, value)| Some((labels, value?))).collect()
}

/// Every family there is, whether it has samples now or not.
pub fn families(view: &View, subject: &Subject, probed: &Counted) -> Vec<Family> {
    let mut sheet = Sheet { families: Vec::new(), buffer: ("buffer", subject.name.to_string()) };
    buffer::add(&mut sheet, view);
    server::add(&mut sheet, view);
    watcher::add(&mut sheet, view, subject, probed);
    sheet.families
}

/// `/metrics`.
pub fn text(view: &View, subject: &Subject, probed: &Counted) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Gathered(families(view, subject, probed))));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Gathered(Vec<Family>);

impl Collector for Gathered {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for family in &self.0 {
            family.encode(&mut encoder)?;
        }
        Ok(())
    }
}

impl Family {
    /// Whether anything is known of it now.
    pub fn has_samples(&self) -> bool {
        match &self.samples {
            Samples::Gauge(samples) | Samples::Counter(samples) => !samples.is_empty(),
            Samples::Histogram(samples) => !samples.is_empty(),
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
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
