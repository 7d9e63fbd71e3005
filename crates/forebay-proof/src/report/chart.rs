//! Line charts as SVG for the page. The drawing has no colours of its own: each part carries a
//! class, and the page's style sheet decides, so that light, dark and print all read well.

mod axes;

use std::fmt::{Display, Write as _};

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use self::axes::Axis;
use super::units;
use crate::claim::{Axes, Series};

/// Drawn at this many units a pixel, since the backend rounds to whole units.
const FINE: i32 = 4;
/// Size on the page in pixels.
const SIZE: (i32, i32) = (680, 300);
/// Least space in pixels for what stands around the lines: above, to the right, below, and to the left.
const AROUND: [i32; 4] = [26, 30, 44, 58];
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
/// Size in pixels of the dot for a line that is one point.
const DOT: i32 = 3;
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
pub fn draw(title: &str, x: &str, y: &str, axes: Axes, series: &[Series]) -> Option<Figure> {
    let finite = |point: &&(f64, f64)| point.0.abs() < LARGEST && point.1.abs() < LARGEST;
    let all = || series.iter().flat_map(|line| &line.points).filter(finite);
    all().next()?;
    let (across, upwards) = (all().map(|point| point.0), all().map(|point| point.1));
    let length = f64::from(SIZE.0 - AROUND[1] - AROUND[3]);
    let (x, y) = match axes {
        Axes::Plain => (Axis::across(x, across), Axis::upwards(y, upwards)),
        Axes::Percentiles => (Axis::percentiles(x, across, length), Axis::decades(y, upwards)),
        Axes::Log => (Axis::decades(x, across), Axis::decades(y, upwards)),
    };
    let lines: Vec<Line> = series
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let place = |point: &(f64, f64)| Some((x.place(point.0)?, y.place(point.1)?));
            let points = line.points.iter().filter(finite).filter_map(place);
            Line {
                number: at + 1,
                class: format!("s{}{}", at % COLOURS + 1, if line.dashed { " dashed" } else { "" }),
                points: thinned(points.collect()),
            }
        })
        .collect();
    let mut svg = String::new();
    // Proof: the only sink is a String, which takes all.
    drawn(&mut svg, &x, &y, &lines).expect("a String takes all");
    let entry = |(line, series): (&Line, &Series)| {
        let points = series.points.iter().filter(finite);
        let points: Vec<_> = points.map(|point| (point.0, point.1 / y.scale())).collect();
        Entry {
            number: line.number,
            class: line.class.clone(),
            name: series.name.clone(),
            course: course(axes, &points),
        }
    };
    let legend = lines.iter().zip(series).map(entry).collect();
    Some(Figure { svg: styled(&svg, &format!("{title}: {} over {}", y.name, x.name), &lines), legend })
}

/// How a line runs, in words.
pub(super) fn course(axes: Axes, points: &[(f64, f64)]) -> String {
    match axes {
        Axes::Plain | Axes::Log => units::course(&points.iter().map(|point| point.1).collect::<Vec<_>>()),
        Axes::Percentiles => units::percentiles(points),
    }
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

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn drawn(svg: &mut String, x: &Axis, y: &Axis, lines: &[Line]) -> Drawn {
    let letters = TextStyle::from(("sans-serif", TEXT * f64::from(FINE) * BACKEND_TEXT)).color(&LETTERS);
    let size = ((SIZE.0 * FINE) as u32, (SIZE.1 * FINE) as u32);
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    // A text is centred below its tick, and stands left of one of the vertical axis.
    let right = AROUND[1].max((x.longest() / 2.0) as i32 + 4);
    let left = AROUND[3].max(y.longest() as i32 + 12);
    let mut chart = ChartBuilder::on(&root)
        .margin_top(AROUND[0] * FINE)
        .margin_right(right * FINE)
        .x_label_area_size(AROUND[2] * FINE)
        .y_label_area_size(left * FINE)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .set_all_tick_mark_size(4 * FINE)
        .label_style(letters.clone())
        .axis_desc_style(letters.clone())
        .x_desc(&x.name)
        .draw()?;
    // Above its axis and level: a label on its side is hard to read.
    root.draw(&Text::new(&*y.name, (4 * FINE, 4 * FINE), letters.clone()))?;
    for line in lines {
        if let [point] = line.points[..] {
            chart.draw_series([Circle::new(point, DOT * FINE, line.colour().filled())])?;
            continue;
        }
        chart.draw_series(LineSeries::new(line.points.iter().copied(), line.colour()))?;
    }
    let mut ends: Vec<_> =
        lines.iter().filter_map(|line| Some((line, chart.backend_coord(line.points.last()?)))).collect();
    ends.sort_by_key(|(_, (_, height))| *height);
    // Pushed down where they would cover each other, and back up where that is into the texts below.
    let mut last = i32::MIN / 2;
    for (_, (_, height)) in &mut ends {
        *height = (*height).max(last + NUMBER_GAP * FINE);
        last = *height;
    }
    let mut next = (SIZE.1 - AROUND[2] + NUMBER_GAP) * FINE;
    for (_, (_, height)) in ends.iter_mut().rev() {
        *height = (*height).min(next - NUMBER_GAP * FINE);
        next = *height;
    }
    for (line, (x, height)) in ends {
        let colour = line.colour();
        let style = letters.clone().pos(Pos::new(HPos::Left, VPos::Center)).color(&colour);
        root.draw(&Text::new(line.number.to_string(), (x + 6 * FINE, height), style))?;
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
