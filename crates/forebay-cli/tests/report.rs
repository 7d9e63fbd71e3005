//! Claims about the report: nothing is lost, nothing overflows, nothing escapes its place.

use std::fs;

use forebay_proof::claim::{Axes, Bound, Control, Evidence, Judged, Series, Unit, Verdict};
use forebay_proof::report::standing::Standing;
use forebay_proof::report::{
    Conflict, Machine, Report, Target, Warning, chart, html, json, terminal, units, write_all,
};
use textwrap::core::display_width;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn control(what: &str, is_refuted: bool, measured: &str) -> Control {
    Control::when(what, is_refuted, measured)
}

pub fn line(name: &str, dashed: bool, points: impl IntoIterator<Item = (f64, f64)>) -> Series {
    Series { name: name.into(), dashed, points: points.into_iter().collect() }
}

/// Memory as it fills: 163 bytes an event over 2.8 million events, in the steps of an allocator.
fn memory_chart() -> Evidence {
    let at = |step: u32| f64::from(step) * 20_000.0;
    let used = (0..=140).map(|step| (at(step), 1.1e6 + at(step) * 163.0 + f64::from(step % 7) * 2.0e6));
    Evidence::Chart {
        title: "Memory as the buffer fills".into(),
        x: "events".into(),
        y: "memory, bytes".into(),
        axes: Axes::Plain,
        series: vec![
            line("used_memory", false, used),
            line("predicted", true, [(0.0, 1.1e6), (2.8e6, 1.1e6 + 2.8e6 * 165.0)]),
            line("limit", true, [(0.0, 2_147_483_648.0), (2.8e6, 2_147_483_648.0)]),
        ],
    }
}

fn layouts_table() -> Evidence {
    let columns = ["layout", "bytes/event", "events in the limit", "h at 94/s", "h at 938/s", "h at 2,000/s"];
    let rows: [&[&str]; 3] = [
        &["blocks", "163.2", "11,843,208", "35.0", "3.5", "1.6"],
        &["an entry an event", "555.4", "3,479,821", "10.3", "1.0", "0.5"],
        &["a key an event", "645.1", "2,996,104", "8.9", "0.9", "0.4"],
    ];
    Evidence::Table {
        title: "What other layouts would hold in the same 2.00 GiB".into(),
        columns: strings(&columns),
        rows: rows.iter().map(|row| strings(row)).collect(),
    }
}

fn latency_chart() -> Evidence {
    let wave = |base: f64, kick: f64| {
        (0..=600).map(move |second| {
            let t = f64::from(second);
            let rewrite = if (300..330).contains(&second) { kick } else { 0.0 };
            (t, base + (t / 17.0).sin() * base * 0.15 + rewrite)
        })
    };
    Evidence::Chart {
        title: "Latency of an append while the append-only file is rewritten".into(),
        x: "time, seconds".into(),
        y: "latency, milliseconds".into(),
        axes: Axes::Plain,
        series: vec![
            line("p50", false, wave(2.1, 1.0)),
            line("p95", false, wave(6.0, 14.0)),
            line("p99", false, wave(11.0, 47.0)),
            line("p95 allowed", true, [(0.0, 50.0), (600.0, 50.0)]),
        ],
    }
}

/// A report as a real run gives it, all verdicts and both outcomes of a control among its claims.
pub fn sample() -> Report {
    let mut events = Judged::of(
        "capacity.events",
        3,
        "2,700,000 events of profile bluesky-8h fit in 2.00 GiB with 10 % to spare",
        (Bound::AtLeast, 2_700_000.0, Unit::Events),
        2_812_340.0,
        "Blocks cut at 94 events/s took 163.2 bytes an event. The run stopped at 2,812,340 events, past what \
         was asked, with 448 MiB in use.",
    );
    events.evidence = vec![
        memory_chart(),
        layouts_table(),
        Evidence::Note { text: "At 938 events/s blocks are larger, and an event takes 144.0 bytes.".into() },
    ];
    let events =
        events.with(control("a limit of 86 MiB", true, "refuted at 540,112 events, predicted 538,900"));

    let memory = Judged::of(
        "capacity.memory",
        3,
        "used_memory stays at or below 85 % of maxmemory with all events in",
        (Bound::AtMost, 85.0, Unit::Percent),
        21.3,
        "The highest of 141 samples, taken every 20,000 events.",
    );
    let memory = memory.with(control("a limit of 86 MiB", true, "100.0 % before 540,200 events were in"));

    let mut lost = Judged::of(
        "durability.power-cut.everysec",
        7,
        "no acknowledged event is lost when the power is cut under appendfsync everysec",
        (Bound::Exactly, 0.0, Unit::Events),
        1_412.0,
        "1,412 acknowledged events were gone after the restart, all from the last 1.31 s: everysec \
         acknowledges before the file reaches the disk.",
    );
    lost.evidence = vec![latency_chart()];
    let lost = lost.with(control("appendfsync no", true, "28,904 acknowledged events lost"));

    let identical = Judged::of(
        "capacity.identical",
        3,
        "every event read back is the event that was acknowledged, byte for byte",
        (Bound::Exactly, 0.0, Unit::Events),
        0.0,
        "2,812,340 events were read back and compared.",
    );
    let identical = identical.with(control("one byte flipped in one block", false, "0 events differing"));

    let day = Judged::blank(
        "throughput.day",
        8,
        "938 events/s are held for 24 hours",
        (Bound::AtLeast, 24.0, Unit::Hours),
    )
    .untested("The run was of scale quick: 6 minutes say nothing of 24 hours.")
    .test_with("forebay throughput --scale full")
    .without_control();

    Report {
        schema: json::SCHEMA,
        forebay: "0.1.0".into(),
        profile: "bluesky-8h".into(),
        target: Target {
            server: "redis".into(),
            version: "7.0.15".into(),
            allocator: "jemalloc-5.2.1".into(),
            origin: "own".into(),
            settings: [
                ("maxmemory", "2gb"),
                ("maxmemory-policy", "noeviction"),
                ("appendonly", "yes"),
                ("appendfsync", "everysec"),
                ("auto-aof-rewrite-percentage", "100"),
                ("auto-aof-rewrite-min-size", "64mb"),
                ("save", ""),
            ]
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .into(),
        },
        machine: Machine {
            os: "Linux 6.1.0-18-amd64 x86_64".into(),
            cpu: "AMD EPYC 7B13".into(),
            cores: 2,
            memory_bytes: 8_323_407_872,
        },
        command: "forebay prove --only capacity,durability,throughput --profile bluesky-8h --scale quick"
            .into(),
        started: "2026-03-14T09:26:53Z".into(),
        seconds: 252.4,
        claims: vec![lost, events, memory, identical, day],
        conflicts: vec![Conflict {
            id: "eviction-and-no-loss".into(),
            statement: "maxmemory-policy allkeys-lru, and no event lost".into(),
            evidence: "At 2.00 GiB the server evicted 3 of 6 lanes: 1,204,551 acknowledged events.".into(),
            resolution: "Use noeviction and let the writer wait or spill; the profile bluesky-8h does."
                .into(),
        }],
        warnings: vec![Warning {
            id: "machine.few-cores".into(),
            text: "Server and load shared 2 cores: latencies are upper limits. Try a machine with 4.".into(),
        }],
        audit: None,
    }
}

/// The sample with nothing wrong in it.
fn proven() -> Report {
    let mut report = sample();
    report.claims.retain(|claim| claim.verdict() == Verdict::Proven);
    report.conflicts.clear();
    report.warnings.clear();
    report
}

#[test]
fn terminal_says_everything_in_80_columns() {
    insta::assert_snapshot!(terminal::render(&sample(), 80, false));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut report = sample();
    let claim = &mut report.claims[0];
    claim.why = "x".repeat(300);
    claim.statement = "宽".repeat(90);
    claim.id = format!("durability.{}", "long".repeat(30));
    claim.evidence.push(Evidence::Table {
        title: "many columns".into(),
        columns: (0..14).map(|at| format!("percentile {at}")).collect(),
        rows: vec![vec!["123,456,789".into(); 14]; 2],
    });
    // More cells than heads, which no proof should make, and no renderer may trip over.
    claim.evidence.push(Evidence::Table {
        title: "ragged".into(),
        columns: strings(&["one"]),
        rows: vec![vec!["a cell".into(); 30], vec![]],
    });
    assert!(html::render(&report).contains("ragged"));
    let claim = &mut report.claims[0];
    claim.evidence.push(Evidence::Table { title: "empty".into(), columns: vec![], rows: vec![] });
    report.command = format!("forebay prove --url redis://{}", "host".repeat(40));
    for width in [32, 40, 57, 80, 100] {
        for text in terminal::render(&report, width, false).lines() {
            assert!(display_width(text) <= width, "{} columns of {width}: {text}", display_width(text));
        }
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let (plain, coloured) = (terminal::render(&sample(), 80, false), terminal::render(&sample(), 80, true));
    assert!(!plain.contains('\x1b'));
    let mut stripped = coloured.clone();
    for code in ["1;32", "1;31", "1;33", "1;7;31", "0"] {
        stripped = stripped.replace(&format!("\x1b[{code}m"), "");
    }
    assert_eq!(stripped, plain);
    assert!(coloured.contains("\x1b[1;31mREFUTED\x1b[0m"));
}

#[test]
fn text_of_a_server_steers_neither_the_terminal_nor_the_report() {
    let mut report = sample();
    report.target.version = "7\x1b[2J\u{202e}evil".into();
    report.claims[1].evidence.push(Evidence::Table {
        title: "t".into(),
        columns: strings(&["a\x1b[31m"]),
        rows: vec![strings(&["b\x07"])],
    });
    let text = terminal::render(&report, 80, false);
    for text in [text, html::render(&report)] {
        assert!(text.contains("evil"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{text:?}");
    }
}

/// A claim of three events, of which so many were found.
fn found(events: f64) -> Judged {
    Judged::of("capacity.events", 3, "3 events fit", (Bound::Exactly, 3.0, Unit::Events), events, "counted")
}

#[test]
fn the_worst_tested_claim_decides_and_a_control_that_is_not_refuted_is_worse_than_any() {
    let mut report = proven();
    assert_eq!(report.standing(), Standing::Proven);
    let held = "2 of 2 claims that this run could test hold on redis 7.0.15 under profile bluesky-8h";
    assert_eq!(report.headline(), format!("{held}; every control was refuted"));
    report.claims.push(found(2.0).untested("no server").without_control());
    assert_eq!(report.standing(), Standing::Proven, "what is untested is neither good news nor bad");
    assert!(report.headline().starts_with(held), "{}", report.headline());
    report.claims.push(found(2.0).with(control("one taken out", true, "2 events")));
    assert_eq!(report.standing(), Standing::Refuted);
    assert!(report.headline().starts_with("1 of 3 claims that this run could test does not hold"));
    report.claims.push(found(3.0).with(control("one taken out", false, "3 events")));
    assert_eq!(report.standing(), Standing::ControlNotRefuted);
    assert!(
        terminal::render(&report, 80, false).starts_with("CONTROL NOT REFUTED  1 control was not refuted")
    );
    report.claims.clear();
    assert_eq!(report.standing(), Standing::Untested, "nothing was tried");
}

#[test]
fn json_comes_back_as_it_went() {
    let report = sample();
    let back = json::from_str(&json::to_string(&report)).unwrap();
    assert!(back == report, "not equal: {}", json::to_string(&back));
}

#[test]
fn json_with_figures_that_json_lacks_can_still_be_read() {
    let mut report = sample();
    report.claims[1].evidence = vec![Evidence::Chart {
        title: "t".into(),
        x: "x".into(),
        y: "y".into(),
        axes: Axes::Plain,
        series: vec![line("l", false, [(0.0, f64::INFINITY), (1.0, 2.0)])],
    }];
    let endless = Judged::of("a.b", 3, "s", (Bound::AtMost, 3.0, Unit::Events), f64::INFINITY, "w");
    report.claims.push(endless.without_control());
    let back = json::from_str(&json::to_string(&report)).unwrap();
    assert_eq!((back.claims[5].measured(), back.claims[5].verdict()), (None, Verdict::Refuted));
    let Evidence::Chart { series, .. } = &back.claims[1].evidence[0] else { panic!("a chart went in") };
    assert_eq!(series[0].points, [(1.0, 2.0)]);
}

/// Every path of the report, in order; scripts depend on these under schema 2.
fn paths(value: &serde_json::Value, at: &str, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                paths(value, &format!("{at}.{name}"), into);
            }
        }
        serde_json::Value::Array(values) => {
            for value in values {
                paths(value, &format!("{at}[]"), into);
            }
        }
        _ => into.push(at.into()),
    }
}

#[test]
fn json_fields_keep_their_names() {
    let value: serde_json::Value = serde_json::from_str(&json::to_string(&sample())).unwrap();
    assert_eq!(value["schema"], 2);
    let verdicts: Vec<_> =
        value["claims"].as_array().unwrap().iter().map(|claim| &claim["verdict"]).collect();
    assert_eq!(verdicts, ["refuted", "proven", "proven", "untested", "untested"]);
    let mut all = Vec::new();
    paths(&value, "", &mut all);
    all.sort_unstable();
    all.dedup();
    insta::assert_snapshot!(all.join("\n"));
}

/// The page as a tree: it is written as XML that is also HTML, so that a parser can vouch for it.
pub fn parsed(page: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    roxmltree::Document::parse_with_options(page, options).expect("the page is well-formed")
}

pub fn named<'a>(page: &'a roxmltree::Document, name: &'a str) -> Vec<roxmltree::Node<'a, 'a>> {
    page.descendants().filter(|node| node.tag_name().name() == name).collect()
}

#[test]
fn page_is_well_formed_and_fetches_nothing() {
    let text = html::render(&sample());
    let page = parsed(&text);
    for node in page.descendants().filter(roxmltree::Node::is_element) {
        assert!(
            !["script", "link", "img", "iframe", "object"].contains(&node.tag_name().name()),
            "{:?} may fetch or run something",
            node.tag_name()
        );
        for attribute in node.attributes() {
            let name = attribute.name();
            assert!(!matches!(name, "src" | "href" | "style") && !name.starts_with("on"), "{name}");
        }
    }
    assert!(!text.contains("url(") && !text.contains("@import"));
    let levels: Vec<u8> = page
        .descendants()
        .filter_map(|node| node.tag_name().name().strip_prefix('h')?.parse().ok())
        .collect();
    assert_eq!(levels[0], 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "a heading level is skipped: {levels:?}");
    assert!(named(&page, "th").iter().all(|head| head.attribute("scope").is_some()));
    assert_eq!(named(&page, "details").len(), 5);
}

#[test]
fn page_opens_what_went_wrong_and_nothing_else() {
    let text = html::render(&sample());
    let page = parsed(&text);
    let open: Vec<_> = named(&page, "details")
        .iter()
        .filter(|node| node.attribute("open").is_some())
        .filter_map(|node| node.attribute("id"))
        .collect();
    assert_eq!(open, ["durability.power-cut.everysec", "capacity.identical"]);
    assert!(text.contains("Control: not refuted"));
    assert!(text.contains("Why it is untested"));
}

#[test]
fn page_on_which_nothing_went_wrong_opens_what_there_is_to_look_at() {
    let mut report = sample();
    report.claims.retain(|claim| Standing::of(claim) == Standing::Proven);
    let with_evidence = report.claims.iter().filter(|claim| !claim.evidence.is_empty()).count();
    let text = html::render(&report);
    let open =
        named(&parsed(&text), "details").iter().filter(|node| node.attribute("open").is_some()).count();
    assert!(open > 0);
    assert_eq!(open, with_evidence);
}

#[test]
fn page_shows_markup_as_text() {
    let evil = "<script>alert(1)</script>\"'&";
    let mut report = sample();
    report.target.server = evil.into();
    report.command = evil.into();
    report.warnings[0].text = evil.into();
    report.conflicts[0].evidence = evil.into();
    let claim = &mut report.claims[1];
    let judged = Judged::of(evil, 3, evil, (Bound::Exactly, 3.0, Unit::Events), 3.0, evil);
    *claim = judged.with(control(evil, true, evil));
    claim.evidence = vec![
        Evidence::Chart {
            title: evil.into(),
            x: evil.into(),
            y: evil.into(),
            axes: Axes::Plain,
            series: vec![line(evil, false, [(0.0, 1.0), (1.0, 2.0)])],
        },
        Evidence::Table { title: evil.into(), columns: strings(&[evil]), rows: vec![strings(&[evil])] },
        Evidence::Note { text: evil.into() },
    ];
    let text = html::render(&report);
    assert!(!text.contains("<script"), "markup got through");
    let page = parsed(&text);
    assert!(page.descendants().any(|node| node.text().is_some_and(|text| text.contains(evil))));
}

#[test]
fn chart_has_units_of_people_and_dashes_for_what_is_not_measured() {
    let Evidence::Chart { title, x, y, axes, series } = memory_chart() else { panic!("it is a chart") };
    let figure = chart::draw(&title, &x, &y, axes, &series).unwrap();
    let svg = roxmltree::Document::parse(&figure.svg).unwrap();
    let texts: Vec<_> = named(&svg, "text").iter().filter_map(|node| Some(node.text()?.trim())).collect();
    for expected in ["memory, GiB", "events, millions", "0.5", "2", "1", "3"] {
        assert!(texts.contains(&expected), "{expected} is not among {texts:?}");
    }
    let lines: Vec<_> = named(&svg, "polyline").iter().filter_map(|node| node.attribute("class")).collect();
    for expected in ["s1", "s2 dashed", "s3 dashed"] {
        assert!(lines.contains(&expected), "{expected} is not among {lines:?}");
    }
    assert_eq!(figure.legend[2].course, "2 throughout");
    assert!(!figure.svg.contains('#'), "a colour is left that no style sheet can change");
}

#[test]
fn chart_of_nothing_is_not_drawn_and_a_long_one_keeps_its_peak() {
    assert_eq!(chart::draw("t", "x", "y", Axes::Plain, &[line("none", false, [])]), None);
    assert_eq!(chart::draw("t", "x", "y", Axes::Plain, &[line("none", false, [(0.0, f64::NAN)])]), None);
    let points =
        (0..100_000).map(|at| (f64::from(at), if at == 54_321 { 9.0 } else { f64::from(at % 10) / 10.0 }));
    let figure = chart::draw("t", "x", "y", Axes::Plain, &[line("l", false, points)]).unwrap();
    assert!(figure.svg.len() < 40_000, "{} bytes", figure.svg.len());
    // The axis is a line as well; the series is the one of class s1. Of 300 pixels, 4 units each,
    // the peak is in the top 60.
    let svg = roxmltree::Document::parse(&figure.svg).unwrap();
    let drawn =
        named(&svg, "polyline").into_iter().find(|node| node.attribute("class") == Some("s1")).unwrap();
    let heights = drawn
        .attribute("points")
        .unwrap()
        .split_whitespace()
        .filter_map(|point| point.split_once(',')?.1.parse::<u32>().ok());
    assert!(heights.min().unwrap() < 240);
}

#[test]
fn chart_of_any_range_is_drawn_in_good_time() {
    let range = |from: f64, to: f64| {
        let points = [(from, from), (to, to)];
        chart::draw("t", "x", "y", Axes::Plain, &[line("l", false, points)]).map(|figure| figure.svg.len())
    };
    for (from, to) in [
        (0.0, 0.0),
        (-5.0, 5.0),
        (-5.0, -4.0),
        (1e15, 1e15 + 0.25),
        (1.741e15, 1.742e15),
        (0.0, 1e-12),
        (1.0, 1.0 + f64::EPSILON),
        (-9e17, 9e17),
    ] {
        assert!(range(from, to).is_some_and(|length| length < 10_000), "{from} to {to}");
    }
    assert_eq!(range(f64::MAX, f64::MAX), None);
}

#[test]
fn figures_read_as_people_write_them() {
    for (value, unit, expected) in [
        (2_700_000.0, Unit::Events, "2,700,000 events"),
        (1.0, Unit::Events, "1 event"),
        (0.0, Unit::Events, "0 events"),
        (512.0, Unit::Bytes, "512 B"),
        (1_524_713_390.0, Unit::Bytes, "1.42 GiB"),
        (1_073_741_823.0, Unit::Bytes, "1.00 GiB"),
        (163.24, Unit::BytesPerEvent, "163.2 bytes/event"),
        (93.75, Unit::EventsPerSecond, "94 events/s"),
        (21.34, Unit::Percent, "21.3 %"),
        (8.0, Unit::Hours, "8.0 h"),
        (1.312, Unit::Seconds, "1.31 s"),
        (49.96, Unit::Milliseconds, "50.0 ms"),
        (3.0, Unit::Count, "3"),
        (0.257, Unit::Count, "0.26"),
        (-0.2, Unit::Events, "0 events"),
        (f64::NAN, Unit::Percent, "not a number %"),
    ] {
        assert_eq!(units::figure(value, unit), expected);
    }
    assert_eq!(units::tick(0.0005, 0.002), "0.0005");
    assert_eq!(units::tick(1500.0, 4000.0), "1,500");
    assert_eq!(units::course(&[0.000_123_4, 58.84, 9.889]), "0.000123 to 9.89, highest 58.8");
    assert_eq!(units::span(252.4), "4 min 12 s");
    assert_eq!(units::span(29_000.0), "8 h 3 min");
}

#[test]
fn figures_that_differ_look_different() {
    let (measured, required) = units::pair(85.004, 85.0, Unit::Percent);
    assert_eq!((&*measured, &*required), ("85.004 %", "85.000 %"));
    assert_eq!(units::pair(85.0, 85.0, Unit::Percent).0, "85.0 %");
}

#[test]
fn both_files_are_written_and_replaced_and_nothing_is_left_over() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a/b");
    for report in [sample(), proven()] {
        let written = write_all(&report, &out).unwrap();
        assert_eq!(fs::read_to_string(written.json).unwrap(), json::to_string(&report));
        assert_eq!(fs::read_to_string(written.html).unwrap(), html::render(&report));
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2, "a temporary file is left");
}

#[test]
fn a_folder_that_cannot_be_is_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("file");
    fs::write(&out, "").unwrap();
    let error = write_all(&sample(), &out).unwrap_err().to_string();
    assert!(error.contains(out.to_str().unwrap()) && error.contains("--out"), "{error}");
}
