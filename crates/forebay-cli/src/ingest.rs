//! `forebay ingest`: the events of a source, over WebSocket, into a buffer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use clap::{Args, ValueHint};

use self::check_text::told;
use self::ears::Ears;
use self::options::{IngestArgs, IngestPlan};
use self::outcome::IngestOutcome;
use self::ticker::Ticker;
use super::rejects::{Rejects, Unit};
use super::signal::stop_on_signal;
use super::{exit, output};
use crate::arguments::Global;
use forebay_pipe::ingest::{Counts, IngestError, check, ingest};
use forebay_pipe::pipeline::Pipeline;

mod check_text;
mod ears;
mod live_line;
mod notify;
mod options;
mod outcome;
mod remarks;
mod since;
mod ticker;

/// Bring a source's events into a buffer, each once: Jetstream hosts over WebSocket, or a file that grows
#[derive(Args)]
#[command(after_help = "Examples:
  forebay ingest --check --source wss://jetstream.example/subscribe
  forebay ingest --source wss://jetstream.example/subscribe --buffer demo
  forebay ingest --config pipeline.toml
  forebay ingest --config pipeline.toml --once --since 2h
  forebay ingest --source file:/var/log/app.ndjson --follow --buffer app

Where it stands is stored in the buffer itself, in the same step as the events.
After a lost connection, a crash, a kill or a restart it asks the source again
from a little before that, and drops what the buffer has. What the source no
longer had is reported, counted, and kept beside the buffer (forebay stat).

Several --source are hosts of one network, in order: after three failures in a
row the next one is asked. While the server takes nothing, --overflow decides as
in append; with wait the source is let go, and asked again from the cursor.

--check connects, reads ten events, and says what would be done; it writes
nothing. Flags win over --config; docs/pipeline.md has the keys of that file.

The first Ctrl-C or SIGTERM sends what was read and stores where it stands, a
second one ends at once; nothing is lost by either.

Exit codes: 0 ended in an orderly way, 1 events were refused, given up or lost,
or the source no longer had some, 2 usage, 3 no source or no server for as long
as --patience, 130 ended by a second signal.")]
pub(crate) struct Ingest {
    #[command(flatten)]
    asked: IngestArgs,
    /// What is not said here: [source], [buffer] and [stream] of this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Say what would be done, and whether it can be: connects to hosts and server, reads ten events, writes nothing
    #[arg(long)]
    check: bool,
}

impl Ingest {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let file = self.config.as_deref().map(Pipeline::load).transpose()?.unwrap_or_default();
        let plan = self.asked.plan(file, self.config.as_deref())?;
        if self.check {
            anyhow::ensure!(
                plan.config.file.is_none() && !plan.config.is_lines,
                "--check asks a Jetstream host: a file, and a host of any lines, have nothing to be asked"
            );
            return told(&check::check(&plan.config)?, &plan.config, global);
        }
        let stop = stop_on_signal(
            global.quiet,
            "stopping: sending what was read. Press Ctrl-C again to quit without waiting",
        )?;
        Self::run_plan(&plan, global, &stop)
    }

    /// What the flags and a file that was read come to.
    pub(crate) fn plan_of(&self, file: Pipeline, path: &Path) -> anyhow::Result<IngestPlan> {
        self.asked.plan(file, Some(path))
    }

    /// From the first event to the report.
    pub(crate) fn run_plan(plan: &IngestPlan, global: &Global, stop: &Arc<AtomicBool>) -> anyhow::Result<u8> {
        let rejects = Rejects::open(plan.rejects.as_deref(), Unit::Message, None, global.quiet)?;
        let counts = Arc::new(Counts::default());
        let started = Instant::now();
        let ticker = Ticker::start(&counts, stop, global);
        let mut ears = Ears::new(rejects, ticker.bar(), stop, global.quiet);
        let ended = ingest(&plan.config, &counts, stop, &mut ears);
        ticker.end();
        let rejects = ears.finish();
        let error = match ended {
            // A signal breaks off whatever the system was doing: what was not stored comes again from the source.
            Err(IngestError::Buffer(error)) if error.is_by_signal(stop) => None,
            ended => ended.err(),
        };
        let outcome = IngestOutcome {
            counted: counts.look(),
            written: counts.written(),
            was_open: counts.was_open(),
            took: started.elapsed(),
            error: error.map(anyhow::Error::from),
        };
        outcome.report(&plan.config, &plan.overflow, global)?;
        let (code, was_open) = (outcome.code(), outcome.was_open);
        if let Some(error) = outcome.error {
            return Err(error);
        }
        rejects.finish()?;
        // Of one that never came to the buffer nothing is stored.
        if code == exit::OK && !global.quiet && was_open {
            output::tell(
                "forebay: ended in an orderly way; where the source stands is stored with its events",
            );
        }
        Ok(code)
    }
}
