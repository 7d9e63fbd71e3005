//! From events to a frame: of which encoding, and whether it holds what went in.
//!
//! Events of Jetstream are tried in encoding 2. What was encoded is decoded and compared before it is handed out; what does not
//! come back the same, or is no smaller than the events, becomes encoding 1. Where events come faster than blocks
//! go out, encoding 2 may take only so much of a core (`budget`): first its dearest step is left out, then it.

use std::time::Instant;

use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, ParamSwitch};

use super::atproto::{self, Effort};
use super::budget::Budget;
use super::frame::{ATPROTO, Block, CONTENT_BYTES_MAX, Draft, LINES};
use crate::event::stream::Stream;

/// The zstd level of a block that was cut by age. Level 9 saves 2 % of bytes and takes 5 times the processor.
const DENSE: i32 = 1;

/// The zstd level of a block that was cut because it is full: there events come faster than blocks go out.
/// With literals still compressed it takes 28 % less time than level 1, for 5 % more bytes.
const FAST: i32 = -5;

/// From so many bytes of events on, level [`FAST`] is used. At the network's mean rate and the usual linger
/// the largest block has a third of it.
const FAST_BYTES: usize = 160 << 10;

/// Why a block is in the encoding that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Encoding 2, decoded and compared.
    Dense,
    /// Encoding 1: the stream is not of the AT Protocol, or this encoding was asked for.
    Plain,
    /// Encoding 1: the block is full, and encoding 2 has had its share of the processor.
    Busy,
    /// Encoding 1: encoding 2 would not have been smaller than the events are.
    Larger,
    /// Encoding 1: what encoding 2 made did not come back the same.
    Differs,
}

impl Chosen {
    /// All, in the order of every table.
    pub const ALL: [Self; 5] = [Self::Dense, Self::Plain, Self::Busy, Self::Larger, Self::Differs];

    /// Its name in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Plain => "plain",
            Self::Busy => "busy",
            Self::Larger => "larger",
            Self::Differs => "differs",
        }
    }
}

/// What is done to frames of encoding 2 on purpose: for the control of the proof that they are checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// Each loses its last byte.
    LosesByte,
    /// Each loses its last byte, and none is checked.
    LosesByteUnseen,
}

/// Which encoding is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Encoding 2 where the stream is of the AT Protocol; of full blocks as far as its share of the processor goes.
    #[default]
    Measured,
    /// The same whatever it costs.
    Dense,
    /// Encoding 1.
    Plain,
}

/// How frames are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Which encoding is asked for.
    pub wanted: Wanted,
    /// What is done to frames on purpose.
    pub sabotage: Sabotage,
}

/// Makes frames; keeps its contexts from one to the next.
pub struct Encoder {
    how: Encoding,
    dense: Compressor<'static>,
    fast: Compressor<'static>,
    /// Where the stream is one of the AT Protocol.
    atproto: Option<Checked>,
    budget: Budget,
}

/// Encoding 2 and its check.
struct Checked {
    encoder: atproto::Encoder,
    decoder: atproto::Decoder,
    content: Vec<u8>,
}

impl Encoder {
    /// New contexts, for a stream's events.
    pub fn of(events: Stream, how: Encoding) -> std::io::Result<Self> {
        let context = |level| -> std::io::Result<Compressor<'static>> {
            let mut zstd = Compressor::new(level)?;
            zstd.include_checksum(true)?;
            zstd.include_contentsize(true)?;
            Ok(zstd)
        };
        let mut fast = context(FAST)?;
        fast.set_parameter(CParameter::LiteralCompressionMode(ParamSwitch::Enable))?;
        let is_atproto = events.is_jetstream() && how.wanted != Wanted::Plain;
        let atproto = is_atproto.then(Checked::new).transpose()?;
        Ok(Self { how, dense: context(DENSE)?, fast, atproto, budget: Budget::default() })
    }

    /// The block of a draft. It fails only where zstd cannot have memory.
    pub fn encode(&mut self, draft: &Draft) -> std::io::Result<(Block, Chosen)> {
        let chosen = match self.try_dense(draft) {
            Ok(frame) => return Ok((draft.to_block(ATPROTO, frame), Chosen::Dense)),
            Err(chosen) => chosen,
        };
        let zstd = if draft.len() < FAST_BYTES { &mut self.dense } else { &mut self.fast };
        Ok((draft.to_block(LINES, zstd.compress(draft.bytes())?), chosen))
    }

    fn try_dense(&mut self, draft: &Draft) -> Result<Vec<u8>, Chosen> {
        let Some(atproto) = &mut self.atproto else { return Err(Chosen::Plain) };
        let is_bounded = draft.is_full() && self.how.wanted != Wanted::Dense;
        if !is_bounded {
            return atproto.encode(draft.bytes(), Effort::Dense, self.how.sabotage);
        }
        let began = Instant::now();
        let effort = self.budget.allows(began).ok_or(Chosen::Busy)?;
        let encoded = atproto.encode(draft.bytes(), effort, self.how.sabotage);
        self.budget.spend(began.elapsed());
        encoded
    }
}

impl Checked {
    fn new() -> std::io::Result<Self> {
        let failed = |error: atproto::DictionaryError| std::io::Error::other(error.to_string());
        let dictionary = atproto::Dictionary::built_in().map_err(failed)?;
        Ok(Self {
            encoder: atproto::Encoder::new(dictionary.clone()).map_err(failed)?,
            decoder: atproto::Decoder::new(dictionary).map_err(failed)?,
            content: Vec::new(),
        })
    }

    /// The frame of events, where it is smaller than they are and they come back from it.
    fn encode(&mut self, events: &[u8], effort: Effort, sabotage: Sabotage) -> Result<Vec<u8>, Chosen> {
        let mut frame = self.encoder.encode(events, effort).ok_or(Chosen::Differs)?;
        if sabotage != Sabotage::None {
            frame.pop();
        }
        if frame.len() >= events.len() {
            return Err(Chosen::Larger);
        }
        let comes_back = self.decoder.decode(&frame, CONTENT_BYTES_MAX, &mut self.content).is_ok()
            && self.content == events;
        if comes_back || sabotage == Sabotage::LosesByteUnseen { Ok(frame) } else { Err(Chosen::Differs) }
    }
}
