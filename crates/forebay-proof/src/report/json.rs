//! `report.json`: the report as scripts read it. Fields may be added under schema 2, never changed.

use std::io;
use std::path::Path;

use super::content::Report;
use crate::claim::Evidence;
use crate::printable;

/// The `schema` of reports written by this version.
pub const SCHEMA: u32 = 2;

/// The report as indented JSON that ends with a newline.
///
/// JSON knows neither NaN nor infinity: a figure that is one counts as not measured, and such a
/// point of a chart is left out. So whatever is written can be read back.
pub fn to_string(report: &Report) -> String {
    let mut report = report.clone();
    for claim in &mut report.claims {
        for evidence in &mut claim.evidence {
            if let Evidence::Chart { series, .. } = evidence {
                for line in series {
                    line.points.retain(|(x, y)| x.is_finite() && y.is_finite());
                }
            }
        }
    }
    // Proof: serializing fails only for maps with keys that are not strings, and a report has no maps.
    let mut text = serde_json::to_string_pretty(&report).expect("a report has no maps");
    text.push('\n');
    printable::json(&text).into_owned()
}

/// The report in a text that `to_string` made.
pub fn from_str(text: &str) -> serde_json::Result<Report> {
    serde_json::from_str(text)
}

/// Writes the report to `path`, whole or not at all.
pub fn write(report: &Report, path: &Path) -> io::Result<()> {
    forebay_watch::whole_file::atomically(path, to_string(report).as_bytes())
}
