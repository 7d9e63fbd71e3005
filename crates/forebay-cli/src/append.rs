//! `forebay append`: NDJSON from a file or stdin into a buffer.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum, ValueHint};

use live_counts::show;

use super::input_form::InputForm;
use super::overflow::{self, OverflowArgs};
use super::rejects::{Rejects, Unit};
use super::signal::stop_on_signal;
use super::{output, remedy};
use crate::arguments::{At, Events, Global};
use crate::exit;
use forebay::block::encode::{Encoding, Wanted};
use forebay::block::frame::EVENT_BYTES_MAX;
use forebay::buffer::batch::{LOW_LATENCY, Limits};
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::line_source::{Input, LineListener, LineSourceError, Refused, append_lines};
use forebay::buffer::position::Position;
use forebay::buffer::writer::{Ack, Counts, Monitor, Options, Writer};
use forebay::event::cursor::CursorAt;
use forebay_watch::figures::{count, rate};

mod live_counts;
mod source;

/// What latency is bought with.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Latency {
    /// With memory.
    Low,
}

/// Append events from a file or stdin to a buffer: a JSON object a line, with a whole `time_us`
#[derive(Args)]
#[command(after_help = "Examples:
  websocat wss://jetstream.example/subscribe | forebay append --buffer demo
  forebay append --buffer demo events.ndjson --rejects refused.ndjson
  zstdcat day.ndjson.zst | forebay append --buffer day --ack fsync

An event is a JSON object on one line with time_us, microseconds since 1970 as
a whole number; anything else in it is kept as it is. What is a Jetstream commit
goes to the lane of its collection, all else to lane other.

A line that is no event is refused with its number and the reason; the rest goes
on, and the exit code is 1. The first Ctrl-C finishes what was taken, a second
one ends at once; a file not read to its end then gives 130, a pipe gives 0.
However it ends otherwise, it says up to which line of the input everything is
settled: --from-line with the next one goes on there.

While the server takes nothing (full, away, loading), --overflow decides:
  wait         the source is held back; nothing is lost as long as it can wait
  spill        blocks go to files in --spill DIR, fsynced, and on to the server
               in order once it takes them; what is left there at the end (exit
               code 3) goes first the next time, for which an empty source will
               do: forebay append --spill DIR </dev/null
  shed         new events are dropped, and counted (exit code 1)
  trim-oldest  the oldest events held are dropped, read or not, and counted
               (exit code 1), where that brings a full server below its limit")]
pub(crate) struct Append {
    /// File to read; stdin where none is given
    #[arg(value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    events: Events,
    /// Start at this line of the input
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    from_line: u64,
    /// JSON pointer to each line's position in the source, such as `/time_us`: `stat` then says where to resume
    #[arg(long, value_name = "POINTER", value_parser = cursor_at)]
    cursor: Option<CursorAt>,
    /// Add refused lines to this file, as they came, but for those over --max-event
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    rejects: Option<PathBuf>,
    /// When a block counts: reply (the server answered) or fsync (it is on the server's disk: the disk of one machine)
    #[arg(long, default_value = "reply")]
    ack: Ack,
    /// Largest event
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    max_event: bytesize::ByteSize,
    /// Events in a block, at the most
    #[arg(long, value_name = "N", default_value_t = Limits::default().events_max, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    max_events: u64,
    /// Use encoding 2 for full blocks too: half the memory, about half the speed from a file
    #[arg(long)]
    dense: bool,
    /// How long a block may wait for more events
    #[arg(long, value_name = "TIME", default_value = "200ms")]
    linger: humantime::Duration,
    /// low: for a consumer that waits, a linger of 5 ms. At 938 events a second one takes 113 bytes instead of 80
    #[arg(long, value_enum, conflicts_with = "linger")]
    latency: Option<Latency>,
    /// Take the buffer from a writer that is still there; that one ends with an error
    #[arg(long)]
    takeover: bool,
    #[command(flatten)]
    overflow: OverflowArgs,
    /// Give up when nothing was acknowledged for so long
    #[arg(long, value_name = "TIME", default_value = "10m")]
    patience: humantime::Duration,
}

impl Append {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let (address, name) = self.at.parse()?;
        let name = match self.events.stream()? {
            Some(stream) => name.of(stream),
            None => name,
        };
        let max_event = usize::try_from(self.max_event.as_u64())
            .ok()
            .filter(|bytes| (1..=EVENT_BYTES_MAX).contains(bytes))
            .context("--max-event must be from 1 byte to 64 MiB")?;
        let source = source::open(self.file.as_deref())?;
        let mut rejects = Rejects::open(self.rejects.as_deref(), Unit::Line, source.place, global.quiet)?;
        let stop =
            stop_on_signal(global.quiet, "finishing what was taken; once more to leave it unacknowledged")?;
        let options = self.options()?;
        let started = Instant::now();
        let Some(mut writer) = Writer::open_patiently(&address, &name, &options, &stop)? else {
            return Ok(exit::INTERRUPTED);
        };
        if let (Some(_), Some(_)) = (&self.cursor, writer.source()) {
            // Its low watermark would then be of numbers that its source does not have.
            anyhow::bail!(
                "buffer {name} has its events from a source of `forebay ingest`, whose cursors these lines do not have: append \
                 without --cursor, or to another buffer"
            );
        }
        if !global.quiet {
            warn_of_eviction(&address);
        }
        let shown = show(&writer.monitor(), global);
        let is_file = source.place.is_some();
        if self.cursor.is_some() && !global.quiet {
            say_where_to_resume(&writer);
        }
        let input = Input {
            reader: source.reader,
            event_bytes_max: max_event,
            from_line: self.from_line,
            cursor: self.cursor.clone(),
        };
        let mut position = Position::of(name.lanes());
        let mut ears = Ears { looks: InputForm::default(), rejects: &mut rejects, stop: &stop };
        let fed = append_lines(input, &mut writer, &mut position, &stop, &mut ears);
        let looks = ears.looks;
        // A file has an end of its own, where a pipe may be meant to end so.
        let is_cut = is_file && stop.load(Relaxed) && rejects.failed_at().is_none() && !looks.is_foreign();
        let broken = match fed {
            // What was taken before the source broke is still owed.
            Err(LineSourceError::Source(error)) => Some(error),
            // Closing says the same error, with what is not acknowledged in the end.
            _ => None,
        };
        let monitor = writer.monitor();
        let closed = writer.close();
        shown.store(true, Relaxed);
        // What became of the events is told however it ended.
        let counts = closed.as_ref().map_or_else(|_| monitor.counts(), |counts| *counts);
        let took = started.elapsed();
        let error = closed.err().map(|error| counted(error, &counts));
        let settled = position.settled(&monitor).min(rejects.failed_at().map_or(u64::MAX, |line| line - 1));
        // A line that could be kept nowhere has no cursor: what came before it cannot be told from what came after.
        let has_cursor = self.cursor.is_some() && rejects.failed_at().is_none();
        let low_watermark = monitor.low_watermark().filter(|_| has_cursor);
        let came = AppendOutcome { counts, settled, low_watermark, refused: rejects.count, took };
        // Of an input that holds no event there is nothing to report but what it is.
        if error.is_none() {
            looks.finish()?;
        }
        let told = self.report(global, &monitor, &came, error.as_ref());
        // Where not all of the input is settled, it is the source's to send again from there.
        if !global.quiet && (error.is_some() || is_cut || rejects.failed_at().is_some() || broken.is_some()) {
            output::tell(&match settled {
                0 => {
                    "forebay: nothing of the input is settled: append it again from its first line".to_owned()
                }
                _ => format!(
                    "forebay: every line up to line {settled} is settled; --from-line {} continues there",
                    settled + 1
                ),
            });
            if let Some(cursor) = low_watermark {
                output::tell(&format!(
                    "forebay: everything up to cursor {cursor} is settled: resume the source there"
                ));
            }
        }
        if let (Some(at), true, false) = (&self.cursor, has_cursor, global.quiet) {
            say_where_no_cursor_was(at, &came);
        }
        // The error goes before whatever telling it comes to.
        error.map_or(told, Err)?;
        if !global.quiet {
            looks.remarks().iter().for_each(|remark| output::tell(remark));
        }
        rejects.finish()?;
        if let Some(error) = broken {
            return Err(anyhow::Error::from(error).context("reading the input"));
        }
        if is_cut && !global.quiet {
            output::tell("forebay: interrupted before the end of the file");
        }
        Ok(if is_cut {
            exit::INTERRUPTED
        } else if counts.left + counts.earlier_bytes > 0 {
            exit::NO_SERVER
        } else if rejects.count + counts.lost_by_server + overflow::dropped(&counts) > 0 {
            exit::REFUTED
        } else {
            exit::OK
        })
    }

    fn linger(&self) -> Duration {
        match self.latency {
            Some(Latency::Low) => LOW_LATENCY,
            None => self.linger.into(),
        }
    }

    fn options(&self) -> anyhow::Result<Options> {
        let wanted = if self.dense { Wanted::Dense } else { Wanted::Measured };
        Ok(Options {
            limits: Limits { events_max: self.max_events, linger: self.linger(), ..Limits::default() },
            encoding: Encoding { wanted, ..Encoding::default() },
            ack: self.ack,
            patience: self.patience.into(),
            takes_over: self.takeover,
            overflow: self.overflow.policy()?,
            ..Options::default()
        })
    }

    fn report(
        &self,
        global: &Global,
        monitor: &Monitor,
        &AppendOutcome { counts, settled, low_watermark, refused, took }: &AppendOutcome,
        error: Option<&anyhow::Error>,
    ) -> anyhow::Result<()> {
        let seconds = took.as_secs_f64();
        if global.json {
            let lanes = monitor.lanes().map(|lane| {
                let counts = monitor.lane(lane);
                serde_json::json!({
                    "lane": lane.name(), "pushed": counts.pushed, "acknowledged": counts.acknowledged,
                    "accepted": counts.accepted, "left": counts.left, "spilled": counts.spilled, "recovered": counts.recovered,
                    "unreadable": counts.unreadable, "shed": counts.shed, "trimmed": counts.trimmed,
                    "lost_by_server": counts.lost_by_server,
                })
            });
            let summary = serde_json::json!({
                "buffer": self.at.buffer, "acknowledged": counts.acknowledged, "blocks": counts.blocks,
                "raw_bytes": counts.raw_bytes, "frame_bytes": counts.frame_bytes, "refused": refused,
                "repeats": counts.repeats, "retries": counts.retries,
                "lost_by_server": counts.lost_by_server, "accepted": counts.accepted,
                "left": counts.left, "left_earlier_bytes": counts.earlier_bytes,
                "spilled": counts.spilled, "recovered": counts.recovered, "unreadable": counts.unreadable,
                "shed": counts.shed, "trimmed": counts.trimmed, "seconds": seconds, "lanes": lanes,
                "encoded_blocks": counts
                    .encoded()
                    .map(|(why, blocks)| (why.to_owned(), blocks.into()))
                    .collect::<serde_json::Map<_, _>>(),
                "settled_through_line": settled, "low_watermark": low_watermark,
                "error": error.map(remedy::with_remedy),
            });
            return output::document(&format!("{summary}\n")).context(output::STDOUT);
        }
        self.overflow.tell(&counts, global.quiet);
        if counts.lost_by_server > 0 {
            output::tell(&format!(
                "forebay: the server came back without {} events that it had acknowledged; \
                 readers report the place when they reach it. Check appendonly and appendfsync, or whether a replica took \
                 over: --ack fsync is about the disk of one machine.",
                count(counts.lost_by_server)
            ));
        }
        if global.quiet {
            return Ok(());
        }
        let per_event = counts.frame_bytes as f64 / counts.acknowledged.max(1) as f64;
        output::tell(&format!(
            "{} events acknowledged in {} blocks, {} lines refused, {seconds:.1} s ({} events/s, {per_event:.0} bytes an event \
             compressed)",
            count(counts.acknowledged),
            count(counts.blocks),
            count(refused),
            rate(counts.acknowledged as f64 / seconds.max(1e-9)),
        ));
        Ok(())
    }
}

/// What `append` makes of lines that it looks at.
struct Ears<'a> {
    looks: InputForm,
    rejects: &'a mut Rejects,
    stop: &'a AtomicBool,
}

impl LineListener for Ears<'_> {
    fn refused(&mut self, line: &Refused<'_>) {
        // A line that is kept nowhere is not to be followed by more, nor one of a file that has none.
        if self.looks.refused(line) || !self.rejects.take(line) {
            self.stop.store(true, Relaxed);
        }
    }

    fn is_over(&self) -> bool {
        self.looks.is_foreign()
    }

    fn other(&mut self, line: u64, event: &[u8]) {
        self.looks.other(line, event);
    }
}

/// Says where the server may drop what it acknowledged.
fn warn_of_eviction(address: &Address) {
    // A server that does not answer now is waited for elsewhere.
    let Ok((_, facts)) = address.connect() else { return };
    let policy = facts.get("maxmemory_policy").unwrap_or_default();
    if policy.starts_with("allkeys") && facts.number("maxmemory").is_some_and(|limit| limit > 0) {
        output::tell(&format!(
            "forebay: maxmemory-policy is {policy}: a full server drops whole lanes that it has acknowledged, and nobody is \
             told; CONFIG SET maxmemory-policy noeviction"
        ));
    }
}

/// An error that the writer ended with, and how many events are not acknowledged.
fn counted(mut error: Error, counts: &Counts) -> anyhow::Error {
    if error.unacknowledged().is_some() {
        return error.into();
    }
    let open = counts.open();
    anyhow::Error::from(error).context(format!("{open} events are not acknowledged"))
}

fn say_where_to_resume(writer: &Writer) {
    if let Some(cursor) = writer.resume_position().low_watermark() {
        output::tell(&format!(
            "forebay: of the source everything up to cursor {cursor} was acknowledged: resume it there"
        ));
    }
}

/// Says so where a source was to be resumed by its cursor, and no line had any.
fn say_where_no_cursor_was(at: &CursorAt, came: &AppendOutcome) {
    if came.counts.acknowledged > 0 && came.low_watermark.is_none() {
        output::tell(&format!(
            "forebay: no line had a whole number at {at}: the buffer does not say where to resume the source"
        ));
    }
}

fn cursor_at(pointer: &str) -> Result<CursorAt, String> {
    CursorAt::new(pointer).ok_or_else(|| "a JSON pointer begins with a slash, as /time_us".into())
}

/// What a run came to.
struct AppendOutcome {
    counts: Counts,
    /// The last line of the input up to which everything is settled.
    settled: u64,
    /// Up to which cursor of the source everything is settled, where its lines have one.
    low_watermark: Option<u64>,
    /// Lines that were no events.
    refused: u64,
    took: Duration,
}
