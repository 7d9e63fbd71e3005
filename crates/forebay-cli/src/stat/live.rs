//! `forebay stat --watch`: the page's answer in a terminal, again after each look.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context as _;

use super::text::stat_text;
use crate::arguments::Global;
use crate::exit;
use crate::output;
use crate::signal::stop_on_signal;
use forebay_proof::printable::{self, printable};
use forebay_watch::{Subject, Watch, json};

/// How often it is asked whether there was a look, or it is over.
const ASK: Duration = Duration::from_millis(50);

/// Moves to the top and clears what is below.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// Shows each look until Ctrl-C.
pub(super) fn run(subject: Subject, global: &Global) -> anyhow::Result<u8> {
    let stop = stop_on_signal(true, "")?;
    let watch = Watch::start(subject).context("starting to watch")?;
    let shared = watch.shared();
    let mut looks = shared.follow();
    while !stop.load(Relaxed) {
        if !looks.has_changed().context("the watch ended")? {
            std::thread::sleep(ASK);
            continue;
        }
        looks.mark_unchanged();
        let text = if global.json {
            let document = shared.with_view(|view| json::stat(view, shared.subject()).to_string());
            format!("{}\n", printable::json(&document))
        } else {
            let shown = shared.with_view(|view| stat_text(view, shared.subject()));
            let shown = printable(&shown);
            if std::io::stdout().is_terminal() {
                let size = rustix::termios::tcgetwinsize(std::io::stdout());
                let (columns, rows) = size.map_or((0, 0), |size| (size.ws_col.into(), size.ws_row.into()));
                format!("{CLEAR}{}\n", fitting(&shown, columns, rows))
            } else {
                format!("{shown}\n")
            }
        };
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Whoever read it has gone: nobody is left to watch for.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            written => written.context(output::STDOUT)?,
        }
    }
    Ok(exit::OK)
}

/// As much from the beginning as a terminal has room for: what scrolls off its top is the verdict. One that does not say
/// how large it is gets all.
fn fitting(text: &str, columns: usize, rows: usize) -> String {
    let takes = |line: &&str| if columns == 0 { 1 } else { line.chars().count().max(1).div_ceil(columns) };
    // One row for where the cursor then stands.
    let room = rows.saturating_sub(1);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    if rows == 0 || lines.iter().map(takes).sum::<usize>() < room {
        return text.into();
    }
    // One more for how much is left out.
    let mut left = room.saturating_sub(2);
    let fits = |line: &&&str| {
        let fits = takes(line) <= left;
        left = left.saturating_sub(takes(line));
        fits
    };
    let kept: Vec<&str> = lines.iter().take_while(fits).copied().collect();
    let more = lines.len() - kept.len();
    format!("{}\n… {more} more lines: in a larger window, or by `forebay stat`\n", kept.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_stays_on_a_terminal_of_few_rows() {
        let lines: Vec<String> = (1..=40).map(|line| format!("line {line}\n")).collect();
        let text = lines.concat();
        assert_eq!(fitting(&text, 80, 0), text, "nobody knows how large it is");
        assert_eq!(fitting(&text, 80, 50), text);
        let short = fitting(&text, 80, 24);
        // With the line end that follows, the cursor stands in the last row.
        assert!(short.lines().count() + 2 <= 24, "{short}");
        assert!(
            short.starts_with("line 1\n")
                && short.ends_with("more lines: in a larger window, or by `forebay stat`\n")
        );
        let wide = format!("{}\n{text}", "w".repeat(800));
        assert!(fitting(&wide, 80, 24).lines().count() <= 24 - 2 - 9, "a line takes ten rows");
    }
}
