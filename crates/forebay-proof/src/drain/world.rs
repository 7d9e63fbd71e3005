//! What a round stands on: a server, events that a writer gives it, and drains from it to a destination.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use fastrand::Rng;
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse::parse;
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::destination::DestinationError;
use forebay_pipe::drain::layout::Layout;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::roll::Rolling;
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::drain::running::Running;
use forebay_pipe::drain::step::{Step, Steps};
use forebay_rig::server::{Conf, Server};
use forebay_rig::synth::Synth;

use super::destination::Destination;
use crate::exactly_once::{Line, Round, Seen, read_back};
use crate::wait::go_on;

/// How long a server or a destination may be away: only failures take as long.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a drain that is waited for.
const LOOK: Duration = Duration::from_millis(20);
/// Events of a block, at the most: so that each lane has several.
const BLOCK_EVENTS: u64 = 40;
/// Events a second where all of a round are of one day.
const RATE: f64 = 938.0;
/// Seconds of two days, over which they are spread in every other round.
const TWO_DAYS: f64 = 172_800.0;
/// The group that drains.
const GROUP: &str = "files";

/// What a round stands on.
pub(super) struct World {
    pub server: Server,
    pub to: Destination,
    pub random: Rng,
    pub seen: Seen,
    /// Events that are not owed: lane, the first of them, how many.
    pub excused: Vec<(Lane, u64, u64)>,
    events: Vec<Line>,
    /// So many of them were appended.
    appended: usize,
    /// Which group drains, and to which folder of the destination; the folders before it.
    drains: Vec<String>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// All is drained.
    Whole,
    /// Before a step, on purpose.
    Stopped,
    /// Another one has taken its lanes.
    TakenOver,
    /// As it should not; the round has it.
    Failed,
}

impl World {
    /// A server without a log, and nothing in it.
    pub fn new(round: &Round<'_>, to: Destination) -> anyhow::Result<Self> {
        Self::with(round, to, &[("appendonly", "no")])
    }

    /// A server with these settings, and nothing in it.
    pub fn with(round: &Round<'_>, to: Destination, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut conf = Conf::new();
        conf.set("save", "").set("maxmemory-policy", "noeviction");
        for (name, value) in settings {
            conf.set(name, *value);
        }
        let spread = round.seed % 2 == 1;
        let rate = if spread { round.events as f64 / TWO_DAYS } else { RATE };
        let synth = Synth::network(round.seed).with_rate(rate);
        let events = (0..round.events).map(|index| event(&synth, index)).collect::<anyhow::Result<_>>()?;
        Ok(Self {
            server: Server::start(round.binary, &conf)?,
            to,
            random: Rng::with_seed(round.seed),
            seen: Seen::default(),
            excused: Vec::new(),
            events,
            appended: 0,
            drains: vec![GROUP.into()],
        })
    }

    /// Where the server answers.
    pub fn address(&self) -> anyhow::Result<Address> {
        Ok(Address::parse(&self.server.url())?)
    }

    /// The buffer.
    pub fn name() -> anyhow::Result<Name> {
        Ok("drain".parse()?)
    }

    /// The group that drains now.
    pub fn group(&self) -> &str {
        self.drains.last().map_or(GROUP, String::as_str)
    }

    /// From now on another group drains, to another folder. The files of both are read as one.
    pub fn drain_as(&mut self, group: &str) {
        self.drains.push(group.into());
    }

    /// The folder that is drained to now.
    pub fn folder(&self) -> PathBuf {
        self.to.at(self.group())
    }

    /// Appends up to the `part`th of `of` parts of the events.
    pub fn append(&mut self, part: usize, of: usize) -> anyhow::Result<()> {
        self.appended = self.appended.max(self.events.len() * part / of);
        self.resume()
    }

    /// A writer that resumes: of each lane it gives the server again what that does not have any more.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        let mut options = Options { takes_over: true, patience: PATIENCE, ..Options::default() };
        options.limits.events_max = BLOCK_EVENTS;
        let mut writer = Writer::open(&self.address()?, &Self::name()?, &options)?;
        let stored = |lane: &Lane| writer.resume_position().lane(*lane).map_or(0, |lane| lane.events);
        let mut had: Vec<u64> = jetstream::ALL.iter().map(stored).collect();
        for (lane, line) in &self.events[..self.appended] {
            if let Some(left) = had[lane.index()].checked_sub(1) {
                had[lane.index()] = left;
                continue;
            }
            writer.push(&parse(line).map_err(|why| anyhow::anyhow!("{why}"))?)?;
        }
        writer.close()?;
        Ok(())
    }

    /// A drain of what is there, with files of a few blocks each.
    pub fn config(&mut self, steps: Steps) -> anyhow::Result<Config> {
        let file_bytes = self.random.u64(10_000..60_000);
        Ok(Config {
            address: self.address()?,
            name: Self::name()?,
            group: self.group().into(),
            to: self.to.target(self.group()),
            staging: self.to.staging(),
            layout: Layout::default(),
            columns: Vec::new(),
            is_lean: false,
            rolling: Rolling { file_bytes, ..Rolling::default() },
            once: true,
            patience: PATIENCE,
            steps,
        })
    }

    /// Drains what is there.
    pub fn drain(&mut self, steps: Steps) -> anyhow::Result<Ended> {
        let running = Running::start(self.config(steps)?);
        let ended = running.join();
        Ok(self.ended(ended))
    }

    /// The same, held before the `nth` time that it comes to a step: then something is done, and when it goes on, something
    /// else is. Whether it came to the step, and how it ended.
    pub fn drain_held(
        &mut self,
        (step, nth): (Step, u64),
        then: impl FnOnce(&mut Self) -> anyhow::Result<()>,
        meanwhile: impl FnOnce(&mut Self, &Running) -> anyhow::Result<()>,
    ) -> anyhow::Result<(bool, Ended)> {
        let ((at, comes), (go, goes)) = (bounded(1), bounded::<()>(1));
        let seen = AtomicU64::new(0);
        let steps = Steps::asked(move |now| {
            if now == step && seen.fetch_add(1, Relaxed) + 1 == nth {
                // Nobody listens any more where the round has failed: then it goes on.
                let _ = at.send(());
                let _ = goes.recv();
            }
            true
        });
        let running = Running::start(self.config(steps)?);
        let held = until_held(&comes).and_then(|is_held| {
            if is_held {
                then(self)?;
            }
            Ok(is_held)
        });
        drop(go);
        let held = held.and_then(|is_held| {
            if is_held {
                meanwhile(self, &running)?;
            }
            Ok(is_held)
        });
        let ended = running.join();
        Ok((held?, self.ended(ended)))
    }

    fn ended(&mut self, ended: Result<(), DrainError>) -> Ended {
        match ended {
            Ok(()) => Ended::Whole,
            Err(DrainError::Destination(DestinationError::Stopped(_))) => Ended::Stopped,
            Err(DrainError::Buffer(Error::TakenOver { .. })) => Ended::TakenOver,
            Err(why) => {
                self.seen.fail(why);
                Ended::Failed
            }
        }
    }

    /// A step, and how often it is come to before something happens there.
    pub fn moment(&mut self, steps: &[Step]) -> (Step, u64) {
        (steps[self.random.usize(..steps.len())], self.random.u64(1..=3))
    }

    /// Events that are in files, and that the server does not have any more.
    pub fn lost_from_files(&mut self) -> anyhow::Result<u64> {
        let (mut connection, name) = (self.address()?.dial()?, Self::name()?);
        let archive = Archive::of_folder(&self.folder())?;
        let mut lost = 0;
        for lane in jetstream::ALL {
            let stored: Option<u64> =
                redis::cmd("HGET").arg(name.writer(lane)).arg("e").query(&mut connection)?;
            let record = archive.record(lane.name(), archive.last_commit(lane.name())?)?;
            let filed = record.map_or(0, |record| record.last.total);
            lost += filed.saturating_sub(stored.unwrap_or(0));
        }
        Ok(lost)
    }

    /// Appends what is left, drains it, and reads everything back.
    pub fn finish(mut self) -> anyhow::Result<Seen> {
        self.append(1, 1)?;
        self.drain(Steps::default())?;
        let targets: Vec<Target> = self.drains.iter().map(|name| self.to.target(name)).collect();
        Ok(read_back(&self.events, &self.excused, &targets, std::mem::take(&mut self.seen)))
    }
}

fn event(synth: &Synth, index: u64) -> anyhow::Result<Line> {
    let mut line = Vec::new();
    synth.write_event(index, &mut line);
    let lane = parse(&line).map_err(|why| anyhow::anyhow!("synthetic event {index}: {why}"))?.lane;
    Ok((lane, line))
}

/// Waits until a drain is held; false where it ended before.
fn until_held(comes: &Receiver<()>) -> anyhow::Result<bool> {
    loop {
        go_on()?;
        match comes.recv_timeout(LOOK) {
            Ok(()) => return Ok(true),
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
