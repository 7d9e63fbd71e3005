//! A buffer that is not in an AOF: what in the folder says where it went, and how its user gets the events back.

use super::super::page::Page;
use super::refused::unused_name;
use crate::report::shell;
use crate::report::units::counted;
use crate::verify::Outcome;

/// The command that took the buffer away, and the snapshot that no server with an AOF reads.
pub(super) fn render(page: &mut Page, outcome: &Outcome) {
    let source = &outcome.source;
    let folder = shell::word(&source.folder.to_string_lossy());
    if let Some((log, emptied)) = outcome.emptied() {
        let place = format!("{}, byte {} of {}", emptied.command, emptied.offset, log.bytes);
        page.field("emptied", &format!("by the log itself: {} ({place})", log.file));
        let is_last = source.loaded().last().is_some_and(|last| last.name == log.file);
        page.section("What you can do");
        let mut advice =
            "Nothing was changed or deleted. What was written before that command is in the files, unless a \
                          rewrite came after it. On a copy, cut the file there and verify again"
                .to_owned();
        if emptied.followed_by > 0 {
            let more = counted(emptied.followed_by, "command", "commands");
            advice = format!("{advice}; {more} behind it go too");
        }
        if !is_last {
            advice += "; take the files behind it out of the copy's manifest as well";
        }
        page.wrapped(&(advice + ":"), "  ", "  ");
        let mended = unused_name();
        let file = shell::word(&log.file);
        page.wrapped(&format!("cp -a {folder} {mended}"), "    ", "      ");
        page.wrapped(&format!("truncate -s {} {mended}/{file}", emptied.offset), "    ", "      ");
        page.wrapped(&format!("forebay verify --aof {mended}"), "    ", "      ");
        page.wrapped("The runbook of the alert ForebayBufferSetBack has the rest.", "  ", "  ");
    }
    if let Some(snapshot) = source.snapshot_beside() {
        let size = counted(snapshot.bytes, "byte", "bytes");
        page.section("A snapshot lies beside");
        let about = "a server with an AOF does not read it. Verified in a folder of its own:";
        page.wrapped(&format!("{}, {size}: {about}", snapshot.name.escape_debug()), "  ", "  ");
        // The listing names it from the folder that was asked for.
        let from = outcome.asked.join(&snapshot.name);
        let from = shell::word(&from.to_string_lossy());
        page.wrapped(&format!("mkdir snapshot && cp -a {from} snapshot/"), "    ", "      ");
        page.wrapped("forebay verify --aof snapshot", "    ", "      ");
    }
}
