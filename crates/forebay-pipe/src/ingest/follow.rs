//! A file that grows as a source: each line an event, its position the bytes up to and with it. The file is known by device and
//! inode, so that one that was renamed is read to its end before the one that took its name.
//!
//! Lines come in one order, and so do the blocks of a lane: what a lane has is everything of it up to the lane's own cursor. So
//! nothing need be kept back to tell repeats.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay::buffer::error::Error;
use forebay::buffer::lock;
use forebay::buffer::overflow::Overflow;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::lane::Lane;

use super::config::Config;
use super::counts::{Counted, Counts, Missed};
use super::ending::Ending;
use super::error::IngestError;
use super::growing::{Growing, Line, Mark};
use super::intake::{Listener, tell_missed};
use super::reopen::{Work, through_losses};
use super::room::{Pushed, push};

/// How often a file that has nothing new is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long a file that was renamed has to be silent before the one that has its name is read.
const RENAMED_FOR: Duration = Duration::from_secs(5);

/// Brings the lines of a file into a buffer, and where it `follows`, those that come, until it is told to stop.
pub(super) fn follow(
    config: &Config,
    (path, follows): (&Path, bool),
    counts: &Arc<Counts>,
    stop: &AtomicBool,
    hear: &mut dyn Listener,
) -> Result<Counted, IngestError> {
    let ending = Ending::new(stop, config.until);
    *lock(&counts.host) = path.display().to_string();
    let mut following = Following { config, path, follows, counts, ending };
    through_losses(&mut following, (config, counts), (ending, LOOK), hear)?;
    Ok(counts.look())
}

/// A file that is followed, whatever becomes of the buffer.
struct Following<'a> {
    config: &'a Config,
    path: &'a Path,
    follows: bool,
    counts: &'a Counts,
    ending: Ending<'a>,
}

impl Work for Following<'_> {
    type Buffer = Writer;

    fn open(&mut self) -> Result<Option<Writer>, Error> {
        let Config { address, name, options, .. } = self.config;
        let reconnects = matches!(options.overflow, Overflow::Spill(_));
        let options = Options { reconnects, ..options.clone() };
        let writer = Writer::open_patiently(address, name, &options, self.ending.stop)?;
        if let Some(writer) = &writer {
            self.counts.writer(writer.monitor());
        }
        Ok(writer)
    }

    fn work(&mut self, writer: Writer, hear: &mut dyn Listener) -> Result<(), IngestError> {
        let follower = Follower {
            writer,
            path: self.path,
            follows: self.follows,
            ending: self.ending,
            counts: self.counts,
            file: None,
            replaced: None,
            has: Vec::new(),
        };
        follower.run(self.config, hear)
    }
}

struct Follower<'a> {
    writer: Writer,
    path: &'a Path,
    follows: bool,
    ending: Ending<'a>,
    counts: &'a Counts,
    file: Option<Growing>,
    /// Since when another file has the name.
    replaced: Option<Instant>,
    /// Up to where each lane has everything of the file.
    has: Vec<u64>,
}

impl Follower<'_> {
    fn run(mut self, config: &Config, hear: &mut dyn Listener) -> Result<(), IngestError> {
        self.resume(config.event_bytes_max, hear)?;
        let mut line = Vec::new();
        while !self.ending.is_over() {
            let Some(file) = &mut self.file else { break };
            match file.next(&mut line, self.follows).map_err(|why| broken(self.path, &why))? {
                Line::Whole { end } => {
                    self.replaced = None;
                    self.take(&line, end, hear)?;
                }
                Line::TooLong { bytes } => {
                    Counts::add(&self.counts.refused);
                    let why = format!("it has {bytes} bytes, and the most is {}", config.event_bytes_max);
                    hear.refused(&[], &why);
                }
                Line::Nothing if !self.follows => break,
                Line::Nothing => {
                    self.writer.check()?;
                    if !self.next_file(config, hear)? {
                        std::thread::sleep(LOOK);
                    }
                }
            }
        }
        self.writer.close()?;
        Ok(())
    }

    /// Goes on where the buffer stands, in the file that it was of.
    fn resume(&mut self, event_bytes_max: usize, hear: &mut dyn Listener) -> Result<(), IngestError> {
        let position = self.writer.resume_position();
        let settled = position.low_watermark().unwrap_or(0);
        self.has = self
            .writer
            .events()
            .lanes()
            .map(|lane: Lane| position.lane(lane).and_then(|lane| lane.cursor).unwrap_or(0));
        let was = self.writer.source().and_then(Mark::read);
        let found = was.as_ref().and_then(|mark| Growing::find(mark, self.path, settled, event_bytes_max));
        if let Some(file) = found {
            self.file = Some(file);
            return Ok(());
        }
        if let Some(mark) = was {
            self.missed(&mark, settled, hear)?;
        }
        self.begin(event_bytes_max)
    }

    /// The file that has the name now, from its beginning.
    fn begin(&mut self, event_bytes_max: usize) -> Result<(), IngestError> {
        let (file, mark) =
            Growing::open(self.path, 0, event_bytes_max).map_err(|why| broken(self.path, &why))?;
        self.writer.begin_numbering(&mark.text())?;
        self.has.fill(0);
        self.file = Some(file);
        Counts::add(&self.counts.connections);
        Ok(())
    }

    /// Turns to the file that has the name now, where that is another one, or the same was cut; whether it did. Who writes to a
    /// file that was renamed may go on for a while.
    fn next_file(&mut self, config: &Config, hear: &mut dyn Listener) -> Result<bool, IngestError> {
        let Some(file) = &mut self.file else { return Ok(false) };
        if file.was_cut() {
            hear.remark(&format!("{} was cut: it is read from its beginning", self.path.display()));
        } else if !file.was_replaced(self.path) {
            self.replaced = None;
            return Ok(false);
        } else if self.replaced.get_or_insert_with(Instant::now).elapsed() < config.silence.min(RENAMED_FOR) {
            return Ok(false);
        } else if let Some((line, end)) = file.rest() {
            self.take(&line, end, hear)?;
        }
        self.replaced = None;
        self.begin(config.event_bytes_max)?;
        Ok(true)
    }

    fn take(&mut self, line: &[u8], end: u64, hear: &mut dyn Listener) -> Result<(), Error> {
        Counts::add(&self.counts.received);
        let mut event = match self.writer.events().parse(line) {
            Ok(event) => event,
            Err(why) => {
                Counts::add(&self.counts.refused);
                hear.refused(line, &why.to_string());
                return Ok(());
            }
        };
        if end <= self.has[event.lane.index()] {
            Counts::add(&self.counts.repeats);
            return Ok(());
        }
        event.cursor = end;
        let ending = self.ending;
        match push(&mut self.writer, &event, |_| ending.is_over())? {
            Pushed::Taken => {}
            Pushed::Refused(why) => {
                Counts::add(&self.counts.refused);
                hear.refused(line, &why);
                return Ok(());
            }
            // Not taken: it is read again the next time.
            Pushed::Full => return Ok(()),
        }
        Counts::add(&self.counts.pushed);
        self.counts.event_us.store(event.time_us, Relaxed);
        Ok(())
    }

    fn missed(&self, mark: &Mark, from: u64, hear: &mut dyn Listener) -> Result<(), Error> {
        tell_missed(Missed::of_file(mark.name(), from), (&self.writer, self.counts), hear)
    }
}

fn broken(path: &Path, why: &std::io::Error) -> IngestError {
    IngestError::File { path: path.display().to_string(), why: why.to_string() }
}
