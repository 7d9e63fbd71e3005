//! What `prove` and every verb for one proof have in common: target, scale, report, exit code.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum, ValueHint};
use crossbeam_channel::RecvTimeoutError;
use indicatif::ProgressBar;

use super::{Global, progress, say};
use crate::buffer::connect::{Address, without_password};
use crate::buffer::keys::Name;
use crate::exit;
use crate::load::arrivals::Pattern;
use crate::profile::{self, Profile};
use crate::proof::audit::look::Look;
use crate::proof::audit::{claims, controls, judge};
use crate::proof::claim::{Claim, Verdict};
use crate::proof::progress::Progress;
use crate::proof::target::{self, Target};
use crate::proof::{baseline, capacity, conflict, throughput};
use crate::report::{Machine, Report, Warning, terminal, write_all};
use crate::server::{self, ServerBinary};

/// Narrowest and widest that a report is set on a terminal.
const WIDTH: (usize, usize) = (60, 100);

/// How long an interrupted run may take to remove what it wrote to somebody's server.
const CLEAN_UP: Duration = Duration::from_secs(20);

/// Under which profile, and on which server.
#[derive(Args)]
pub(crate) struct Place {
    /// What must hold: a built-in profile (bluesky-8h, met-001, full-network) or a TOML file
    #[arg(long, default_value = profile::DEFAULT)]
    profile: String,
    /// A server of yours instead of one of Forebay's own; needs --allow-load
    #[arg(long, env = "FOREBAY_URL", hide_env_values = true)]
    url: Option<String>,
    /// Permit writing to --url, under keys of Forebay's own, which are removed afterwards
    #[arg(long)]
    allow_load: bool,
    /// Server program to start; else `FOREBAY_SERVER`, else redis-server or valkey-server on the PATH
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    server_bin: Option<PathBuf>,
}

impl Place {
    /// What must hold.
    pub(super) fn profile(&self) -> anyhow::Result<Profile> {
        Ok(Profile::load(&self.profile)?)
    }

    /// The server that was given, where one was. `writes` says what would be written to it, where anything would.
    pub(super) fn given(&self, writes: Option<&str>, global: &Global) -> anyhow::Result<Option<Address>> {
        let Some(url) = &self.url else { return Ok(None) };
        let address = Address::parse(url)?;
        if let Some(writes) = writes {
            anyhow::ensure!(
                self.allow_load,
                "{address} is somebody's server: this would write {writes}, and remove them afterwards; \
                 --allow-load permits that, and `forebay audit` only reads"
            );
            if !global.quiet {
                say::tell(&format!("forebay: writing to {address} {writes}, removed afterwards"));
            }
        }
        Ok(Some(address))
    }

    /// The program to start servers with.
    pub(super) fn binary(&self) -> anyhow::Result<ServerBinary> {
        target::binary(self.server_bin.as_deref())
    }
}

/// On what, at what scale, and where to.
#[derive(Args)]
pub(crate) struct On {
    #[command(flatten)]
    place: Place,
    /// How much: quick takes a minute or two; full takes larger samples and runs for the profile's time
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

impl From<Scale> for crate::proof::Scale {
    fn from(scale: Scale) -> Self {
        match scale {
            Scale::Quick => Self::Quick,
            Scale::Full => Self::Full,
        }
    }
}

/// A proof that `prove` can run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proof {
    Audit,
    Baseline,
    Capacity,
    Throughput,
}

impl Proof {
    /// Every proof, in the order in which they run.
    pub(crate) const ALL: [Self; 4] = [Self::Audit, Self::Baseline, Self::Capacity, Self::Throughput];

    /// Whether it writes to the server.
    fn writes(self) -> bool {
        self != Self::Audit
    }
}

/// What a verb wants of its proofs.
pub(crate) struct Wanted<'a> {
    /// In this order.
    pub(crate) proofs: &'a [Proof],
    /// Under which patterns the rate must be held.
    pub(crate) patterns: &'a [Pattern],
    /// Where the report goes, and what long proofs write as they go.
    pub(crate) out: Option<&'a Path>,
}

impl<'a> Wanted<'a> {
    /// These proofs, as they are by default.
    pub(crate) fn of(proofs: &'a [Proof], patterns: &'a [Pattern], out: Option<&'a Path>) -> Self {
        Self { proofs, patterns, out }
    }
}

impl On {
    /// Runs proofs, makes a report of them, prints and writes it, and says the exit code.
    pub(crate) fn conclude(&self, wanted: &Wanted<'_>, global: &Global) -> anyhow::Result<u8> {
        let stop = Arc::new(AtomicBool::new(false));
        let report = self.run(wanted, &stop, global)?;
        let code = conclude(&report, global, wanted.out)?;
        Ok(if stop.load(Relaxed) { exit::INTERRUPTED } else { code })
    }

    fn run(&self, wanted: &Wanted<'_>, stop: &Arc<AtomicBool>, global: &Global) -> anyhow::Result<Report> {
        let proofs = wanted.proofs;
        let begun = Begun::now();
        let profile = self.place.profile()?;
        let name = target::own_name("proof")?;
        let writes = proofs.iter().any(|proof| proof.writes());
        let what = format!("up to {} events under keys of its own (forebay:{name}:…)", profile.hold.events);
        let given = self.place.given(writes.then_some(what.as_str()), global)?;
        let (cleaned, over) = crossbeam_channel::bounded(1);
        let on_signal = given.clone().filter(|_| writes).map(|address| (address, name.clone()));
        // Set while a proof runs that ends with what it has seen.
        let is_heard = Arc::new(AtomicBool::new(false));
        let (flag, heard, quiet) = (Arc::clone(stop), Arc::clone(&is_heard), global.quiet);
        let ends_itself = move || {
            let ends = heard.load(Relaxed) && !flag.swap(true, Relaxed);
            if ends && !quiet {
                say::tell("forebay: ending with a report of what was seen; once more to end at once");
            }
            ends
        };
        server::install_signal_handler(ends_itself, move || {
            // The run notices and removes its keys itself, once its writer is gone: before that they would
            // only come back.
            if let (Some((address, name)), Err(RecvTimeoutError::Timeout)) =
                (&on_signal, over.recv_timeout(CLEAN_UP))
            {
                target::remove(address, name);
            }
        })?;
        let binary = self.place.binary()?;
        let target = match given {
            None => Target::own(&binary, &profile)?,
            Some(address) => Target::Given(address),
        };
        let on = Ready { profile: &profile, target: &target, binary: &binary, name: &name };
        let mut report = begun.report(&profile, target.describe(&profile)?);
        let bars = Bars { global, bar: Mutex::new(None) };
        for proof in proofs {
            if stop.load(Relaxed) {
                break;
            }
            match proof {
                Proof::Audit => on.audit(&mut report)?,
                Proof::Baseline => {
                    let claims = self.baseline(&on, &bars);
                    bars.clear();
                    report.claims.extend(claims?);
                }
                Proof::Capacity => {
                    let claims = self.capacity(&on, &bars);
                    bars.clear();
                    report.claims.extend(claims?);
                }
                Proof::Throughput => {
                    is_heard.store(true, Relaxed);
                    let claims = self.throughput(&on, wanted, stop, &bars, &report);
                    is_heard.store(false, Relaxed);
                    bars.clear();
                    report.claims.extend(claims?);
                }
            }
        }
        // Full where nobody was interrupted: then nobody waits for it either.
        let _ = cleaned.try_send(());
        if stop.load(Relaxed) {
            report.warnings.push(interrupted(proofs));
        }
        let (_, after) = target.address().connect()?;
        report.conflicts = conflict::of(&profile, Some(&after));
        report.seconds = begun.seconds();
        Ok(report)
    }

    fn baseline(&self, on: &Ready<'_>, bars: &Bars<'_>) -> anyhow::Result<Vec<Claim>> {
        let run = baseline::Run {
            profile: on.profile,
            target: on.target,
            binary: on.binary,
            name: on.name,
            seed: self.seed,
            scale: self.scale.into(),
            progress: bars,
        };
        run.run()
    }

    fn capacity(&self, on: &Ready<'_>, bars: &Bars<'_>) -> anyhow::Result<Vec<Claim>> {
        let run = capacity::Run {
            profile: on.profile,
            target: on.target,
            binary: on.binary,
            name: on.name,
            seed: self.seed,
            scale: self.scale.into(),
            progress: bars,
        };
        run.run()
    }

    fn throughput(
        &self,
        on: &Ready<'_>,
        wanted: &Wanted<'_>,
        stop: &AtomicBool,
        bars: &Bars<'_>,
        before: &Report,
    ) -> anyhow::Result<Vec<Claim>> {
        let run = throughput::Run {
            profile: on.profile,
            target: on.target,
            binary: on.binary,
            name: on.name,
            seed: self.seed,
            scale: self.scale.into(),
            patterns: wanted.patterns,
            log: wanted.out,
            stop,
            progress: bars,
        };
        run.run(&mut |claims| {
            // What a run of hours has so far; the last report is written when all is done.
            let Some(out) = wanted.out else { return };
            let mut report = before.clone();
            report.claims.extend_from_slice(claims);
            report.warnings.push(Warning {
                id: "unfinished".into(),
                text: "the run was still going on when this was written: controls, and perhaps patterns, are to come"
                    .into(),
            });
            if let Err(error) = write_all(&report, out) {
                tracing::warn!("{error}");
            }
        })
    }
}

fn interrupted(proofs: &[Proof]) -> Warning {
    let last = proofs.len() > 1;
    let rest = if last { " Proofs that would have come later were not run." } else { "" };
    Warning {
        id: "interrupted".into(),
        text: format!("the run was interrupted: it shows what it saw until then, without controls.{rest}"),
    }
}

/// What every proof of a run has in common.
struct Ready<'a> {
    profile: &'a Profile,
    target: &'a Target,
    binary: &'a ServerBinary,
    name: &'a Name,
}

impl Ready<'_> {
    fn audit(&self, report: &mut Report) -> anyhow::Result<()> {
        let is_own = matches!(self.target, Target::Own(..));
        let look = Look { profile: self.profile, buffer: self.name, probe_disk: is_own, is_own };
        let address = self.target.address();
        let audit = judge::audit(&look.at(address)?, &address.to_string(), false);
        let rules = controls::on_a_server(self.binary, self.profile)?;
        report.claims.extend(claims::of(&audit, controls::of_settings(self.profile), rules));
        report.audit = Some(audit);
        Ok(())
    }
}

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
            schema: 1,
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
        say::result(&(crate::report::json::to_string(report) + "\n")).context("writing the result")?;
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
        exit::CONTROL_NOT_CAUGHT
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
