//! The view as `OpenMetrics` text: a family a figure, with its help; what is unknown has no sample, and never one of 0.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::probe::Counted;
use super::view::View;
use crate::subject::Subject;

mod buffer;
mod drain;
mod server;
mod sheet;
mod source;
mod watcher;

pub use sheet::Family;

use sheet::Sheet;

/// The media type of [`text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every family there is, whether it has samples now or not.
pub fn families(view: &View, subject: &Subject, probed: &Counted) -> Vec<Family> {
    let mut sheet = Sheet { families: Vec::new(), buffer: ("buffer", subject.name.to_string()) };
    buffer::add(&mut sheet, view);
    drain::add(&mut sheet, view);
    source::add(&mut sheet, view);
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
