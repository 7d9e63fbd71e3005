//! From a run to a report: begun, printed, written, and the exit code.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use super::{Global, say};
use crate::buffer::connect::without_password;
use crate::exit;
use crate::profile::Profile;
use crate::proof::claim::Verdict;
use crate::report::{Machine, Report, shell, terminal, write_all};

/// Narrowest and widest that a report is set on a terminal.
const WIDTH: (usize, usize) = (60, 100);

/// When a run began.
pub(super) struct Begun {
    at: jiff::Zoned,
    clock: Instant,
}

impl Begun {
    /// Now.
    pub(super) fn now() -> Self {
        Self { at: jiff::Zoned::now(), clock: Instant::now() }
    }

    /// A report without claims yet.
    pub(super) fn report(&self, profile: &Profile, target: crate::report::Target) -> Report {
        Report {
            schema: crate::report::json::SCHEMA,
            forebay: env!("CARGO_PKG_VERSION").into(),
            profile: profile.name.clone(),
            target,
            machine: Machine::here(),
            command: command_line(),
            started: self.at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            seconds: self.clock.elapsed().as_secs_f64(),
            claims: Vec::new(),
            conflicts: Vec::new(),
            warnings: Vec::new(),
            audit: None,
        }
    }

    /// Since then, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.clock.elapsed().as_secs_f64()
    }
}

/// Prints a report, writes it to a folder where one is given, and says the exit code.
pub(crate) fn conclude(report: &Report, global: &Global, out: Option<&Path>) -> anyhow::Result<u8> {
    if global.json {
        say::document(&(crate::report::json::to_string(report) + "\n")).context("writing the result")?;
    } else {
        say::result(&terminal::render(report, width(), global.colour())).context("writing the result")?;
    }
    if let Some(out) = out {
        let written = write_all(report, out).context("writing the report")?;
        if !global.quiet {
            say::tell(&format!("report: {} and {}", written.html.display(), written.json.display()));
        }
    }
    Ok(if report.control_missed() {
        exit::CONTROL_NOT_REFUTED
    } else if report.count(Verdict::Refuted) > 0 {
        exit::REFUTED
    } else {
        exit::OK
    })
}

/// Columns to set a report in: the terminal's, else what COLUMNS says, else 80; within bounds.
pub(super) fn width() -> usize {
    let terminal = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| size.ws_col.into());
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = if terminal > 0 { terminal } else { columns.unwrap_or(80) };
    width.clamp(WIDTH.0, WIDTH.1)
}

/// The command line as it may be shown, and given to a shell again.
fn command_line() -> String {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let shown = words.iter().enumerate().map(|(at, word)| {
        if at == 0 {
            return "forebay".to_owned();
        }
        let word = match word.strip_prefix("--url=") {
            Some(url) => format!("--url={}", without_password(url)),
            None if word.contains("://") => without_password(word),
            None => word.clone(),
        };
        shell::word(&word)
    });
    shown.collect::<Vec<_>>().join(" ")
}
