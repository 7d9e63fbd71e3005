//! What a round stands on: a simulated source, an ingest from it, a server, and a drain from that as it goes.

use std::time::{Duration, Instant};

use fastrand::Rng;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::event::jetstream;
use forebay::event::parse::parse;
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::destination::DestinationError;
use forebay_pipe::drain::layout::Layout;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::roll::Rolling;
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::drain::running::Running as Drain;
use forebay_pipe::drain::step::{Step, Steps};
use forebay_pipe::ingest::running::Running as Ingest;
use forebay_pipe::ingest::{Host, Sabotage};
use forebay_rig::jetstream::{Form, IngestLedger, Protocol, Settings, Simulator};
use forebay_rig::server::{Conf, Scratch, Server};

use super::faults::{CUT, DRAIN, INGEST};
use crate::exactly_once::{Line, Round, SABOTAGED, Seen, read_back};
use crate::ingest::Way;
use crate::ingest_config::ingest_config;
use crate::server_loss::LogMark;
use crate::wait::{look_every, wait};

/// How long anything may take that should come: only failures take as long.
const LIMIT: Duration = Duration::from_secs(60);
/// The same in a control, of which it is not known whether it comes: how long nothing has changed.
const QUIET: Duration = Duration::from_secs(3);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Live events a second.
const RATE: f64 = 600.0;
/// The first group that drains.
const GROUP: &str = "files";

/// What is broken in the control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaks {
    /// The ingest is without something.
    Ingest(Sabotage),
    /// A drain begins again after a fault.
    Drain,
}

/// What a round stands on.
pub(super) struct ChainLine<'a> {
    pub random: Rng,
    pub seen: Seen,
    round: &'a Round<'a>,
    breaks: Breaks,
    // In this order: what runs ends before what it runs on.
    ingest: Option<Ingest>,
    drain: Option<Drain>,
    source: Simulator,
    server: Server,
    to: Scratch,
    has_log: bool,
    log: LogMark,
    /// Which groups have drained, each to a folder of its name; the last one does.
    groups: Vec<&'static str>,
    /// The newest time of an event that was taken.
    newest_us: u64,
    lines: Vec<Line>,
}

impl<'a> ChainLine<'a> {
    /// Begins: a fourth of the events is there already, the others come as they are made.
    pub fn start(round: &'a Round<'a>, has_log: bool, breaks: Breaks) -> anyhow::Result<Self> {
        let is_second = round.seed % 2 == 1;
        let (protocol, form) =
            if is_second { (Protocol::V2, Form::V1WithCursor) } else { (Protocol::V1, Form::V1) };
        let settings = Settings {
            protocol,
            seed: round.seed,
            rate: RATE,
            history: round.events / 4,
            last: Some(round.events - 1),
            ..Settings::default()
        };
        let mut conf = Conf::new();
        conf.set("save", "").set("maxmemory-policy", "noeviction").set("appendfsync", "everysec");
        conf.set("appendonly", if has_log { "yes" } else { "no" });
        let source = Simulator::start(settings)?;
        // Two events that are the same to whoever takes them would be one.
        IngestLedger::new(0..round.events, |index| source.line(index, form))?;
        let mut line = Self {
            random: Rng::with_seed(round.seed),
            seen: Seen::default(),
            round,
            breaks,
            ingest: None,
            drain: None,
            lines: (0..round.events).map(|index| line_of(&source, index, form)).collect::<Result<_, _>>()?,
            source,
            server: Server::start(round.binary, &conf)?,
            to: Scratch::new()?,
            has_log,
            log: LogMark::default(),
            groups: vec![GROUP],
            newest_us: 0,
        };
        if round.is_broken && matches!(breaks, Breaks::Ingest(_)) {
            line.seen.acted.add(SABOTAGED, 1);
        }
        line.start_ingest()?;
        // Where nobody has written there is no buffer to drain.
        line.until_taken(0)?;
        line.start_drain(Steps::default())?;
        line.mark_log()?;
        Ok(line)
    }

    /// Waits until an event as new as this one was taken, if that comes.
    pub fn until_taken(&mut self, index: u64) -> anyhow::Result<()> {
        let due = self.source.time_us(index.min(self.round.events - 1));
        look_every(LOOK, LIMIT, || {
            self.tend()?;
            let Some(ingest) = &self.ingest else { return Ok(Some(())) };
            self.newest_us = self.newest_us.max(ingest.counts.look().event_us);
            Ok((self.newest_us >= due || ingest.is_over()).then_some(()))
        })?;
        Ok(())
    }

    /// The host ends every connection.
    pub fn cut(&mut self) {
        let before = self.source.times("cut");
        self.source.cut();
        self.seen.acted.add(CUT, self.source.times("cut") - before);
    }

    /// The ingest is ended, and another begins.
    pub fn ingest_again(&mut self) -> anyhow::Result<()> {
        self.end_ingest();
        self.seen.acted.add(INGEST, 1);
        self.start_ingest()
    }

    /// From now on what the server logs is not fsynced yet.
    pub fn mark_log(&mut self) -> anyhow::Result<()> {
        if self.has_log {
            self.log = LogMark::now(&self.server)?;
        }
        Ok(())
    }

    /// Kills the server, which comes back without some of the log behind the mark; how many bytes of it.
    pub fn kill_server(&mut self) -> anyhow::Result<u64> {
        self.log.kill(&mut self.server, Some(&mut self.random))
    }

    /// A drain that ends before some step takes the place of the one that runs; another follows it once it did.
    pub fn drain_until_a_step(&mut self) -> anyhow::Result<()> {
        self.end_drain();
        let step = Step::ALL[self.random.usize(..Step::ALL.len())];
        let steps = Steps::until(step, self.random.u64(1..=2));
        self.start_drain(steps)
    }

    /// In a control, from now on a drain begins that knows of none before it.
    pub fn begin_again(&mut self) -> anyhow::Result<()> {
        if !self.round.is_broken || self.breaks != Breaks::Drain || self.groups.len() > 1 {
            return Ok(());
        }
        self.seen.acted.add(SABOTAGED, 1);
        self.end_drain();
        self.groups.push("again");
        self.start_drain(Steps::default())
    }

    /// Where a drain has ended, another goes on.
    fn tend(&mut self) -> anyhow::Result<()> {
        if self.drain.as_ref().is_some_and(Drain::is_over) {
            self.end_drain();
            self.start_drain(Steps::default())?;
            self.begin_again()?;
        }
        Ok(())
    }

    fn start_ingest(&mut self) -> anyhow::Result<()> {
        let way = if self.round.seed % 2 == 1 { Way::V2 } else { Way::V1 };
        let hosts = vec![Host::parse(&way.url(&self.source))?];
        let mut config = ingest_config(hosts, self.address()?, Self::name()?);
        config.sabotage = match self.breaks {
            Breaks::Ingest(sabotage) if self.round.is_broken => Some(sabotage),
            _ => None,
        };
        let ingest = Ingest::start(config);
        // A server that is away from the start ends it, and is none of the faults here.
        wait("an ingest has begun", || Ok(ingest.counts.look().connections > 0 || ingest.is_over()))?;
        self.ingest = Some(ingest);
        Ok(())
    }

    fn end_ingest(&mut self) {
        if let Some(Err(why)) = self.ingest.take().map(|ingest| ingest.end().0) {
            self.seen.fail(format!("the ingest: {why}"));
        }
    }

    fn start_drain(&mut self, steps: Steps) -> anyhow::Result<()> {
        let (config, before) = (self.drain_config(steps, false)?, self.taken()?);
        let drain = Drain::start(config);
        wait("a drain has begun", || Ok(self.taken()? != before || drain.is_over()))?;
        self.drain = Some(drain);
        Ok(())
    }

    /// What the server says of the lanes for whoever drains them: it changes when another one takes them.
    fn taken(&self) -> anyhow::Result<Vec<Option<String>>> {
        let (mut connection, name) = (self.address()?.dial()?, Self::name()?);
        let field = Name::sink(self.group());
        let of = |lane| Ok(redis::cmd("HGET").arg(name.writer(lane)).arg(&field).query(&mut connection)?);
        jetstream::ALL.into_iter().map(of).collect()
    }

    fn group(&self) -> &'static str {
        self.groups.last().copied().unwrap_or(GROUP)
    }

    fn end_drain(&mut self) {
        let ended = self.drain.take().map(Drain::end);
        self.drain_ended(ended);
    }

    fn drain_ended(&mut self, ended: Option<Result<(), DrainError>>) {
        match ended {
            None | Some(Ok(())) => {}
            Some(Err(DrainError::Destination(DestinationError::Stopped(_)))) => self.seen.acted.add(DRAIN, 1),
            Some(Err(why)) => self.seen.fail(format!("the drain: {why}")),
        }
    }

    /// A drain that makes files of whatever is there, each time it looks.
    fn drain_config(&mut self, steps: Steps, once: bool) -> anyhow::Result<Config> {
        let group = self.group();
        let rolling = Rolling { file_bytes: self.random.u64(20_000..100_000), age: Duration::ZERO };
        Ok(Config {
            address: self.address()?,
            name: Self::name()?,
            group: group.into(),
            to: Target::Folder(self.to.path().join(group)),
            staging: None,
            layout: Layout::default(),
            columns: Vec::new(),
            is_lean: false,
            rolling,
            once,
            patience: LIMIT,
            steps,
        })
    }

    /// Until as many events are in files as the source has, and then everything is ended and read back.
    pub fn finish(mut self) -> anyhow::Result<Seen> {
        self.until_taken(self.round.events - 1)?;
        let (mut changed, mut before) = (Instant::now(), 0);
        look_every(LOOK, LIMIT, || {
            self.tend()?;
            let rows = self.rows();
            if rows != before {
                (changed, before) = (Instant::now(), rows);
            }
            // What a control has of them is not known.
            let is_quiet = self.round.is_broken && changed.elapsed() >= QUIET;
            Ok((rows >= self.round.events || is_quiet).then_some(()))
        })?;
        self.end_ingest();
        self.end_drain();
        let rest = self.drain_config(Steps::default(), true)?;
        let ended = Drain::start(rest).join();
        self.drain_ended(Some(ended));
        let target = |group: &&str| Target::Folder(self.to.path().join(group));
        let targets: Vec<Target> = self.groups.iter().map(target).collect();
        Ok(read_back(&self.lines, &[], &targets, self.seen))
    }

    /// Events that commits have, of all groups.
    fn rows(&self) -> u64 {
        let of = |group: &&str| rows_of(&self.to.path().join(group)).unwrap_or(0);
        self.groups.iter().map(of).sum()
    }

    fn address(&self) -> anyhow::Result<Address> {
        Ok(Address::parse(&self.server.url())?)
    }

    fn name() -> anyhow::Result<Name> {
        Ok("chain".parse()?)
    }
}

/// Events that the commits of a folder have.
fn rows_of(folder: &std::path::Path) -> Result<u64, DestinationError> {
    let archive = Archive::of_folder(folder)?;
    let mut rows = 0;
    for lane in archive.lanes()? {
        for commit in 1..=archive.last_commit(&lane)? {
            rows += archive.record(&lane, commit)?.map_or(0, |record| record.rows);
        }
    }
    Ok(rows)
}

fn line_of(source: &Simulator, index: u64, form: Form) -> anyhow::Result<Line> {
    let line = source.line(index, form);
    let lane = parse(&line).map_err(|why| anyhow::anyhow!("event {index} of the source: {why}"))?.lane;
    Ok((lane, line))
}
