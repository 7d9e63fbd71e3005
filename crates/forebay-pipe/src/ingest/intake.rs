//! One event at a time into the buffer: whether it is known, whether it is one at all, and what to do while there is no room.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay::SourceCursor;
use forebay::buffer::error::Error;
use forebay::buffer::lock;
use forebay::buffer::writer::Writer;

use super::config::{Config, Sabotage};
use super::counts::{Counts, Missed};
use super::feed::now_us;
use super::room::{Pushed, ROOM_LOOK, ROOM_MAX, push};
use super::source::{Kind, Source};
use super::window::Window;
use crate::identity::{Identified, Identifier};

/// How often it is looked whether there is room, and what is settled.
const SETTLE_EVERY: Duration = Duration::from_millis(100);

/// How far a host's clock may be ahead of this machine's.
const AHEAD_US: u64 = 86_400_000_000;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    New,
    Known,
    Refused,
    /// There was no room for so long that the host must be let go; the event was not taken.
    Full,
}

/// Hears of what is not taken.
pub trait Listener {
    /// A message that is no event the buffer can take, and why.
    fn refused(&mut self, message: &[u8], why: &str);
    /// Something that whoever runs it should know.
    fn remark(&mut self, text: &str);
}

/// A buffer's writer, and what it has taken.
pub(super) struct Intake {
    pub(super) writer: Writer,
    pub(super) window: Window,
    pub(super) identifier: Identifier,
    pub(super) counts: Arc<Counts>,
    event_bytes_max: usize,
    takes_repeats: bool,
    /// The cursor of the first event, where no low watermark is stored yet.
    first: Option<u64>,
    /// The cursor of the newest event that was taken.
    pub(super) newest: Option<u64>,
    /// Who counts; none before the first event of a new buffer.
    pub(super) source: Option<Source>,
    /// Whether something of its numbering was pushed.
    has_begun: bool,
    /// Up to when everything was settled when its numbering began.
    began_at_us: Option<u64>,
    settled_at: Instant,
}

impl Intake {
    /// With what the buffer keeps back.
    pub(super) fn open(writer: Writer, counts: Arc<Counts>, config: &Config) -> Result<Self, Error> {
        // A server that came back may have less.
        counts.settled_us.store(0, Relaxed);
        let identifier = Identifier::default();
        let source = writer.source().and_then(Source::read);
        let numbering = writer.resume_position().numbering();
        if let Some(source) = &source {
            writer.keep_back(source.kind.margin());
        }
        let mut kept = Vec::new();
        writer.kept_back(|_, at: Option<SourceCursor>, line| {
            let of = identifier.of(line);
            // What was left in a spill folder has no numbering; it is of the newest one, most likely.
            let is_now = at.is_none_or(|at| at.numbering == numbering);
            let cursor = source.as_ref().filter(|_| is_now).and_then(|source| stand_of(source.kind, &of));
            kept.push((cursor.unwrap_or(0), of, at.is_some()));
        })?;
        let stored = writer.resume_position().low_watermark();
        let low_watermark = stored.unwrap_or(0);
        // Killed before it stored any low watermark: nothing before its first event was taken.
        let first = kept
            .iter()
            .filter(|(cursor, _, is_stored)| *is_stored && *cursor > 0)
            .map(|(cursor, ..)| *cursor)
            .min();
        let first = first.filter(|_| stored.is_none());
        let window = window_of(kept, low_watermark, config.filter.is_all());
        Ok(Self {
            writer,
            window,
            identifier,
            counts,
            event_bytes_max: config.event_bytes_max,
            newest: None,
            first,
            takes_repeats: config.sabotage == Some(Sabotage::Repeats),
            source,
            has_begun: true,
            began_at_us: None,
            settled_at: Instant::now(),
        })
    }

    /// Up to which cursor of the present numbering everything is settled, and up to when.
    pub(super) fn settled(&mut self) -> (Option<u64>, Option<u64>) {
        self.writer.acked_through();
        let low_watermark = self.writer.monitor().low_watermark().or(self.first);
        let time_us = match (&self.source, low_watermark) {
            (Some(source), Some(cursor)) if source.kind == Kind::V1 => Some(cursor),
            (Some(_), Some(cursor)) => self.window.time_of(cursor),
            _ => self.began_at_us,
        };
        self.counts.settled_us.store(time_us.unwrap_or(0), Relaxed);
        (low_watermark, time_us)
    }

    /// Sends what waits, so that no more than need be is asked for again; no longer than for so long.
    pub(super) fn settle(&mut self, long: Duration) -> Result<(), Error> {
        self.writer.try_flush()?;
        let since = Instant::now();
        while self.writer.monitor().counts().open() > 0 && since.elapsed() < long {
            self.writer.check()?;
            std::thread::sleep(ROOM_LOOK);
        }
        Ok(())
    }

    /// From the next event on another source counts, from this cursor on; everything before is settled. False where it was told
    /// to stop before that.
    pub(super) fn begin(&mut self, source: Source, first: u64, stop: &AtomicBool) -> Result<bool, Error> {
        let (_, time_us) = self.settled();
        self.began_at_us = time_us;
        if !self.writer.begin_numbering_unless(&source.text(), || stop.load(Relaxed))? {
            return Ok(false);
        }
        self.writer.keep_back(source.kind.margin());
        self.first = None;
        self.window.begin_numbering(first);
        self.source = Some(source);
        self.has_begun = false;
        Ok(true)
    }

    /// Whether nothing of the present numbering was pushed yet.
    pub(super) fn is_unbegun(&self) -> bool {
        !self.has_begun
    }

    /// Takes an event whose identity is known, or not.
    pub(super) fn take(
        &mut self,
        line: &[u8],
        of: &Identified,
        stop: &AtomicBool,
        hear: &mut dyn Listener,
    ) -> Result<Took, Error> {
        if self.window.has(of.identity) && !self.takes_repeats {
            Counts::add(&self.counts.repeats);
            return Ok(Took::Known);
        }
        let mut refuse = |counts: &Counts, why: &str| {
            Counts::add(&counts.refused);
            hear.refused(line, why);
            Ok(Took::Refused)
        };
        if line.len() > self.event_bytes_max {
            let why = format!("it has {} bytes, and the most is {}", line.len(), self.event_bytes_max);
            return refuse(&self.counts, &why);
        }
        if line.contains(&b'\n') {
            return refuse(&self.counts, "there is a line end in it, and an event is one line");
        }
        let mut event = match self.writer.events().parse(line) {
            Ok(event) => event,
            Err(why) => return refuse(&self.counts, &why.to_string()),
        };
        let kind = self.source.as_ref().map_or(Kind::V1, |source| source.kind);
        event.cursor = stand_of(kind, of).unwrap_or(0);
        match push(&mut self.writer, &event, |waited| waited >= ROOM_MAX || stop.load(Relaxed))? {
            Pushed::Taken => {}
            Pushed::Refused(why) => return refuse(&self.counts, &why),
            Pushed::Full => return Ok(Took::Full),
        }
        self.window.take(of.identity, event.cursor, event.time_us);
        self.has_begun = true;
        self.newest = Some(event.cursor);
        Counts::add(&self.counts.pushed);
        self.counts.event_us.store(event.time_us, Relaxed);
        self.tidy();
        Ok(Took::New)
    }

    /// From time to time: what is settled by now, and what need not be known any more.
    pub(super) fn tidy(&mut self) {
        if self.settled_at.elapsed() < SETTLE_EVERY {
            return;
        }
        self.settled_at = Instant::now();
        let (low_watermark, _) = self.settled();
        if let (Some(source), Some(cursor)) = (&self.source, low_watermark) {
            self.window.forget(cursor, source.kind.margin());
        }
    }
}

/// The window of what the buffer has kept back: each event with its cursor, and whether that is known to be of this numbering.
fn window_of(mut kept: Vec<(u64, Identified, bool)>, low_watermark: u64, all: bool) -> Window {
    // A number of another host may lie so far ahead that the window would never forget it, nor anything after it.
    let apart: u64 = if all { 4 } else { 1_000 };
    let ahead = low_watermark.saturating_add(apart.saturating_mul(kept.len() as u64 + 100_000));
    let is_time = |cursor, of: &Identified| of.time_us == Some(cursor);
    for (cursor, of, is_sure) in &mut kept {
        if !*is_sure && !is_time(*cursor, of) && *cursor > ahead {
            *cursor = 0;
        }
    }
    kept.sort_unstable_by_key(|(cursor, of, _)| (*cursor, of.time_us));
    let mut window = Window::default();
    for (cursor, of, _) in kept {
        window.take(of.identity, cursor, of.time_us.unwrap_or(0));
    }
    window
}

/// Where an event says that its source stands: no time of a future that no clock is wrong by. Everything up to there would count
/// as settled.
pub(super) fn stand_of(kind: Kind, of: &Identified) -> Option<u64> {
    cursor_of(kind, of).filter(|cursor| kind == Kind::V2 || *cursor <= now_us() + AHEAD_US)
}

/// The source no longer had something: it is told, written down beside the buffer, and counted.
pub(super) fn tell_missed(
    missed: Missed,
    (writer, counts): (&Writer, &Counts),
    hear: &mut dyn Listener,
) -> Result<(), Error> {
    hear.remark(&missed.to_string());
    // Proof: texts and numbers.
    let text = serde_json::to_string(&missed).expect("what was missed is JSON");
    writer.note_missed(now_us(), &text)?;
    lock(&counts.missed).push(missed);
    Ok(())
}

/// An event's cursor.
pub(super) fn cursor_of(kind: Kind, of: &Identified) -> Option<u64> {
    match kind {
        Kind::V1 => of.time_us,
        Kind::V2 => of.cursor,
    }
}
