//! `forebay read`: events out, bytes as they came.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use self::blocks::{Blocks, Tally};
use self::exec::Exec;
use self::sink::Sink;
use self::stdout::Stdout;
use super::signal::stop_on_signal;
use super::{output, progress};
use crate::arguments::{At, Global};
use crate::exit;
use forebay::buffer::entry::Id;
use forebay::buffer::reader::{Options, ReadItem, Reader, own_consumer};
use forebay::event::lane::Lane;
use forebay_watch::figures::count;

mod blocks;
mod exec;
mod sink;
mod stdout;

/// Read events to stdout, byte for byte as they were appended
#[derive(Args)]
#[command(after_help = "Examples:
  forebay read > events.ndjson         what is there, leaving no trace
  forebay read --lane posts --count 10
  forebay read --group parquet --ack >> events.ndjson
  forebay read --group parquet --follow --exec ./load
  forebay read --group parquet --frames

What an acknowledgement is worth:
  --ack >> FILE   the events are in FILE, also after a power cut: it is fsynced
                  first, and so is its folder. After a full disk or a kill the
                  last line may be cut; its event was not acknowledged, and the
                  next run reads it again.
  --exec CMD      CMD has exited 0, and answers for them. What it was given
                  before it failed, it is given again.
  forebay ack     you have said so, by the ids that --frames prints.
  --ack --at-most-once | SINK
                  they were written into the pipe. What a SINK that dies had
                  not saved is lost; if the pipe breaks, the exit code is 1.

A block that is damaged or missing is told of by its place on stderr, and the
exit code is 1; a damaged block is never acknowledged (`forebay group skip`
lets it go). Ctrl-C is how --follow ends; any other read that it cuts short
gives 130.")]
pub(crate) struct Read {
    #[command(flatten)]
    at: At,
    /// Only these lanes, as posts,likes; else all of them
    #[arg(long, value_delimiter = ',')]
    lane: Vec<String>,
    /// Read as a consumer group: each block is given out once
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    group: Option<String>,
    /// Name of this consumer in the group: whoever comes back under it is given at once what it did not acknowledge; two
    /// that run at once under it get the same blocks. Without one it has a name of its own for this run, and others are
    /// given what it leaves after --claim-idle
    #[arg(long, requires = "group", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    consumer: Option<String>,
    #[command(flatten)]
    acknowledge: Acknowledge,
    /// Before the events of each block a line with its id and how many they are, as JSON
    #[arg(long)]
    frames: bool,
    /// Wait for more
    #[arg(long, short)]
    follow: bool,
    /// Stop after so many events; with --group or --frames, at the end of the block in which they are reached
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Take over blocks that another consumer has held for longer
    #[arg(long, value_name = "TIME", default_value = "60s")]
    claim_idle: humantime::Duration,
    /// Give up when the server was away for so long
    #[arg(long, value_name = "TIME", default_value = "10m")]
    patience: humantime::Duration,
}

/// Who says that the events have arrived.
#[derive(Args)]
struct Acknowledge {
    /// Acknowledge what is in the file on stdout and fsynced; blocks that every group has acknowledged are let go
    #[arg(long, requires = "group")]
    ack: bool,
    /// With --ack into a pipe or a terminal: acknowledge what was written, whether it arrives or not
    #[arg(long, requires = "ack")]
    at_most_once: bool,
    /// Give each batch to this shell command on stdin, and acknowledge it when that exits 0; it is tried 3 times, in nine
    /// tenths of --claim-idle. `FOREBAY_EVENTS` tells it how many events there are
    #[arg(long, value_name = "CMD", requires = "group", conflicts_with = "ack")]
    exec: Option<String>,
}

impl Read {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let (address, name) = self.at.parse()?;
        let options = Options {
            lanes: self.lane.clone(),
            group: self
                .group
                .clone()
                .map(|group| (group, self.consumer.clone().unwrap_or_else(own_consumer))),
            // What lies with this consumer while a command is at work gets old.
            ahead: self.count.is_none() && self.acknowledge.exec.is_none(),
            claim_idle: self.claim_idle.into(),
            patience: self.patience.into(),
        };
        let stdout = if self.acknowledge.ack {
            Stdout::acknowledged(self.acknowledge.at_most_once)?
        } else {
            Stdout::plain()?
        };
        let stop = stop_on_signal(global.quiet, "ending after these blocks; once more to end at once")?;
        let mut reader = match Reader::open_existing(&address, &name, options) {
            // A signal breaks off whatever the system was doing.
            Err(error) if error.is_by_signal(&stop) => return Ok(exit::INTERRUPTED),
            opened => opened?,
        };
        reader.stop_on(&stop);
        let mut sink = match &self.acknowledge.exec {
            Some(line) => Sink::command(Exec::new(line, self.claim_idle.into(), &stop)),
            None => Sink::stdout(stdout),
        };
        let mut tally = Tally::default();
        let failed = self.read_into(&mut sink, &mut reader, &mut tally, global, &stop);
        let elsewhere = if self.follow { None } else { reader.held_by_others() };
        if self.consumer.is_none() {
            reader.leave();
        }
        let failed = failed?;
        // The end of `--follow` is a signal; any other read was cut short by it.
        let is_cut = !self.follow && stop.load(Relaxed) && !self.is_enough(&tally);
        if let Some(why) = &failed {
            output::tell(&format!("forebay: {why}"));
        }
        if !global.quiet {
            let cut = if is_cut { ", interrupted before the end" } else { "" };
            let Tally { events, blocks, faults, .. } = tally;
            let [events, blocks, faults] = [events, blocks, faults].map(count);
            output::tell(&format!("{events} events from {blocks} blocks, {faults} faults{cut}"));
            if let Some(blocks) = elsewhere.filter(|blocks| *blocks > 0) {
                output::tell(&format!(
                    "forebay: {blocks} blocks are with other consumers of the group, who have not acknowledged them: \
                     they are given to another one after {} (--claim-idle)",
                    self.claim_idle
                ));
            }
        }
        Ok(if failed.is_some() {
            exit::REFUTED
        } else if is_cut {
            exit::INTERRUPTED
        } else if tally.faults > 0 {
            exit::REFUTED
        } else {
            exit::OK
        })
    }

    fn is_enough(&self, tally: &Tally) -> bool {
        self.count.is_some_and(|count| tally.events >= count)
    }

    /// Reads until there is no more, or enough, or a signal; or why what is read goes nowhere.
    fn read_into(
        &self,
        sink: &mut Sink<'_>,
        reader: &mut Reader,
        tally: &mut Tally,
        global: &Global,
        stop: &AtomicBool,
    ) -> anyhow::Result<Option<String>> {
        let bar = progress::events(global, self.count);
        let wait = if self.follow { Duration::from_secs(1) } else { Duration::ZERO };
        let mut blocks =
            Blocks::new(reader.events(), self.count, self.group.is_some() || self.frames, self.frames)?;
        let acknowledges = self.acknowledge.ack || self.acknowledge.exec.is_some();
        if acknowledges {
            // What no group holds any more goes, whether there is something new to read or not.
            reader.acknowledge([])?;
        }
        while !stop.load(Relaxed) && !self.is_enough(tally) {
            let found = reader.next(wait)?;
            if found.is_empty() && !self.follow {
                break;
            }
            let before = (tally.events, tally.blocks);
            let done = match pass_on(sink, &mut blocks, found, tally) {
                Err(error) if sink.is_abandoned(Some(&error)) => return Ok(Some(abandoned(tally))),
                Err(error) => return Err(error),
                Ok(Ok(done)) => done,
                Ok(Err(why)) => {
                    let events = tally.events - before.0;
                    (tally.events, tally.blocks) = before;
                    return Ok(Some(format!(
                        "{why}; {} events are not acknowledged, and are given again",
                        count(events)
                    )));
                }
            };
            if acknowledges {
                reader.acknowledge(done)?;
                tally.acknowledged = tally.events;
            }
            bar.set_position(tally.events);
        }
        bar.finish_and_clear();
        Ok(sink.is_abandoned(None).then(|| abandoned(tally)))
    }
}

/// Writes a batch and delivers it: what may be acknowledged then; or why it did not arrive.
fn pass_on(
    sink: &mut Sink<'_>,
    blocks: &mut Blocks,
    found: Vec<ReadItem>,
    tally: &mut Tally,
) -> anyhow::Result<Result<Vec<(Lane, Id)>, String>> {
    let (doing, before) = (sink.doing(), tally.events);
    let done = blocks.write(found, sink.begin()?, tally).context(doing)?;
    Ok(sink.deliver(tally.events - before)?.map(|()| done))
}

fn abandoned(tally: &Tally) -> String {
    format!(
        "whoever read stdout has gone: up to {} events that were acknowledged (--at-most-once) may not have arrived",
        count(tally.acknowledged)
    )
}
