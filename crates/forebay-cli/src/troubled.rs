//! A server that takes nothing, in the words of `append` and `ingest`.

use std::time::{Duration, Instant};

use crate::remedy;
use forebay::buffer::writer::Counts;

/// What becomes of events while the server takes none, and why it takes none.
pub(super) fn standing(counts: &Counts, why: &str) -> String {
    let why = remedy::of_trouble(why);
    match counts {
        Counts { shed: 1.., .. } => format!("{} shed: {why}", counts.shed),
        _ if counts.left > 0 => format!("{} on disk: {why}", counts.left),
        _ => format!("held back: {why}"),
    }
}

/// A server that takes nothing: since when, and when that was last told.
#[derive(Default)]
pub(super) struct Troubled {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Troubled {
    /// How long a server takes nothing before that is told, and how long until it is told again.
    const FIRST: Duration = Duration::from_secs(3);
    const AGAIN: Duration = Duration::from_secs(60);

    /// What to say now, if anything.
    pub(super) fn line(&mut self, counts: &Counts, trouble: Option<&str>) -> Option<String> {
        let Some(why) = trouble else {
            self.since = None;
            let acknowledged = counts.acknowledged;
            return self
                .told
                .take()
                .map(|_| format!("the server takes events again: {acknowledged} acknowledged"));
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        let is_due = match self.told {
            None => since.elapsed() >= Self::FIRST,
            Some(told) => told.elapsed() >= Self::AGAIN,
        };
        is_due.then(|| {
            self.told = Some(Instant::now());
            format!(
                "the server takes no events; {}; {} acknowledged",
                standing(counts, why),
                counts.acknowledged
            )
        })
    }
}
