//! Decides whether a line is an event, and takes from it what the buffer needs: its lane and its time.
//!
//! An event is one complete JSON object in UTF-8 whose `time_us` is a whole number from 0 to 2^53. Its bytes are
//! kept as they came; nothing is copied or printed again. Keys may come in any order and may be written with
//! escapes. `kind` "commit" with a string `commit.collection` gives the lane; all else is [`OTHER`].
//!
//! Keys that come twice: `time_us` twice is refused, because readers would disagree about when the event was. Of
//! `kind`, `commit` and `collection` the last counts, as it does for `JSON.parse`, Go and `serde_json::Value`.
//! What is wrong with the JSON is told before what is wrong with `time_us`.
//!
//! Why code of our own stands here: every event passes through it, beside compression, at up to a million a second on
//! two cores. Measured on one core of a 2-core machine over 152 recorded events (552 bytes in the mean), microseconds
//! an event: this 0.19 to 0.20, `serde_json` into borrowed structs 0.38 to 0.43, `sonic-rs` the same 0.37 to 0.46.
//! `cargo test --release --test event_parse speed -- --ignored --nocapture` measures it again.
//! Whole commands with `sonic-rs` 0.5.10 in its place: `append` at 0.88 of the speed, `read` at 0.60 (medians of 20 by turns,
//! results/2026-11-29-2core-library).

#![expect(clippy::inline_always, reason = "left as calls, the small steps keep the scanner in memory")]

use crate::event::jetstream::{self, OTHER};
use crate::event::json::Scanner;
pub use crate::event::json_fault::Fault;
use crate::event::lane::Lane;

/// The largest `time_us`: beyond it, a reader that takes JSON's numbers for doubles would read another time.
pub const TIME_US_MAX: u64 = 1 << 53;

/// The highest cursor, for the same reason.
pub const CURSOR_MAX: u64 = TIME_US_MAX;

/// One event, in the bytes it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The line as it was given.
    pub bytes: &'a [u8],
    /// When the source saw it, in microseconds since 1970.
    pub time_us: u64,
    /// The stream it belongs to.
    pub lane: Lane,
    /// Where the source stands once it has given this event: a number that grows, below 2^53, or 0 where there is none. It is
    /// stored with the event's block.
    pub cursor: u64,
}

/// Why a line is no event. Offsets count bytes from the start of the line, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reject {
    /// Nothing, or white space only: a caller may pass over it.
    #[error("the line is empty")]
    Empty,
    /// A byte that no UTF-8 text has there.
    #[error("not UTF-8 from byte {offset} on")]
    NotUtf8 {
        /// The first byte that is not.
        offset: usize,
    },
    /// Not JSON at all, or cut short.
    #[error("not JSON: {fault}, at byte {offset}")]
    NotJson {
        /// What is wrong.
        fault: Fault,
        /// Where.
        offset: usize,
    },
    /// JSON perhaps, but deeper than readers can be expected to follow.
    #[error("nested deeper than 127 levels, at byte {offset}")]
    TooDeep {
        /// The bracket that is one too many.
        offset: usize,
    },
    /// JSON, but an array, a text, a number or a literal.
    #[error("JSON, but not an object")]
    NotAnObject,
    /// No `time_us` at the top level.
    #[error("no time_us")]
    NoTime,
    /// `time_us` more than once.
    #[error("time_us is there more than once")]
    TimeTwice,
    /// A number in quotes, or any other text.
    #[error("time_us is text, not a number")]
    TimeText,
    /// `null`, `true`, `false`, an object or an array.
    #[error("time_us is not a number")]
    TimeNotNumber,
    /// It has a minus sign, even if only before a zero.
    #[error("time_us is negative")]
    TimeNegative,
    /// It has a fraction or an exponent, even if its value is whole.
    #[error("time_us is not written as a whole number")]
    TimeNotWhole,
    /// Not JSON, of a stream that is read by a JSON library.
    #[error("not JSON from byte {offset} on")]
    NotJsonFrom {
        /// Where.
        offset: usize,
    },
    /// Nothing where the stream says that the time stands.
    #[error("there is nothing at {0}, where its time should be")]
    NoTimeAt(&'static str),
    /// No time where the stream says that it stands.
    #[error("what is at {at} is no time ({unit})")]
    NotATime {
        /// The JSON pointer.
        at: &'static str,
        /// What it should be in.
        unit: &'static str,
    },
    /// Above [`TIME_US_MAX`].
    #[error("time_us is beyond 2^53")]
    TimeTooLarge,
}

/// What is found on the way through a line.
struct ParsedMembers<'a> {
    /// The value of `time_us` as it is written; empty where there is none.
    time: &'a [u8],
    time_twice: bool,
    is_commit: bool,
    collection: Lane,
}

/// Reads one line, without its line end, as an event.
pub fn parse(line: &[u8]) -> Result<Event<'_>, Reject> {
    let mut scanner = Scanner::new(line);
    let mut found = ParsedMembers { time: &[], time_twice: false, is_commit: false, collection: OTHER };
    let read = read_event(&mut scanner, &mut found);
    if (scanner.beyond_ascii() || read.is_err())
        && let Err(error) = std::str::from_utf8(line)
    {
        return Err(Reject::NotUtf8 { offset: error.valid_up_to() });
    }
    match read {
        Ok(true) => {}
        Ok(false) => return Err(Reject::NotAnObject),
        Err(fault) => return Err(reject(line, fault, scanner.offset())),
    }
    let lane = if found.is_commit { found.collection } else { OTHER };
    if found.time_twice {
        return Err(Reject::TimeTwice);
    }
    Ok(Event { bytes: line, time_us: time_us(found.time)?, lane, cursor: 0 })
}

#[cold]
fn reject(line: &[u8], fault: Fault, offset: usize) -> Reject {
    match fault {
        Fault::TooDeep => Reject::TooDeep { offset },
        _ if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) => Reject::Empty,
        _ => Reject::NotJson { fault, offset },
    }
}

/// Whether it is an object at all.
#[inline(always)]
fn read_event<'a>(scanner: &mut Scanner<'a>, found: &mut ParsedMembers<'a>) -> Result<bool, Fault> {
    if scanner.peek()? != b'{' {
        scanner.skip_value(0)?;
        scanner.end()?;
        return Ok(false);
    }
    let mut more = scanner.open_object()?;
    while more {
        match scanner.key()?.with(Member::named) {
            Member::Time => {
                scanner.peek()?;
                let start = scanner.offset();
                scanner.skip_value(1)?;
                found.time_twice = !found.time.is_empty();
                found.time = scanner.since(start);
            }
            Member::Kind => {
                found.is_commit = read_text(scanner, 1, |kind| kind == b"commit")?.unwrap_or(false);
            }
            Member::Commit => found.collection = read_commit(scanner)?,
            Member::Unneeded => scanner.skip_value(1)?,
        }
        more = scanner.more_members()?;
    }
    scanner.end()?;
    Ok(true)
}

/// The members of an event that say where it belongs.
enum Member {
    Time,
    Kind,
    Commit,
    Unneeded,
}

impl Member {
    fn named(key: &[u8]) -> Self {
        match key {
            b"time_us" => Self::Time,
            b"kind" => Self::Kind,
            b"commit" => Self::Commit,
            _ => Self::Unneeded,
        }
    }
}

/// The lane that the value of `commit` names.
#[inline(always)]
fn read_commit(scanner: &mut Scanner) -> Result<Lane, Fault> {
    let mut lane = OTHER;
    if scanner.peek()? != b'{' {
        scanner.skip_value(1)?;
        return Ok(lane);
    }
    let mut more = scanner.open_object()?;
    while more {
        if scanner.key()?.with(|key| key == b"collection") {
            let named = read_text(scanner, 2, |name| jetstream::lane_of(std::str::from_utf8(name).ok()))?;
            lane = named.unwrap_or(OTHER);
        } else {
            scanner.skip_value(2)?;
        }
        more = scanner.more_members()?;
    }
    Ok(lane)
}

/// What `f` makes of a value that is a string; nothing of any other.
#[inline(always)]
fn read_text<T>(scanner: &mut Scanner, open: u32, f: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Fault> {
    if scanner.peek()? == b'"' {
        return Ok(Some(scanner.text()?.with(f)));
    }
    scanner.skip_value(open)?;
    Ok(None)
}

/// The value of `time_us` from what is written there.
fn time_us(written: &[u8]) -> Result<u64, Reject> {
    match written.first() {
        None => return Err(Reject::NoTime),
        Some(b'"') => return Err(Reject::TimeText),
        Some(b'-') => return Err(Reject::TimeNegative),
        Some(b'0'..=b'9') => {}
        Some(_) => return Err(Reject::TimeNotNumber),
    }
    let mut value = 0_u64;
    for &byte in written {
        if !byte.is_ascii_digit() {
            return Err(Reject::TimeNotWhole);
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
    }
    // No leading zeros in JSON: what is longer than 2^53 is larger.
    if written.len() > 16 || value > TIME_US_MAX { Err(Reject::TimeTooLarge) } else { Ok(value) }
}
