//! A folder that a server does not load: its last words, and what its user can do.

use super::super::Page;
use crate::report::shell;
use crate::report::units::counted;
use crate::verify::find::{Kind, Source};
use crate::verify::load::Refusal;

/// Why a server did not load the files, where they stop being sound, and what helps.
pub(super) fn render(page: &mut Page, source: &Source, refusal: &Refusal) {
    page.field("server", &format!("ended by itself ({})", refusal.ended));
    for (at, file) in source.files.iter().enumerate() {
        let size = counted(file.bytes, "byte", "bytes");
        page.field(if at == 0 { "on disk" } else { "" }, &format!("{}, {size}", file.name));
    }
    if let Some(stop) = &refusal.stop {
        let file = stop.file.as_deref().unwrap_or(&source.name);
        match stop.rest {
            Some(rest) => {
                let rest = counted(rest, "byte", "bytes");
                page.field("sound to", &format!("byte {} of {file}, {rest} before its end", stop.offset));
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

/// The last lines that servers mark as warnings, without those on the machine; all lines where there is none.
fn last_words(log: &[String]) -> Vec<&str> {
    let is_warning = |line: &&str| line.contains(" # ") && !line.contains("WARNING");
    let warnings: Vec<&str> = log.iter().map(String::as_str).filter(is_warning).collect();
    match warnings.as_slice() {
        [] => log.iter().map(String::as_str).collect(),
        [.., before, last] => vec![before, last],
        [last] => vec![last],
    }
}

/// What helps, and the commands for it.
fn remedies(source: &Source, refusal: &Refusal) -> (Vec<String>, Vec<String>) {
    let said = |part: &str| refusal.log.iter().any(|line| line.contains(part));
    let mut advice = vec!["Nothing was changed or deleted.".to_owned()];
    if !source.missing.is_empty() {
        let names = source.missing.join(", ");
        advice.push(format!("Bring {names} from where the folder was copied: without it nothing is loaded."));
        return (advice, Vec::new());
    }
    let words =
        ["Can't handle RDB format version", "Wrong signature", "Unknown command", "Unknown AOF file type"];
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
    if source.kind == Kind::Snapshot {
        advice.push("redis-check-rdb says where it stops; nothing mends a snapshot.".into());
        return (advice, vec![copy, format!("redis-check-rdb {mended}/{name}")]);
    }
    let Some((stop, rest)) = refusal.stop.as_ref().and_then(|stop| Some((stop, stop.rest?))) else {
        advice.push("redis-check-aof says where it stops; it mends neither a base nor a manifest.".into());
        return (advice, vec![copy, format!("redis-check-aof {mended}/{name}")]);
    };
    // The only file of commands is named itself: by the manifest, the checker of Valkey 9.1 stops at that server's base.
    let mut logs = source.files.iter().filter(|file| file.name.ends_with(".incr.aof"));
    let name = match (logs.next(), logs.next()) {
        (Some(only), None) if stop.file.as_ref() == Some(&only.name) => shell::word(&only.name),
        _ => name,
    };
    advice.push(format!(
        "redis-check-aof --fix cuts the file at that place, if it is the last one: {} are lost, with every block in \
         them; what is left may then be sound, and is less. On a copy:",
        counted(rest, "byte", "bytes")
    ));
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
fn unused_name() -> String {
    let mut names = (1_u32..).map(|at| if at == 1 { "mended".into() } else { format!("mended-{at}") });
    names.find(|name: &String| !std::path::Path::new(name).exists()).unwrap_or_default()
}
