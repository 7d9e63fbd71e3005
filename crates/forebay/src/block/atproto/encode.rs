//! Events → frame.

use std::sync::Arc;

use zstd::zstd_safe::{CCtx, CParameter, FrameFormat};

use super::bits::BitWriter;
use super::cbor::RecordHasher;
use super::code::Role;
use super::dictionary::{Dictionary, DictionaryError};
use super::lexer::{Token, Value, cut};
use super::state::{State, clock_of, micros_of};
use super::tally::{Column, Tally};
use super::template::Template;
use super::token::CID_BYTES;
use super::{Effort, VERSION, marks, put_varint};

/// How many of the skeletons last used a line is held against before it is cut.
const TRIED: usize = 4;
/// The zstd level of the texts of a block that was cut by age: 6 % fewer bytes of texts than [`LEVEL_FULL`] (half a byte
/// an event), for about three times the processor. Only posts and profiles have texts.
const LEVEL: i32 = 6;
/// The level of a block that was cut because it is full, and of all where effort is [`Effort::Quick`].
const LEVEL_FULL: i32 = 2;
/// From so many bytes of events on, a block counts as full.
const FULL_BYTES: usize = 64 << 10;

/// Makes frames; keeps its memory from one to the next.
pub struct Encoder<T = ()> {
    tally: T,
    dictionary: Arc<Dictionary>,
    zstd: CCtx<'static>,
    zstd_full: CCtx<'static>,
    state: State,
    hasher: RecordHasher,
    bits: BitWriter,
    values: Vec<u8>,
    texts: Vec<u8>,
    packed: Vec<u8>,
    tokens: Vec<Token>,
    skeleton: Vec<u8>,
}

/// A context of zstd for texts.
fn context(dictionary: &Dictionary, level: i32) -> Result<CCtx<'static>, DictionaryError> {
    let error = |code| DictionaryError::Zstd(zstd::zstd_safe::get_error_name(code).to_owned());
    let mut zstd = CCtx::try_create().ok_or_else(|| DictionaryError::Zstd("no memory".to_owned()))?;
    for parameter in [
        CParameter::Format(FrameFormat::Magicless),
        CParameter::CompressionLevel(level),
        CParameter::ContentSizeFlag(true),
        CParameter::ChecksumFlag(false),
        CParameter::DictIdFlag(false),
    ] {
        zstd.set_parameter(parameter).map_err(error)?;
    }
    zstd.load_dictionary(dictionary.zstd()).map_err(error)?;
    Ok(zstd)
}

impl Encoder {
    /// An encoder that writes with this dictionary.
    pub fn new(dictionary: Arc<Dictionary>) -> Result<Self, DictionaryError> {
        Self::with_tally(dictionary, ())
    }
}

impl<T: Tally> Encoder<T> {
    /// The same, which counts what it writes.
    pub fn with_tally(dictionary: Arc<Dictionary>, tally: T) -> Result<Self, DictionaryError> {
        let zstd = context(&dictionary, LEVEL)?;
        let zstd_full = context(&dictionary, LEVEL_FULL)?;
        Ok(Self {
            tally,
            dictionary,
            zstd,
            zstd_full,
            state: State::new(),
            hasher: RecordHasher::default(),
            bits: BitWriter::default(),
            values: Vec::new(),
            texts: Vec::new(),
            packed: Vec::new(),
            tokens: Vec::new(),
            skeleton: Vec::new(),
        })
    }

    /// The frame of a block's events: lines that are separated by `\n`, with none after the last.
    ///
    /// None where zstd has no memory. Whoever sends the frame decodes it first and compares. The same events, dictionary
    /// and effort give the same frame.
    pub fn encode(&mut self, events: &[u8], effort: Effort) -> Option<Vec<u8>> {
        self.clear();
        let mut count = 0;
        if !events.is_empty() {
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', events).chain([events.len()]) {
                self.line(events.get(start..end)?, effort)?;
                start = end + 1;
                count += 1;
            }
        }
        if !self.texts.is_empty() {
            self.packed.reserve(zstd::zstd_safe::compress_bound(self.texts.len()));
            let is_full = effort == Effort::Quick || events.len() >= FULL_BYTES;
            let zstd = if is_full { &mut self.zstd_full } else { &mut self.zstd };
            zstd.compress2(&mut self.packed, &self.texts).ok()?;
        }
        let room = 32 + self.packed.len() + self.values.len() + self.bits.len_bits() / 8;
        let mut frame = Vec::with_capacity(room);
        frame.push(VERSION);
        put_varint(&mut frame, u64::from(self.dictionary.id()));
        put_varint(&mut frame, count);
        put_varint(&mut frame, events.len() as u64);
        frame.extend_from_slice(&crc32fast::hash(events).to_le_bytes());
        put_varint(&mut frame, self.packed.len() as u64);
        self.tally.bytes(Column::Header, &frame);
        self.tally.bytes(Column::Texts, &self.packed);
        self.tally.texts(&self.texts);
        frame.extend_from_slice(&self.packed);
        frame.extend_from_slice(&self.values);
        self.bits.append_reversed(&mut frame);
        Some(frame)
    }

    /// What was counted.
    pub fn tally(&self) -> &T {
        &self.tally
    }

    fn clear(&mut self) {
        self.state.reset(self.dictionary.templates().len() + 1);
        self.bits.clear();
        self.values.clear();
        self.texts.clear();
        self.packed.clear();
    }

    fn line(&mut self, line: &[u8], effort: Effort) -> Option<()> {
        let place = self.tried(line).or_else(|| self.cut(line))?;
        self.put(Role::Shape, place as u64);
        let shape = self.state.use_shape(place)?;
        let dictionary = Arc::clone(&self.dictionary);
        let template = dictionary.templates().get(usize::from(shape));
        if template.is_none() {
            self.texts.extend_from_slice(&self.skeleton);
            self.texts.push(b'\n');
        }
        let plan = template.and_then(Template::fixed).and_then(|fixed| fixed.plan.as_ref());
        let tokens = std::mem::take(&mut self.tokens);
        for (mark, value) in &tokens {
            match value {
                Value::Did(value) => {
                    let back = self.state.dids.find_or_push(*value);
                    self.identifier(Role::Did, Column::Dids, back, value);
                }
                Value::Cid(value) => {
                    let back = self.state.cids.find_or_push(*value);
                    self.identifier(Role::Cid, Column::Cids, back, value);
                }
                Value::Text(range) => {
                    self.texts.extend_from_slice(line.get(range.clone())?);
                    self.texts.push(b'\n');
                }
                Value::OwnCid(value, at) => {
                    let computed = match effort {
                        Effort::Dense => self.hasher.own_cid(plan, line, *at),
                        Effort::Quick => None,
                    };
                    self.own_cid(value, computed);
                }
                Value::Number(value) => self.number(*mark, *value),
            }
        }
        self.tokens = tokens;
        Some(())
    }

    /// The place of a skeleton of late that the line has.
    #[inline]
    fn tried(&mut self, line: &[u8]) -> Option<usize> {
        let templates = self.dictionary.templates();
        self.state.shapes().iter().take(TRIED).position(|&shape| {
            templates.get(usize::from(shape)).is_some_and(|template| template.matches(line, &mut self.tokens))
        })
    }

    /// Cuts the line; the place of its skeleton.
    fn cut(&mut self, line: &[u8]) -> Option<usize> {
        self.tokens.clear();
        self.skeleton.clear();
        cut(line, &mut self.skeleton, &mut self.tokens);
        let spelled = self.dictionary.templates().len();
        let shape = self.dictionary.number_of(&self.skeleton).map_or(spelled, usize::from);
        self.state.shapes().iter().position(|&other| usize::from(other) == shape)
    }

    #[inline]
    fn put(&mut self, role: Role, number: u64) {
        let bits = self.dictionary.code(role).put(&mut self.bits, number);
        self.tally.number(role, number, bits);
    }

    #[inline]
    fn put_signed(&mut self, role: Role, difference: u64) {
        let bits = self.dictionary.code(role).put_signed(&mut self.bits, difference);
        self.tally.signed(role, difference, bits);
    }

    /// An identifier that stands so far back in its list, or was not there.
    #[inline]
    fn identifier(&mut self, role: Role, column: Column, back: u64, value: &[u8]) {
        self.put(role, back);
        if back == 0 {
            self.tally.bytes(column, value);
            self.values.extend_from_slice(value);
        }
    }

    fn own_cid(&mut self, value: &[u8; CID_BYTES], computed: Option<[u8; CID_BYTES]>) {
        let is_stored = computed != Some(*value);
        self.put(Role::OwnCid, u64::from(is_stored));
        if is_stored {
            self.tally.bytes(Column::OwnCids, value);
            self.values.extend_from_slice(value);
        }
    }

    #[inline]
    fn number(&mut self, mark: u8, value: u64) {
        let time_us = self.state.time_us;
        let (micros, clock) = (micros_of(value), clock_of(value));
        match mark {
            marks::TIME_US => {
                let role = if self.state.is_first { Role::FirstTime } else { Role::NextTime };
                self.put_signed(role, value.wrapping_sub(time_us));
                self.state.set_time(value);
            }
            marks::REV => {
                self.put_signed(Role::RevTime, time_us.wrapping_sub(micros));
                self.put(Role::RevClock, clock);
                self.state.set_rev(value);
            }
            marks::RKEY => {
                let rev = micros_of(self.state.rev);
                self.put_signed(Role::RkeyTime, (rev / 1_000).wrapping_sub(micros / 1_000));
                self.put(Role::RkeyMicros, (micros % 1_000 + 1_000 - rev % 1_000) % 1_000);
                self.put(Role::RkeyClock, clock ^ clock_of(self.state.rev));
                self.state.set_key(value);
            }
            marks::KEY => {
                let rev = micros_of(self.state.rev);
                self.put_signed(Role::KeyTime, (rev / 1_000).wrapping_sub(micros / 1_000));
                self.put(Role::KeyMicros, micros % 1_000);
                self.put(Role::KeyClock, clock);
                self.state.set_key(value);
            }
            marks::TID => {
                let back = self.state.tids.find_or_push(value);
                self.put(Role::TidBack, back);
                if back == 0 {
                    self.put_signed(Role::TidTime, (time_us / 1_000).wrapping_sub(micros / 1_000));
                    self.put(Role::TidMicros, micros % 1_000);
                    self.put(Role::TidClock, clock);
                }
            }
            marks::CREATED | marks::CREATED_WITH_KEY => {
                let role = if mark == marks::CREATED { Role::Created } else { Role::CreatedWithKey };
                self.put_signed(role, self.state.anchor_ms.wrapping_sub(value));
            }
            _ => self.put(Role::Int, value),
        }
    }
}
