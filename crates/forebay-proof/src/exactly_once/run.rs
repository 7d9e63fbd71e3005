//! Rounds by seed, several at a time, and the claims that come of them.

use forebay_rig::jetstream::SameEvent;
use forebay_rig::server::fault::disk::DiskError;

use super::judge;
use super::scenario::{Round, SABOTAGED, Scenario};
use super::seen::Seen;
use crate::claim::{Claim, Control};
use crate::{Scale, Subject, parallel};

/// Rounds of each fault at full scale.
const FULL_ROUNDS: u64 = 50;
/// How often a round is tried with another seed, where its fault did not act.
const TRIES: u64 = 3;

/// A proof of files, on servers of its own whatever the subject's is.
pub(crate) struct ExactlyOnce<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Its name.
    pub proof: &'static str,
    /// What may go wrong.
    pub scenarios: &'static [Scenario],
    /// Rounds of each fault; by default one, at full scale fifty.
    pub rounds: Option<u64>,
    /// These faults alone, by the last part of their claims' ids; all of them where none is named.
    pub only: &'a [String],
    /// Events of a round.
    pub events: u64,
    /// Rounds at a time.
    pub at_a_time: usize,
}

/// One thing to run.
#[derive(Clone, Copy)]
struct Job {
    scenario: &'static Scenario,
    number: u64,
    is_broken: bool,
}

/// What came of it: what was seen, or why it cannot be tried here.
type Came = Result<Seen, String>;

impl ExactlyOnce<'_> {
    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        let wants =
            |scenario: &&Scenario| self.only.is_empty() || self.only.iter().any(|only| *only == scenario.id);
        let wanted: Vec<&'static Scenario> = self.scenarios.iter().filter(wants).collect();
        let rounds = self.rounds.unwrap_or(if self.on.scale == Scale::Full { FULL_ROUNDS } else { 1 });
        let controls = wanted.iter().map(|scenario| Job { scenario, number: 0, is_broken: true });
        let mut jobs: Vec<Job> = controls.collect();
        for number in 0..rounds {
            jobs.extend(wanted.iter().map(|scenario| Job { scenario, number, is_broken: false }));
        }
        self.on.progress.begin(self.proof, jobs.len() as u64);
        let came = parallel::by_side_of(self.at_a_time, &jobs, self.on.progress, |job| self.tried(*job))?;
        let played: Vec<(Job, Came)> = jobs.into_iter().zip(came).collect();
        Ok(wanted.into_iter().map(|scenario| self.claim(scenario, &played)).collect())
    }

    /// A round, again with another seed where its fault did not act.
    fn tried(&self, job: Job) -> anyhow::Result<Came> {
        let Job { scenario, number, is_broken } = job;
        let mut last = Seen::default();
        for attempt in 0..TRIES {
            let seed = self.on.seed.wrapping_mul(1_000_003).wrapping_add(number * TRIES + attempt);
            let round = Round { binary: self.on.binary, seed, events: self.events, is_broken };
            last = match (scenario.play)(&round) {
                Err(error) if error.is::<DiskError>() => return Ok(Err(error.to_string())),
                Err(error) if error.is::<SameEvent>() && attempt + 1 < TRIES => continue,
                seen => Seen { seed, ..seen? },
            };
            // What is wrong is found wrong, whatever acted; a control must also show by what.
            let is_done = if is_broken { is_shown(scenario, &last) } else { last.wrong() > 0 };
            if is_done || !is_broken && last.acted.has(scenario.acts) {
                break;
            }
        }
        Ok(Ok(last))
    }

    /// The claim of a scenario, with its control.
    fn claim(&self, scenario: &'static Scenario, played: &[(Job, Came)]) -> Claim {
        let of = |is_broken: bool| {
            let is_of = move |job: &Job| job.scenario.id == scenario.id && job.is_broken == is_broken;
            played.iter().filter(move |(job, _)| is_of(job)).map(|(_, came)| came)
        };
        let rounds: Vec<Seen> = of(false).filter_map(|came| came.as_ref().ok()).cloned().collect();
        let untried = of(false).find_map(|came| came.as_ref().err());
        let judged = judge::exactly_once(self.proof, scenario, &rounds, untried.map(String::as_str));
        let what = scenario.broken.what;
        match of(true).next() {
            Some(Ok(seen)) => {
                let broken = judge::exactly_once(self.proof, scenario, std::slice::from_ref(seen), None);
                let control = Control::of(what, &[broken], &judge::id(self.proof, scenario));
                judged.with(control.and(is_shown(scenario, seen)))
            }
            Some(Err(why)) => judged.with(Control::not_run(what, why)),
            None => judged.without_control(),
        }
    }
}

/// Whether a control shows what it is for: the fault acted, something was broken, and it did to events what that does.
fn is_shown(scenario: &Scenario, seen: &Seen) -> bool {
    seen.acted.has(&[SABOTAGED]) && seen.acted.has(scenario.acts) && (scenario.broken.does)(seen) > 0
}
