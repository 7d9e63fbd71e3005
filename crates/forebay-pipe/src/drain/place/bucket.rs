//! A bucket of S3, or of what speaks as S3 does.
//!
//! An object is put whole, in one request under a key that its content decides: it may be put again after any doubt, and nothing
//! rests on conditions that servers treat differently. What is read back says whether it is there: its size after each request
//! that was answered well, its hash after any other.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use object_store::aws::{AmazonS3, Checksum};
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore as _, ObjectStoreExt as _, PutPayload, RetryConfig};
use tokio::runtime::Runtime;

use super::super::destination::{DestinationError, io_at};
use super::super::step::{Step, Steps};
use super::bucket_settings::{self, Access};
use super::bucket_words::{remedy, said};
use super::silence::{Patience, silent_for};
use super::{Place, RECORD_BYTES_MAX};

const CONNECT: Duration = Duration::from_secs(5);

/// What is done with a key, in the words of an error.
const LIST: &str = "listing";
const HEAD: &str = "looking whether it is there";
const GET: &str = "reading";
const PUT: &str = "putting";
const DELETE: &str = "deleting";

/// How often an object is put that the bucket has otherwise than it says.
const PUTS: usize = 3;

/// Bytes that are asked for at a time.
const PIECE: u64 = 8 << 20;

/// `s3://bucket/prefix`, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    bucket: String,
    /// Without slashes at its ends.
    prefix: String,
    access: Access,
}

impl BucketUrl {
    /// What follows `s3://`.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_of_names =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let is_part = |part: &str| !["", ".", ".."].contains(&part) && !part.contains(char::is_control);
        ((3..=63).contains(&bucket.len())
            && bucket.bytes().all(is_of_names)
            && (prefix.is_empty() || prefix.split('/').all(is_part)))
        .then(|| Self { bucket: bucket.into(), prefix: prefix.into(), access: Access::default() })
    }
}

impl BucketUrl {
    /// The same, reached in another way.
    #[must_use]
    pub fn by(self, access: Access) -> Self {
        Self { access, ..self }
    }
}

impl std::fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bucket, prefix, .. } = self;
        write!(f, "s3://{bucket}{}{prefix}", if prefix.is_empty() { "" } else { "/" })
    }
}

/// A bucket, and a prefix in it.
pub struct Bucket {
    store: AmazonS3,
    runtime: Runtime,
    url: BucketUrl,
    patience: Patience,
}

impl Bucket {
    /// Reaches a bucket. An error where it cannot be listed.
    pub fn open(url: &BucketUrl, patience: &Patience) -> Result<Self, DestinationError> {
        let failed = |why: String| DestinationError::Bucket { what: url.to_string(), why, may_pass: false };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|why| failed(why.to_string()))?;
        // Another one that a program has chosen is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // What failed is tried again by the drain, which knows what it was.
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        // Each request has a deadline of its own.
        let options = ClientOptions::new().with_timeout_disabled().with_connect_timeout(CONNECT);
        let builder = bucket_settings::builder(&url.access, options).map_err(failed)?;
        let builder = builder.with_bucket_name(&url.bucket).with_retry(retry);
        let store = builder.with_checksum_algorithm(Checksum::SHA256).build();
        let store = store.map_err(|error| failed(said(&error)))?;
        let bucket = Self { store, runtime, url: url.clone(), patience: patience.clone() };
        match bucket.names("forebay") {
            Ok(_) => Ok(bucket),
            Err(DestinationError::Bucket { why, .. }) => Err(failed(format!("{why}; {}", remedy(&why)))),
            Err(error) => Err(error),
        }
    }

    /// Waits for the answer to a request that moves so many bytes, no longer than its deadline.
    fn wait<T>(
        &self,
        (doing, key): (&'static str, &str),
        bytes: u64,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<object_store::Result<T>, DestinationError> {
        let (deadline, silence) = (self.patience.deadline(bytes), self.patience.silence());
        silence.begins();
        let answer = self.runtime.block_on(async { tokio::time::timeout(deadline, request).await });
        answer.inspect(|_| silence.ends()).map_err(|_| {
            let why = format!("{doing}: {}", silent_for(silence.lasts().unwrap_or(deadline)));
            DestinationError::Bucket { what: self.shown(key), why, may_pass: true }
        })
    }

    fn key(&self, key: &str) -> Key {
        let parts = self.url.prefix.split('/').chain(key.split('/'));
        parts.filter(|part| !part.is_empty()).collect()
    }

    fn failed(&self, doing: &str, key: &str) -> impl Fn(object_store::Error) -> DestinationError {
        let (doing, what) = (doing.to_owned(), self.shown(key));
        move |error| DestinationError::Bucket {
            what: what.clone(),
            why: format!("{doing}: {}", said(&error)),
            may_pass: true,
        }
    }

    fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), DestinationError> {
        let (at, size, payload) = (self.key(key), bytes.len() as u64, PutPayload::from(bytes));
        let mut has = None;
        for _ in 0..PUTS {
            let put = self.wait((PUT, key), size, self.store.put(&at, payload.clone()))?;
            put.map_err(self.failed(PUT, key))?;
            has = self.size(key)?;
            if has == Some(size) {
                return Ok(());
            }
            // At once: half of a record would be in the way of whoever comes next.
        }
        Err(DestinationError::Bucket {
            what: self.shown(key),
            why: match has {
                Some(has) => format!("it was put with {size} bytes, and has {has}"),
                None => "it was put, and is not there".into(),
            },
            may_pass: true,
        })
    }

    fn size(&self, key: &str) -> Result<Option<u64>, DestinationError> {
        let head = self.wait((HEAD, key), 0, self.store.head(&self.key(key)))?;
        self.found((HEAD, key), head).map(|meta| meta.map(|meta| meta.size))
    }

    /// What is not there is nothing; a bucket that is not there is an error.
    fn found<T>(
        &self,
        (doing, key): (&str, &str),
        answer: object_store::Result<T>,
    ) -> Result<Option<T>, DestinationError> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(error @ object_store::Error::NotFound { .. })
                if !error.to_string().contains("NoSuchBucket") =>
            {
                Ok(None)
            }
            Err(error) => Err(self.failed(doing, key)(error)),
        }
    }

    /// Keys under one, from the top of the bucket.
    fn names(&self, folder: &str) -> Result<Vec<Key>, DestinationError> {
        let (mut folders, mut keys) = (vec![self.key(folder)], Vec::new());
        while let Some(at) = folders.pop() {
            let listed = self.wait((LIST, folder), 0, self.store.list_with_delimiter(Some(&at)))?;
            let listed = listed.map_err(self.failed(LIST, folder))?;
            folders.extend(listed.common_prefixes);
            keys.extend(listed.objects.into_iter().map(|object| object.location));
        }
        Ok(keys)
    }
}

impl Place for Bucket {
    fn shown(&self, key: &str) -> String {
        format!("{}/{key}", self.url)
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, DestinationError> {
        let Some(size) = self.size(key)? else { return Ok(None) };
        let range = 0..size.min(RECORD_BYTES_MAX + 1);
        if range.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let bytes = self.wait((GET, key), range.end, self.store.get_range(&self.key(key), range))?;
        Ok(self.found((GET, key), bytes)?.map(Vec::from))
    }

    fn write(&self, key: &str, bytes: &[u8]) -> Result<(), DestinationError> {
        self.put(key, bytes.to_vec())
    }

    fn remove(&self, key: &str) -> Result<(), DestinationError> {
        let removed = self.wait((DELETE, key), 0, self.store.delete(&self.key(key)))?;
        self.found((DELETE, key), removed).map(|_| ())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DestinationError> {
        let top = self.key("");
        let below = |key: Key| {
            let parts: Vec<String> = key.prefix_match(&top)?.map(|part| part.as_ref().to_owned()).collect();
            Some(parts.join("/"))
        };
        Ok(self.names(folder)?.into_iter().filter_map(below).collect())
    }

    fn open(&self, key: &str) -> Result<Option<File>, DestinationError> {
        let Some(size) = self.size(key)? else { return Ok(None) };
        let folder = std::env::temp_dir();
        let mut file = tempfile::tempfile_in(&folder).map_err(io_at(&folder))?;
        let mut from = 0;
        while from < size {
            let range = from..size.min(from + PIECE);
            from = range.end;
            let piece = self.wait((GET, key), PIECE, self.store.get_range(&self.key(key), range))?;
            let Some(piece) = self.found((GET, key), piece)? else { return Ok(None) };
            file.write_all(&piece).map_err(io_at(&folder))?;
        }
        file.rewind().map_err(io_at(&folder))?;
        Ok(Some(file))
    }

    fn publish(&self, staged: &Path, key: &str, steps: &Steps) -> Result<(), DestinationError> {
        let bytes = std::fs::read(staged).map_err(io_at(staged))?;
        steps.before(Step::Publish)?;
        self.put(key, bytes)?;
        steps.before(Step::SyncTree)
    }
}
