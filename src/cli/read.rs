//! `forebay read`: events out, bytes as they came.

use std::io::{BufWriter, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::{At, Global, append::stop_on_signal, progress, say};
use crate::block::frame::{Decoder, lines};
use crate::buffer::entry::Id;
use crate::buffer::reader::{Found, Options, Reader};
use crate::event::lane::Lane;
use crate::exit;

/// Read events to stdout, byte for byte as they were appended
#[derive(Args)]
#[command(after_help = "Examples:
  forebay read > events.ndjson                 what is there, leaving no trace
  forebay read --lane posts --count 10
  forebay read --group parquet --ack --follow  take, acknowledge, let go

A block that is damaged or missing is told of by its place on stderr, and the
exit code is 1; a damaged block is never acknowledged. Ctrl-C is how --follow
ends; any other read that it cuts short gives 130.")]
pub(crate) struct Read {
    #[command(flatten)]
    at: At,
    /// Only these lanes: posts, likes, reposts, follows, blocks, other
    #[arg(long, value_delimiter = ',')]
    lane: Vec<Lane>,
    /// Read as a consumer group: each block is given out once
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    group: Option<String>,
    /// Name of this consumer in the group; readers that run at once need one each, or both get the same blocks
    #[arg(long, default_value = "forebay", requires = "group", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    consumer: String,
    /// Acknowledge what was written out; blocks that every group has acknowledged are let go
    #[arg(long, requires = "group")]
    ack: bool,
    /// Wait for more
    #[arg(long, short)]
    follow: bool,
    /// Stop after so many events; with a group, at the end of the block in which they are reached
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Take over blocks that another consumer has held for longer
    #[arg(long, value_name = "TIME", default_value = "60s")]
    claim_idle: humantime::Duration,
    /// Give up when the server was away for so long
    #[arg(long, value_name = "TIME", default_value = "10m")]
    patience: humantime::Duration,
}

/// What was read so far.
#[derive(Default)]
struct Tally {
    events: u64,
    blocks: u64,
    faults: u64,
}

impl Read {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let (address, name) = self.at.parse()?;
        let options = Options {
            lanes: if self.lane.is_empty() { Lane::ALL.to_vec() } else { self.lane.clone() },
            group: self.group.clone().map(|group| (group, self.consumer.clone())),
            ahead: self.count.is_none(),
            claim_idle: self.claim_idle.into(),
            patience: self.patience.into(),
        };
        let stop = stop_on_signal(global.quiet, "ending after these blocks; once more to end at once")?;
        let mut reader = match Reader::open(&address, &name, options) {
            // A signal breaks off whatever the system was doing.
            Err(_) if stop.load(Relaxed) => return Ok(exit::INTERRUPTED),
            opened => opened?,
        };
        reader.stop_on(&stop);
        let mut decoder = Decoder::new()?;
        let mut out = BufWriter::with_capacity(256 << 10, std::io::stdout().lock());
        let bar = progress::events(global, self.count);
        let mut tally = Tally::default();
        let wait = if self.follow { Duration::from_secs(1) } else { Duration::ZERO };
        while !stop.load(Relaxed) && self.count.is_none_or(|count| tally.events < count) {
            let found = reader.next(wait)?;
            if found.is_empty() && !self.follow {
                break;
            }
            let done = self.write(found, &mut decoder, &mut out, &mut tally)?;
            out.flush().context(say::STDOUT)?;
            if self.ack {
                reader.acknowledge(done)?;
            }
            bar.set_position(tally.events);
        }
        bar.finish_and_clear();
        // The end of `--follow` is a signal; any other read was cut short by it.
        let is_cut =
            !self.follow && stop.load(Relaxed) && self.count.is_none_or(|count| tally.events < count);
        if !global.quiet {
            let cut = if is_cut { ", interrupted before the end" } else { "" };
            let Tally { events, blocks, faults } = tally;
            say::tell(&format!("{events} events from {blocks} blocks, {faults} faults{cut}"));
        }
        Ok(if is_cut {
            exit::INTERRUPTED
        } else if tally.faults > 0 {
            exit::REFUTED
        } else {
            exit::OK
        })
    }

    /// Writes blocks out; gives those that may be acknowledged. Without a group `--count` may end within a
    /// block, with one a block is given out whole.
    fn write(
        &self,
        found: Vec<Found>,
        decoder: &mut Decoder,
        out: &mut impl Write,
        tally: &mut Tally,
    ) -> anyhow::Result<Vec<(Lane, Id)>> {
        let mut done = Vec::new();
        for item in found {
            let left = self.count.map_or(u64::MAX, |count| count.saturating_sub(tally.events));
            if left == 0 {
                break;
            }
            let (lane, entry) = match item {
                Found::Block(lane, entry) => (lane, entry),
                fault => {
                    tell(tally, &fault);
                    // There is nothing left of it to read: told of once, it need not hold up trimming.
                    if let Found::Gone { lane, id } = fault {
                        done.push((lane, id));
                    }
                    continue;
                }
            };
            match decoder.open(&entry.frame, entry.events, entry.times) {
                Ok(content) if left >= entry.events || self.group.is_some() => {
                    out.write_all(content).and_then(|()| out.write_all(b"\n")).context(say::STDOUT)?;
                    tally.events += entry.events;
                }
                Ok(content) => {
                    for event in lines(content).take(left as usize) {
                        out.write_all(event).and_then(|()| out.write_all(b"\n")).context(say::STDOUT)?;
                        tally.events += 1;
                    }
                }
                Err(why) => {
                    tell(tally, &Found::Damaged { lane, id: entry.id, why });
                    continue;
                }
            }
            tally.blocks += 1;
            done.push((lane, entry.id));
        }
        Ok(done)
    }
}

fn tell(tally: &mut Tally, fault: &Found) {
    tally.faults += 1;
    say::tell(&format!("forebay: {fault}"));
}
