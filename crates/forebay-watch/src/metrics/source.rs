//! The buffer's source, as it stands beside it: all of it absent where there is none.

use super::sheet::Sheet;
use crate::view::View;

pub(super) fn add(sheet: &mut Sheet, view: &View) {
    let stat = view.seen().map(|seen| &seen.stat);
    let missed = stat.and_then(|stat| stat.missed.as_ref());
    let figures = [
        (
            "forgets_seconds",
            "Seconds until the source forgets the first event that is not settled; negative once it has",
            stat.and_then(|stat| Some(stat.source_forgets_in_ms()? as f64 / 1_000.0)),
        ),
        (
            "behind_seconds",
            "How far up to where everything of the source is settled lies behind the server's clock",
            stat.and_then(|stat| Some(stat.source_behind_ms()? as f64 / 1_000.0)),
        ),
        (
            "gaps",
            "Gaps that are written down beside the buffer: what the source no longer had, ever",
            missed.map(|missed| missed.gaps as f64),
        ),
        (
            "missed_events",
            "Events in those gaps of which that is known, or about known",
            missed.map(|missed| missed.events as f64),
        ),
        (
            "gap_age_seconds",
            "Seconds since the newest gap was found; absent where there is none",
            stat.and_then(|stat| Some(stat.source_gap_age_ms()? as f64 / 1_000.0)),
        ),
    ];
    for (name, help, value) in figures {
        let values = vec![(sheet.labels(&[]), value)];
        sheet.gauges(&format!("source_{name}"), help, values);
    }
}
