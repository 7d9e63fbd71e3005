//! What a copied AOF folder holds, for a terminal: the verdict first, then the lanes, then every doubt by its place.

use super::super::units::{self, counted};
use super::page::{Page, WIDTHS};
use super::table;
use crate::verify::lane::{End, LaneReport};
use crate::verify::load::Cut;
use crate::verify::log::Why;
use crate::verify::source::{DataLayout, Source};
use crate::verify::{Outcome, State};

mod missing_buffer;
mod refused;

/// Gaps, and damaged entries, that are shown of a lane.
const SHOWN: usize = 10;
/// Files of the folder that are shown.
const FILES_SHOWN: usize = 20;
/// What stands where there is no figure.
const NONE: &str = "-";

/// The outcome in lines of at most `width` columns.
pub fn render(outcome: &Outcome, width: usize) -> String {
    let mut page = Page { out: String::new(), width: width.clamp(WIDTHS.0, WIDTHS.1), colour: false };
    page.wrapped(&headline(outcome), "", "  ");
    found(&mut page, &outcome.source);
    if !outcome.changed.is_empty() {
        let names = outcome.changed.join(", ");
        page.field("changed", &format!("while it was copied: {names}. Stop the server, or copy first"));
    }
    if let Some(cut) = &outcome.cut {
        page.field("tail", &tail(cut));
    }
    match &outcome.refused {
        Some(refusal) => refused::render(&mut page, &outcome.source, refusal),
        None => page.field("loaded by", &outcome.server),
    }
    if outcome.state == State::NoBuffer {
        others(&mut page, outcome);
        missing_buffer::render(&mut page, outcome);
    } else if let Some((log, emptied)) = outcome.emptied() {
        let place = format!("{}, byte {}", log.file, emptied.offset);
        page.field(
            "emptied",
            &format!("by {} ({place}): what came before it is in no count", emptied.command),
        );
    }
    if !outcome.lanes.is_empty() {
        lanes(&mut page, &outcome.lanes, outcome.cut.is_some());
    }
    page.out
}

fn headline(outcome: &Outcome) -> String {
    let Outcome { buffer, events, blocks, lanes, .. } = outcome;
    let held = format!("{} in {}", counted(*events, "event", "events"), counted(*blocks, "block", "blocks"));
    match outcome.state {
        State::Sound => format!("SOUND: {held} of buffer {buffer}, without a gap or damage"),
        State::NoBuffer => {
            format!("NO BUFFER: there is no buffer {buffer} in database {} of this AOF", outcome.database)
        }
        State::Refused => match outcome.refused.as_ref().and_then(|refusal| refusal.programs.first()) {
            Some(program) => format!(
                "NOT LOADED: {} of {} holds {}, which is no data; nothing in it was run",
                format_args!("byte {}", program.command.offset),
                program.file,
                program.command.command
            ),
            None => format!("NOT LOADED: {} does not load this folder", outcome.server),
        },
        State::Faulty => {
            let sum = |figure: fn(&LaneReport) -> u64| lanes.iter().map(figure).sum::<u64>();
            let mut faults = Vec::new();
            let missing = sum(|lane| lane.missing_blocks + at_end(lane).0);
            if missing > 0 {
                let events = counted(sum(|lane| lane.missing_events + at_end(lane).1), "event", "events");
                faults.push(format!("{} missing ({events})", counted(missing, "block", "blocks")));
            }
            let damaged = sum(|lane| lane.damage_count);
            if damaged > 0 {
                faults.push(format!("{} damaged or out of place", counted(damaged, "entry", "entries")));
            }
            faults.extend(outcome.cut.is_some().then(|| "the tail is cut".to_owned()));
            let is_doubted = !outcome.source.doubts.is_empty();
            faults.extend(is_doubted.then(|| "files of the AOF are left out or empty".to_owned()));
            faults.extend(lanes.iter().filter_map(odd_end));
            format!("FAULTY: {}; sound are {held} of buffer {buffer}", faults.join(", "))
        }
    }
}

/// The end of a file that is not whole, and what a server makes of it.
fn tail(cut: &Cut) -> String {
    let bytes = counted(cut.bytes, "byte", "bytes");
    let place = format!("cut: {bytes} of {}, from byte {} on", cut.file, cut.offset);
    match cut.why {
        Why::TimeStamp => format!(
            "{place}: a time stamp that is not whole. No event is missing for it, but a server that starts on this file \
             writes on in the middle of that line, and none loads it again. Before one does, on a copy: truncate -s {} {}",
            cut.offset,
            super::super::shell::word(&cut.file)
        ),
        _ => format!(
            "{place}: the server leaves out a command that is not whole, and all behind it; a transaction that is not whole \
             goes from its start. What was in there is in no count below"
        ),
    }
}

/// What is wrong with a lane's end, but for blocks that are missing there.
fn odd_end(lane: &LaneReport) -> Option<String> {
    let name = lane.lane;
    match lane.end {
        End::WithWriter | End::Empty | End::BeforeWriter { .. } => None,
        End::Deleted => Some(format!("the stream of {name} was deleted")),
        End::Disagrees { .. } => Some(format!("{name} does not end where its writer's hash says")),
        End::Unknown => Some(format!("where {name} ends cannot be read")),
        End::NoWriter => Some(format!("the writer's hash of {name} is not there, or not numbers")),
    }
}

/// Blocks and events missing at a lane's end.
fn at_end(lane: &LaneReport) -> (u64, u64) {
    match lane.end {
        End::BeforeWriter { blocks, events } => (blocks, events),
        _ => (0, 0),
    }
}

fn found(page: &mut Page, source: &Source) {
    let what = match source.kind {
        DataLayout::Parts => "AOF in parts",
        DataLayout::Single => "single AOF file",
        DataLayout::Snapshot => "snapshot, no AOF",
    };
    let folder = source.folder.display();
    let size = units::bytes(source.bytes() as f64);
    let files = counted(source.files.len() as u64, "file", "files");
    page.field("found", &format!("{what}: {}, {files}, {size}, in {folder}", source.name));
    for (at, file) in source.listing.iter().take(FILES_SHOWN).enumerate() {
        let head = file.head.as_ref().map_or_else(String::new, |head| format!("; {head}"));
        let size = counted(file.bytes, "byte", "bytes");
        let text = format!("{}, {size}: {}{head}", file.name.escape_debug(), file.role.words());
        page.field(if at == 0 { "in it" } else { "" }, &text);
    }
    let more = source.listing.len().saturating_sub(FILES_SHOWN) as u64;
    if more > 0 {
        page.field("", &format!("and {}: --json lists them", counted(more, "more file", "more files")));
    }
    if !source.missing.is_empty() {
        page.field("missing", &format!("{}: named by the manifest and not there", source.missing.join(", ")));
    }
    for doubt in &source.doubts {
        page.field("doubt", doubt);
    }
    if !source.unlisted.is_empty() {
        page.field("left out", &format!("{}: not named by the manifest", source.unlisted.join(", ")));
    }
}

fn others(page: &mut Page, outcome: &Outcome) {
    if outcome.buffers.is_empty() {
        page.field("buffers", "none at all, in any database");
    }
    for other in &outcome.buffers {
        // Said of database 0 too, where another one was asked for.
        let is_same = other.database == outcome.database;
        let place = if is_same { String::new() } else { format!(" --db {}", other.database) };
        page.field("buffers", &format!("--buffer {}{place}", other.buffer));
    }
}

fn lanes(page: &mut Page, lanes: &[LaneReport], is_cut: bool) {
    let columns = ["lane", "events", "blocks", "first", "last", "from (time_us)", "to (time_us)"];
    let number = |number: Option<u64>| number.map_or(NONE.into(), |number| number.to_string());
    let row = |lane: &LaneReport| {
        vec![
            lane.lane.name().to_owned(),
            lane.events.to_string(),
            lane.blocks.to_string(),
            number(lane.first_block),
            number(lane.last_block),
            number(lane.time_us_min),
            number(lane.time_us_max),
        ]
    };
    page.blank();
    let rows: Vec<Vec<String>> = lanes.iter().map(row).collect();
    for line in table::lines(&columns.map(String::from), &rows, page.width) {
        page.line(&line);
    }
    page.blank();
    for lane in lanes {
        let name = lane.lane.name();
        for (at, text) in remarks(lane).iter().enumerate() {
            page.field(if at == 0 { name } else { "" }, text);
        }
    }
    // Where the tail is cut, the last words of the hash are cut too.
    if !is_cut && lanes.iter().all(|lane| ends_as_written(&lane.end)) {
        page.field("ends", "every lane ends with the last block that its writer's hash tells of");
    }
    page.field("not told", "what was acknowledged and never reached the disk: it leaves no gap in an AOF");
}

fn ends_as_written(end: &End) -> bool {
    matches!(end, End::WithWriter | End::Empty)
}

/// What is to be said of a lane besides its figures.
fn remarks(lane: &LaneReport) -> Vec<String> {
    let mut lines = Vec::new();
    match (lane.blocks_before, lane.events_before) {
        (Some(0), _) => {}
        (Some(blocks), Some(events)) => lines.push(format!(
            "before the first: {} ({}), let go or deleted",
            counted(blocks, "block", "blocks"),
            counted(events, "event", "events")
        )),
        _ if lane.first_block.is_some() => {
            lines.push("before the first: unknown, an entry there is damaged".into());
        }
        _ => {}
    }
    lines.extend(lane.gaps.iter().take(SHOWN).map(|gap| {
        let events = counted(gap.events, "event", "events");
        let blocks = if gap.from == gap.to {
            format!("block {}", gap.from)
        } else {
            format!("blocks {} to {}", gap.from, gap.to)
        };
        format!("missing: {blocks} ({events}) before entry {}", gap.before)
    }));
    lines.extend(more(lane.gap_count, "gap", "gaps"));
    lines.extend(
        lane.damage.iter().take(SHOWN).map(|entry| format!("damaged: entry {}: {}", entry.id, entry.why)),
    );
    lines.extend(more(lane.damage_count, "damaged entry", "damaged entries"));
    if let Some(id) = &lane.deleted_upto {
        lines.push(format!("somebody used XDEL, last on entry {id}: Forebay never does"));
    }
    lines.extend(end(lane));
    lines
}

fn more(count: u64, one: &str, many: &str) -> Option<String> {
    let rest = count.saturating_sub(SHOWN as u64);
    (rest > 0).then(|| {
        format!("and {}: --json lists them", counted(rest, &format!("more {one}"), &format!("more {many}")))
    })
}

/// Where the lane ends beside its writer's hash; none where that goes without saying.
fn end(lane: &LaneReport) -> Option<String> {
    let Some(writer) = lane.writer else {
        let why = "its writer's hash is not there, or not numbers, so what should be there is unknown";
        return Some(format!("end: {why}"));
    };
    let why = match &lane.end {
        End::WithWriter | End::NoWriter => return None,
        End::Empty if writer.s == 0 => return None,
        End::Empty => "all of it was let go or trimmed".into(),
        End::BeforeWriter { blocks, events } => format!(
            "{} ({}) at the end are missing",
            counted(*blocks, "block", "blocks"),
            counted(*events, "event", "events")
        ),
        End::Deleted => "somebody deleted it: DEL, an eviction, or XDEL".into(),
        End::Disagrees { s, e } => format!("the stream ends with block {s}, event {e}"),
        End::Unknown => "the last entry cannot be read".into(),
    };
    Some(format!("end: its writer's hash says block {}, event {}; {why}", writer.s, writer.e))
}
