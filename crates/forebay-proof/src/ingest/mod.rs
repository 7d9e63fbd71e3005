//! The ingest proof: whatever a source, the way to it or the server does, is each event in the buffer once?
//!
//! A simulated source in which something goes wrong, an ingest from it on a thread, a server of its own, and a reader whose ledger
//! knows every event by what it is, in words of its own. Each `scenario` says what must have acted for a round to count; a
//! round in which it did not is tried again with another seed. In each control the engine is without what makes it right:
//! then events must be lost, or be there twice, while the same fault acts.

mod follower;
mod judge;
mod retention;
mod round;
mod scenario;
mod seen;
mod size;
mod stage;
mod steps;
#[cfg(test)]
mod tests;
mod way;

pub use size::Size;
pub use way::Way;

use forebay_pipe::ingest::Sabotage;
use forebay_rig::jetstream::SameEvent;

use crate::claim::{Claim, Control, Judged};
use crate::{Scale, Subject, parallel};
use judge::Rounds;
use retention::Missing;
use round::Round;
use scenario::{Action, Scenario};
use seen::Seen;

/// Rounds of each fault and protocol at full scale.
const FULL_ROUNDS: u64 = 50;
/// How often a round is tried with another seed, where its fault did not act.
const TRIES: u64 = 3;
/// Rounds at a time: each mostly waits for the source's clock.
const AT_A_TIME: usize = 12;

/// The proof of a subject. It runs on servers of its own, whatever the subject's is.
pub struct IngestRun<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Rounds of each fault and protocol; by default one, at full scale fifty.
    pub rounds: Option<u64>,
    /// These faults alone, by the last part of their claims' ids; all of them where none is named.
    pub only: &'a [String],
    /// How much a round has; by default by the scale.
    pub size: Option<Size>,
}

/// One thing to run.
#[derive(Clone, Copy)]
enum Job {
    Round(&'static Scenario, Way, u64),
    Control(&'static Scenario),
    Retention(Way, u64),
}

/// What came of it.
enum Came {
    Round(Box<Seen>),
    Retention(Missing),
}

/// The names of the faults.
pub fn faults() -> impl Iterator<Item = &'static str> {
    scenario::ALL.iter().map(|scenario| scenario.id).chain([BEYOND])
}

/// What the rounds beyond retention are called among the faults.
const BEYOND: &str = "beyond-retention";

impl IngestRun<'_> {
    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        let jobs = self.jobs();
        self.on.progress.begin("ingest", jobs.len() as u64);
        let came = parallel::by_side_of(AT_A_TIME, &jobs, self.on.progress, |job| self.play(*job))?;
        let played: Vec<(Job, Came)> = jobs.into_iter().zip(came).collect();
        Ok(claims(&played, &self.wanted()))
    }

    fn wanted(&self) -> Vec<&'static Scenario> {
        let is_wanted = |scenario: &&Scenario| self.wants(scenario.id);
        scenario::ALL.iter().filter(is_wanted).collect()
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// All there is to run, what takes longest first.
    fn jobs(&self) -> Vec<Job> {
        let is_full = self.on.scale == Scale::Full;
        let rounds = self.rounds.unwrap_or(if is_full { FULL_ROUNDS } else { 1 });
        let mut scenarios = self.wanted();
        scenarios.retain(|scenario| is_full || !scenario.is_long);
        scenarios.sort_by_key(|scenario| scenario.action != Action::Kill);
        let controls = scenarios.iter().map(|scenario| Job::Control(scenario));
        let mut jobs: Vec<Job> = controls.collect();
        for number in 0..rounds {
            for scenario in &scenarios {
                jobs.extend(scenario.ways.iter().map(|way| Job::Round(scenario, *way, number)));
            }
            if self.wants(BEYOND) {
                jobs.extend(Way::ALL.map(|way| Job::Retention(way, number)));
            }
        }
        // The sort is stable: kills stay in front, and their controls before them.
        jobs.sort_by_key(|job| match job {
            Job::Round(scenario, ..) | Job::Control(scenario) => u8::from(scenario.action != Action::Kill),
            Job::Retention(..) => 1,
        });
        jobs
    }

    fn play(&self, job: Job) -> anyhow::Result<Came> {
        match job {
            Job::Round(scenario, way, number) => self.tried(scenario, way, number, None),
            Job::Control(scenario) => {
                let (sabotage, way) = scenario.control;
                self.tried(scenario, way, 0, Some(sabotage))
            }
            Job::Retention(way, number) => {
                let round = |attempt| {
                    let seed = self.seed(number, attempt);
                    retention::round(self.on.binary, way, seed, &self.size())
                };
                let is_alike =
                    |came: &anyhow::Result<Missing>| matches!(came, Err(error) if error.is::<SameEvent>());
                let mut came = (0..TRIES).map(round).skip_while(is_alike);
                came.next().ok_or(SameEvent)?.map(Came::Retention)
            }
        }
    }

    /// A round, again with another seed where its fault did not act.
    fn tried(
        &self,
        scenario: &'static Scenario,
        way: Way,
        number: u64,
        sabotage: Option<Sabotage>,
    ) -> anyhow::Result<Came> {
        let mut last = Seen::default();
        for attempt in 0..TRIES {
            let seed = self.seed(number, attempt);
            let round = Round { scenario, way, seed, size: self.size(), sabotage, binary: self.on.binary };
            last = match round.run() {
                Err(error) if error.is::<SameEvent>() && attempt + 1 < TRIES => continue,
                seen => seen?,
            };
            // A control must also show that it was the fault that made the difference.
            let must_act = if sabotage.is_some() { scenario.control_acts } else { &[] };
            let has_acted = last.acted.has(scenario.acts) && last.acted.has(must_act);
            // One that is wrong is found wrong, whatever acted. What an engine is without may not be needed in each round.
            let (is_wrong, is_control) = (last.wrong() > 0, sabotage.is_some());
            if has_acted && (is_wrong || !is_control) || is_wrong && !is_control {
                break;
            }
        }
        Ok(Came::Round(Box::new(last)))
    }

    fn seed(&self, number: u64, attempt: u64) -> u64 {
        self.on.seed.wrapping_mul(1_000_003).wrapping_add(number * TRIES + attempt)
    }

    fn size(&self) -> Size {
        self.size.unwrap_or(match self.on.scale {
            Scale::Smallest => Size::SMALL,
            Scale::Quick => Size::QUICK,
            Scale::Full => Size::FULL,
        })
    }
}

fn claims(played: &[(Job, Came)], wanted: &[&'static Scenario]) -> Vec<Claim> {
    let mut claims: Vec<Claim> = wanted.iter().map(|scenario| claim(scenario, played)).collect();
    let ordered = judge::order(rounds(played, |scenario| scenario.keeps_order));
    let reordered = judge::order(rounds(played, |scenario| scenario.id == "reorder"));
    let what = "the same of a source that sends events before older ones";
    claims.push(ordered.with(Control::of(what, &[reordered], judge::ORDER)));
    let missing: Vec<(Way, Missing)> = played.iter().filter_map(missing_of).collect();
    let all = || rounds(played, |_| true);
    let said = all().map(|seen| seen.said_lost).sum();
    let told = missing.iter().filter(|(_, seen)| seen.said > 0).count();
    let lossy = judge::false_alarms(told as u64, missing.len() as u64);
    let what = "the same of sources that no longer have all";
    let alarms = judge::false_alarms(said, all().count() as u64);
    claims.push(alarms.with(Control::of(what, &[lossy], judge::SAID)));
    for way in Way::ALL.into_iter().filter(|_| !missing.is_empty()) {
        let seen: Vec<Missing> = missing.iter().filter(|(of, _)| *of == way).map(|(_, seen)| *seen).collect();
        let silent: Vec<Missing> = seen.iter().map(|seen| Missing { said: 0, ..*seen }).collect();
        let silent = [judge::beyond_retention(way, &silent)];
        let control = Control::of("an ingest that reports nothing", &silent, judge::retention_id(way));
        claims.push(judge::beyond_retention(way, &seen).with(control));
    }
    claims
}

/// What was seen of the rounds of some scenarios, controls left out.
fn rounds(played: &[(Job, Came)], of: fn(&Scenario) -> bool) -> impl Iterator<Item = &Seen> {
    played.iter().filter_map(move |(job, came)| match (job, came) {
        (Job::Round(scenario, ..), Came::Round(seen)) if of(scenario) => Some(&**seen),
        _ => None,
    })
}

fn missing_of((job, came): &(Job, Came)) -> Option<(Way, Missing)> {
    match (job, came) {
        (Job::Retention(way, _), Came::Retention(seen)) => Some((*way, *seen)),
        _ => None,
    }
}

/// The claim of a scenario, with its control.
fn claim(scenario: &'static Scenario, played: &[(Job, Came)]) -> Claim {
    let mut rounds: Rounds = Vec::new();
    let mut control = None;
    for (job, came) in played {
        match (job, came) {
            (Job::Round(of, way, _), Came::Round(seen)) if of.id == scenario.id => {
                match rounds.iter_mut().find(|(known, _)| known == way) {
                    Some((_, all)) => all.push((**seen).clone()),
                    None => rounds.push((*way, vec![(**seen).clone()])),
                }
            }
            (Job::Control(of), Came::Round(seen)) if of.id == scenario.id => control = Some(seen),
            _ => {}
        }
    }
    let judged: Judged = judge::nothing_wrong(scenario, &rounds);
    let what = without(scenario.control.0);
    match control {
        Some(seen) => {
            let has_acted = seen.acted.has(scenario.acts) && seen.acted.has(scenario.control_acts);
            let broken = vec![(scenario.control.1, vec![(**seen).clone()])];
            let broken = [judge::nothing_wrong(scenario, &broken)];
            judged.with(Control::of(what, &broken, &judge::id(scenario)).and(has_acted))
        }
        None => judged.without_control(),
    }
}

/// What the engine is without in a control.
fn without(sabotage: Sabotage) -> &'static str {
    match sabotage {
        Sabotage::LastCursor => "an ingest that resumes at the last cursor it saw, whatever the buffer has",
        Sabotage::Repeats => "an ingest that takes what it has taken already",
        Sabotage::CutOver => "an ingest that lets the host cut over by itself",
    }
}
