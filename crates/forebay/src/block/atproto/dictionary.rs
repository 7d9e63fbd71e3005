//! What writer and reader know beforehand: the codes of the numbers, the usual skeletons, and what zstd may refer to.
//!
//! Layout: one byte with the number of roles, the code of each ([`CODE_BYTES`]), two bytes (the low one first) with the
//! length of a zstd frame, that frame (the skeletons, a line each, the most frequent first), then a zstd dictionary.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::code::{CODE_BYTES, Code, ROLES, Role};
use super::template::Template;

/// The largest dictionary, in bytes.
pub const DICTIONARY_BYTES_MAX: usize = 16 << 10;
/// The most skeletons it may have.
pub const TEMPLATES_MAX: usize = 255;

/// The most bytes that all of them may have.
const SKELETONS_BYTES_MAX: usize = 128 << 10;

/// The dictionary that this build writes with, and its id.
pub static BUILT_IN: &[u8] = include_bytes!("dictionary-1.bin");
pub const BUILT_IN_ID: u32 = 1;

static PREPARED: LazyLock<Result<Arc<Dictionary>, DictionaryError>> =
    LazyLock::new(|| Dictionary::new(BUILT_IN_ID, BUILT_IN).map(Arc::new));

/// A dictionary, prepared for use.
#[derive(Debug)]
pub struct Dictionary {
    id: u32,
    bytes: Vec<u8>,
    /// Where zstd's part starts.
    zstd_at: usize,
    codes: Vec<Code>,
    templates: Vec<Template>,
    /// Which template a skeleton is.
    numbers: HashMap<Vec<u8>, u8>,
}

impl Dictionary {
    /// The dictionary that this build writes with, prepared once.
    pub fn built_in() -> Result<Arc<Self>, DictionaryError> {
        PREPARED.clone()
    }

    /// Prepares a dictionary, as a buffer's meta hash holds it.
    pub fn new(id: u32, bytes: &[u8]) -> Result<Self, DictionaryError> {
        if bytes.len() > DICTIONARY_BYTES_MAX {
            return Err(DictionaryError::Size(bytes.len()));
        }
        let (&roles, rest) = bytes.split_first().ok_or(DictionaryError::Codes)?;
        if usize::from(roles) != ROLES.len() {
            return Err(DictionaryError::Codes);
        }
        let (packed, rest) = rest.split_at_checked(ROLES.len() * CODE_BYTES).ok_or(DictionaryError::Codes)?;
        let codes: Option<Vec<_>> = packed.as_chunks::<CODE_BYTES>().0.iter().map(Code::of_packed).collect();
        let codes = codes.ok_or(DictionaryError::Codes)?;
        let (&length, rest) = rest.split_first_chunk().ok_or(DictionaryError::Skeletons)?;
        let length = usize::from(u16::from_le_bytes(length));
        let (packed, zstd) = rest.split_at_checked(length).ok_or(DictionaryError::Skeletons)?;
        let skeletons = zstd::bulk::decompress(packed, SKELETONS_BYTES_MAX)
            .map_err(|error| DictionaryError::Zstd(error.to_string()))?;
        let (mut templates, mut numbers) = (Vec::new(), HashMap::new());
        for (number, skeleton) in skeletons.split(|byte| *byte == b'\n').enumerate() {
            if number >= TEMPLATES_MAX {
                return Err(DictionaryError::Skeletons);
            }
            templates.push(Template::of(skeleton).ok_or(DictionaryError::Skeletons)?);
            numbers.insert(skeleton.to_vec(), number as u8);
        }
        let zstd_at = bytes.len() - zstd.len();
        Ok(Self { id, bytes: bytes.to_vec(), zstd_at, codes, templates, numbers })
    }

    /// Its number, which frames carry.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its bytes, as the meta hash holds them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its skeletons, in no order.
    pub fn skeletons(&self) -> impl Iterator<Item = Vec<u8>> {
        self.numbers.keys().cloned()
    }

    /// The part that is zstd's.
    pub(super) fn zstd(&self) -> &[u8] {
        self.bytes.get(self.zstd_at..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn code(&self, role: Role) -> &Code {
        // There is one for each role, see `new`.
        &self.codes[role as usize]
    }

    #[inline]
    pub(super) fn templates(&self) -> &[Template] {
        &self.templates
    }

    #[inline]
    pub(super) fn number_of(&self, skeleton: &[u8]) -> Option<u8> {
        self.numbers.get(skeleton).copied()
    }
}

/// Why bytes are no dictionary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DictionaryError {
    /// It is too large.
    #[error("the dictionary has {0} bytes, the most is {DICTIONARY_BYTES_MAX}")]
    Size(usize),
    /// Its codes are not those of this build, or damaged.
    #[error("the dictionary's codes are damaged or not known to this build")]
    Codes,
    /// Its skeletons are missing, too many, or damaged.
    #[error("the dictionary's skeletons are damaged")]
    Skeletons,
    /// zstd refuses its part.
    #[error("zstd refuses the dictionary: {0}")]
    Zstd(String),
}
