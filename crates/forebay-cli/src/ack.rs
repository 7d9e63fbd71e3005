//! `forebay ack`: blocks acknowledged by their ids, once whoever read them has them safe.

use std::io::{BufRead, BufReader, Read as _};

use anyhow::Context;
use clap::Args;

use super::{block_id, output};
use crate::arguments::{At, Global};
use crate::exit;
use forebay::buffer::entry::Id;
use forebay::buffer::group_admin::Groups;
use forebay::event::lane::Lane;

/// Bytes of a line on stdin, at the most.
const LINE_BYTES_MAX: u64 = 4_096;

/// Blocks that are acknowledged at once.
const AT_ONCE: usize = 1_000;

/// Acknowledge blocks for a group, by the ids that `read --frames` prints
#[derive(Args)]
#[command(after_help = "Examples:
  forebay ack --group parquet likes/1795460789550-0 posts/1795460789557-0
  forebay ack --group parquet < done    an id a line, or a line of `read --frames`

Acknowledge what is durable where you took it, and not before: blocks that every
group has acknowledged are trimmed. To acknowledge one twice changes nothing.")]
pub(crate) struct Ack {
    #[command(flatten)]
    at: At,
    /// The group that was given the blocks
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    group: String,
    /// Ids of blocks; without any they come on stdin
    #[arg(value_name = "BLOCK")]
    blocks: Vec<String>,
}

/// What came of it.
#[derive(Default)]
struct Done {
    asked: u64,
    acknowledged: u64,
}

impl Ack {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let (address, name) = self.at.parse()?;
        // All of them are read before the first is acknowledged, where they stand on the command line.
        let mut groups = Groups::open(&address, &name)?;
        groups.must_have(&self.group)?;
        let given =
            self.blocks.iter().map(|text| parse(text, &groups)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut done = Done::default();
        for chunk in given.chunks(AT_ONCE) {
            self.acknowledge(&mut groups, chunk, &mut done)?;
        }
        if self.blocks.is_empty() {
            self.all_of_stdin(&mut groups, &mut done)?;
        }
        let Done { asked, acknowledged } = done;
        if global.json {
            let json = serde_json::json!({ "blocks": asked, "acknowledged": acknowledged });
            output::document(&format!("{json}\n")).context(output::STDOUT)?;
        } else if !global.quiet {
            let rest = match asked - acknowledged {
                0 => String::new(),
                rest => {
                    format!("; {rest} were not pending: acknowledged before, or never given to the group")
                }
            };
            output::tell(&format!("{acknowledged} blocks acknowledged{rest}"));
        }
        Ok(exit::OK)
    }

    fn all_of_stdin(&self, groups: &mut Groups, done: &mut Done) -> anyhow::Result<()> {
        let mut stdin = BufReader::new(std::io::stdin().lock());
        let (mut line, mut number, mut blocks) = (String::new(), 0_u64, Vec::new());
        loop {
            line.clear();
            number += 1;
            let read = stdin.by_ref().take(LINE_BYTES_MAX).read_line(&mut line).context("reading stdin")?;
            let text = line.trim();
            if !text.is_empty() {
                blocks.push(parse(text, groups).with_context(|| format!("line {number} of stdin"))?);
            }
            if blocks.len() >= AT_ONCE || read == 0 {
                self.acknowledge(groups, &blocks, done)?;
                blocks.clear();
            }
            if read == 0 {
                return Ok(());
            }
        }
    }

    fn acknowledge(&self, groups: &mut Groups, blocks: &[(Lane, Id)], done: &mut Done) -> anyhow::Result<()> {
        done.asked += blocks.len() as u64;
        done.acknowledged += groups.acknowledge(&self.group, blocks)?;
        Ok(())
    }
}

/// An id, alone or in the line that `read --frames` prints.
fn parse(text: &str, groups: &Groups) -> anyhow::Result<(Lane, Id)> {
    let head = text.starts_with('{').then(|| serde_json::from_str::<serde_json::Value>(text).ok()).flatten();
    let id = head.as_ref().and_then(|head| head["block"].as_str()).unwrap_or(text);
    let (lane, id) = block_id::parse(id).with_context(|| {
        format!("{id:?} is not a block's id: they are printed by `forebay read --frames`")
    })?;
    Ok((groups.lane(lane)?, id))
}
