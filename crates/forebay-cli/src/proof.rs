//! What `prove` and every verb for one proof have in common: target, scale, report, exit code.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::conclude::{Begun, conclude};
use super::profile_target::ProfileTarget;
use super::progress::Bars;
use super::proof_request::{Proof, ProofRequest};
use super::sequence::Sequence;
use super::{output, remedy};
use crate::arguments::Global;
use crate::exit;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::secret;
use forebay_proof::report::units::counted;
use forebay_proof::report::{Report, Warning};
use forebay_proof::target::{self, Target};
use forebay_proof::undo::{self, Settings, Undo};
use forebay_proof::{Subject, conflict, durability, settings_guard};
use forebay_rig::server::{self, external_server};

/// How long an interrupted run may take to remove what it wrote to somebody's server.
const CLEAN_UP: Duration = Duration::from_secs(20);

/// On what, at what scale, and where to.
#[derive(Args)]
pub(crate) struct On {
    #[command(flatten)]
    place: ProfileTarget,
    /// How much: quick takes seconds to minutes; full takes larger samples and runs for the profile's time
    #[arg(long, value_enum, default_value_t = Scale::Quick)]
    scale: Scale,
    /// Seed of the events
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Set back what a killed run has left changed on --url, remove its keys, and end
    #[arg(long, requires = "url")]
    restore: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Scale {
    /// For tests.
    #[value(hide = true)]
    Smallest,
    Quick,
    Full,
}

impl From<Scale> for forebay_proof::Scale {
    fn from(scale: Scale) -> Self {
        match scale {
            Scale::Smallest => Self::Smallest,
            Scale::Quick => Self::Quick,
            Scale::Full => Self::Full,
        }
    }
}

impl On {
    /// Runs proofs, makes a report of them, prints and writes it, and says the exit code.
    pub(crate) fn conclude(&self, wanted: &ProofRequest<'_>, global: &Global) -> anyhow::Result<u8> {
        if self.restore {
            return self.restore(global);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let report = self.run(wanted, &stop, global)?;
        let code = conclude(&report, global, wanted.out)?;
        Ok(if stop.load(Relaxed) { exit::INTERRUPTED } else { code })
    }

    /// The server that was given, where one was, for what writes nothing to it.
    pub(crate) fn address(&self) -> anyhow::Result<Option<Address>> {
        self.place.given(None, false, "")
    }

    /// Sets back what killed runs have left on the server that was given.
    fn restore(&self, global: &Global) -> anyhow::Result<u8> {
        let address = self.address()?.context("--restore needs the server: --url names it")?;
        let left = undo::left(&address)?;
        if left.is_empty() && !global.quiet {
            let folder = undo::folder()?;
            output::tell(&format!(
                "forebay: nothing to set back on {address}, by the files in {}",
                folder.display()
            ));
        }
        for left in left {
            for line in left.restore(&address)? {
                output::result(&format!("{line}\n"))?;
            }
        }
        Ok(exit::OK)
    }

    /// Whether it is on a server that was given.
    pub(crate) fn is_given(&self) -> bool {
        self.place.is_given()
    }

    fn run(
        &self,
        wanted: &ProofRequest<'_>,
        stop: &Arc<AtomicBool>,
        global: &Global,
    ) -> anyhow::Result<Report> {
        let proofs = wanted.proofs;
        let begun = Begun::now();
        let profile = self.place.profile()?;
        let name = target::own_name("proof")?;
        let writes = proofs.iter().any(|proof| proof.writes());
        let what = format!("up to {} events under keys of its own (forebay:{name}:…)", profile.hold.events);
        let flag = if proofs == [Proof::Pressure] { "--allow-faults" } else { "--allow-load" };
        // What it needs is told below, all of it.
        let faults = wanted.allow_faults || proofs == [Proof::Durability];
        let given = self.place.given(writes.then_some(what.as_str()), faults, flag)?;
        permitted(wanted, given.as_ref())?;
        if let Some(address) = given.as_ref().filter(|_| writes) {
            refuse_left(address)?;
        }
        let fills = proofs.contains(&Proof::Pressure);
        let (cleaned, over) = crossbeam_channel::bounded(1);
        let on_signal = given.clone().filter(|_| writes).map(|address| (address, name.clone()));
        // Set while a proof runs that ends with what it has seen.
        let is_heard = Arc::new(AtomicBool::new(false));
        let (flag, heard, quiet) = (Arc::clone(stop), Arc::clone(&is_heard), global.quiet);
        let ends_itself = move || {
            let ends = heard.load(Relaxed) && !flag.swap(true, Relaxed);
            if ends && !quiet {
                output::tell("forebay: ending with a report of what was seen; once more to end at once");
            }
            if !ends && !quiet {
                output::tell("forebay: interrupted, no report");
            }
            ends
        };
        server::install_signal_handler(exit::INTERRUPTED, ends_itself, move || {
            bring_back();
            // The run notices and removes its keys itself, once its writer is gone: before that they would
            // only come back.
            if let Some((address, name)) = &on_signal
                && over.recv_timeout(CLEAN_UP).is_err()
            {
                // It may not have: the server does not answer, or the run is stuck, or ended with an error.
                leave(address, name);
            }
        })?;
        server::clear_left();
        let binary = self.place.binary()?;
        let mut undo = None;
        let target = match given {
            None => Target::own(&binary, &profile)?,
            Some(address) => {
                if writes {
                    // Keys alone: a run that cannot say where they are still removes them.
                    undo = Undo::write(&address, std::slice::from_ref(&name), &Settings::new())
                        .inspect_err(|error| {
                            output::tell(&format!("forebay: {}", remedy::with_remedy(error)));
                        })
                        .ok();
                    ProfileTarget::announce(&address, &what, global);
                    if fills && wanted.allow_faults && !global.quiet {
                        output::tell(&format!(
                            "forebay: filling {address} to a limit: maxmemory, maxmemory-policy and \
                             notify-keyspace-events are changed for the runs, and set back; {}",
                            way_back()?
                        ));
                    }
                    if wanted.tuning.is_some() && !global.quiet {
                        output::tell(&format!(
                            "forebay: {address} gets settings to be tried, for a leg at a time, and those it had in between \
                             and afterwards; {}",
                            way_back()?
                        ));
                    }
                    if let (Some(commands), false) = (&wanted.commands, global.quiet) {
                        output::tell(&format!(
                            "forebay: {address} is {commands}, up to {}",
                            counted(durability::kills_max(self.scale.into(), wanted.rounds), "time", "times")
                        ));
                    }
                }
                Target::Given(address)
            }
        };
        let bars = Bars::new(global);
        let on = Subject {
            profile: &profile,
            target: &target,
            binary: &binary,
            name: &name,
            seed: self.seed,
            scale: self.scale.into(),
            progress: &bars,
        };
        let mut report = begun.report(&profile, target.describe(&profile)?);
        Sequence { on, wanted, stop, is_heard: &is_heard, bars: &bars }.run(&mut report)?;
        // Full where nobody was interrupted: then nobody waits for it either.
        let _ = cleaned.try_send(());
        if let Some(undo) = undo {
            undo.done();
        }
        if stop.load(Relaxed) {
            report.warnings.push(interrupted(proofs));
        }
        // A server that a proof has not seen come back is told of by its claims.
        let after = target.address().connect().ok().map(|(_, facts)| facts);
        report.conflicts = conflict::of(&profile, after.as_ref(), &report.claims);
        report.seconds = begun.seconds();
        Ok(report)
    }
}

/// What somebody is told of how a run can be undone.
fn way_back() -> anyhow::Result<String> {
    let folder = undo::folder()?;
    Ok(format!(
        "what they were is in {} meanwhile, and --restore sets it back if this is killed",
        folder.display()
    ))
}

/// Refuses a server that still has the settings of a killed run: whatever is measured of it would be of those. Keys alone are
/// told of.
fn refuse_left(address: &Address) -> anyhow::Result<()> {
    for left in undo::left(address)? {
        let remedy = format!("`forebay pressure --url {address} --restore` sets it back");
        anyhow::ensure!(!left.has_settings(), "{address} is not as it was: {}; {remedy}", left.words());
        output::tell(&format!("forebay: {address}: {}; {remedy}", left.words()));
    }
    Ok(())
}

/// Refuses what would befall somebody's server without a permission of its own.
fn permitted(wanted: &ProofRequest<'_>, given: Option<&Address>) -> anyhow::Result<()> {
    let Some(address) = given else { return Ok(()) };
    match wanted.proofs {
        [Proof::Pressure] if !wanted.allow_faults => anyhow::bail!(
            "{address} is somebody's server: this would fill it to a limit of its own and change its maxmemory and \
             maxmemory-policy meanwhile; --allow-faults permits that, and without --url a server of its own is used"
        ),
        [Proof::Durability] if wanted.commands.is_none() || !wanted.allow_faults => anyhow::bail!(
            "{address} is somebody's server: this would kill it and start it again, so it must be told how and be \
             permitted to: --allow-faults --kill-cmd 'docker kill redis' --start-cmd 'docker start redis'; without \
             --url servers of its own are used"
        ),
        _ => Ok(()),
    }
}

/// Starts somebody's server where it is down because of us: whoever has it may not even look.
fn bring_back() {
    match external_server::start_again() {
        Some(Ok(command)) => {
            output::tell(&format!(
                "forebay: the server was down; started by `{}`",
                secret::command(&command)
            ));
        }
        Some(Err(error)) => output::tell(&format!("forebay: the server is down: {error}")),
        None => {}
    }
}

/// Removes what a run that does not end leaves on somebody's server, and says what it cannot set back.
fn leave(address: &Address, name: &Name) {
    for what in settings_guard::changed_now() {
        output::tell(&format!("forebay: {what}"));
    }
    let buffers = durability::buffers(name).unwrap_or_default();
    for name in buffers.iter().chain([name]) {
        if let Err(why) = target::try_to_remove(address, name) {
            output::tell(&format!("forebay: {why}"));
        }
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
