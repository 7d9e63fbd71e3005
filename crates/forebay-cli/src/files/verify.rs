//! `forebay files verify`: what a drain has written, held against itself and against its buffer.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use forebay::buffer::connect::Address;
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::verify::{Verified, verify};
use forebay_pipe::drain::verify_buffer::{BufferSource, InBuffer, verify_buffer};
use forebay_watch::figures::count;

use crate::arguments::Global;
use crate::{exit, output, progress};

/// Hold records, files and tree against each other
#[derive(Args)]
#[command(after_help = "Examples:
  forebay files verify /srv/events
  forebay files verify s3://lake/bluesky
  forebay files verify /srv/events --buffer bluesky --url redis://127.0.0.1:6379

Every commit record is held against the one before it, every file against its
record (hash, rows, times), every row against its file and folder, compactions
against the commits whose files they took, and the tree against all of them.
Nothing is changed, and without --buffer no server is asked.

With --buffer, each event that the buffer still has and a commit covers must be in
the files of that commit, at its place and byte for byte. Blocks beyond the last
commit are counted. The buffer keeps what some group has not acknowledged: with
no group behind the drain, it may have nothing to compare.

Exit codes: 0 all is as it was committed, 1 something is not, 2 nothing was
drained there, or another buffer was, 3 disk, bucket or server refused.")]
pub(super) struct Verify {
    /// Folder that was drained to, or `s3://BUCKET/PREFIX`
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    place: PathBuf,
    /// Buffer that was drained there: what it still has is held against the files
    #[arg(long, value_name = "NAME")]
    buffer: Option<String>,
    /// Server of the buffer: redis://[user:password@]host[:port][/db], or rediss:// for TLS
    #[arg(long, env = "FOREBAY_URL", hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    url: String,
    /// Group that the drain's commits move
    #[arg(long, default_value = "files", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    group: String,
    /// Give up when the server was away for so long
    #[arg(long, value_name = "TIME", default_value = "1m")]
    patience: humantime::Duration,
}

impl Verify {
    /// The buffer that the files are held against, where one is named.
    fn source(&self) -> anyhow::Result<Option<BufferSource>> {
        let of = |name: &String| -> anyhow::Result<BufferSource> {
            Ok(BufferSource {
                address: Address::parse(&self.url)?,
                name: name.parse()?,
                group: self.group.clone(),
                patience: self.patience.into(),
            })
        };
        self.buffer.as_ref().map(of).transpose()
    }
}

impl Verify {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let source = self.source()?;
        let archive = Archive::open(&Target::parse(&self.place)?)?;
        let bar = global.progress().then(|| progress::line(global));
        let tell = |text: String| {
            if let Some(bar) = &bar {
                bar.set_message(text);
            }
        };
        let mut verified = verify(&archive, |so_far| {
            tell(format!("{} files, {} events", count(so_far.files), count(so_far.rows)));
        })?;
        let of_buffer = |source| {
            verify_buffer(&archive, source, &mut verified, |so_far| {
                tell(format!("{} events of the buffer", count(so_far.events)));
            })
        };
        let in_buffer = source.as_ref().map(of_buffer).transpose()?;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        if global.json {
            let json = serde_json::to_string(&Report { verified: &verified, buffer: in_buffer.as_ref() });
            output::document(&format!("{}\n", json.context("counts are JSON")?)).context(output::STDOUT)?;
        } else {
            output::result(&text(&verified, in_buffer.as_ref())).context(output::STDOUT)?;
        }
        Ok(if verified.faults == 0 { exit::OK } else { exit::REFUTED })
    }
}

/// What is printed with --json.
#[derive(serde::Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    verified: &'a Verified,
    #[serde(skip_serializing_if = "Option::is_none")]
    buffer: Option<&'a InBuffer>,
}

fn text(verified: &Verified, in_buffer: Option<&InBuffer>) -> String {
    let faults = match verified.faults {
        0 => "all is as it was committed".into(),
        1 => "1 fault".into(),
        faults => format!("{} faults", count(faults)),
    };
    let mut lines: Vec<String> = verified.told.clone();
    if let Some(in_buffer) = in_buffer {
        lines.extend(in_buffer.remarks.iter().map(|remark| format!("remark: {remark}")));
        lines.push(format!(
            "{} events in {} blocks of the buffer are in the files as they are there; {} were in files before; {} damaged blocks; {} \
             events wait in the buffer",
            count(in_buffer.events),
            count(in_buffer.blocks),
            count(in_buffer.repeats),
            count(in_buffer.damaged_blocks),
            count(in_buffer.waiting_events),
        ));
    }
    lines.push(format!(
        "{} events in {} whole files of {} commits; {} events left out since files had them; {} damaged blocks, {} events missing \
         when their neighbours were drained; {faults}",
        count(verified.rows),
        count(verified.files),
        count(verified.commits),
        count(verified.repeats),
        count(verified.damaged_blocks),
        count(verified.missing_events),
    ));
    lines.push(String::new());
    lines.join("\n")
}
