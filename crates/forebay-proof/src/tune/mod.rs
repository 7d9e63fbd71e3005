//! The tuning: which settings are worth changing, by experiments on this server with this workload.
//!
//! Each candidate of the catalogue is measured against what is there today, in legs that take turns, and is kept where it is
//! better in something, worse in nothing, and loses no proof. What is kept is measured once more, together. The controls:
//! today's settings against themselves, where no difference may be called; a leg that is held back on purpose, where one
//! must; and settings known to harm a buffer, none of which may be proposed.

mod apply;
mod bench;
mod catalogue;
mod client;
mod connection_flood;
mod connections;
#[cfg(target_os = "linux")]
mod cores;
mod effects;
mod experiment;
mod guard;
mod host;
mod interval;
mod judge;
pub mod memory;
mod metric;
mod negative_controls;
mod pool;
mod proposal;
mod row;
mod settings;
mod trial;
mod trial_events;
mod trial_run;
mod variant;

use anyhow::Context as _;

use crate::claim::Claim;
use crate::pressure::clients;
use crate::target::Target;
use crate::wait::go_on;
use crate::{Scale, Subject};
use forebay_rig::load::driver;
use forebay_rig::load::payload::{Payloads, Source};

pub use apply::Saved;
use bench::{Bench, Sizes};
pub use catalogue::{Candidate, all as candidates};
use catalogue::{Change, Measured};
use experiment::Turn;
pub use proposal::Proposal;
use proposal::Worth;
use settings::hold;
use trial_events::TrialEvents;
use variant::SettingsOverlay;

/// The tuning of a subject.
pub struct TuneRun<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Candidates to try; empty for all.
    pub only: &'a [String],
}

/// What came of it.
pub struct Tuned {
    /// Each with its control, and the tables beside them.
    pub claims: Vec<Claim>,
    /// What measured better, and lost no proof.
    pub proposal: Proposal,
}

impl TuneRun<'_> {
    /// Runs every experiment, the guards, and the controls.
    pub fn run(&self) -> anyhow::Result<Tuned> {
        let (on, sizes) = (self.on, Sizes::of(&self.on));
        let candidates = self.candidates()?;
        // Operations have a client of their own, without TLS.
        driver::reaches(on.target.address()).map_err(anyhow::Error::msg)?;
        let feed = TrialEvents::draw(on.seed, on.profile.load.rate, sizes.events)?;
        let payloads = Payloads::of(&Source::Events, on.seed).map_err(anyhow::Error::msg)?;
        let bench = Bench::of(&on, &feed, &payloads, &sizes)?;
        let held = match on.target {
            Target::Own(..) => None,
            Target::Given(address) => Some(hold(address, &bench.settings, names(&candidates))?),
        };
        let mut rows = trial::all(&bench, &candidates)?;
        trial::guard(&bench, &mut rows).context("guarding what is proposed")?;
        let whole = self.only.is_empty();
        let storm = if whole {
            Some(connection_flood::run(&bench).context("with a thousand clients")?)
        } else {
            None
        };
        let is_own = matches!(on.target, Target::Own(..));
        let is_whole = whole && is_own;
        let memory = if is_whole { Some(memory::run(&on)?) } else { None };
        // `forebay pressure` has them at any scale.
        let clients = if is_whole && on.scale == Scale::Full { Some(clients::run(&on)?) } else { None };
        let mut proposal = Proposal::of(&bench, &rows);
        proposal.add(&rows, storm.iter().filter_map(|storm| storm.worth.clone()));
        let settings = || memory.iter().chain(&clients);
        proposal.add(&rows, settings().flat_map(|settings| settings.worth().map(Worth::of)));
        let together = trial::together(&bench, &proposal).context("trying what is proposed together")?;
        let stock = if whole {
            trial::against_stock(&bench, &proposal).context("against a server as it comes")?
        } else {
            Vec::new()
        };
        let controls = negative_controls::run(&bench, &sizes).context("controls")?;
        let found = judge::TuneFindings {
            rows: &rows,
            proposal: &proposal,
            together: together.as_deref(),
            stock: &stock,
        };
        let mut claims = judge::claims(&bench, &found, &controls);
        claims.extend(storm.map(|storm| storm.claim));
        if let Some(first) = claims.first_mut().filter(|_| whole) {
            first.evidence.push(host::evidence(&bench)?);
            first.evidence.extend(pool::evidence(&bench)?);
            first.evidence.extend(memory.iter().flat_map(memory::evidence));
            first.evidence.extend(clients.iter().flat_map(clients::evidence));
        }
        held.map_or(Ok(()), |held| held.put_back())?;
        Ok(Tuned { claims, proposal })
    }

    fn candidates(&self) -> anyhow::Result<Vec<&'static Candidate>> {
        let all: Vec<&'static Candidate> = candidates().collect();
        if let Some(unknown) = self.only.iter().find(|id| all.iter().all(|candidate| candidate.id != **id)) {
            anyhow::bail!("no candidate {unknown}: `forebay tune --list` names them");
        }
        let is_wanted =
            |candidate: &&Candidate| self.only.is_empty() || self.only.iter().any(|id| id == candidate.id);
        Ok(all.into_iter().filter(is_wanted).collect())
    }
}

/// Applies saved changes to somebody's server, after they were measured against what it has in every kind of work; names the
/// figures that are worse, and then everything is as it was.
pub fn apply_guarded(on: &Subject<'_>, saved: &Saved) -> anyhow::Result<Vec<String>> {
    let address = on.target.address();
    let sizes = Sizes::of(on);
    let feed = TrialEvents::draw(on.seed, on.profile.load.rate, sizes.events)?;
    let payloads = Payloads::of(&Source::Events, on.seed).map_err(anyhow::Error::msg)?;
    let bench = Bench::of(on, &feed, &payloads, &sizes)?;
    let names = saved.changed.iter().map(|change| change.name.as_str());
    let held = hold(address, &bench.settings, names)?;
    let live = saved.changed.iter().map(|change| (change.name.clone(), change.to.clone())).collect();
    let changed = SettingsOverlay { live, at_start: Vec::new() };
    let mut worse = Vec::new();
    for work in trial::WORKS {
        let (today, other) =
            trial::variants(&bench, &SettingsOverlay::default(), &changed, bench.client.clone())?;
        let outcome = trial::measure(&bench, Measured::By(work), today, other)?;
        let effects = outcome.effects.iter().filter(|effect| effect.turn == Turn::Worse);
        worse.extend(effects.map(|effect| format!("{}: {}", work.name(), effects::effect(effect))));
    }
    if worse.is_empty() {
        saved.apply(address)?;
        // Whoever has interrupted it wants nothing of it.
        go_on()?;
        held.leave();
    } else {
        held.put_back()?;
    }
    Ok(worse)
}

/// Settings of the server that candidates change.
fn names<'a>(candidates: &[&'a Candidate]) -> impl Iterator<Item = &'a str> {
    let of = |candidate: &&'a Candidate| {
        let settings = match candidate.change {
            Change::Server { settings, is_live: true } => settings,
            Change::Server { is_live: false, .. } | Change::Client { .. } => &[],
        };
        settings.iter().chain(candidate.both).map(|(name, _)| *name)
    };
    candidates.iter().flat_map(of).collect::<Vec<_>>().into_iter()
}
