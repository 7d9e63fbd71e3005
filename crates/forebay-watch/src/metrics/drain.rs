//! The drains of a buffer, as each stands beside it: all of it absent where there is none.

use super::sheet::Sheet;
use crate::drain::{Drain, drains};
use crate::view::View;

pub(super) fn add(sheet: &mut Sheet, view: &View) {
    let drains = view.seen().map_or_else(Vec::new, |seen| drains(&seen.stat));
    counters(sheet, &drains);
    gauges(sheet, &drains);
}

type Of = fn(&Drain<'_>) -> Option<f64>;

fn counters(sheet: &mut Sheet, drains: &[Drain<'_>]) {
    let counters: [(&str, &'static str, Of); 4] = [
        ("rows", "Events that a drain has put into files, in all runs to the same place", |drain| {
            Some(drain.sink.figures.rows as f64)
        }),
        ("files", "Files that a drain has made, in all runs to the same place", |drain| {
            Some(drain.sink.figures.files as f64)
        }),
        ("bytes", "Bytes of these files", |drain| Some(drain.sink.figures.bytes as f64)),
        ("failures", "Times that a drain's destination or server refused", |drain| {
            Some(drain.sink.figures.failures as f64)
        }),
    ];
    for (name, help, of) in counters {
        let values = drains.iter().map(|drain| (sheet.labels(&[("group", &drain.sink.group)]), of(drain)));
        let values = values.collect();
        sheet.counters(&format!("drain_{name}_total"), help, values);
    }
}

fn gauges(sheet: &mut Sheet, drains: &[Drain<'_>]) {
    let gauges: [(&str, &'static str, Of); 10] = [
        ("running", "1 until a drain has ended in an orderly way", |drain| {
            Some(f64::from(!drain.sink.figures.is_over))
        }),
        ("sign_age_seconds", "Seconds since a drain was last heard of", |drain| drain.sign_ms.map(seconds)),
        ("max_age_seconds", "How long an event may wait for its file, as a drain was told", |drain| {
            Some(seconds(drain.sink.figures.age_max_ms))
        }),
        (
            "last_commit_age_seconds",
            "Seconds since a drain's last commit; absent before the first",
            |drain| drain.last_ms().map(seconds),
        ),
        ("last_commit_seconds", "How long that took, from reading to commit", |drain| {
            Some(seconds(drain.sink.figures.last?.took_ms))
        }),
        ("last_commit_rows_per_second", "Events a second of that", |drain| {
            drain.sink.figures.last?.rows_per_second()
        }),
        ("compression_ratio", "Bytes of files for a byte of lines, where lines were counted", |drain| {
            drain.sink.figures.compression()
        }),
        ("refused", "1 while a drain's destination refuses", |drain| {
            Some(f64::from(drain.sink.figures.trouble.is_some()))
        }),
        ("free_bytes", "Bytes that are free where a drain writes to", |drain| {
            Some(drain.sink.figures.free_bytes? as f64)
        }),
        ("bytes_per_hour", "Bytes of files that an hour of events comes to", |drain| {
            Some(drain.sink.figures.bytes_per_hour? as f64)
        }),
    ];
    for (name, help, of) in gauges {
        let values = drains.iter().map(|drain| (sheet.labels(&[("group", &drain.sink.group)]), of(drain)));
        let values = values.collect();
        sheet.gauges(&format!("drain_{name}"), help, values);
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
