//! `forebay files compact`: many small files of a lane and a date become few.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use forebay_pipe::drain::compact::{CompactConfig, Compacted, compact};
use forebay_pipe::drain::place::Target;
use forebay_proof::report::units::bytes;
use forebay_watch::figures::count;

use crate::arguments::Global;
use crate::{exit, output, progress};

/// Make few files of many small ones, in one step for whoever reads them
#[derive(Args)]
#[command(after_help = "Examples:
  forebay files compact /srv/events
  forebay files compact /srv/events --older-than 1d

Files of one lane and date that follow each other become one of at most 112 MiB.
Every row is checked on its way, and read back. What is of 56 MiB or more stays as
it is. Nothing is drained there meanwhile: end the drain first, and start it again.

The folder of a date is exchanged for its new one in one step: whoever reads the
tree finds each event once, before and after, also if this is killed or the power
is cut. Whoever had listed the old folder and comes for its files later is told that
they are gone, and lists again. The old files take their room for 10 minutes and until
the next compaction or drain begins.

Exit codes: 0 done, or nothing to do; 1 a file or record is not as it was committed;
2 nothing was drained there, a drain runs, it is a bucket, or its file system
cannot exchange folders; 3 the disk refused.")]
pub(super) struct Compact {
    /// Folder that was drained to
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    place: PathBuf,
    /// Only files that were committed so long ago; without it, all
    #[arg(long, value_name = "TIME", default_value = "0s", hide_default_value = true)]
    older_than: humantime::Duration,
}

impl Compact {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let target = Target::parse(&self.place)?;
        let config = CompactConfig { older_than: self.older_than.into(), ..CompactConfig::of(target) };
        let bar = global.progress().then(|| progress::line(global));
        let compacted = compact(&config, |so_far| {
            if let Some(bar) = &bar {
                bar.set_message(format!(
                    "{} files, {} events",
                    count(so_far.files_before),
                    count(so_far.rows)
                ));
            }
        })?;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        if global.json {
            let json = serde_json::to_string(&compacted).context("counts are JSON")?;
            output::document(&format!("{json}\n")).context(output::STDOUT)?;
        } else {
            output::result(&text(&compacted)).context(output::STDOUT)?;
        }
        Ok(exit::OK)
    }
}

fn text(compacted: &Compacted) -> String {
    if compacted.files_before == 0 {
        return "nothing to do: no two files of a lane and a date go together\n".into();
    }
    format!(
        "{} files of {} folders are {} now, with the same {} events ({} instead of {})\n",
        count(compacted.files_before),
        count(compacted.folders),
        count(compacted.files_after),
        count(compacted.rows),
        bytes(compacted.bytes_after as f64),
        bytes(compacted.bytes_before as f64),
    )
}
