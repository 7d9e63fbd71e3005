//! `forebay stat --watch`: the page's answer in a terminal, again after each look.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context as _;

use super::{Rates, Standing, WIDTH, as_text};
use crate::cli::append::stop_on_signal;
use crate::cli::{Global, say};
use crate::exit;
use crate::watch::view::View;
use crate::watch::{Subject, Watch, json};

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
            shared.with_view(|view| format!("{}\n", json::stat(view, shared.subject())))
        } else {
            let clear = if std::io::stdout().is_terminal() { CLEAR } else { "" };
            let shown = shared.with_view(|view| shown(view, shared.subject()));
            format!("{clear}{}\n", say::printable(&shown))
        };
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Whoever read it has gone: nobody is left to watch for.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            written => written.context(say::STDOUT)?,
        }
    }
    Ok(exit::OK)
}

/// The verdict, its reasons, and what `forebay stat` shows.
fn shown(view: &View, subject: &Subject) -> String {
    let verdict = &view.verdict;
    let mut text = format!("{}  {}\n", verdict.level.name().to_uppercase(), verdict.text);
    for why in &verdict.why {
        let options = textwrap::Options::new(WIDTH).initial_indent("  - ").subsequent_indent("    ");
        text.push_str(&textwrap::fill(why, options));
        text.push('\n');
    }
    let Some(seen) = view.seen() else { return text };
    let rates = Rates { coming: view.rates.coming, going: view.rates.going };
    let now = &seen.stat;
    if now.lanes.is_empty() {
        return text;
    }
    let standing = Standing::with(now, seen.limits.clone(), rates.today(now), subject.profile.rates.peak);
    text.push('\n');
    text.push_str(&as_text(&subject.name.to_string(), now, &rates, &standing));
    text
}
