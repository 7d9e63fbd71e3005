//! What an ingest came to: as a document, as sentences, and as an exit code.

use std::time::Duration;

use anyhow::Context;

use crate::arguments::Global;
use crate::overflow::{self, OverflowArgs};
use crate::{exit, output, remedy};
use forebay::Summary;
use forebay_pipe::ingest::{Config, Counted};
use forebay_watch::figures::{count, rate};

/// Gaps that are told of one by one; `--json` has all of them.
const MISSED_MAX: usize = 10;

/// What it came to.
pub(super) struct IngestOutcome {
    pub(super) counted: Counted,
    pub(super) written: Summary,
    /// Whether the buffer was open at any time.
    pub(super) was_open: bool,
    pub(super) took: Duration,
    pub(super) error: Option<anyhow::Error>,
}

impl IngestOutcome {
    /// The code of a run that ended without an error.
    pub(super) fn code(&self) -> u8 {
        let written = &self.written;
        if written.left + written.earlier_bytes + self.counted.unstored > 0 {
            exit::NO_SERVER
        } else if self.counted.refused + overflow::dropped(written) > 0
            || !self.counted.missed.is_empty()
            || written.lost_by_server > 0
        {
            exit::REFUTED
        } else {
            exit::OK
        }
    }

    pub(super) fn report(
        &self,
        config: &Config,
        overflow: &OverflowArgs,
        global: &Global,
    ) -> anyhow::Result<()> {
        if global.json {
            return output::document(&format!("{}\n", self.json(config, global))).context(output::STDOUT);
        }
        overflow.tell(&self.written, global.quiet);
        self.tell_losses();
        // Of one that could not even begin there is nothing to report but the error.
        if !global.quiet && (self.error.is_none() && self.was_open || self.counted.received > 0) {
            self.tell();
        }
        Ok(())
    }

    fn json(&self, config: &Config, global: &Global) -> serde_json::Value {
        let written = &self.written;
        // Proof: numbers, texts and lists of them.
        let mut json = serde_json::to_value(&self.counted).expect("counts are JSON");
        json["buffer"] = config.name.to_string().into();
        json["seconds"] = self.took.as_secs_f64().into();
        json["error"] = self.error.as_ref().map(|error| remedy::of_program(error, global)).into();
        json["writer"] = serde_json::json!({
            "acknowledged": written.acknowledged, "blocks": written.blocks, "raw_bytes": written.raw_bytes,
            "frame_bytes": written.frame_bytes, "repeats": written.repeats, "retries": written.retries,
            "lost_by_server": written.lost_by_server, "accepted": written.accepted, "left": written.left,
            "left_earlier_bytes": written.earlier_bytes, "spilled": written.spilled,
            "recovered": written.recovered, "unreadable": written.unreadable, "shed": written.shed,
            "trimmed": written.trimmed,
            "encoded_blocks": written
                .encoded()
                .map(|(why, blocks)| (why.to_owned(), blocks.into()))
                .collect::<serde_json::Map<_, _>>(),
        });
        json
    }

    /// What is lost is told however quiet it shall be.
    fn tell_losses(&self) {
        let missed = &self.counted.missed;
        missed.iter().take(MISSED_MAX).for_each(|missed| output::tell(&format!("forebay: {missed}")));
        if missed.len() > MISSED_MAX {
            let further = missed.len() - MISSED_MAX;
            output::tell(&format!(
                "forebay: {further} further gaps (--json has all of them, `forebay stat` the newest)"
            ));
        }
        if self.written.lost_by_server > 0 {
            output::tell(&format!(
                "forebay: the server came back without {} events that it had acknowledged, and the source was not asked for \
                 them again: they had left for the spill folder. Check appendonly and appendfsync",
                count(self.written.lost_by_server)
            ));
        }
    }

    fn tell(&self) {
        let (counted, seconds) = (&self.counted, self.took.as_secs_f64());
        output::tell(&format!(
            "{} events in {seconds:.1} s ({} events/s), {} repeats dropped, {} refused, {} reconnects",
            count(counted.pushed),
            rate(counted.pushed as f64 / seconds.max(1e-9)),
            count(counted.repeats),
            count(counted.refused),
            count(counted.connections.saturating_sub(1)),
        ));
    }
}
