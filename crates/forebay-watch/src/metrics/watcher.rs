//! What writers say, what the probe found, and how well the watcher itself sees.

use super::sheet::{Histogram, Labels, Samples, Sheet};
use crate::probe::Counted;
use crate::subject::Subject;
use crate::view::{GONE, View};
use forebay::buffer::writer_status::{FateCounts, WriterState};
use forebay::event::lane::Lane;

pub(super) fn add(sheet: &mut Sheet, view: &View, subject: &Subject, probed: &Counted) {
    about(sheet, subject);
    writers(sheet, view);
    writer_counters(sheet, view);
    probe(sheet, probed);
    watcher(sheet, view);
}

fn writers(sheet: &mut Sheet, view: &View) {
    let heard = &view.heard;
    let count = |of: fn(WriterState) -> bool| {
        let there = heard.writers.iter().filter(|writer| writer.heard_ago < GONE && of(writer.state));
        // Where nobody listens, nobody knows.
        heard.is_subscribed.then(|| there.count() as f64)
    };
    let figures = [
        (
            "writers",
            "Writers heard within 5 s",
            count(|state| matches!(state, WriterState::Writing | WriterState::HeldBack)),
        ),
        (
            "writers_held_back",
            "Of them, those whose server takes nothing",
            count(|state| state == WriterState::HeldBack),
        ),
    ];
    for (name, help, value) in figures {
        let values = vec![(sheet.labels(&[]), value)];
        sheet.gauges(name, help, values);
    }
    let ends = &heard.ends;
    let values = [("closed", ends.closed), ("fenced", ends.fenced), ("failed", ends.failed)]
        .map(|(how, count)| (sheet.labels(&[("how", how)]), Some(count as f64)))
        .into();
    sheet.counters("writer_ends_total", "Writers that ended, since the watcher began to listen", values);
}

fn writer_counters(sheet: &mut Sheet, view: &View) {
    type Of = fn(&FateCounts) -> u64;
    const FATES: [(&str, Of); 7] = [
        ("acknowledged", |fates| fates.acknowledged),
        ("spilled", |fates| fates.spilled),
        ("recovered", |fates| fates.recovered),
        ("shed", |fates| fates.shed),
        ("trimmed_unread", |fates| fates.trimmed),
        ("unreadable", |fates| fates.unreadable),
        ("lost", |fates| fates.lost),
    ];
    let of_lanes = |sheet: &Sheet, more: &[(&'static str, &str)], of: Of| -> Vec<(Labels, Option<f64>)> {
        let one = |lane: Lane| {
            let labels: Vec<_> = [("lane", lane.name())].into_iter().chain(more.iter().copied()).collect();
            (sheet.labels(&labels), Some(of(&view.heard.of(lane)) as f64))
        };
        view.lanes().iter().map(one).collect()
    };
    let values = FATES.iter().flat_map(|(fate, of)| of_lanes(sheet, &[("fate", fate)], *of)).collect();
    sheet.counters(
        "writer_events_total",
        "What became of events in writers, since the watcher began to listen",
        values,
    );
    let values = of_lanes(sheet, &[], |fates| fates.refusals);
    sheet.counters(
        "writer_refusals_total",
        "Rounds of a writer that ended in a refusal or a lost connection",
        values,
    );
}

fn probe(sheet: &mut Sheet, probed: &Counted) {
    let buckets = probed.buckets.clone();
    sheet.add(
        "probe_seconds",
        "Round trip of a PING, five times a second; those that a standing server delays count with their wait",
        Samples::Histogram(vec![(Vec::new(), Histogram { sum: probed.sum, buckets })]),
    );
}

/// What is watched, whether it answers or not: for joins, since what is about the server names the watcher alone.
fn about(sheet: &mut Sheet, subject: &Subject) {
    let labels = sheet.labels(&[("url", &subject.address.to_string()), ("profile", &subject.profile.name)]);
    sheet.gauges("watch_info", "What the watcher looks at, and what it must hold", vec![(labels, Some(1.0))]);
}

fn watcher(sheet: &mut Sheet, view: &View) {
    let looks = [("ok", view.looks.0), ("failed", view.looks.1)]
        .map(|(result, count)| (vec![("result", result.to_owned())], Some(count as f64)));
    sheet.counters("watch_looks_total", "Looks at the server", looks.into());
    let seen = view.seen();
    sheet.gauge(
        "watch_look_seconds",
        "How long the last look took",
        seen.map(|seen| seen.took.as_secs_f64()),
    );
    sheet.gauge(
        "watch_look_age_seconds",
        "Seconds since the last look that saw the buffer's server",
        view.look_age_s(),
    );
    sheet.gauge(
        "watch_unknown",
        "Things that the watcher cannot see because the server refuses them",
        seen.map(|seen| seen.refused().count() as f64 + f64::from(u8::from(!view.heard.is_subscribed))),
    );
    sheet.gauge(
        "watch_clock_offset_seconds",
        "The server's clock, less the watcher's",
        seen.and_then(|seen| seen.clock_offset_s),
    );
}
