//! `forebay replay`: files of a drain back to lines.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueHint};
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::replay::{Wanted, replay};
use forebay_watch::figures::count;

use crate::arguments::Global;
use crate::{exit, output};

/// Print the events of drained files, as they came
#[derive(Args)]
#[command(after_help = "Examples:
  forebay replay /srv/events > events.ndjson
  forebay replay /srv/events --lane posts --from 2026-11-28T10:00:00Z --to 2026-11-28T11:00:00Z
  forebay replay /srv/events | forebay append --buffer again
  forebay replay s3://lake/bluesky --lane posts > posts.ndjson

Lane after lane, each in its order, byte for byte as the buffer had it. --from
and --to go by the events' own time; the event at --to is not among them.")]
pub(crate) struct Replay {
    /// Folder that was drained to, or `s3://BUCKET/PREFIX`
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    from_place: PathBuf,
    /// Lane, or partition as likes.2; again for more. Without one, all
    #[arg(long)]
    lane: Vec<String>,
    /// From this time on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<jiff::Timestamp>,
    /// Up to this time
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
}

impl Replay {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let us = |time: Option<jiff::Timestamp>| {
            time.map(|time| u64::try_from(time.as_microsecond()).unwrap_or(0))
        };
        let wanted = Wanted { from_us: us(self.from), to_us: us(self.to), lanes: self.lane.clone() };
        let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        let archive = Archive::open(&Target::parse(&self.from_place)?)?;
        let events = replay::<anyhow::Error>(&archive, &wanted, |_, line| {
            // Whoever reads may have gone: that is told by its kind, and is no error of ours.
            out.write_all(line).and_then(|()| out.write_all(b"\n"))?;
            Ok(true)
        })?;
        out.flush()?;
        if !global.quiet {
            output::tell(&format!("{} events", count(events)));
        }
        Ok(exit::OK)
    }
}
