//! What a proof says: claims with their verdicts, their controls and their evidence.
//! Every renderer in `report` draws from these types and from nothing else.

use serde::{Deserialize, Serialize};

use crate::report::units::figure;

/// What a claim turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The run showed it.
    Proven,
    /// The run showed the contrary.
    Refuted,
    /// The run could not tell; the claim's `why` says for what reason.
    NotShown,
}

impl Verdict {
    /// `Proven` if `holds`, else `Refuted`.
    pub fn of(holds: bool) -> Self {
        if holds { Self::Proven } else { Self::Refuted }
    }

    /// The word for people; `serde` spells it for scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Refuted => "refuted",
            Self::NotShown => "not shown",
        }
    }
}

/// Which side of `required` the measured figure must be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// measured ≤ required
    AtMost,
    /// measured ≥ required
    AtLeast,
    /// measured = required
    Exactly,
}

impl Bound {
    /// Whether `measured` keeps to the bound. NaN keeps to none.
    pub fn holds(self, measured: f64, required: f64) -> bool {
        match self {
            Self::AtMost => measured <= required,
            Self::AtLeast => measured >= required,
            Self::Exactly => (measured - required).abs() < f64::EPSILON,
        }
    }

    /// The sign for tables.
    pub fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "≤",
            Self::AtLeast => "≥",
            Self::Exactly => "=",
        }
    }
}

/// What a figure counts; decides how it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Whole events.
    Events,
    /// Bytes of memory or disk.
    Bytes,
    /// Bytes held for each event.
    BytesPerEvent,
    /// Events each second.
    EventsPerSecond,
    /// Requests each second.
    RequestsPerSecond,
    /// Share of one hundred.
    Percent,
    /// Hours.
    Hours,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// A plain count or ratio.
    Count,
}

/// One sentence that can be true or false of this server under this profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Stable name, `proof.claim`; scripts use it.
    pub id: String,
    /// The step of the brief it answers (audit 1, capacity 3, ...).
    pub step: u8,
    /// The sentence.
    pub statement: String,
    /// Which side of `required` is right.
    pub bound: Bound,
    /// The figure asked for.
    pub required: f64,
    /// The figure found; none where the run did not get that far.
    pub measured: Option<f64>,
    /// What both figures count.
    pub unit: Unit,
    /// What the figures say.
    pub verdict: Verdict,
    /// One or two sentences: what was seen, or why it is not shown.
    pub why: String,
    /// The run on something known to be broken; none only for a claim that was not run.
    pub control: Option<Control>,
    /// What the reader may want to see.
    pub evidence: Vec<Evidence>,
}

impl Claim {
    /// The same where the run could not tell.
    #[must_use]
    pub fn not_shown(mut self, why: impl Into<String>) -> Self {
        (self.verdict, self.why, self.measured) = (Verdict::NotShown, why.into(), None);
        self
    }

    /// A claim judged from its figures.
    pub fn judged(
        id: &str,
        step: u8,
        statement: impl Into<String>,
        (bound, required, unit): (Bound, f64, Unit),
        measured: f64,
        why: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            step,
            statement: statement.into(),
            bound,
            required,
            measured: Some(measured),
            unit,
            verdict: Verdict::of(bound.holds(measured, required)),
            why: why.into(),
            control: None,
            evidence: Vec::new(),
        }
    }
}

/// A run of the same proof on something known to be broken, which the proof must refute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// What was broken.
    pub what: String,
    /// Whether the proof refuted it.
    pub caught: bool,
    /// What it measured, in a sentence with figures.
    pub measured: String,
}

impl Control {
    /// Whether the claims that were judged of something broken have the one of this id refuted.
    pub fn of(what: impl Into<String>, judged: &[Claim], id: &str) -> Self {
        let judged = judged.iter().find(|claim| claim.id == id);
        let measured = judged.map_or("no such claim was made".into(), |claim| {
            let measured = claim.measured.map_or("no figure".into(), |measured| figure(measured, claim.unit));
            format!("{measured}: {}", claim.why)
        });
        let caught = judged.is_some_and(|claim| claim.verdict == Verdict::Refuted);
        Self { what: what.into(), caught, measured }
    }
}

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
