//! From a run to a report: begun, printed, written, and the exit code.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use super::output;
use crate::arguments::Global;
use crate::exit;
use forebay::buffer::secret;
use forebay_proof::claim::Verdict;
use forebay_proof::report::{Machine, Report, shell, terminal, write_all};
use forebay_watch::profile::Profile;

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
    pub(super) fn report(&self, profile: &Profile, target: forebay_proof::report::Target) -> Report {
        Report {
            schema: forebay_proof::report::json::SCHEMA,
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
        output::document(&(forebay_proof::report::json::to_string(report) + "\n"))
            .context("writing the result")?;
    } else {
        output::result(&terminal::render(report, width(), global.colour())).context("writing the result")?;
    }
    if let Some(out) = out {
        let written = write_all(report, out).context("writing the report")?;
        if !global.quiet {
            output::tell(&format!("report: {} and {}", written.html.display(), written.json.display()));
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

/// Options whose value is a command for a shell.
const COMMANDS: [&str; 2] = ["--kill-cmd", "--start-cmd"];

/// The command line as it may be shown, and given to a shell again where nothing in it had to be hidden.
fn command_line() -> String {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    shown_line(&words)
}

fn shown_line(words: &[String]) -> String {
    let mut before = "";
    let shown = words.iter().enumerate().map(|(at, word)| {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, value),
            _ => ("", word.as_str()),
        };
        let of = if option.is_empty() { before } else { option };
        before = word;
        let value = match of {
            _ if at == 0 => "forebay".to_owned(),
            of if COMMANDS.contains(&of) => secret::command(value),
            "--url" => secret::url(value),
            _ if value.contains("://") => secret::url(value),
            _ => value.to_owned(),
        };
        shell::word(&if option.is_empty() { value } else { format!("{option}={value}") })
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_command_line_is_shown() {
        for line in [
            "forebay durability --kill-cmd|redis-cli -a s3 shutdown|--start-cmd=PW=s3 ./start",
            "forebay audit --url|redis://h:s3|--conf=x",
            "forebay audit --url=redis://h/?PASS=s3",
            "forebay audit redis://:s3@h",
            "forebay audit --url|h:s3",
        ] {
            let words: Vec<String> = line
                .split('|')
                .flat_map(|part| match part.split_once("forebay ") {
                    Some((_, rest)) => {
                        ["forebay"].into_iter().chain(rest.split(' ')).map(str::to_owned).collect()
                    }
                    None => vec![part.to_owned()],
                })
                .collect();
            let shown = shown_line(&words);
            assert!(!shown.contains("s3"), "{shown}");
        }
        let plain: Vec<String> =
            ["/usr/bin/forebay", "durability", "--kill-cmd", "docker kill redis"].map(str::to_owned).into();
        assert_eq!(shown_line(&plain), "forebay durability --kill-cmd 'docker kill redis'");
    }
}
