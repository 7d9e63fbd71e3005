//! Progress on stderr while something long runs, where stderr is a terminal.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::arguments::Global;
use forebay_proof::progress::Progress;

/// A bar for a known time, with a line of figures.
pub(crate) fn seconds(global: &Global, takes: Duration) -> ProgressBar {
    let bar = ProgressBar::new(takes.as_secs_f64().round() as u64);
    bar.set_draw_target(target(global));
    if let Ok(style) = ProgressStyle::with_template("{pos:>4}/{len} s {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

/// A line of figures.
pub(crate) fn line(global: &Global) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_draw_target(target(global));
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn target(global: &Global) -> ProgressDrawTarget {
    if global.progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

/// A bar for a known number of events, or a counter where the number is not known.
pub(crate) fn events(global: &Global, total: Option<u64>) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::no_length(),
    };
    let template = match total {
        Some(_) => "{msg:32!} {wide_bar} {human_pos}/{human_len} {eta:>4}",
        None => "{spinner} {human_pos} events {rate} {wide_msg}",
    };
    bar.set_draw_target(target(global));
    // A template that does not parse leaves the default style: nothing depends on it.
    if let Ok(style) = ProgressStyle::with_template(template) {
        let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A bar for each part of a proof.
pub(crate) struct Bars<'a> {
    global: &'a Global,
    bar: Mutex<Option<ProgressBar>>,
}

impl<'a> Bars<'a> {
    pub(crate) fn new(global: &'a Global) -> Self {
        Self { global, bar: Mutex::new(None) }
    }

    pub(crate) fn clear(&self) {
        if let Ok(mut bar) = self.bar.lock() {
            bar.take().inspect(ProgressBar::finish_and_clear);
        }
    }
}

impl Progress for Bars<'_> {
    fn begin(&self, what: &str, total: u64) {
        self.clear();
        if let Ok(mut bar) = self.bar.lock() {
            let next = events(self.global, Some(total));
            next.set_message(what.to_owned());
            *bar = Some(next);
        }
    }

    fn at(&self, done: u64) {
        if let Ok(bar) = self.bar.lock() {
            bar.iter().for_each(|bar| bar.set_position(done));
        }
    }
}
