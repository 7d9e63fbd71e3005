//! The axes of a chart: what they reach, where their ticks are, and where on them a value lies.

use std::ops::Range;

use plotters::coord::ranged1d::{BoldPoints, KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

use crate::report::units;

/// Ticks of an axis that is divided evenly: across and upwards.
const PLAIN_TICKS: (usize, usize) = (7, 6);
/// Least value that a logarithmic axis reaches down to: an axis of all decades of a double is of no use.
const LEAST: f64 = 1e-9;
/// Ticks within a decade where there are few decades.
const MARKS: [f64; A_DECADE as usize] = [1.0, 2.0, 5.0];
/// How many they are.
const A_DECADE: i32 = 3;
/// An axis that spans more decades than this has ticks at whole ones only.
const MARKED_DECADES: f64 = 2.5;
/// Most decades that each have a tick.
const DECADES: i32 = 9;
/// What logarithms may be off by.
const OFF: f64 = 1e-9;

/// An axis, in the coordinates that it is drawn in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// What it counts, and in what unit.
    pub(super) name: String,
    /// From its one end to the other.
    pub(super) range: Range<f64>,
    /// Ticks in ascending order, each with its text.
    pub(super) ticks: Vec<(f64, String)>,
    divided: Divided,
}

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Divided {
    /// Evenly, in a unit of so many.
    Evenly(f64),
    /// By nines: the coordinate of a percentile is how many nines it has.
    ByNines,
    /// By powers of ten: the coordinate of a value is its logarithm.
    ByDecades,
}

impl Axis {
    /// A horizontal axis that is divided evenly.
    pub(super) fn across(label: &str, values: impl Iterator<Item = f64> + Clone) -> Self {
        let (least, most) = ends(values);
        let (name, scale) = units::axis(label, most);
        Self::evenly(name, scale, span(least / scale, most / scale), PLAIN_TICKS.0)
    }

    /// A vertical axis that is divided evenly: from zero, so that a line's height is its size; with room
    /// above the highest.
    pub(super) fn upwards(label: &str, values: impl Iterator<Item = f64> + Clone) -> Self {
        let (least, most) = ends(values);
        let (name, scale) = units::axis(label, most);
        Self::evenly(name, scale, span((least / scale).min(0.0), most / scale * 1.08), PLAIN_TICKS.1)
    }

    fn evenly(name: String, scale: f64, range: Range<f64>, ticks: usize) -> Self {
        let width = range.end - range.start;
        let at = RangedCoordf64::from(range.clone()).key_points(BoldPoints(ticks));
        let ticks = at.into_iter().map(|at| (at, units::tick(at, width))).collect();
        Self { name, range, ticks, divided: Divided::Evenly(scale) }
    }

    /// An axis of percentiles that is so many pixels long.
    pub(super) fn percentiles(label: &str, values: impl Iterator<Item = f64>, pixels: f64) -> Self {
        let end = values.filter_map(nines).fold(1.0, f64::max);
        let last = (end + OFF).floor() as usize;
        // A tick that logarithms put a hair beyond the end is on the axis.
        let end = end.max(last as f64);
        // What the longest of the texts takes, and space between it and the next.
        let room = text_width(&nines_text(last)) + 12.0;
        let step = (room / (pixels / end)).ceil().max(1.0) as usize;
        let ticks = (0..=last).step_by(step).map(|nines| (nines as f64, nines_text(nines))).collect();
        Self { name: label.into(), range: 0.0..end, ticks, divided: Divided::ByNines }
    }

    /// A logarithmic axis: it ends at ticks, and has two at least. What cannot be drawn on it lies at its
    /// lower end, whose text says so. Its unit is not made larger: that helps only where values are alike.
    pub(super) fn decades(label: &str, values: impl Iterator<Item = f64> + Clone) -> Self {
        let (least, most) = ends(values.clone().filter(|value| *value >= LEAST));
        let (least, most) = if least <= most { (least.log10(), most.log10()) } else { (0.0, 0.0) };
        let marked = most - least <= MARKED_DECADES;
        let every = if marked { 1 } else { A_DECADE };
        let before = |end: f64| (end.floor() as i32 - 1) * A_DECADE;
        let marks = |end: f64| (before(end)..).step_by(every as usize);
        let mut low = marks(least).take_while(|mark| coordinate(*mark) <= least + OFF).last();
        let mut high = marks(most).find(|mark| coordinate(*mark) >= most - OFF);
        if low == high {
            (low, high) = (low.map(|mark| mark - every), high.map(|mark| mark + every));
        }
        // Proof: marks go up without end, and begin a decade below what is looked for.
        let (low, high) = low.zip(high).expect("a mark lies below, another above");
        let apart = (high - low) / every;
        let step = every * if marked { 1 } else { 1 + (apart - 1) / DECADES };
        let clipped = ends(values).0 < LEAST;
        let text =
            |mark: i32| format!("{}{}", if clipped && mark == low { "≤" } else { "" }, mark_text(mark));
        let ticks = (low..=high).step_by(step as usize).map(|mark| (coordinate(mark), text(mark))).collect();
        Self {
            name: label.into(),
            range: coordinate(low)..coordinate(high),
            ticks,
            divided: Divided::ByDecades,
        }
    }

    /// Where a value lies, if it does.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        match self.divided {
            Divided::Evenly(scale) => Some(value / scale),
            Divided::ByNines => nines(value),
            Divided::ByDecades if value > 0.0 => Some(value.log10().max(self.range.start)),
            Divided::ByDecades => Some(self.range.start),
        }
    }

    /// How many pixels the longest text of its ticks takes.
    pub(super) fn longest(&self) -> f64 {
        self.ticks.iter().map(|(_, text)| text_width(text)).fold(0.0, f64::max)
    }

    /// What a value of it is divided by to be told.
    pub(super) fn scale(&self) -> f64 {
        if let Divided::Evenly(scale) = self.divided { scale } else { 1.0 }
    }
}

/// As plotters draws it.
impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, at: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(at, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // There are no lesser ones.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|tick| tick.0).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, at: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick.to_bits() == at.to_bits());
        tick.map_or_else(String::new, |(_, text)| text.clone())
    }
}

/// The least and the most of the values; the former is larger where there are none.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(value), most.max(value)))
}

/// How many nines a percentile has. 100 has no end of them, so a point there is left out of the drawing: at the
/// last tick it would be taken for that percentile. The words beside the chart tell it.
fn nines(percentile: f64) -> Option<f64> {
    (percentile < 100.0).then(|| 2.0 - (100.0 - percentile.max(0.0)).log10())
}

/// The percentile with so many nines.
fn nines_text(nines: usize) -> String {
    match nines {
        0 => "0".into(),
        1 => "90".into(),
        2 => "99".into(),
        _ => format!("99.{}", "9".repeat(nines - 2)),
    }
}

/// Where a tick of a logarithmic axis lies; they are counted from the one at 1.
fn coordinate(mark: i32) -> f64 {
    let (decade, factor) = parts(mark);
    f64::from(decade) + factor.log10()
}

/// The value of a tick: in full where it is short, else as a power of ten.
fn mark_text(mark: i32) -> String {
    let (decade, factor) = parts(mark);
    match decade {
        0..=5 => units::thousands(factor * 10_f64.powi(decade), 0),
        -4..0 => units::thousands(factor * 10_f64.powi(decade), decade.unsigned_abs() as usize),
        _ => {
            let factor = if factor > 1.0 { format!("{factor}·") } else { String::new() };
            format!("{factor}10{}", raised(decade))
        }
    }
}

fn parts(mark: i32) -> (i32, f64) {
    (mark.div_euclid(A_DECADE), MARKS[mark.rem_euclid(A_DECADE) as usize])
}

/// A whole number in raised digits.
fn raised(number: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    number.to_string().chars().map(digit).collect()
}

/// About how many pixels a number takes: its digits are that wide in the widest of the page's fonts.
fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * 8.3
}

/// A range that is not empty.
fn span(from: f64, to: f64) -> Range<f64> {
    if to > from { from..to } else { from..from + from.abs().max(1.0) }
}
