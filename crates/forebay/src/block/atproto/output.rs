//! The events while they are written, which never become more than the frame claims.

use super::error::DecodeError;

/// Bytes up to a limit.
pub(super) struct Output<'a> {
    bytes: &'a mut Vec<u8>,
    limit: usize,
    /// Where the event that is being written starts.
    line: usize,
}

impl<'a> Output<'a> {
    /// Writes behind what is there until there are `limit` bytes, for which it takes memory at once.
    pub(super) fn new(bytes: &'a mut Vec<u8>, limit: usize) -> Self {
        bytes.reserve(limit.saturating_sub(bytes.len()));
        let line = bytes.len();
        Self { bytes, limit, line }
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        if bytes.len() > self.limit - self.bytes.len().min(self.limit) {
            return Err(DecodeError::Size);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends `len` bytes that are to be filled in; where they start in the line.
    #[inline]
    pub(super) fn stretch(&mut self, len: usize) -> Result<usize, DecodeError> {
        let at = self.bytes.len() - self.line;
        if len > self.limit - self.bytes.len().min(self.limit) {
            return Err(DecodeError::Size);
        }
        self.bytes.resize(self.bytes.len() + len, 0);
        Ok(at)
    }

    pub(super) fn start_line(&mut self) {
        self.line = self.bytes.len();
    }

    /// What there is of the event that is being written.
    #[inline]
    pub(super) fn line(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.line..).unwrap_or_default()
    }

    /// Whether there are as many bytes as there should be.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() == self.limit
    }
}
