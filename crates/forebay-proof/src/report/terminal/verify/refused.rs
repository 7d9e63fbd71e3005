//! A folder that a server does not load: its last words, and what its user can do.

use super::super::page::Page;
use crate::report::shell;
use crate::report::units::counted;
use crate::verify::load::Refusal;
use crate::verify::log::Why;
use crate::verify::source::{DataLayout, Source};

/// In what Valkey 9.1 says of its module for Lua, which asks for a setting and may not here.
const ASKS: &str = "lua-enable-insecure-api";
/// Warnings of the server that are shown.
const WARNINGS_SHOWN: usize = 5;

/// Why a server did not load the files, where they stop being sound, and what helps.
pub(super) fn render(page: &mut Page, source: &Source, refusal: &Refusal) {
    if !refusal.programs.is_empty() {
        return programs(page, refusal);
    }
    page.field("server", &format!("ended by itself ({})", refusal.ended));
    // Where a checker of the same server gives up on a format that it does not know is no place.
    if let Some(stop) = refusal.stop.as_ref().filter(|_| !is_newer(refusal)) {
        let file = stop.file.as_deref().unwrap_or(&source.name);
        match stop.rest {
            Some(rest) => {
                let rest = counted(rest, "byte", "bytes");
                let why = stop.why.map_or("", why);
                page.field(
                    "sound to",
                    &format!("byte {} of {file}, {rest} before its end{why}", stop.offset),
                );
            }
            // Of a base only the whole has a checksum.
            None => page
                .field("noticed", &format!("at byte {} of {file}; the fault may be before it", stop.offset)),
        }
    }
    page.section("The server's last words");
    for line in last_words(&refusal.log) {
        page.wrapped(line, "  ", "    ");
    }
    page.section("What you can do");
    let (advice, commands) = remedies(source, refusal);
    for line in advice {
        page.wrapped(&line, "  ", "  ");
    }
    for line in commands {
        page.wrapped(&line, "    ", "      ");
    }
}

/// Why commands are not whole from a place on.
fn why(why: Why) -> &'static str {
    match why {
        Why::Command => ": there begins a command that is not whole",
        Why::Transaction => ": there begins a transaction that has no end",
        Why::TimeStamp => ": there begins a time stamp that is not whole",
        Why::NoCommand => ": what stands there is no command",
        Why::Zeros => ": from there on all is zero, as a disk leaves it whose power failed",
    }
}

/// Commands that are no data: nothing was started.
fn programs(page: &mut Page, refusal: &Refusal) {
    page.field("server", &refusal.ended);
    for (at, program) in refusal.programs.iter().enumerate() {
        let about = if program.is_known {
            "acts on a server, and is no data"
        } else {
            "this server has none of that name"
        };
        let text = format!(
            "{}, byte {}: {}: {about}",
            program.file, program.command.offset, program.command.command
        );
        page.field(if at == 0 { "commands" } else { "" }, &text);
    }
    page.section("What you can do");
    page.wrapped(
        "Nothing was changed, deleted, or run: a server obeys whatever stands in its AOF.",
        "  ",
        "  ",
    );
    if refusal.programs.iter().any(|program| program.is_known) {
        let text = "Servers write data there, and nothing that acts; except FUNCTION where somebody uses functions, until the next \
                    BGREWRITEAOF, and EVAL before Redis 7. Else somebody has edited the file: do not start a server on it. Ask \
                    where it came from, and take an older copy.";
        page.wrapped(text, "  ", "  ");
    } else {
        let text = "They may be of a module or of a newer server: --server-bin names that one.";
        page.wrapped(text, "  ", "  ");
    }
}

/// The last lines that servers mark as warnings, without those on the machine and on the start; all lines where there is
/// none.
fn last_words(log: &[String]) -> Vec<&str> {
    const START: [&str; 5] = ["WARNING", "Server initialized", "oO0OoO0OoO0Oo", "Configuration loaded", ASKS];
    let is_warning = |line: &&str| {
        line.contains(" # ") && !line.contains(" version=") && !START.iter().any(|start| line.contains(start))
    };
    let warnings: Vec<&str> = log.iter().map(String::as_str).filter(is_warning).collect();
    match warnings.as_slice() {
        [] => log.iter().map(String::as_str).collect(),
        warnings => warnings[warnings.len().saturating_sub(WARNINGS_SHOWN)..].to_vec(),
    }
}

/// Whether the server says that a snapshot has a format which it does not know.
fn is_newer(refusal: &Refusal) -> bool {
    const SAID: [&str; 2] = ["Can't handle RDB format version", "Wrong signature"];
    refusal.log.iter().any(|line| SAID.iter().any(|said| line.contains(said)))
}

/// What helps, and the commands for it.
fn remedies(source: &Source, refusal: &Refusal) -> (Vec<String>, Vec<String>) {
    let said = |part: &str| refusal.log.iter().any(|line| line.contains(part) && !line.contains(ASKS));
    let mut advice = vec!["Nothing was changed or deleted.".to_owned()];
    if !source.missing.is_empty() {
        let names = source.missing.join(", ");
        advice.push(format!("Bring {names} from where the folder was copied: without it nothing is loaded."));
        return (advice, Vec::new());
    }
    let heads = source.listing.iter().filter(|file| file.role.is_loaded());
    let heads: Vec<String> =
        heads.filter_map(|file| Some(format!("{} is in {}", file.name, file.head.as_ref()?))).collect();
    if is_newer(refusal) && !heads.is_empty() {
        let what = "this server does not know that format. The file may be sound: --server-bin names that server, or a newer one.";
        advice.push(format!("{}: {what}", heads.join(", ")));
        return (advice, Vec::new());
    }
    let words =
        ["Can't handle RDB format version", "Wrong signature", "nknown command", "Unknown AOF file type"];
    if words.into_iter().any(said) || (refusal.stop.is_none() && said("Bad file format")) {
        let what = "The files may be of another or a newer server, or of one with modules: --server-bin names that one.";
        advice.push(what.into());
        // To a server that does not know a format all of it looks damaged: `--fix` would cut it off.
        return (advice, Vec::new());
    }
    if said("Wrong RDB checksum") {
        advice.push(
            "A wrong checksum may be one byte of one block. A server started on a copy with `rdbchecksum no` may load \
             it; after BGREWRITEAOF there, forebay verify tells which blocks are damaged."
                .into(),
        );
    }
    let mended = unused_name();
    let copy = format!("cp -a {} {mended}", shell::word(&source.folder.to_string_lossy()));
    let name = shell::word(&source.name);
    if source.kind == DataLayout::Snapshot {
        advice.push("redis-check-rdb says where it stops; nothing mends a snapshot.".into());
        return (advice, vec![copy, format!("redis-check-rdb {mended}/{name}")]);
    }
    let Some((stop, rest)) = refusal.stop.as_ref().and_then(|stop| Some((stop, stop.rest?))) else {
        advice.push("redis-check-aof says where it stops; it mends neither a base nor a manifest.".into());
        return (advice, vec![copy, format!("redis-check-aof {mended}/{name}")]);
    };
    // The file is named itself: by the manifest, the checker goes no further than the last file, and that of Valkey 9.1 stops
    // at its own server's base.
    let file = stop.file.as_deref().unwrap_or(&source.name);
    let is_last = source.loaded().last().is_some_and(|last| last.name == file);
    let name = shell::word(file);
    let rest = counted(rest, "byte", "bytes");
    advice.push(format!(
        "redis-check-aof --fix cuts the file at that place: {rest} are lost, with every block in them; what is left may then \
         be sound, and is less. On a copy:"
    ));
    if !is_last {
        advice.insert(
            advice.len() - 1,
            "It is not the last file, so no server leaves the rest of it out by itself, and what the files behind it hold \
             comes after a gap."
                .into(),
        );
    }
    (
        advice,
        vec![
            copy,
            format!("redis-check-aof --fix {mended}/{name}"),
            format!("forebay verify --aof {mended}"),
        ],
    )
}

/// A name that nothing here has: `cp` would put the copy into a folder that is there.
pub(super) fn unused_name() -> String {
    let mut names = (1_u32..).map(|at| if at == 1 { "mended".into() } else { format!("mended-{at}") });
    names.find(|name: &String| !std::path::Path::new(name).exists()).unwrap_or_default()
}
