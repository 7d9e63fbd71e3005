//! Frame → events.

use std::sync::Arc;

use zstd::zstd_safe::{DCtx, DParameter, FrameFormat};

use super::bits::Body;
use super::cbor::RecordHasher;
use super::dictionary::{Dictionary, DictionaryError};
use super::error::DecodeError;
use super::header::Header;
use super::marks;
use super::output::Output;
use super::read::Reader;
use super::state::State;
use super::template::{Part, Template};

/// Opens frames; keeps its memory from one to the next.
pub struct Decoder {
    dictionary: Arc<Dictionary>,
    zstd: DCtx<'static>,
    state: State,
    hasher: RecordHasher,
    texts: Vec<u8>,
}

impl Decoder {
    /// A decoder of frames that were written with this dictionary.
    pub fn new(dictionary: Arc<Dictionary>) -> Result<Self, DictionaryError> {
        let error = |code| DictionaryError::Zstd(zstd::zstd_safe::get_error_name(code).to_owned());
        let mut zstd = DCtx::try_create().ok_or_else(|| DictionaryError::Zstd("no memory".to_owned()))?;
        zstd.set_parameter(DParameter::Format(FrameFormat::Magicless)).map_err(error)?;
        zstd.load_dictionary(dictionary.zstd()).map_err(error)?;
        let (state, hasher) = (State::new(), RecordHasher::default());
        Ok(Self { dictionary, zstd, state, hasher, texts: Vec::new() })
    }

    /// Puts the events of a frame into `out`, in place of what is there, separated by `\n`.
    ///
    /// A frame that claims to hold more than `limit` bytes is refused before anything is allocated for it. `out` never
    /// has more, and the frame's texts, which the decoder keeps the memory of, at most twice as many. After an error
    /// `out` is empty.
    pub fn decode(&mut self, frame: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        out.clear();
        let result = self.decode_into(frame, limit, out);
        if result.is_err() {
            out.clear();
        }
        result
    }

    fn decode_into(&mut self, frame: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let (header, rest) = Header::read(frame)?;
        header.check(self.dictionary.id(), limit)?;
        let (packed, body) = rest.split_at_checked(header.texts).ok_or(DecodeError::Truncated)?;
        self.unpack(packed, &header)?;
        self.state.reset(self.dictionary.templates().len() + 1);
        let mut output = Output::new(out, header.size);
        let mut reader = Reader {
            dictionary: &self.dictionary,
            state: &mut self.state,
            hasher: &mut self.hasher,
            body: Body::new(body),
            texts: &self.texts,
            has_own_cid: false,
        };
        events(header.events, &mut reader, &mut output)?;
        if !reader.is_used_up() {
            return Err(DecodeError::Trailing);
        }
        if !output.is_full() {
            return Err(DecodeError::Size);
        }
        if crc32fast::hash(out) == header.checksum { Ok(()) } else { Err(DecodeError::Checksum) }
    }

    /// Decompresses the texts.
    fn unpack(&mut self, packed: &[u8], header: &Header) -> Result<(), DecodeError> {
        self.texts.clear();
        if packed.is_empty() {
            return Ok(());
        }
        self.texts.reserve(header.texts_size_max());
        self.zstd
            .decompress(&mut self.texts, packed)
            .map_err(|code| DecodeError::Zstd(zstd::zstd_safe::get_error_name(code).to_owned()))?;
        Ok(())
    }
}

fn events(events: u64, reader: &mut Reader<'_>, out: &mut Output<'_>) -> Result<(), DecodeError> {
    for event in 0..events {
        if event > 0 {
            out.push(b"\n")?;
        }
        out.start_line();
        reader.has_own_cid = false;
        match reader.shape()? {
            Some(template) => templated(template, reader, out)?,
            None => spelled(reader, out)?,
        }
        if !reader.body.is_sound() {
            return Err(DecodeError::Truncated);
        }
    }
    Ok(())
}

/// An event whose skeleton is a template.
#[inline]
fn templated(template: &Template, reader: &mut Reader<'_>, out: &mut Output<'_>) -> Result<(), DecodeError> {
    if let Some(fixed) = template.fixed() {
        out.push(&fixed.pattern)?;
        let line = out.line();
        for &(mark, at) in &fixed.values {
            reader.fill(mark, line, at as usize, fixed.plan.as_ref())?;
        }
        return Ok(());
    }
    for Part { plain, mark } in template.parts() {
        out.push(plain)?;
        if let Some(mark) = mark {
            reader.value(mark, out)?;
        }
    }
    Ok(())
}

/// An event whose skeleton is no template.
fn spelled(reader: &mut Reader<'_>, out: &mut Output<'_>) -> Result<(), DecodeError> {
    let mut rest = reader.text()?;
    loop {
        let plain = rest.iter().position(|byte| marks::is_mark(*byte)).unwrap_or(rest.len());
        out.push(rest.get(..plain).unwrap_or_default())?;
        match rest.get(plain..).unwrap_or_default() {
            [] => return Ok(()),
            [marks::PLAIN, byte, behind @ ..] => {
                out.push(&[*byte])?;
                rest = behind;
            }
            [mark, behind @ ..] => {
                reader.value(*mark, out)?;
                rest = behind;
            }
        }
    }
}
