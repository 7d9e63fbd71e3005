//! What a reader may want to see beside a claim: tables, charts, remarks.

use serde::{Deserialize, Serialize};

/// Something to look at beside a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Evidence {
    /// Rows of figures.
    Table {
        /// What the table shows.
        title: String,
        /// Column heads.
        columns: Vec<String>,
        /// Cells as they are printed; each row as long as `columns`.
        rows: Vec<Vec<String>>,
    },
    /// Lines over an axis.
    Chart {
        /// What the chart shows.
        title: String,
        /// Label of the horizontal axis; its last word is the unit in full (`bytes`, `events`,
        /// `seconds`), from which renderers choose a larger one where that reads better.
        x: String,
        /// Label of the vertical axis, unit last likewise.
        y: String,
        /// How the axes are divided.
        #[serde(default, skip_serializing_if = "Axes::is_plain")]
        axes: Axes,
        /// The lines.
        series: Vec<Series>,
    },
    /// A remark.
    Note {
        /// The remark.
        text: String,
    },
}

/// How the axes of a chart are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axes {
    /// Both evenly.
    #[default]
    Plain,
    /// The horizontal one by nines: its values are percentiles from 0 to below 100, and 90, 99 and 99.9 are as
    /// far from each other. The vertical one is logarithmic.
    Percentiles,
    /// Both logarithmically.
    Log,
}

impl Axes {
    /// Whether both are divided evenly.
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// A limit or a forecast, drawn dashed.
    pub dashed: bool,
    /// Points in ascending x.
    pub points: Vec<(f64, f64)>,
}
