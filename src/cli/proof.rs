//! What `prove` and every verb for one proof have in common: target, scale, report, exit code.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum, ValueHint};
use crossbeam_channel::RecvTimeoutError;
use indicatif::ProgressBar;

use super::{Global, progress, say};
use crate::buffer::connect::{Address, without_password};
use crate::exit;
use crate::profile::{self, Profile};
use crate::proof::claim::Verdict;
use crate::proof::progress::Progress;
use crate::proof::target::{self, Target};
use crate::proof::{capacity, conflict};
use crate::report::{Machine, Report, terminal, write_all};
use crate::server;

/// Narrowest and widest that a report is set on a terminal.
const WIDTH: (usize, usize) = (60, 100);

/// How long an interrupted run may take to remove what it wrote to somebody's server.
const CLEAN_UP: Duration = Duration::from_secs(20);

/// On what, at what scale, and where to.
#[derive(Args)]
pub(crate) struct On {
    /// What must hold: a built-in profile (bluesky-8h, met-001, full-network) or a TOML file
    #[arg(long, default_value = profile::DEFAULT)]
    profile: String,
    /// A server of yours instead of one of Forebay's own; needs --allow-load
    #[arg(long, env = "FOREBAY_URL", hide_env_values = true)]
    url: Option<String>,
    /// Permit writing to --url, under the proof's own keys, which are removed afterwards
    #[arg(long)]
    allow_load: bool,
    /// Server program to start; else `FOREBAY_SERVER`, else redis-server or valkey-server on the PATH
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    server_bin: Option<PathBuf>,
    /// How much: both put in every event of the profile, full takes larger samples
    #[arg(long, value_enum, default_value_t = Scale::Quick)]
    scale: Scale,
    /// Seed of the events
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Scale {
    Quick,
    Full,
}

impl On {
    /// Runs the capacity proof and makes a report of it.
    pub(crate) fn capacity(&self, global: &Global) -> anyhow::Result<Report> {
        let (started, clock) = (jiff::Zoned::now(), Instant::now());
        let profile = Profile::load(&self.profile)?;
        let name = capacity::proof_name()?;
        let given = self.url.as_deref().map(Address::parse).transpose()?;
        if let (Some(address), false) = (&given, self.allow_load) {
            anyhow::bail!(
                "{address} is somebody's server: this proof would write {} events to it under keys of its own \
                 (forebay:{name}:…) and remove them afterwards; --allow-load permits that",
                profile.hold.events
            );
        }
        let (cleaned, over) = crossbeam_channel::bounded(1);
        let on_signal = given.clone().map(|address| (address, name.clone()));
        server::install_signal_handler(move || {
            // The run notices and removes its keys itself, once its writer is gone: before that they would
            // only come back.
            if let (Some((address, name)), Err(RecvTimeoutError::Timeout)) =
                (&on_signal, over.recv_timeout(CLEAN_UP))
            {
                capacity::remove(address, name);
            }
        })?;
        let binary = target::binary(self.server_bin.as_deref())?;
        let target = match given {
            None => Target::own(&binary, &profile)?,
            Some(address) => {
                if !global.quiet {
                    say::tell(&format!(
                        "forebay: writing up to {} events to {address} under forebay:{name}:…, removed afterwards",
                        profile.hold.events
                    ));
                }
                Target::Given(address)
            }
        };
        let bars = Bars { global, bar: Mutex::new(None) };
        let described = target.describe(&profile)?;
        let run = capacity::Run {
            profile: &profile,
            target: &target,
            binary: &binary,
            name: &name,
            seed: self.seed,
            scale: match self.scale {
                Scale::Quick => capacity::Scale::Quick,
                Scale::Full => capacity::Scale::Full,
            },
            progress: &bars,
        };
        let claims = run.run();
        bars.clear();
        // Full where nobody was interrupted: then nobody waits for it either.
        let _ = cleaned.try_send(());
        let claims = claims?;
        let (_, after) = target.address().connect()?;
        Ok(Report {
            schema: 1,
            forebay: env!("CARGO_PKG_VERSION").into(),
            profile: profile.name.clone(),
            target: described,
            machine: Machine::here(),
            command: command_line(),
            started: started.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            seconds: clock.elapsed().as_secs_f64(),
            claims,
            conflicts: conflict::of(&profile, &after),
            warnings: Vec::new(),
            audit: None,
        })
    }
}

/// Prints a report, writes it to a folder where one is given, and says the exit code.
pub(crate) fn conclude(report: &Report, global: &Global, out: Option<&Path>) -> anyhow::Result<u8> {
    if global.json {
        say::result(&(crate::report::json::to_string(report) + "\n")).context("writing the result")?;
    } else {
        let width = terminal_width().clamp(WIDTH.0, WIDTH.1);
        say::result(&terminal::render(report, width, global.colour())).context("writing the result")?;
    }
    if let Some(out) = out {
        let written = write_all(report, out).context("writing the report")?;
        if !global.quiet {
            say::tell(&format!("report: {} and {}", written.html.display(), written.json.display()));
        }
    }
    Ok(if report.control_missed() {
        exit::CONTROL_NOT_CAUGHT
    } else if report.count(Verdict::Refuted) > 0 {
        exit::REFUTED
    } else {
        exit::OK
    })
}

/// Columns to set a report in: the terminal's, else what COLUMNS says, else 80.
fn terminal_width() -> usize {
    let terminal = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| size.ws_col.into());
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    if terminal > 0 { terminal } else { columns.unwrap_or(80) }
}

/// The command line as it may be shown.
fn command_line() -> String {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let shown = words.iter().enumerate().map(|(at, word)| {
        if at == 0 {
            return "forebay".to_owned();
        }
        match word.strip_prefix("--url=") {
            Some(url) => format!("--url={}", without_password(url)),
            None if word.contains("://") => without_password(word),
            None => word.clone(),
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// A bar for each part of a proof.
struct Bars<'a> {
    global: &'a Global,
    bar: Mutex<Option<ProgressBar>>,
}

impl Bars<'_> {
    fn clear(&self) {
        if let Ok(mut bar) = self.bar.lock() {
            bar.take().inspect(ProgressBar::finish_and_clear);
        }
    }
}

impl Progress for Bars<'_> {
    fn begin(&self, what: &str, total: u64) {
        self.clear();
        if let Ok(mut bar) = self.bar.lock() {
            let next = progress::events(self.global, Some(total));
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
