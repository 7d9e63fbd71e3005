//! Reads the values of a frame's events, one mark after the other.

use super::bits::Body;
use super::cbor::RecordHasher;
use super::code::Role;
use super::dictionary::Dictionary;
use super::error::DecodeError;
use super::output::Output;
use super::plan::Plan;
use super::state::{State, clock_of, micros_of, tid_of};
use super::template::Template;
use super::{marks, time, token};

/// What is being read.
pub(super) struct Reader<'a> {
    pub(super) dictionary: &'a Dictionary,
    pub(super) state: &'a mut State,
    pub(super) hasher: &'a mut RecordHasher,
    pub(super) body: Body<'a>,
    /// The texts that were not yet used.
    pub(super) texts: &'a [u8],
    /// Whether the event had its own CID: a second one could cost as much time again, and a third.
    pub(super) has_own_cid: bool,
}

/// Writes a text into its place.
#[inline]
fn put<const N: usize>(line: &mut [u8], at: usize, text: &[u8; N]) {
    if let Some(place) = line.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = *text;
    }
}

impl<'a> Reader<'a> {
    /// Whether nothing is left.
    pub(super) fn is_used_up(&self) -> bool {
        self.body.is_used_up() && self.texts.is_empty()
    }

    /// The next text.
    #[inline]
    pub(super) fn text(&mut self) -> Result<&'a [u8], DecodeError> {
        let end = memchr::memchr(b'\n', self.texts).ok_or(DecodeError::Texts)?;
        let (text, rest) = self.texts.split_at_checked(end).ok_or(DecodeError::Texts)?;
        self.texts = rest.get(1..).unwrap_or_default();
        Ok(text)
    }

    /// The template of the next event; none where its skeleton is a text.
    #[inline]
    pub(super) fn shape(&mut self) -> Result<Option<&'a Template>, DecodeError> {
        let place = usize::try_from(self.take(Role::Shape)).map_err(|_| DecodeError::Skeleton)?;
        let shape = self.state.use_shape(place).ok_or(DecodeError::Skeleton)?;
        Ok(self.dictionary.templates().get(usize::from(shape)))
    }

    #[inline]
    fn take(&mut self, role: Role) -> u64 {
        self.dictionary.code(role).take(&mut self.body)
    }

    #[inline]
    fn take_signed(&mut self, role: Role) -> u64 {
        self.dictionary.code(role).take_signed(&mut self.body)
    }

    /// Appends the value that a mark stands for.
    #[inline]
    pub(super) fn value(&mut self, mark: u8, out: &mut Output<'_>) -> Result<(), DecodeError> {
        match mark {
            marks::TEXT => out.push(self.text()?),
            marks::INT => {
                let value = self.take(Role::Int);
                out.push(time::decimal(value, &mut [0; 20]))
            }
            _ => {
                let at = out.stretch(marks::text_len(mark).ok_or(DecodeError::Mark(mark))?)?;
                self.fill(mark, out.line(), at, None)
            }
        }
    }

    /// Writes a value of fixed length into its place in the line.
    #[inline]
    pub(super) fn fill(
        &mut self,
        mark: u8,
        line: &mut [u8],
        at: usize,
        plan: Option<&Plan>,
    ) -> Result<(), DecodeError> {
        match mark {
            marks::DID => {
                let value = match self.take(Role::Did) {
                    0 => {
                        let value = *self.body.take_value().ok_or(DecodeError::Truncated)?;
                        self.state.dids.push(value);
                        value
                    }
                    back => self.state.dids.back(back).ok_or(DecodeError::Reference)?,
                };
                put(line, at, &token::did_text(&value));
            }
            marks::RECORD_CID | marks::BLOB_CID => {
                let value = match self.take(Role::Cid) {
                    0 => {
                        let value = *self.body.take_value().ok_or(DecodeError::Truncated)?;
                        self.state.cids.push(value);
                        value
                    }
                    back => self.state.cids.back(back).ok_or(DecodeError::Reference)?,
                };
                put(line, at, &token::cid_text(mark == marks::RECORD_CID, &value));
            }
            marks::OWN_CID => {
                if std::mem::replace(&mut self.has_own_cid, true) {
                    return Err(DecodeError::OwnCid);
                }
                let value = if self.take(Role::OwnCid) == 0 {
                    self.hasher.own_cid(plan, line, at).ok_or(DecodeError::OwnCid)?
                } else {
                    *self.body.take_value().ok_or(DecodeError::Truncated)?
                };
                put(line, at, &token::cid_text(true, &value));
            }
            marks::TIME_US => {
                let role = if self.state.is_first { Role::FirstTime } else { Role::NextTime };
                let difference = self.take_signed(role);
                let time_us = self.state.time_us.wrapping_add(difference);
                self.state.set_time(time_us);
                put(line, at, &time::time_us_text(time_us).ok_or(DecodeError::Time)?);
            }
            marks::CREATED | marks::CREATED_WITH_KEY => {
                let role = if mark == marks::CREATED { Role::Created } else { Role::CreatedWithKey };
                let ms = self.state.anchor_ms.wrapping_sub(self.take_signed(role));
                if ms >= time::TIME_MS_END {
                    return Err(DecodeError::Time);
                }
                put(line, at, &time::time_text(ms));
            }
            _ => {
                let tid = self.tid(mark)?;
                put(line, at, &token::tid_text(tid));
            }
        }
        Ok(())
    }

    #[inline]
    fn tid(&mut self, mark: u8) -> Result<u64, DecodeError> {
        let time_ms = self.state.time_us / 1_000;
        let of_parts =
            |ms: u64, micros: u64, clock| tid_of(ms.wrapping_mul(1_000).wrapping_add(micros), clock);
        match mark {
            marks::REV => {
                let micros = self.state.time_us.wrapping_sub(self.take_signed(Role::RevTime));
                let tid = tid_of(micros, self.take(Role::RevClock));
                self.state.set_rev(tid);
                Ok(tid)
            }
            marks::RKEY => {
                let rev = micros_of(self.state.rev);
                let ms = (rev / 1_000).wrapping_sub(self.take_signed(Role::RkeyTime));
                let micros = self.take(Role::RkeyMicros).wrapping_add(rev % 1_000) % 1_000;
                let clock = self.take(Role::RkeyClock) ^ clock_of(self.state.rev);
                let tid = of_parts(ms, micros, clock);
                self.state.set_key(tid);
                Ok(tid)
            }
            marks::KEY => {
                let rev = micros_of(self.state.rev);
                let ms = (rev / 1_000).wrapping_sub(self.take_signed(Role::KeyTime));
                let micros = self.take(Role::KeyMicros);
                let tid = of_parts(ms, micros, self.take(Role::KeyClock));
                self.state.set_key(tid);
                Ok(tid)
            }
            marks::TID => {
                let back = self.take(Role::TidBack);
                if back > 0 {
                    return self.state.tids.back(back).ok_or(DecodeError::Reference);
                }
                let ms = time_ms.wrapping_sub(self.take_signed(Role::TidTime));
                let micros = self.take(Role::TidMicros);
                let tid = of_parts(ms, micros, self.take(Role::TidClock));
                self.state.tids.push(tid);
                Ok(tid)
            }
            _ => Err(DecodeError::Mark(mark)),
        }
    }
}
