//! Line charts as SVG for the page. The drawing has no colours of its own: each part carries a
//! class, and the page's style sheet decides, so that light, dark and print all read well.

use std::fmt::{Display, Write as _};

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::units;
use crate::proof::claim::Series;

/// Drawn at this many units a pixel, since the backend rounds to whole units.
const FINE: i32 = 4;
/// Size on the page in pixels.
const SIZE: (i32, i32) = (680, 300);
/// Height of the letters in pixels.
const TEXT: f64 = 13.0;
/// How much larger the backend expects a font's size to be than what it writes.
const BACKEND_TEXT: f64 = 1.24;
/// More points than this are thinned: the eye cannot tell, and the page stays small.
const POINTS: usize = 600;
/// Points beyond this (and those that are no numbers) are left out: an axis cannot be cut into them.
const LARGEST: f64 = 1e18;
/// Least distance in pixels between the numbers at the ends of the lines.
const NUMBER_GAP: i32 = 14;
/// Colours of the style sheet before they repeat; the number at a line's end tells it in any case.
const COLOURS: usize = 6;

/// Stand-ins that are swapped for classes after drawing; no two parts share one.
const GRID: RGBColor = RGBColor(1, 1, 1);
const AXIS: RGBColor = RGBColor(2, 2, 2);
const LETTERS: RGBColor = RGBColor(3, 3, 3);

/// A chart to be set into the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The drawing: an `<svg>` element, its text escaped.
    pub svg: String,
    /// The lines, in the order of their numbers.
    pub legend: Vec<Entry>,
}

/// A line of the chart in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number at its end, from 1.
    pub number: usize,
    /// Class of its colour and dashes.
    pub class: String,
    /// Its name.
    pub name: String,
    /// Where it starts and ends, in the unit of the vertical axis.
    pub course: String,
}

/// Draws the lines, or nothing where there are no points to draw.
pub fn draw(title: &str, x: &str, y: &str, series: &[Series]) -> Option<Figure> {
    let finite = |point: &&(f64, f64)| point.0.abs() < LARGEST && point.1.abs() < LARGEST;
    let all = || series.iter().flat_map(|line| &line.points).filter(finite);
    all().next()?;
    let least = |pick: fn(&(f64, f64)) -> f64| all().map(pick).fold(f64::INFINITY, f64::min);
    let most = |pick: fn(&(f64, f64)) -> f64| all().map(pick).fold(f64::NEG_INFINITY, f64::max);
    let (x, x_scale) = units::axis(x, most(|point| point.0));
    let (y, y_scale) = units::axis(y, most(|point| point.1));
    let x_range = span(least(|point| point.0) / x_scale, most(|point| point.0) / x_scale);
    // From zero, so that a line's height is its size; with room above the highest.
    let y_range = span((least(|point| point.1) / y_scale).min(0.0), most(|point| point.1) / y_scale * 1.08);
    let lines: Vec<Line> = series
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let points =
                line.points.iter().filter(finite).map(|point| (point.0 / x_scale, point.1 / y_scale));
            Line {
                number: at + 1,
                class: format!("s{}{}", at % COLOURS + 1, if line.dashed { " dashed" } else { "" }),
                points: thinned(points.collect()),
            }
        })
        .collect();
    let mut svg = String::new();
    // Proof: the only sink is a String, which takes all.
    drawn(&mut svg, (&x, &y), (x_range, y_range), &lines).expect("a String takes all");
    let legend = lines.iter().zip(series).map(|(line, series)| entry(line, series)).collect();
    Some(Figure { svg: styled(&svg, &format!("{title}: {y} over {x}"), &lines), legend })
}

/// A series, scaled and numbered.
struct Line {
    number: usize,
    class: String,
    points: Vec<(f64, f64)>,
}

impl Line {
    /// Its stand-in colour.
    fn colour(&self) -> RGBColor {
        RGBColor(4, (self.number / 256) as u8, (self.number % 256) as u8)
    }
}

type Range = std::ops::Range<f64>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn drawn(svg: &mut String, names: (&str, &str), (x_range, y_range): (Range, Range), lines: &[Line]) -> Drawn {
    let (x_width, y_width) = (x_range.end - x_range.start, y_range.end - y_range.start);
    let letters = TextStyle::from(("sans-serif", TEXT * f64::from(FINE) * BACKEND_TEXT)).color(&LETTERS);
    let size = ((SIZE.0 * FINE) as u32, (SIZE.1 * FINE) as u32);
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin_top(26 * FINE)
        .margin_right(30 * FINE)
        .x_label_area_size(44 * FINE)
        .y_label_area_size(58 * FINE)
        .build_cartesian_2d(x_range, y_range)?;
    chart
        .configure_mesh()
        .x_labels(7)
        .y_labels(6)
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .set_all_tick_mark_size(4 * FINE)
        .label_style(letters.clone())
        .axis_desc_style(letters.clone())
        .x_desc(names.0)
        .x_label_formatter(&|value| units::tick(*value, x_width))
        .y_label_formatter(&|value| units::tick(*value, y_width))
        .draw()?;
    // Above its axis and level: a label on its side is hard to read.
    root.draw(&Text::new(names.1, (4 * FINE, 4 * FINE), letters.clone()))?;
    for line in lines {
        chart.draw_series(LineSeries::new(line.points.iter().copied(), line.colour()))?;
    }
    let mut ends: Vec<_> =
        lines.iter().filter_map(|line| Some((line, chart.backend_coord(line.points.last()?)))).collect();
    ends.sort_by_key(|(_, (_, height))| *height);
    let mut lowest = i32::MIN / 2;
    for (line, (x, height)) in ends {
        lowest = height.max(lowest + NUMBER_GAP * FINE);
        let colour = line.colour();
        let style = letters.clone().pos(Pos::new(HPos::Left, VPos::Center)).color(&colour);
        root.draw(&Text::new(line.number.to_string(), (x + 6 * FINE, lowest), style))?;
    }
    root.present()?;
    Ok(())
}

/// Swaps the stand-ins for classes, and the fixed size for one that follows the page.
fn styled(svg: &str, title: &str, lines: &[Line]) -> String {
    let start = svg.find('>').map_or(0, |at| at + 1);
    let mut out = String::with_capacity(svg.len());
    // Proof: writing into a String cannot fail.
    write!(
        out,
        "<svg viewBox=\"0 0 {} {}\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\">",
        SIZE.0 * FINE,
        SIZE.1 * FINE,
        escaped(title),
    )
    .expect("a String takes all");
    out.push_str(&svg[start..]);
    let mut swap = |colour: RGBColor, class: &dyn Display| {
        let hex = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
        out = out
            .replace(&format!(" stroke=\"{hex}\" stroke-width=\"1\""), &format!(" class=\"{class}\""))
            .replace(&format!(" fill=\"{hex}\""), &format!(" class=\"letters {class}\""));
    };
    swap(GRID, &"grid");
    swap(AXIS, &"axis");
    swap(LETTERS, &"");
    for line in lines {
        swap(line.colour(), &line.class);
    }
    out.replace(" font-family=\"sans-serif\"", "")
        .replace(" opacity=\"1\"", "")
        .replace("letters \"", "letters\"")
}

fn entry(line: &Line, series: &Series) -> Entry {
    let values: Vec<f64> = line.points.iter().map(|point| point.1).collect();
    let course = units::course(&values);
    Entry { number: line.number, class: line.class.clone(), name: series.name.clone(), course }
}

/// A range that is not empty.
fn span(from: f64, to: f64) -> Range {
    if to > from { from..to } else { from..from + from.abs().max(1.0) }
}

/// At most about `POINTS` points, the least and the largest of each stretch among them, so that
/// no peak goes missing.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= POINTS {
        return points;
    }
    let mut kept = vec![points[0]];
    for part in points.chunks(points.len().div_ceil(POINTS / 2)) {
        let by_height = |a: &usize, b: &usize| part[*a].1.total_cmp(&part[*b].1);
        let least = (0..part.len()).min_by(by_height).unwrap_or(0);
        let most = (0..part.len()).max_by(by_height).unwrap_or(0);
        kept.push(part[least.min(most)]);
        kept.push(part[least.max(most)]);
    }
    kept.extend(points.last());
    kept
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
