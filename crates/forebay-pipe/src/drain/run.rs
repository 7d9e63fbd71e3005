//! A drain from its first look to its end: lane after lane, whatever is due becomes files.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use forebay::buffer::error::Error;
use forebay::buffer::sink::Sink;
use forebay::{Damage, Id};

use super::begin::{Begun, begin};
use super::config::Config;
use super::counts::Counts;
use super::destination::{Destination, DestinationError};
use super::figures::Figures;
use super::lane::LaneDrain;
use super::refusals::Refusals;
use super::schema::{BadColumns, Rows};
use super::table::WriteError;

/// How often it is looked whether anything is due.
const LOOK: Duration = Duration::from_millis(500);

/// Why a drain ended.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The buffer, or its server.
    #[error(transparent)]
    Buffer(#[from] Error),
    /// The destination.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A staged file could not be written.
    #[error("a file could not be written: {why}")]
    Staged {
        /// What the system said.
        why: std::io::Error,
    },
    /// A row that no file can have.
    #[error(transparent)]
    Row(WriteError),
    /// A file of the destination cannot be read.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A block of a later build.
    #[error("lane {lane}: block {id}: {why}; nothing of the lane is drained beyond it")]
    Newer {
        /// Its lane.
        lane: String,
        /// Its place.
        id: Id,
        /// What it says.
        why: Damage,
    },
    /// More events are in doubt than are held.
    #[error(
        "lane {lane}: the server came back without more than {events} events that are in files: which of them come again \
         cannot be told. Drain as another group, to another folder"
    )]
    TooMuchDoubt {
        /// The lane.
        lane: String,
        /// So many are held.
        events: usize,
    },
    /// A commit that was begun can be ended no more.
    #[error(
        "lane {lane}: commit {commit} was being published when a drain ended: some of its files are there, the others are \
         neither staged nor in the buffer any more. `forebay files verify` names them"
    )]
    Unfinished {
        /// The lane.
        lane: String,
        /// Its number.
        commit: u64,
    },
    /// A commit has no record.
    #[error(
        "lane {lane}: commit {commit} has no record, and the commits after it have: what it held is not known. Give back what \
         is missing; `forebay files verify` names all of it"
    )]
    NoRecord {
        /// The lane.
        lane: String,
        /// Its number.
        commit: u64,
    },
    /// A lane that is asked for, and was never drained.
    #[error("nothing was drained of lane {lane:?}: there are {}", .lanes.join(", "))]
    NoLane {
        /// What was asked for.
        lane: String,
        /// Those that are there.
        lanes: Vec<String>,
    },
    /// A range that never comes out.
    #[error(
        "lane {lane}: its next range was read {times} times, and was another one each time: nothing of it is drained. Look with \
         `forebay stat` whether its server is being started again and again, and start the drain anew"
    )]
    Unsettled {
        /// The lane.
        lane: String,
        /// So often.
        times: u32,
    },
    /// The destination refused for too long.
    #[error("gave up on the destination after {}: {why}", humantime::format_duration(*waited))]
    GaveUp {
        /// For how long.
        waited: Duration,
        /// What it said last.
        why: String,
    },
    /// Columns that cannot be.
    #[error(transparent)]
    Columns(#[from] BadColumns),
}

impl From<WriteError> for DrainError {
    fn from(error: WriteError) -> Self {
        match error.io() {
            Some(why) => Self::Staged { why: std::io::Error::new(why.kind(), why.to_string()) },
            None => Self::Row(error),
        }
    }
}

impl DrainError {
    /// Whether it may pass.
    fn may_pass(&self) -> bool {
        match self {
            Self::Destination(error) => error.may_pass(),
            Self::Staged { .. } => true,
            _ => false,
        }
    }
}

/// Drains until it is told to stop, or once what is there is drained where that is asked for.
pub fn drain(config: &Config, counts: &Counts, stop: &Arc<AtomicBool>) -> Result<(), DrainError> {
    let mut refusals = Refusals::new(config, counts, stop);
    let Begun { sink, destination, rows } = begin(config, counts, stop, &mut refusals)?;
    let figures = Figures::of(&sink, config, counts);
    let mut drain = Drain { config, counts, stop, sink, destination, rows, lanes: Vec::new(), refusals };
    std::thread::scope(|scope| {
        let telling = figures.begin(scope);
        let ended = drain.run();
        telling.end(&ended);
        ended
    })
}

struct Drain<'a> {
    config: &'a Config,
    counts: &'a Counts,
    stop: &'a Arc<AtomicBool>,
    sink: Sink,
    destination: Destination,
    rows: Rows,
    lanes: Vec<LaneDrain>,
    refusals: Refusals<'a>,
}

/// What a lane is drained with.
pub(super) struct Means<'a> {
    pub config: &'a Config,
    pub counts: &'a Counts,
    pub stop: &'a Arc<AtomicBool>,
    pub sink: &'a mut Sink,
    pub destination: &'a Destination,
    pub rows: &'a Rows,
}

impl Drain<'_> {
    fn run(&mut self) -> Result<(), DrainError> {
        let mut is_staging_clear = false;
        loop {
            // Asked first, so that what is found is no older than the end.
            let is_end = self.config.once || self.stop.load(Relaxed);
            let round = self.round(is_end, &mut is_staging_clear);
            self.counts.server_failures(self.sink.failures());
            match round {
                Ok(()) => {
                    self.refusals.are_over();
                    if is_end {
                        return Ok(());
                    }
                }
                Err(error) if error.may_pass() => {
                    // What was begun may stand anywhere: each lane looks again at what the destination has.
                    self.lanes.iter_mut().for_each(LaneDrain::look_again);
                    self.refusals.wait(&error)?;
                }
                Err(error) => return Err(error),
            }
            self.refusals.pause(LOOK);
        }
    }

    /// Every lane once.
    fn round(&mut self, is_end: bool, is_staging_clear: &mut bool) -> Result<(), DrainError> {
        for lane in self.sink.lanes()? {
            if !self.lanes.iter().any(|known| known.lane() == lane) {
                self.lanes.push(LaneDrain::new(lane, &self.destination)?);
            }
        }
        if !*is_staging_clear {
            let pending: Vec<_> = self.lanes.iter().filter_map(LaneDrain::pending).collect();
            self.destination.clear_staging(&pending)?;
            *is_staging_clear = true;
        }
        let (mut waiting, mut oldest) = (0, None);
        for at in 0..self.lanes.len() {
            let mut means = Means {
                config: self.config,
                counts: self.counts,
                stop: self.stop,
                sink: &mut self.sink,
                destination: &self.destination,
                rows: &self.rows,
            };
            let left = self.lanes[at].drain(&mut means, is_end)?;
            waiting += left.events;
            oldest = oldest.into_iter().chain(left.oldest_ms).min();
        }
        self.counts.waiting(waiting, oldest);
        Ok(())
    }
}

/// The time in microseconds since 1970.
pub(super) fn now_us() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}
