//! What is sent: real-shaped events, each with its number in it, so that whatever comes back can be checked alone.
//!
//! Making an event takes a microsecond and more, which is longer than a request. So a pool of them is made beforehand;
//! payload `id` is entry `id` modulo the pool, with the sixteen digits of its `time_us` replaced by the number.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use memchr::memmem::Finder;

use super::resp;
use crate::synth::Synth;
use forebay::event::lines::Lines;
use forebay::event::parse;

/// Different events in the pool; about 2 MB.
const POOL: u64 = 4_096;

/// Most bytes and lines that a file gives to the pool.
const FILE_BYTES_MAX: usize = 64 << 20;

/// Digits of a number, and what is added so that none begins with a zero: it must stay valid JSON.
const DIGITS: usize = 16;
const BASE: u64 = 1_000_000_000_000_000;

/// Sizes that a payload may be set to.
const BYTES: (u64, u64) = (DIGITS as u64, 16 << 20);

/// Before the digits in an event.
const FIELD: &[u8] = b"\"time_us\":";

/// Where payloads come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Made-up events of the network's mix, as long as they are there.
    Events,
    /// Bytes of such events, cut to one size; the number comes first.
    Bytes(usize),
    /// The events of a file.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "events" {
            return Ok(Self::Events);
        }
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(Self::File(text.into()));
        }
        let bytes =
            text.parse::<bytesize::ByteSize>().map_err(|why| format!("{text:?} is not a size: {why}"))?;
        let range = BYTES.0..=BYTES.1;
        if range.contains(&bytes.as_u64()) {
            Ok(Self::Bytes(bytes.as_u64() as usize))
        } else {
            Err(format!("a payload has from {} bytes to 16 MiB, not {}", BYTES.0, bytes.as_u64()))
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events => f.write_str("synthetic events"),
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::File(path) => write!(f, "events of {}", path.display()),
        }
    }
}

/// The pool.
#[derive(Debug)]
pub struct Payloads {
    pool: Vec<Template>,
    /// Finds the digits; none where they come first.
    field: Option<Finder<'static>>,
    longest: usize,
}

/// A payload with room for its number.
#[derive(Debug)]
struct Template {
    /// As a word of a request.
    word: Vec<u8>,
    /// Where the payload begins in it.
    start: usize,
    /// Where the digits begin in the payload.
    digits: usize,
}

impl Template {
    fn of(payload: &[u8], digits: usize) -> Self {
        let mut word = Vec::with_capacity(payload.len() + 16);
        resp::word(&mut word, payload);
        Self { start: word.len() - payload.len() - 2, word, digits }
    }

    fn payload(&self) -> &[u8] {
        &self.word[self.start..self.word.len() - 2]
    }
}

impl Payloads {
    /// Makes the pool.
    pub fn of(source: &Source, seed: u64) -> Result<Self, String> {
        let field = Finder::new(FIELD);
        let pool = match source {
            Source::Events => events(seed)
                .map(|event| at(&field, &event).map(|digits| Template::of(&event, digits)))
                .collect::<Option<Vec<_>>>()
                .ok_or("a synthetic event without time_us")?,
            Source::Bytes(bytes) => {
                let filler: Vec<u8> = events(seed).flatten().collect();
                // Shorter than the filler by far, or else as often as it takes.
                let cut = |n: usize| filler.iter().cycle().skip(n * bytes % filler.len()).take(*bytes);
                let count = (FILE_BYTES_MAX / bytes).clamp(1, POOL as usize);
                (0..count).map(|n| Template::of(&cut(n).copied().collect::<Vec<_>>(), 0)).collect()
            }
            Source::File(path) => from_file(path, &field)?,
        };
        let longest = pool.iter().map(|template| template.word.len()).max().unwrap_or(0);
        let field = (!matches!(source, Source::Bytes(_))).then_some(field);
        Ok(Self { pool, field, longest })
    }

    /// Appends payload `id` as a word of a request.
    pub fn write_word(&self, id: u64, out: &mut Vec<u8>) {
        let template = self.template(id);
        let at = out.len() + template.start + template.digits;
        out.extend_from_slice(&template.word);
        out[at..at + DIGITS].copy_from_slice(&digits(id));
    }

    /// Payload `id` alone.
    pub fn payload(&self, id: u64) -> Vec<u8> {
        let template = self.template(id);
        let mut payload = template.payload().to_vec();
        payload[template.digits..template.digits + DIGITS].copy_from_slice(&digits(id));
        payload
    }

    /// Whether these are just the bytes of payload `id`.
    pub fn is(&self, id: u64, bytes: &[u8]) -> bool {
        let template = self.template(id);
        let (payload, from) = (template.payload(), template.digits);
        let to = from + DIGITS;
        bytes.len() == payload.len()
            && bytes[from..to] == digits(id)
            && bytes[..from] == payload[..from]
            && bytes[to..] == payload[to..]
    }

    /// Which payload these bytes are; none where they are none.
    pub fn identify(&self, bytes: &[u8]) -> Option<u64> {
        let from = match &self.field {
            Some(field) => at(field, bytes)?,
            None => 0,
        };
        let text = std::str::from_utf8(bytes.get(from..from + DIGITS)?).ok()?;
        let id = text.parse::<u64>().ok()?.checked_sub(BASE)?;
        self.is(id, bytes).then_some(id)
    }

    /// Bytes of the longest word, which bounds what a connection may have under way.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Mean bytes of a payload.
    pub fn mean_bytes(&self) -> f64 {
        self.pool.iter().map(|template| template.payload().len()).sum::<usize>() as f64
            / self.pool.len() as f64
    }

    fn template(&self, id: u64) -> &Template {
        &self.pool[(id % self.pool.len() as u64) as usize]
    }
}

fn events(seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let synth = Synth::network(seed);
    (0..POOL).map(move |index| {
        let mut event = Vec::new();
        synth.write_event(index, &mut event);
        event
    })
}

/// Where the sixteen digits of an event's `time_us` begin.
fn at(field: &Finder<'_>, event: &[u8]) -> Option<usize> {
    let from = field.find(event)? + FIELD.len();
    let is_number = event.get(from..from + DIGITS)?.iter().all(u8::is_ascii_digit);
    (is_number && !event.get(from + DIGITS).is_some_and(u8::is_ascii_digit)).then_some(from)
}

fn from_file(path: &std::path::Path, field: &Finder<'_>) -> Result<Vec<Template>, String> {
    let shown = path.display();
    let file = std::fs::File::open(path).map_err(|why| format!("{shown}: {why}"))?;
    let mut lines = Lines::new(file, 1 << 20);
    let (mut pool, mut bytes) = (Vec::new(), 0);
    while let Some(batch) = lines.next_batch(Vec::new()).map_err(|why| format!("{shown}: {why}"))? {
        if let Some(oversize) = batch.oversize().first() {
            return Err(format!(
                "{shown} line {}: {} bytes are too long for an event",
                oversize.line, oversize.bytes
            ));
        }
        for (line, event) in batch.lines() {
            parse::parse(event).map_err(|why| format!("{shown} line {line}: {why}"))?;
            let digits = at(field, event).ok_or_else(|| {
                format!("{shown} line {line}: no \"time_us\":<16 digits>, which would tell payloads apart")
            })?;
            bytes += event.len();
            pool.push(Template::of(event, digits));
        }
        if bytes > FILE_BYTES_MAX {
            break;
        }
    }
    if pool.is_empty() { Err(format!("{shown}: no event in it")) } else { Ok(pool) }
}

/// A number's sixteen digits.
fn digits(id: u64) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    let mut rest = BASE + id % (9 * BASE);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_is_an_event_of_its_own_and_known_again() {
        for source in [Source::Events, Source::Bytes(500), Source::Bytes(16), Source::Bytes(100_000)] {
            let payloads = Payloads::of(&source, 1).unwrap();
            for id in [0, 1, POOL - 1, POOL, 123_456_789_012] {
                let payload = payloads.payload(id);
                let mut word = Vec::new();
                payloads.write_word(id, &mut word);
                assert!(
                    word.ends_with(&[&payload[..], b"\r\n"].concat()) && word.len() <= payloads.longest()
                );
                assert!(payloads.is(id, &payload) && !payloads.is(id + 1, &payload), "{source} {id}");
                assert_eq!(payloads.identify(&payload), Some(id), "{source} {id}");
                if source == Source::Events {
                    assert!(parse::parse(&payload).is_ok());
                }
            }
        }
    }

    #[test]
    fn a_single_wrong_byte_is_noticed_wherever_it_is() {
        for source in [Source::Events, Source::Bytes(64)] {
            let payloads = Payloads::of(&source, 1).unwrap();
            let good = payloads.payload(77);
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1;
                assert!(!payloads.is(77, &bad), "{source} {at}");
                assert!(payloads.identify(&bad).is_none_or(|id| id != 77), "{source} {at}");
            }
            assert_eq!(payloads.identify(&good[1..]), None);
            assert_eq!(payloads.identify(b""), None);
        }
    }

    #[test]
    fn a_file_is_taken_whole_or_refused_by_its_line() {
        let write = |text: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            file
        };
        let good = "{\"did\":\"did:plc:a\",\"time_us\":1700000000000000,\"kind\":\"identity\"}\n";
        let file = write(&good.repeat(3));
        let payloads = Payloads::of(&Source::File(file.path().into()), 1).unwrap();
        assert_eq!(payloads.identify(&payloads.payload(5)), Some(5));
        for (bad, says) in [("", "no event"), ("\n{}\n", "line 2"), ("{\"time_us\":17}", "line 1")] {
            let file = write(bad);
            let error = Payloads::of(&Source::File(file.path().into()), 1).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!("15".parse::<Source>().is_err() && "1GB".parse::<Source>().is_err());
        assert_eq!("4KiB".parse(), Ok(Source::Bytes(4096)));
    }
}
