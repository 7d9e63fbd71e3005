//! `forebay append`: NDJSON from a file or stdin into a buffer.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueHint};

use super::{At, Global, progress};
use crate::buffer::batch::Limits;
use crate::buffer::feed::{Refused, feed};
use crate::buffer::writer::{Ack, Counts, Monitor, Options, Writer};
use crate::event::lines::DEFAULT_MAX_EVENT_BYTES;
use crate::exit;

/// Refused lines that are told of one by one; the rest is only counted.
const TOLD_MAX: u64 = 10;

/// Append events (NDJSON) from a file or stdin to a buffer
#[derive(Args)]
#[command(after_help = "Examples:
  websocat wss://jetstream2.us-east.bsky.network/subscribe | forebay append
  forebay append events.ndjson --rejects refused.ndjson
  zstdcat day.ndjson.zst | forebay append --buffer day --ack fsync

A line that is no event is refused with its number and the reason; the rest goes on, and the
exit code is 1. While the server is away or full, the source is held back and nothing is lost.")]
pub(crate) struct Append {
    /// File to read; stdin where none is given
    #[arg(value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    #[command(flatten)]
    at: At,
    /// Write refused lines here, as they came
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    rejects: Option<PathBuf>,
    /// When a block counts: reply (the server answered) or fsync (it is on the server's disk)
    #[arg(long, default_value = "reply")]
    ack: Ack,
    /// Largest event
    #[arg(long, value_name = "SIZE", default_value_t = bytesize::ByteSize::b(DEFAULT_MAX_EVENT_BYTES as u64))]
    max_event: bytesize::ByteSize,
    /// Events in a block, at the most
    #[arg(long, value_name = "N", default_value_t = Limits::default().events_max, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    max_events: u64,
    /// How long a block may wait for more events
    #[arg(long, value_name = "TIME", default_value = "200ms")]
    linger: humantime::Duration,
    /// Give up when nothing was acknowledged for so long
    #[arg(long, value_name = "TIME", default_value = "10m")]
    patience: humantime::Duration,
}

impl Append {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let (address, name) = self.at.parse()?;
        let max_event = usize::try_from(self.max_event.as_u64())
            .ok()
            .filter(|bytes| (1..=64 << 20).contains(bytes))
            .context("--max-event must be from 1 byte to 64 MiB")?;
        let mut rejects = Rejects::open(self.rejects.as_deref(), global.quiet)?;
        let source = self.source()?;
        let stop = stop_on_signal()?;
        let options = Options {
            limits: Limits { events_max: self.max_events, linger: self.linger.into(), ..Limits::default() },
            ack: self.ack,
            patience: self.patience.into(),
            ..Options::default()
        };
        let started = Instant::now();
        let mut writer = Writer::open(&address, &name, &options)?;
        let shown = show(&writer.monitor(), global);
        let fed = feed(source, max_event, &mut writer, &stop, &mut |refused| rejects.take(&refused));
        let closed = match fed {
            Ok(()) => writer.close().map_err(anyhow::Error::from),
            // What was taken before the source broke is still owed.
            Err(crate::buffer::feed::FeedError::Source(error)) => {
                let counts = writer.close()?;
                self.report(global, counts, rejects.count, started.elapsed());
                Err(anyhow::Error::from(error).context("reading the input"))
            }
            Err(error) => Err(error.into()),
        };
        shown.store(true, std::sync::atomic::Ordering::Relaxed);
        let counts = closed?;
        rejects.finish()?;
        self.report(global, counts, rejects.count, started.elapsed());
        Ok(if rejects.count + counts.lost_by_server > 0 { exit::REFUTED } else { exit::OK })
    }

    fn source(&self) -> anyhow::Result<Box<dyn Read + Send>> {
        match &self.file {
            None => Ok(Box::new(std::io::stdin())),
            Some(path) if path.as_os_str() == "-" => Ok(Box::new(std::io::stdin())),
            Some(path) => {
                let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
                if file.metadata().is_ok_and(|meta| meta.is_dir()) {
                    anyhow::bail!("{} is a folder; give a file of lines", path.display());
                }
                Ok(Box::new(file))
            }
        }
    }

    fn report(&self, global: &Global, counts: Counts, refused: u64, took: Duration) {
        let seconds = took.as_secs_f64();
        if global.json {
            let summary = serde_json::json!({
                "buffer": self.at.buffer, "acknowledged": counts.acknowledged, "blocks": counts.blocks,
                "raw_bytes": counts.raw_bytes, "frame_bytes": counts.frame_bytes, "refused": refused,
                "repeats": counts.repeats, "retries": counts.retries,
                "lost_by_server": counts.lost_by_server, "seconds": seconds,
            });
            println!("{summary}");
            return;
        }
        if counts.lost_by_server > 0 {
            eprintln!(
                "forebay: the server came back without {} events that it had acknowledged; \
                 readers will see the gap. Check appendonly and appendfsync.",
                counts.lost_by_server
            );
        }
        if global.quiet {
            return;
        }
        let per_event = counts.frame_bytes as f64 / counts.acknowledged.max(1) as f64;
        eprintln!(
            "{} events acknowledged in {} blocks, {refused} lines refused, {seconds:.1} s \
             ({:.0} events/s, {per_event:.0} bytes an event compressed)",
            counts.acknowledged,
            counts.blocks,
            counts.acknowledged as f64 / seconds.max(1e-9),
        );
    }
}

/// Lines that are no events.
struct Rejects {
    file: Option<BufWriter<File>>,
    quiet: bool,
    count: u64,
    failed: Option<std::io::Error>,
}

impl Rejects {
    fn open(path: Option<&std::path::Path>, quiet: bool) -> anyhow::Result<Self> {
        let create = |path: &std::path::Path| {
            File::create(path).with_context(|| format!("cannot write --rejects {}", path.display()))
        };
        let file = path.map(create).transpose()?.map(BufWriter::new);
        Ok(Self { file, quiet, count: 0, failed: None })
    }

    fn take(&mut self, refused: &Refused<'_>) {
        self.count += 1;
        if !self.quiet && self.count <= TOLD_MAX {
            eprintln!("forebay: line {} refused: {}", refused.line, refused.why);
        }
        if !self.quiet && self.count == TOLD_MAX + 1 {
            eprintln!("forebay: further refused lines are counted, not shown (--rejects FILE keeps them)");
        }
        if let (Some(file), Some(bytes)) = (self.file.as_mut(), refused.bytes) {
            let written = file.write_all(bytes).and_then(|()| file.write_all(b"\n"));
            self.failed = self.failed.take().or(written.err());
        }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        self.failed.take().map_or(flushed, Err).context("writing --rejects")
    }
}

/// Set by the first Ctrl-C or SIGTERM: what was taken is finished. A second one ends at once.
pub(super) fn stop_on_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, std::sync::atomic::Ordering::Relaxed) {
            std::process::exit(exit::INTERRUPTED.into());
        }
        eprintln!("forebay: finishing what was taken; once more to leave it unacknowledged");
    })?;
    Ok(stop)
}

/// Shows counts until the returned flag is set.
fn show(monitor: &Monitor, global: &Global) -> Arc<AtomicBool> {
    let done = Arc::new(AtomicBool::new(false));
    if !global.progress() {
        return done;
    }
    let (bar, monitor, flag) = (progress::events(global, None), monitor.clone(), Arc::clone(&done));
    std::thread::spawn(move || {
        while !flag.load(std::sync::atomic::Ordering::Relaxed) {
            bar.set_position(monitor.counts().acknowledged);
            bar.set_message(monitor.trouble().map_or(String::new(), |why| format!("held back: {why}")));
            std::thread::sleep(Duration::from_millis(100));
        }
        bar.finish_and_clear();
    });
    done
}
