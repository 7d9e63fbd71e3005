//! One round: a source in which something goes wrong, an ingest from it, a server of its own, and a reader that writes down
//! what comes out.

use std::time::{Duration, Instant};

use forebay_pipe::ingest::running::Running;
use forebay_pipe::ingest::{Counted, Sabotage};
use forebay_rig::jetstream::{Form, IngestLedger, Settings, Simulator};
use forebay_rig::server::ServerBinary;

use super::follower::Follower;
use super::scenario::{Action, Scenario};
use super::seen::Seen;
use super::size::Size;
use super::stage::Stage;
use super::steps::{self, Step};
use super::way::Way;
use crate::acted::Acted;
use crate::wait::go_on;

/// Between two looks at a round.
const LOOK: Duration = Duration::from_millis(5);
/// No round takes as long; only a fault of ours ends one here.
const LIMIT: Duration = Duration::from_secs(240);
/// A reader is at the live end while it has what is older than so many seconds.
const LIVE_SECONDS: f64 = 0.5;

/// One round.
pub struct Round<'a> {
    /// What goes wrong.
    pub scenario: &'a Scenario,
    /// How events come.
    pub way: Way,
    /// What is drawn.
    pub seed: u64,
    /// How much.
    pub size: Size,
    /// What the engine is without.
    pub sabotage: Option<Sabotage>,
    /// The server's program.
    pub binary: &'a ServerBinary,
}

/// A round while it runs.
struct Under<'a> {
    round: &'a Round<'a>,
    stage: Stage,
    size: Size,
    steps: Vec<Step>,
    /// Events that were taken at the step before.
    before: u64,
    /// Whether the last step came while there was more to come.
    is_in_stream: bool,
    follower: Option<Follower>,
    ledger: IngestLedger,
    lag: Lag,
    /// What was counted at the last look at which something had changed, and when.
    changed: (Counted, u64, Instant),
}

/// How long a reader was behind the live end.
#[derive(Default)]
struct Lag {
    since: Option<Instant>,
    was_live: bool,
    longest: Duration,
}

impl Round<'_> {
    /// Runs it.
    pub fn run(&self) -> anyhow::Result<Seen> {
        let size = self.size.with(self.scenario.action);
        let settings = Settings {
            protocol: self.way.protocol(),
            seed: self.seed,
            rate: size.rate,
            history: size.history,
            last: Some(size.events() - 1),
            faults: (self.scenario.faults)(&size, self.seed),
            write_deadline: Duration::from_secs(3),
            ..Settings::default()
        };
        let stage = Stage::new(self.binary, settings, self.scenario.action)?;
        let source = stage.source().ok_or_else(|| anyhow::anyhow!("no host"))?;
        let ledger = IngestLedger::new(0..size.events(), |index| source.line(index, Form::V1))?;
        // Begun when all else is ready: a replay takes less time than the ledger.
        let running = Running::start(stage.config(self.way, self.scenario.compress, self.sabotage)?);
        let mut under = Under {
            round: self,
            stage,
            size,
            steps: steps::of(self.scenario.action, &size, self.seed),
            before: 0,
            is_in_stream: false,
            follower: None,
            ledger,
            lag: Lag::default(),
            changed: (Counted::default(), 0, Instant::now()),
        };
        under.follow(&running)?;
        under.end(running)
    }
}

impl Under<'_> {
    /// Until everything is there, or nothing comes any more.
    fn follow(&mut self, running: &Running) -> anyhow::Result<()> {
        let since = Instant::now();
        while since.elapsed() < LIMIT && !running.is_over() {
            go_on()?;
            let counted = running.counts.look();
            self.step(&counted)?;
            self.read()?;
            if self.steps.is_empty() && self.ledger.is_complete() {
                return Ok(());
            }
            if self.is_quiet(counted) {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn step(&mut self, counted: &Counted) -> anyhow::Result<()> {
        if self.steps.last().is_some_and(|step| step.when.is_now(counted, self.before))
            && let Some(step) = self.steps.pop()
        {
            self.before = counted.pushed;
            (step.then)(&mut self.stage)?;
            self.is_in_stream = counted.pushed + self.size.live / 8 < self.size.events();
        }
        Ok(())
    }

    /// A server that is to be killed takes back what a reader has seen: its buffer is read afterwards.
    fn read(&mut self) -> anyhow::Result<()> {
        if self.round.scenario.action == Action::Kill && !self.steps.is_empty() {
            return Ok(());
        }
        // A buffer that nobody has made yet has no reader.
        if self.follower.is_none() && self.before + self.changed.0.pushed > 0 {
            self.follower = Some(Follower::open(&self.stage.address()?, &Stage::name()?)?);
        }
        if let Some(follower) = &mut self.follower {
            follower.take(&mut self.ledger)?;
        }
        if let Some(source) = self.stage.source() {
            let tip = source.tip();
            let near = (self.size.rate * LIVE_SECONDS) as u64;
            self.lag.look(self.ledger.newest().is_some_and(|newest| newest + 1 + near >= tip));
        }
        Ok(())
    }

    fn is_quiet(&mut self, counted: Counted) -> bool {
        let tip = self.stage.source().map_or(0, Simulator::tip);
        let last_us = self.stage.source().map_or(0, |source| source.time_us(self.size.events() - 1));
        let has_last = self.steps.is_empty() && counted.event_us >= last_us;
        let quiet = if has_last { self.size.quiet } else { self.size.stuck };
        let left = self.ledger.left() + tip;
        if counted != self.changed.0 || left != self.changed.1 {
            self.changed = (counted, left, Instant::now());
        }
        self.changed.2.elapsed() >= quiet
    }

    /// Ends the ingest, reads what it still had, and says what was seen.
    fn end(mut self, running: Running) -> anyhow::Result<Seen> {
        if self.round.scenario.action == Action::Full {
            // Where it was never let go, it would wait for room now.
            self.stage.set("maxmemory", "0")?;
        }
        let (outcome, heard) = running.end();
        let counted = outcome.as_ref().cloned().unwrap_or(self.changed.0.clone());
        let address = self.stage.address()?;
        let mut follower = match self.follower.take() {
            Some(follower) => follower,
            None => Follower::open(&address, &Stage::name()?)?,
        };
        follower.take(&mut self.ledger)?;
        let mut seen = Seen {
            seed: self.round.seed,
            events: self.size.events(),
            acted: self.acted(&counted),
            connections: counted.connections,
            said_lost: counted.missed.len() as u64,
            behind: self.lag.longest(),
            ..Seen::default()
        }
        .with(&self.ledger, self.round.scenario.sends_strange);
        if let Err(why) = outcome {
            seen.example = format!("the ingest ended: {why}");
            seen.failed = Some(why.to_string());
        } else if seen.wrong() > 0
            && let Some(last) = heard.remarks.last()
        {
            seen.example = format!("{} (it last said: {last})", seen.example);
        }
        Ok(seen)
    }

    fn acted(&self, counted: &Counted) -> Acted {
        let mut acted = Acted::default();
        for simulator in self.stage.host.iter().chain(&self.stage.other) {
            simulator.acted().into_iter().for_each(|(name, times)| acted.add(name, times));
        }
        acted.add("refused", counted.refused);
        acted.add("held-back", counted.held_back);
        acted.add("in-stream", u64::from(self.is_in_stream));
        acted.add("taken-back", self.stage.taken_back);
        acted.add("other-host", self.stage.other.as_ref().map_or(0, Simulator::connections));
        acted
    }
}

impl Lag {
    fn look(&mut self, is_live: bool) {
        if is_live {
            self.longest = self.longest();
            (self.was_live, self.since) = (true, None);
        } else if self.was_live {
            self.since.get_or_insert_with(Instant::now);
        }
    }

    fn longest(&self) -> Duration {
        self.longest.max(self.since.map_or(Duration::ZERO, |since| since.elapsed()))
    }
}
