//! The objects of the bucket.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::error_code::ErrorCode;
use super::room::Held;
use super::wire::Headers;

/// An object as it was put.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) bytes: Held,
    /// With its quotes.
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    /// Headers of its checksums, as they were given.
    pub(super) checksums: Headers,
    /// Headers that come back with it: `Content-Type`, `Content-Encoding`, `x-amz-meta-*`.
    pub(super) metadata: Headers,
}

impl Object {
    /// The digest is that of the bytes.
    pub(super) fn new(bytes: Held, digest: &[u8; 32]) -> Self {
        let (checksums, metadata) = (Vec::new(), Vec::new());
        Self { bytes, etag: etag(digest), modified: Timestamp::now(), checksums, metadata }
    }
}

/// The SHA-256 of these bytes.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// In hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// It has the form of an MD5, as clients are used to, and is the begin of the SHA-256.
fn etag(digest: &[u8; 32]) -> String {
    format!("\"{}\"", hex(&digest[..16]))
}

/// What must be so for an object to be stored.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// The key must not be there.
    pub(super) is_absent: bool,
    /// The object that is there must have this tag.
    pub(super) etag: Option<String>,
}

impl Condition {
    pub(super) fn check(&self, there: Option<&Arc<Object>>) -> Result<(), ErrorCode> {
        if self.is_absent && there.is_some() {
            return Err(ErrorCode::PreconditionFailed);
        }
        match (&self.etag, there) {
            (Some(_), None) => Err(ErrorCode::NoSuchKey),
            (Some(etag), Some(object)) if *etag != object.etag => Err(ErrorCode::PreconditionFailed),
            _ => Ok(()),
        }
    }
}

/// The objects of the bucket, by key. Keys sort as S3 lists them: by their bytes.
#[derive(Debug, Default)]
pub(super) struct Store(Mutex<BTreeMap<String, Arc<Object>>>);

impl Store {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Object>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &str) -> Option<Arc<Object>> {
        self.lock().get(key).map(Arc::clone)
    }
}
