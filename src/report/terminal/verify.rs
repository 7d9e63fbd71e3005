//! What a copied AOF folder holds, for a terminal: the verdict first, then the lanes, then every doubt by its place.

use super::super::units::{self, counted};
use super::{Page, WIDTHS, table};
use crate::verify::find::{Kind, Source};
use crate::verify::lane::{Account, End};
use crate::verify::load::Refusal;
use crate::verify::{Outcome, State};

/// Gaps, and damaged entries, that are shown of a lane.
const SHOWN: usize = 10;
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
        let left_out = counted(cut.bytes, "byte", "bytes");
        let why = "the server leaves out a command that is not whole, and all behind it; nothing in the file tells \
                   which events were in there";
        page.field("tail", &format!("cut: {left_out} of {}, from byte {} on: {why}", cut.file, cut.offset));
    }
    match &outcome.refused {
        Some(refusal) => refused(&mut page, outcome, refusal),
        None => page.field("loaded by", &outcome.server),
    }
    if outcome.state == State::NoBuffer {
        others(&mut page, outcome);
    }
    if !outcome.lanes.is_empty() {
        lanes(&mut page, &outcome.lanes);
    }
    page.out
}

fn headline(outcome: &Outcome) -> String {
    let Outcome { buffer, events, blocks, lanes, .. } = outcome;
    let held = format!("{} in {}", counted(*events, "event", "events"), counted(*blocks, "block", "blocks"));
    match outcome.state {
        State::Sound => format!("SOUND: {held} of buffer {buffer}; none is missing or damaged"),
        State::NoBuffer => {
            format!("NO BUFFER: there is no buffer {buffer} in database {} of this AOF", outcome.database)
        }
        State::Refused => format!("NOT LOADED: {} does not load this folder", outcome.server),
        State::Faulty => {
            let sum = |figure: fn(&Account) -> u64| lanes.iter().map(figure).sum::<u64>();
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
            let odd = lanes.iter().filter(|lane| {
                matches!(lane.end, End::Deleted | End::Disagrees { .. } | End::Unknown | End::NoWriter)
            });
            let odd: Vec<&str> = odd.map(|lane| lane.lane.name()).collect();
            if !odd.is_empty() {
                faults.push(format!("the end is not what the writer says in {}", odd.join(", ")));
            }
            format!("FAULTY: {}; sound are {held} of buffer {buffer}", faults.join(", "))
        }
    }
}

/// Blocks and events missing at a lane's end.
fn at_end(lane: &Account) -> (u64, u64) {
    match lane.end {
        End::BeforeWriter { blocks, events } => (blocks, events),
        _ => (0, 0),
    }
}

fn found(page: &mut Page, source: &Source) {
    let what = match source.kind {
        Kind::Parts => "AOF in parts",
        Kind::Single => "single AOF file",
        Kind::Snapshot => "snapshot, no AOF",
    };
    let folder = source.folder.display();
    let size = units::bytes(source.bytes() as f64);
    let files = counted(source.files.len() as u64, "file", "files");
    page.field("found", &format!("{what}: {}, {files}, {size}, in {folder}", source.name));
    if !source.missing.is_empty() {
        page.field("missing", &format!("{}: named by the manifest and not there", source.missing.join(", ")));
    }
    if !source.unlisted.is_empty() {
        page.field("left out", &format!("{}: not named by the manifest", source.unlisted.join(", ")));
    }
}

fn refused(page: &mut Page, outcome: &Outcome, refusal: &Refusal) {
    let source = &outcome.source;
    page.field("ended", &refusal.ended);
    for file in &source.files {
        page.field("on disk", &format!("{}, {}", file.name, counted(file.bytes, "byte", "bytes")));
    }
    if let Some(stop) = &refusal.stop {
        let file = stop.file.as_deref().unwrap_or(&source.name);
        let rest = stop.rest.map(|rest| format!(", {} before its end", counted(rest, "byte", "bytes")));
        page.field("sound to", &format!("byte {} of {file}{}", stop.offset, rest.unwrap_or_default()));
    }
    page.section("The server's last words");
    for line in &refusal.log {
        page.wrapped(line, "  ", "    ");
    }
    page.section("What you can do");
    for line in remedies(source, refusal) {
        page.wrapped(&line, "  ", "    ");
    }
}

fn remedies(source: &Source, refusal: &Refusal) -> Vec<String> {
    let said = |part: &str| refusal.log.iter().any(|line| line.contains(part));
    let mut lines = Vec::new();
    if said("Can't handle RDB format version") || said("Unknown command") || said("Unknown AOF file type") {
        lines.push(
            "The AOF may be of a newer server, or of one with modules: --server-bin names that one.".into(),
        );
    }
    if !source.missing.is_empty() {
        let names = source.missing.join(", ");
        lines.push(format!("Bring {names} from where the folder was copied: without it nothing is loaded."));
    }
    lines.push("Nothing was changed or deleted. Try on a copy:".into());
    lines.push(format!("cp -a {} copy", source.folder.display()));
    if source.kind == Kind::Snapshot {
        lines.push(format!("redis-check-rdb copy/{}   where it stops; it cannot mend", source.name));
        return lines;
    }
    lines.push(format!("redis-check-aof copy/{}   where it stops", source.name));
    lines.push(format!("redis-check-aof --fix copy/{}", source.name));
    let lost = match refusal.stop.as_ref().and_then(|stop| stop.rest) {
        Some(rest) => format!(
            "cuts the file there, so {}, whole blocks among them, are lost",
            counted(rest, "byte", "bytes")
        ),
        None => "cuts the file there, so all behind that place is lost".into(),
    };
    lines.push(format!(
        "{lost}; a base file or one that is not the last it does not mend. Then: forebay verify --aof copy"
    ));
    lines
}

fn others(page: &mut Page, outcome: &Outcome) {
    if outcome.buffers.is_empty() {
        page.field("buffers", "none at all, in any database");
    }
    for (name, database) in &outcome.buffers {
        let place = if *database == outcome.database { String::new() } else { format!(" --db {database}") };
        page.field("buffers", &format!("--buffer {name}{place}"));
    }
}

fn lanes(page: &mut Page, lanes: &[Account]) {
    let columns = ["lane", "events", "blocks", "first", "last", "from (time_us)", "to (time_us)"];
    let number = |number: Option<u64>| number.map_or(NONE.into(), |number| number.to_string());
    let row = |lane: &Account| {
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
}

/// What is to be said of a lane besides its figures.
fn remarks(lane: &Account) -> Vec<String> {
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
        format!("missing: blocks {} to {} ({events}) before entry {}", gap.from, gap.to, gap.before)
    }));
    lines.extend(more(lane.gap_count, "gap", "gaps"));
    lines.extend(
        lane.damage.iter().take(SHOWN).map(|entry| format!("damaged: entry {}: {}", entry.id, entry.why)),
    );
    lines.extend(more(lane.damage_count, "damaged entry", "damaged entries"));
    if let Some(id) = &lane.deleted_upto {
        lines.push(format!("somebody used XDEL, last on entry {id}: Forebay never does"));
    }
    lines.push(end(lane));
    lines
}

fn more(count: u64, one: &str, many: &str) -> Option<String> {
    let rest = count.saturating_sub(SHOWN as u64);
    (rest > 0).then(|| {
        format!("and {}: --json lists them", counted(rest, &format!("more {one}"), &format!("more {many}")))
    })
}

/// Where the lane ends beside its writer's hash.
fn end(lane: &Account) -> String {
    let Some(writer) = lane.writer else {
        return "end: the writer's hash is not there, or not numbers, so what should be there is unknown"
            .into();
    };
    let says =
        format!("the writer's hash says block {}, event {}, epoch {}", writer.s, writer.e, writer.epoch);
    let why = match &lane.end {
        End::WithWriter => "and so it ends".into(),
        End::Empty if writer.s == 0 => "nothing was ever appended".into(),
        End::Empty => "and all of it was let go".into(),
        End::BeforeWriter { blocks, events } => format!(
            "{} ({}) are missing at the end",
            counted(*blocks, "block", "blocks"),
            counted(*events, "event", "events")
        ),
        End::Deleted => "and somebody deleted it: DEL, an eviction, or XDEL".into(),
        End::Disagrees { s, e } => format!("the stream ends with block {s}, event {e}"),
        End::Unknown => "the last entry cannot be read".into(),
        End::NoWriter => return says,
    };
    format!("end: {says}; {why}")
}
