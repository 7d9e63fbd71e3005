//! What a writer knows of its source beyond the events: who counts its cursors, what the source no longer had, and which of its
//! events the buffer keeps so that repeats can be told.

use std::time::{Duration, Instant};

use super::cutter::Ended;
use super::error::Error;
use super::kept_back::{kept_back, note};
use super::keys::Name;
use super::position::Position;
use super::source_cursor::SourceCursor;
use super::writer::Writer;
use crate::event::lane::Lane;

/// How often it is looked at whether everything is settled.
const SETTLE_LOOK: Duration = Duration::from_millis(5);

impl Writer {
    /// The source that counts in the numbering of [`Self::resume_position`], or that of [`Self::begin_numbering`] since, as it
    /// was named; none where none was.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// From now on the cursors of events are of another source: another host, say, that counts anew. What was pushed is sent
    /// first, and waited for, no longer than [`WriterBuilder::patience`](crate::WriterBuilder::patience) allows. Where that
    /// fails, nothing has changed.
    pub fn begin_numbering(&mut self, source: &str) -> Result<(), Error> {
        self.begin_numbering_unless(source, || false).map(drop)
    }

    /// The same, unless it is over before everything is settled: then nothing has changed.
    #[doc(hidden)]
    pub fn begin_numbering_unless(
        &mut self,
        source: &str,
        is_over: impl Fn() -> bool,
    ) -> Result<bool, Error> {
        self.try_flush()?;
        if !self.settle(is_over)? {
            return Ok(false);
        }
        // The last low watermark of this numbering: blocks carry it until something of the next one is settled.
        self.acked_through();
        let numbering = self.shared.source.next_numbering();
        self.note(&Name::source(numbering), source)?;
        self.check()?;
        self.position = Position::after(self.pushed, &self.monitor());
        self.shared.source.begin(numbering);
        self.source = Some(source.into());
        Ok(true)
    }

    /// Sends what is there, whatever its age, as far as there is room for it: the rest goes when there is.
    #[doc(hidden)]
    pub fn try_flush(&mut self) -> Result<(), Error> {
        self.cutter.try_flush().map(drop).map_err(|Ended| self.ended())
    }

    /// Waits until the server has everything that was pushed; false where it is over before.
    fn settle(&self, is_over: impl Fn() -> bool) -> Result<bool, Error> {
        let started = Instant::now();
        let is_all = || {
            let counts = self.monitor().counts();
            counts.open() == 0 && counts.left == 0
        };
        while !is_all() {
            self.check()?;
            self.cutter.has_room().map_err(|Ended| self.ended())?;
            if is_over() {
                return Ok(false);
            }
            if started.elapsed() >= self.patience {
                let (url, waited) = (self.address.to_string(), started.elapsed());
                let why = self.monitor().trouble().unwrap_or_else(|| "blocks are under way".into());
                return Err(Error::Lost { url, waited, why, unacknowledged: self.shared.unacknowledged() });
            }
            std::thread::sleep(SETTLE_LOOK);
        }
        Ok(true)
    }

    /// Writes down beside the buffer what its source no longer had.
    #[doc(hidden)]
    pub fn note_missed(&self, at_us: u64, text: &str) -> Result<(), Error> {
        self.note(&Name::missed(at_us), text)
    }

    fn note(&self, field: &str, text: &str) -> Result<(), Error> {
        let (mut connection, _) = self.address.connect()?;
        note(&mut connection, (&self.address, &self.name), &self.shared.owner.incarnation, (field, text))
    }

    /// From now on so much before the low watermark is kept back, where anything is.
    #[doc(hidden)]
    pub fn keep_back(&self, margin: u64) {
        self.shared.source.keep_back(margin);
    }

    /// Hears of every event that the buffer keeps back ([`Options::keep_back`](super::options::Options::keep_back)).
    #[doc(hidden)]
    pub fn kept_back(&self, hear: impl FnMut(Lane, Option<SourceCursor>, &[u8])) -> Result<(), Error> {
        let wanted = self.resumed.low_watermark.map(|at| (at, self.shared.source.margin()));
        kept_back(&self.address, &self.name, wanted, hear)
    }
}
