//! A block in a spill file: bytes ⇄ block, no I/O.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `FBS2` |
//! | 4 | length of the frame |
//! | 8 each | place in the session, events pushed in the session before it, events in the session's files before it, events, smallest and largest `time_us`, bytes of the events, cursor, encoding |
//! | 4 | CRC-32 of the frame |
//! | 4 | CRC-32 of all of the above |
//! | … | the frame, as a stream entry has it |
//!
//! Numbers are little-endian. A file begins with a head: `FBS2`, length of the buffer's name, the name, 8 bytes events in
//! the session's files before this one, CRC-32 of these. Then a mark, which each write brings up to the one before it: 8
//! bytes each for the file's bytes that were on the disk for certain, events in the session's files up to there, place of
//! the last block up to there; CRC-32 of these. A file that is shorter than its mark says was damaged.

use std::sync::Arc;

use crate::block::frame::{Block, CONTENT_BYTES_MAX};

/// The largest number in a record: the largest time of an event. Scripts of a server count no further.
const NUMBER_MAX: u64 = 1 << 53;

/// What heads and records begin with.
pub(super) const MAGIC: &[u8; 4] = b"FBS2";

/// Bytes of a record before its frame.
pub(super) const HEAD_BYTES: usize = 16 + 8 * NUMBERS;

/// Numbers in it.
const NUMBERS: usize = 9;

/// A block and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Its place in the session, from 1.
    pub place: u64,
    /// Events of the lane pushed in the session before it.
    pub first: u64,
    /// Events in the session's files before it.
    pub before: u64,
    pub block: Arc<Block>,
}

/// A block that cannot be read: its place in the session, events in the session's files before it, and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    pub place: u64,
    pub before: u64,
    pub events: u64,
}

/// What stands at a place in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum At {
    /// A record, and its bytes.
    Record(Record, usize),
    /// A record whose frame is damaged: it is known what is lost.
    Damaged(Missing, usize),
    /// The file ends before the record does.
    Cut,
    /// No record begins here.
    Nothing,
}

/// Appends a record to `out`.
pub(super) fn write(place: u64, first: u64, before: u64, block: &Block, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&(block.frame.len() as u32).to_le_bytes());
    let times = [block.time_min, block.time_max];
    let of_block = [block.raw_bytes, block.cursor, block.encoding];
    for number in [place, first, before, block.events].into_iter().chain(times).chain(of_block) {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&crc32fast::hash(&block.frame).to_le_bytes());
    let sum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&block.frame);
}

/// How many bytes a block's record takes.
pub(super) fn len(block: &Block) -> u64 {
    (HEAD_BYTES + block.frame.len()) as u64
}

fn short(head: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

fn long(head: &[u8], at: usize) -> u64 {
    u64::from(short(head, at)) | u64::from(short(head, at + 4)) << 32
}

/// How many bytes a record takes that begins so; none where it is not sound, or not all of its head is there.
pub(super) fn whole_len(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..HEAD_BYTES)?;
    let is_sound =
        head.starts_with(MAGIC) && crc32fast::hash(&head[..HEAD_BYTES - 4]) == short(head, HEAD_BYTES - 4);
    let frame_len = short(head, 4) as usize;
    // No writer writes others. A count like that would take the lane's sum to where no script counts on, for good.
    let events = long(head, 8 + 3 * 8);
    let is_possible = (1..=CONTENT_BYTES_MAX as u64).contains(&events)
        && (0..NUMBERS).all(|index| long(head, 8 + index * 8) <= NUMBER_MAX);
    (is_sound && is_possible && frame_len <= CONTENT_BYTES_MAX).then_some(HEAD_BYTES + frame_len)
}

/// Reads what `bytes` begins with.
pub(super) fn read(bytes: &[u8]) -> At {
    let is_short = bytes.len() < HEAD_BYTES && bytes.starts_with(&MAGIC[..bytes.len().min(4)]);
    let Some(whole) = whole_len(bytes) else { return if is_short { At::Cut } else { At::Nothing } };
    let Some(frame) = bytes.get(HEAD_BYTES..whole) else { return At::Cut };
    let number = |index: usize| long(bytes, 8 + index * 8);
    let (place, first, before, events) = (number(0), number(1), number(2), number(3));
    if crc32fast::hash(frame) != short(bytes, HEAD_BYTES - 8) {
        return At::Damaged(Missing { place, before, events }, whole);
    }
    let block = Block {
        events,
        time_min: number(4),
        time_max: number(5),
        raw_bytes: number(6),
        cursor: number(7),
        encoding: number(8),
        frame: frame.to_vec(),
    };
    At::Record(Record { place, first, before, block: Arc::new(block) }, whole)
}

/// What was in a file for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Bytes of the file.
    pub bytes: u64,
    /// Events in the session's files up to there.
    pub events: u64,
    /// Place of the last block up to there.
    pub place: u64,
}

impl Mark {
    /// Bytes of a mark.
    pub const BYTES: usize = 28;

    pub fn write(self) -> Vec<u8> {
        let mut mark: Vec<u8> =
            [self.bytes, self.events, self.place].into_iter().flat_map(u64::to_le_bytes).collect();
        let sum = crc32fast::hash(&mark);
        mark.extend_from_slice(&sum.to_le_bytes());
        mark
    }

    /// Reads the mark that a head ends with; none where it is damaged.
    pub fn read(head: &[u8]) -> Option<Self> {
        let mark = head.get(head.len().checked_sub(Self::BYTES)?..)?;
        let is_sound = crc32fast::hash(&mark[..Self::BYTES - 4]) == short(mark, Self::BYTES - 4);
        is_sound.then(|| Self { bytes: long(mark, 0), events: long(mark, 8), place: long(mark, 16) })
    }
}

/// The head of a file of this buffer, with so many events of its session in earlier files, up to this place.
pub(super) fn head(buffer: &str, before: u64, place: u64) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&(buffer.len() as u32).to_le_bytes());
    head.extend_from_slice(buffer.as_bytes());
    head.extend_from_slice(&before.to_le_bytes());
    let sum = crc32fast::hash(&head);
    head.extend_from_slice(&sum.to_le_bytes());
    head.extend(Mark { bytes: head_len(buffer), events: before, place }.write());
    head
}

/// Bytes of such a head, with its mark.
pub(super) fn head_len(buffer: &str) -> u64 {
    (buffer.len() + 20 + Mark::BYTES) as u64
}

/// Whose file begins so, and the events of its session in earlier files; none where the head is damaged or was never
/// whole.
pub(super) fn owner(bytes: &[u8]) -> Option<(String, u64)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let len = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    let name = rest.get(4..)?.get(..len)?;
    let before = u64::from_le_bytes(rest[4 + len..].get(..8)?.try_into().ok()?);
    let sum = u32::from_le_bytes(rest[12 + len..].get(..4)?.try_into().ok()?);
    let is_sound = crc32fast::hash(&bytes[..16 + len]) == sum;
    std::str::from_utf8(name).ok().filter(|_| is_sound).map(|name| (name.to_owned(), before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u64) -> Block {
        let frame = (0..50 + number as u8).collect();
        Block { events: number, time_min: 5, time_max: 9, raw_bytes: 500, cursor: 7, encoding: 1, frame }
    }

    fn written() -> Vec<u8> {
        let mut bytes = Vec::new();
        write(7, 120, 100, &block(3), &mut bytes);
        bytes
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let mut bytes = written();
        let whole = bytes.len();
        assert_eq!(whole as u64, len(&block(3)));
        bytes.extend_from_slice(b"more");
        let record = Record { place: 7, first: 120, before: 100, block: Arc::new(block(3)) };
        assert_eq!(read(&bytes), At::Record(record, whole));
    }

    #[test]
    fn a_record_cut_at_any_byte_is_cut_and_nothing_else() {
        let bytes = written();
        for at in 0..bytes.len() {
            assert_eq!(read(&bytes[..at]), At::Cut, "cut at {at}");
        }
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        for at in 0..written().len() * 8 {
            let mut bytes = written();
            bytes[at / 8] ^= 1 << (at % 8);
            let missing = Missing { place: 7, before: 100, events: 3 };
            let expected = if at / 8 < HEAD_BYTES { At::Nothing } else { At::Damaged(missing, bytes.len()) };
            assert_eq!(read(&bytes), expected, "bit {at}");
        }
    }

    #[test]
    fn a_record_of_more_events_than_a_frame_can_hold_is_none_however_sound_it_is() {
        let at = |events: u64, place: u64| {
            let mut bytes = Vec::new();
            write(place, 0, 0, &Block { events, ..block(3) }, &mut bytes);
            read(&bytes)
        };
        let most = CONTENT_BYTES_MAX as u64;
        assert!(matches!((at(1, 7), at(most, 7)), (At::Record(..), At::Record(..))));
        for (events, place) in [(0, 7), (most + 1, 7), ((1 << 53) + 5, 7), (u64::MAX, 7), (3, u64::MAX)] {
            assert_eq!(at(events, place), At::Nothing, "{events} events at place {place}");
        }
    }

    #[test]
    fn a_head_says_whose_file_it_is_or_nothing() {
        let head = head("day", 5, 2);
        assert_eq!(owner(&head), Some(("day".to_owned(), 5)));
        assert_eq!(Mark::read(&head), Some(Mark { bytes: head_len("day"), events: 5, place: 2 }));
        assert_eq!(head.len() as u64, head_len("day"));
        let mark = head.len() - Mark::BYTES;
        for at in 0..head.len() {
            assert!(at >= mark || owner(&head[..at]).is_none(), "cut at {at}");
            let mut flipped = head.clone();
            flipped[at] ^= 1;
            assert_eq!((owner(&flipped).is_none(), Mark::read(&flipped).is_none()), (at < mark, at >= mark));
        }
    }
}
