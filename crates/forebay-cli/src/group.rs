//! `forebay group`: groups made, dropped, and freed of blocks that nobody can read.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{block_id, output};
use crate::arguments::{At, Events, Global};
use crate::exit;
use forebay::buffer::group_admin::{Groups, Skipped};
use forebay_watch::figures::count;

/// Make or drop a consumer group, or let go of what it cannot read
#[derive(Args)]
#[command(after_help = "Examples:
  forebay group add parquet       before the first event, or while there is room
  forebay group drop parquet      what no other group holds is trimmed
  forebay group skip parquet      damaged blocks no longer hold up trimming

`forebay stat` shows groups. Exit code 1 says that `skip` gave up events.")]
pub(crate) struct Group {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a group on every lane, from the oldest block held on, also of a buffer that no writer has made yet
    Add(Added),
    /// Drop a group that nobody reads as any more, and trim what no other group holds
    Drop(Named),
    /// Acknowledge the blocks that a group was given and that are damaged or gone; each is reported by its place
    Skip(Named),
}

#[derive(Args)]
struct Named {
    #[command(flatten)]
    at: At,
    /// The group
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    group: String,
}

#[derive(Args)]
struct Added {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    events: Events,
}

impl Group {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        match &self.verb {
            Verb::Add(Added { named, events }) => {
                let stream = events.stream()?;
                let mut groups = named.open()?;
                if let Some(stream) = stream {
                    groups = groups.of(stream)?;
                }
                add(&mut groups, named, global)
            }
            Verb::Drop(named) => drop(&mut named.open()?, &named.group, global),
            Verb::Skip(named) => skip(&mut named.open()?, &named.group, global),
        }
    }
}

impl Named {
    fn open(&self) -> anyhow::Result<Groups> {
        let (address, name) = self.at.parse()?;
        Ok(Groups::open(&address, &name)?)
    }
}

fn add(groups: &mut Groups, named: &Named, global: &Global) -> Outcome {
    let ((address, name), group) = (named.at.parse()?, &named.group);
    let lanes = groups.add(group)?;
    let text = match lanes {
        0 => format!("buffer {name} at {address} has group {group} already"),
        lanes => format!("group {group} made on {lanes} lanes of buffer {name} at {address}"),
    };
    output::told(global.json, &json!({ "lanes": lanes }), &text).map(|()| exit::OK)
}

fn drop(groups: &mut Groups, group: &str, global: &Global) -> Outcome {
    let (lanes, blocks) = groups.drop_group(group)?;
    let text = format!(
        "group {group} dropped from {lanes} lanes; {} blocks trimmed that no other group holds",
        count(blocks)
    );
    output::told(global.json, &json!({ "lanes": lanes, "blocks_trimmed": blocks }), &text).map(|()| exit::OK)
}

fn skip(groups: &mut Groups, group: &str, global: &Global) -> Outcome {
    let skips = groups.skip_damaged(group)?;
    let mut text: Vec<String> = skips.skipped.iter().map(line).collect();
    let (blocks, events) =
        (skips.skipped.len(), skips.skipped.iter().filter_map(|one| one.events).sum::<u64>());
    let unknown = skips.skipped.iter().filter(|one| one.events.is_none()).count();
    let beside =
        if unknown > 0 { format!(" and those of {unknown} that do not say how many") } else { String::new() };
    text.push(match blocks {
        0 => format!("group {group} was given no damaged block that it has not acknowledged"),
        _ => format!(
            "group {group}: {} blocks let go; given up: {} events{beside}",
            count(blocks as u64),
            count(events)
        ),
    });
    if skips.newer > 0 {
        text.push(format!("{} blocks of a later format stay: a newer forebay reads them", skips.newer));
    }
    let list: Vec<_> = skips.skipped.iter().map(as_json).collect();
    output::told(global.json, &json!({ "skipped": list, "newer": skips.newer }), &text.join("\n"))?;
    Ok(if blocks > 0 { exit::REFUTED } else { exit::OK })
}

type Outcome = anyhow::Result<u8>;

fn line(skipped: &Skipped) -> String {
    let id = block_id::block_id_text(skipped.lane, skipped.id);
    match &skipped.why {
        Some(why) => format!("{id}  damaged: {why}"),
        None => format!("{id}  no longer in the stream"),
    }
}

fn as_json(skipped: &Skipped) -> serde_json::Value {
    json!({
        "block": block_id::block_id_text(skipped.lane, skipped.id),
        "why": skipped.why.as_ref().map(ToString::to_string),
        "events": skipped.events,
    })
}
