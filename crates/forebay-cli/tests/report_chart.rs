//! Claims about charts whose axes are not divided evenly: over percentiles and over decades.

use forebay_proof::claim::{Axes, Evidence, Series};
use forebay_proof::report::chart::{self, Figure};
use forebay_proof::report::{html, json, terminal, units};

use super::report::{line, named, parsed, sample};

const PERCENTILES: [f64; 8] = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 100.0];

fn draw(axes: Axes, series: &[Series]) -> Figure {
    chart::draw("t", "operations a second", "milliseconds", axes, series).unwrap()
}

/// A chart's texts in the order they are drawn.
fn texts(figure: &Figure) -> Vec<String> {
    let svg = roxmltree::Document::parse(&figure.svg).unwrap();
    named(&svg, "text").iter().filter_map(|node| Some(node.text()?.trim().to_owned())).collect()
}

/// The points of the first line as they are drawn.
fn points(figure: &Figure) -> Vec<(i32, i32)> {
    let svg = roxmltree::Document::parse(&figure.svg).unwrap();
    let lines = named(&svg, "polyline");
    let drawn = lines.iter().find(|node| node.attribute("class") == Some("s1")).unwrap();
    let points = drawn.attribute("points").unwrap().split_whitespace();
    points
        .map(|point| point.split_once(',').unwrap())
        .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
        .collect()
}

/// Which of these are not among the chart's texts.
fn missing<'a>(figure: &Figure, ticks: &[&'a str]) -> Vec<&'a str> {
    let texts = texts(figure);
    ticks.iter().copied().filter(|tick| !texts.iter().any(|text| text == tick)).collect()
}

#[test]
fn percentiles_are_spread_by_nines_and_values_by_decades() {
    let values = [0.02, 0.3, 0.9, 4.1, 38.0, 210.0, 480.0, 512.0];
    let figure = draw(Axes::Percentiles, &[line("append", false, PERCENTILES.into_iter().zip(values))]);
    let ticks = ["0", "90", "99", "99.9", "99.99", "99.999", "0.01", "0.1", "1", "10", "100", "1,000"];
    assert_eq!(missing(&figure, &ticks), [""; 0]);
    assert!(!texts(&figure).iter().any(|text| text == "99.9999"), "no point reaches it");
    let drawn = points(&figure);
    assert_eq!(drawn.len(), 7, "a point at 100 has no place");
    let nines: Vec<i32> = [0, 2, 3, 4, 5, 6].map(|at: usize| drawn[at].0).into();
    let steps: Vec<i32> = nines.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (step - steps[0]).abs() <= 1), "{steps:?}");
    assert_eq!(figure.legend[0].course, "p50 0.3, p99 4.1, highest 512");
}

#[test]
fn latency_against_rate_is_drawn_by_decades() {
    let decade = |at: i32| 10_f64.powi(at);
    let figure =
        draw(Axes::Log, &[line("p99", false, (0..5).map(|at| (decade(at + 1), decade(at - 3) * 1.0001)))]);
    let ticks = ["10", "100", "1,000", "10,000", "100,000", "0.001", "0.01", "0.1", "1"];
    assert_eq!(missing(&figure, &ticks), [""; 0]);
    assert_eq!(missing(&figure, &["operations a second", "milliseconds"]), [""; 0]);
    let drawn = points(&figure);
    let steps = |pick: fn(&(i32, i32)) -> i32| -> Vec<i32> {
        drawn.windows(2).map(|pair| pick(&pair[1]) - pick(&pair[0])).collect()
    };
    for steps in [steps(|point| point.0), steps(|point| -point.1)] {
        assert!(steps.iter().all(|step| *step > 0 && (step - steps[0]).abs() <= 1), "{steps:?}");
    }
    assert_eq!(figure.legend[0].course, "0.001 to 10");
}

#[test]
fn few_decades_have_ticks_within_them_and_many_a_tick_every_few() {
    let figure = draw(Axes::Log, &[line("l", false, [(700.0, 2.2), (8_000.0, 2.6)])]);
    assert_eq!(missing(&figure, &["500", "1,000", "2,000", "5,000", "10,000", "2", "5"]), [""; 0]);
    let figure = draw(Axes::Log, &[line("l", false, [(1e-9, 1e-9), (9e17, 9e17)])]);
    assert_eq!(missing(&figure, &["10⁻⁹", "0.001", "1", "1,000", "10⁶", "10¹⁸"]), [""; 0]);
    assert_eq!(missing(&figure, &["10", "100"]), ["10", "100"], "they would stand on each other");
}

#[test]
fn what_a_logarithm_lacks_lies_at_the_lower_end_and_the_end_says_so() {
    for axes in [Axes::Percentiles, Axes::Log] {
        let figure = draw(axes, &[line("l", false, [(1.0, 0.0), (2.0, 300.0), (3.0, -5.0), (4.0, 0.01)])]);
        assert_eq!(missing(&figure, &["≤0.01", "0.1"]), [""; 0]);
        let heights: Vec<i32> = points(&figure).iter().map(|point| point.1).collect();
        assert_eq!([heights[0], heights[2]], [heights[3]; 2]);
        assert!(heights[1] < heights[0]);
    }
}

#[test]
fn a_line_that_is_one_point_can_be_seen() {
    for axes in [Axes::Plain, Axes::Percentiles, Axes::Log] {
        let figure = draw(axes, &[line("l", false, [(99.0, 4.1)])]);
        let svg = roxmltree::Document::parse(&figure.svg).unwrap();
        let classes: Vec<_> =
            named(&svg, "circle").iter().filter_map(|node| node.attribute("class")).collect();
        assert_eq!(classes, ["letters s1"], "{axes:?}");
    }
}

#[test]
fn odd_points_do_not_break_the_axes() {
    let wide = (-3..=6).map(|at| (10_f64.powi(at), 10_f64.powi(-at)));
    let below = f64::from_bits(100_f64.to_bits() - 1);
    let odd: [Vec<(f64, f64)>; 13] = [
        vec![(0.0, 0.0)],
        vec![(100.0, 5.0)],
        vec![(0.0, 0.0), (50.0, 0.0), (100.0, 0.0)],
        vec![(50.0, 7.0); 3],
        vec![(50.0, 1.0), (50.0, 10.0)],
        vec![(1.0, 3.0), (99.0, 3.0), (99.9, 3.0)],
        wide.collect(),
        vec![(-1.0, -1.0), (101.0, -1e-3), (1e9, 1e17)],
        vec![(0.0, 1e-300), (below, f64::MIN_POSITIVE), (1e-300, 9e17)],
        vec![(0.0, f64::NAN), (f64::INFINITY, 1.0), (99.0, 2.0)],
        vec![(below, 123_456.0), (below, 123_457.0)],
        vec![(10.0, 999_999.999_999_9), (99.0, 1_000_000.000_000_1)],
        (0..10_000).map(|at| (f64::from(at) / 100.0, f64::from(at % 97))).collect(),
    ];
    for axes in [Axes::Percentiles, Axes::Log] {
        for points in &odd {
            let series = [line("a", false, points.clone()), line("b", true, points.clone())];
            let with_empty = [line("none", false, []), series[0].clone(), series[1].clone()];
            for series in [&series[..1], &series, &with_empty] {
                whole(&draw(axes, series), &format!("{axes:?} {series:.200?}"));
            }
        }
        assert_eq!(chart::draw("t", "x", "y", axes, &[line("none", false, [])]), None);
        assert_eq!(chart::draw("t", "x", "y", axes, &[line("none", false, [(f64::NAN, 1.0)])]), None);
    }
}

/// A drawing without what is no number, within its bounds, with two ticks at least on each axis.
fn whole(figure: &Figure, of: &str) {
    assert!(!figure.svg.contains("NaN") && !figure.svg.contains("inf"), "{of}");
    assert!(!figure.svg.contains('#'), "{of}: a colour is left that no style sheet can change");
    assert!(figure.svg.len() < 60_000, "{of}: {} bytes", figure.svg.len());
    let svg = roxmltree::Document::parse(&figure.svg).unwrap();
    for node in svg.descendants() {
        let figures = node.attributes().filter(|attribute| matches!(attribute.name(), "x" | "y" | "points"));
        for figure in figures.flat_map(|attribute| attribute.value().split([' ', ','])) {
            let inside = figure.is_empty() || figure.parse().is_ok_and(|at: i32| (0..=2720).contains(&at));
            assert!(inside, "{of}: {figure}");
        }
    }
    let ticks = texts(figure).iter().filter(|text| units::is_figure(text.trim_start_matches('≤'))).count();
    assert!((4..40).contains(&ticks), "{of}: {ticks} ticks");
}

#[test]
fn lines_over_percentiles_are_told_by_the_points_there_are() {
    for (points, expected) in [
        (vec![], "no points"),
        (vec![(95.0, 3.0)], "p95 3"),
        (vec![(100.0, 3.0)], "highest 3"),
        (vec![(0.0, 50.0), (99.0, 50.0)], "50 throughout"),
        (vec![(0.0, 1.0), (40.0, 2.0)], "highest 2"),
        (vec![(0.0, 1.0), (90.0, 2.0)], "p90 2"),
        (vec![(50.0, 1.0), (98.5, 2.0), (99.218_75, 4.0), (100.0, 9.0)], "p50 1, p99.219 4, highest 9"),
        (vec![(99.9, 1.0), (100.0, 2.0)], "p99.9 1, highest 2"),
        (vec![(50.0, 0.0), (99.0, 0.0), (99.99, 7.0)], "p50 0, p99 0, highest 7"),
    ] {
        assert_eq!(units::percentiles(&points), expected);
    }
}

/// The sample with one chart of these axes.
fn with_chart(axes: Axes) -> forebay_proof::report::Report {
    let mut report = sample();
    report.claims.truncate(1);
    report.claims[0].evidence = vec![Evidence::Chart {
        title: "Latency of an append".into(),
        x: "percentile".into(),
        y: "latency, milliseconds".into(),
        axes,
        series: vec![line("append", false, [(0.0, 0.1), (50.0, 1.0), (99.0, 10.0), (99.9, 2e6)])],
    }];
    report
}

#[test]
fn json_names_axes_that_are_not_plain_and_reads_charts_without_them() {
    for (axes, expected) in [(Axes::Percentiles, "percentiles"), (Axes::Log, "log")] {
        let report = with_chart(axes);
        let text = json::to_string(&report);
        assert!(text.contains(&format!("\"axes\": \"{expected}\"")), "{text}");
        assert!(json::from_str(&text).unwrap() == report);
    }
    let report = with_chart(Axes::Plain);
    let text = json::to_string(&report);
    assert!(!text.contains("\"axes\""), "older readers know no such field");
    assert!(json::from_str(&text).unwrap() == report);
}

#[test]
fn page_and_terminal_show_the_axes() {
    let report = with_chart(Axes::Percentiles);
    let page = html::render(&report);
    let page = parsed(&page);
    let texts: Vec<_> = named(&page, "text").iter().filter_map(|node| Some(node.text()?.trim())).collect();
    assert!(texts.contains(&"99.9") && texts.contains(&"10⁶"), "{texts:?}");
    let text = terminal::render(&report, 80, false);
    assert!(text.contains("(latency, milliseconds; over percentile)"), "{text}");
    // A decade is as high as another.
    assert!(text.contains("append: ▁▂▃█ p50 1, p99 10, highest 2,000,000"), "{text}");
    let mut report = with_chart(Axes::Log);
    let Evidence::Chart { series, .. } = &mut report.claims[0].evidence[0] else { panic!("a chart went in") };
    *series = vec![
        line("one", false, [(1.0, 0.0), (2.0, 5.0), (3.0, 0.0)]),
        line("none", false, [(1.0, 0.0), (2.0, -5.0), (3.0, 0.0)]),
        line("far", false, [(1.0, 1e-300), (2.0, 1.0), (3.0, 1e300)]),
    ];
    let text = terminal::render(&report, 80, false);
    for expected in ["one: ▁█▁ 0 to 0, highest 5", "none: ▁▁▁ 0 throughout", "far: ▁▅█"] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}
