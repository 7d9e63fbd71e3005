//! `forebay files`: what a drain has written, looked at.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::place::Target;
use forebay_watch::figures::count;

use crate::arguments::Global;
use crate::{exit, output, progress};

/// Look at files of a drain
#[derive(Args)]
#[command(after_help = "Examples:
  forebay files verify /srv/events
  forebay files verify s3://lake/bluesky

Every commit record is held against the one before it, every file against its
record (hash, rows, times), every row against its file and folder, and the tree
against the records. Nothing is changed, and no server is asked.

Exit codes: 0 all is as it was committed, 1 something is not, 2 nothing was
drained there, 3 disk or bucket refused.")]
pub(crate) struct Files {
    #[command(subcommand)]
    verb: FilesVerb,
}

#[derive(clap::Subcommand)]
enum FilesVerb {
    /// Hold records, files and tree against each other
    Verify(Verify),
}

#[derive(Args)]
struct Verify {
    /// Folder that was drained to, or `s3://BUCKET/PREFIX`
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    place: PathBuf,
}

impl Files {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let FilesVerb::Verify(Verify { place }) = &self.verb;
        let archive = Archive::open(&Target::parse(place)?)?;
        let bar = global.progress().then(|| progress::line(global));
        let verified = forebay_pipe::drain::verify::verify(&archive, |so_far| {
            if let Some(bar) = &bar {
                bar.set_message(format!("{} files, {} events", count(so_far.files), count(so_far.rows)));
            }
        })?;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        if global.json {
            let json = serde_json::to_string(&verified).context("counts are JSON")?;
            output::document(&format!("{json}\n")).context(output::STDOUT)?;
        } else {
            let faults = match verified.faults {
                0 => "all is as it was committed".into(),
                1 => "1 fault".into(),
                faults => format!("{} faults", count(faults)),
            };
            let summary = format!(
                "{} events in {} whole files of {} commits; {} events left out since files had them; {} damaged blocks, {} events \
                 missing when their neighbours were drained; {faults}",
                count(verified.rows),
                count(verified.files),
                count(verified.commits),
                count(verified.repeats),
                count(verified.damaged_blocks),
                count(verified.missing_events),
            );
            let told: Vec<&str> = verified.told.iter().map(String::as_str).chain([&*summary, ""]).collect();
            let text = told.join("\n");
            output::result(&text).context(output::STDOUT)?;
        }
        Ok(if verified.faults == 0 { exit::OK } else { exit::REFUTED })
    }
}
