//! A block as the server hands it out: stream entry → fields, checked for what can be told without opening it.

use std::fmt;

use redis::Value;

use super::source_cursor::SourceCursor;
use crate::block::damage::Damage;
use crate::block::frame::{ENCODING_MAX, Sealed};

/// An entry's id: server milliseconds and a count within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id {
    /// Milliseconds since 1970 on the server's clock.
    pub ms: u64,
    /// Count within the millisecond.
    pub seq: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl Id {
    /// Reads `ms-seq`.
    pub fn parse(text: &str) -> Option<Self> {
        let (ms, seq) = text.split_once('-')?;
        Some(Self { ms: ms.parse().ok()?, seq: seq.parse().ok()? })
    }
}

/// The fields of a block, its frame unopened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands in its stream.
    pub id: Id,
    /// Field `f`: how its frame is made.
    pub encoding: u64,
    /// Field `s`: its number in the lane, from 1.
    pub number: u64,
    /// Field `n`: events in it.
    pub events: u64,
    /// Field `e`: events of the lane up to and with it, ever.
    pub total: u64,
    /// Fields `a` and `z`: smallest and largest `time_us`.
    pub times: (u64, u64),
    /// Field `p`: the epoch of the writer that appended it.
    pub epoch: u64,
    /// Field `c`: where the source stood after it.
    pub cursor: Option<SourceCursor>,
    /// Field `w`: where the source stood when all before was acknowledged, as the writer knew it when it sent the block.
    pub low_watermark: Option<SourceCursor>,
    /// Field `d`.
    pub frame: Vec<u8>,
}

impl Entry {
    /// Reads an entry's `field, value, …` list. It is consumed so that the frame need not be copied.
    /// For the crates of this workspace: no promise is kept about what it takes.
    #[doc(hidden)]
    pub fn read(id: Id, fields: Vec<Value>) -> Result<Self, Damage> {
        let mut fields = fields;
        let mut take = |name: &'static str| -> Result<Vec<u8>, Damage> {
            let at = fields
                .chunks(2)
                .position(|pair| matches!(&pair[0], Value::BulkString(bytes) if bytes == name.as_bytes()))
                .ok_or(Damage::Missing(name))?;
            match fields.get_mut(at * 2 + 1).map(std::mem::take) {
                Some(Value::BulkString(bytes)) => Ok(bytes),
                _ => Err(Damage::Missing(name)),
            }
        };
        let number = |bytes: Vec<u8>, name| -> Result<u64, Damage> {
            std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or(Damage::NotANumber(name))
        };
        let position = |bytes: Vec<u8>, name| {
            if bytes.is_empty() {
                return Ok(None);
            }
            let read = std::str::from_utf8(&bytes).ok().and_then(SourceCursor::parse);
            read.map(Some).ok_or(Damage::NotANumber(name))
        };
        let encoding = number(take("f")?, "f")?;
        if encoding > ENCODING_MAX {
            return Err(Damage::Newer(encoding));
        }
        Ok(Self {
            id,
            encoding,
            number: number(take("s")?, "s")?,
            events: number(take("n")?, "n")?,
            total: number(take("e")?, "e")?,
            times: (number(take("a")?, "a")?, number(take("z")?, "z")?),
            epoch: number(take("p")?, "p")?,
            cursor: position(take("c")?, "c")?,
            low_watermark: position(take("w")?, "w")?,
            frame: take("d")?,
        })
    }

    /// What a decoder needs of it.
    pub fn sealed(&self) -> Sealed<'_> {
        let Self { encoding, frame, events, times, .. } = self;
        Sealed { encoding: *encoding, frame, events: *events, times: *times }
    }

    /// Events of the lane before this block.
    pub fn before(&self) -> u64 {
        self.total.saturating_sub(self.events)
    }
}

/// What a list gives for an entry: id and fields; fields are none for a pending entry that is no longer in the stream.
pub(super) type Listed = (Id, Option<Vec<Value>>);

/// A list of entries as XRANGE, XREAD and XREADGROUP give it.
pub(super) fn list(value: Value) -> Option<Vec<Listed>> {
    let Value::Array(entries) = value else { return None };
    entries.into_iter().map(pair).collect()
}

fn pair(entry: Value) -> Option<Listed> {
    let Value::Array(pair) = entry else { return None };
    let [Value::BulkString(id), fields]: [Value; 2] = pair.try_into().ok()? else { return None };
    let id = Id::parse(std::str::from_utf8(&id).ok()?)?;
    match fields {
        Value::Array(fields) => Some((id, Some(fields))),
        _ => Some((id, None)),
    }
}
