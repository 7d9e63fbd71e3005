//! Where committed files and records are kept: a folder or a bucket. Everything is named by its key, a path from the top with `/`
//! between its parts.
//!
//! | key | what |
//! |---|---|
//! | `events/` | the tree: whole, committed files and nothing else, ever |
//! | `forebay/destination.json` | what is drained here |
//! | `forebay/pending/<lane>.json` | the commit that is being published |
//! | `forebay/commits/<lane>/<number>.json` | commits |
//! | `forebay/damaged/` | frames of blocks that could not be opened |

pub mod bucket;
pub mod bucket_settings;
mod bucket_words;
pub mod folder;
pub mod silence;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::destination::DestinationError;
use super::record::hex;
use super::step::Steps;
use bucket::{Bucket, BucketUrl};
use folder::FolderPlace;
use silence::Patience;

/// Bytes of a record, at the most.
pub const RECORD_BYTES_MAX: u64 = 16 << 20;

/// Where files and records are kept. Each step may be done again, after any doubt.
pub trait Place: Send {
    /// What a person calls the thing of that key.
    fn shown(&self, key: &str) -> String;

    /// A record, where it is there.
    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, DestinationError>;

    /// Puts a record there, whole or not at all, for good.
    fn write(&self, key: &str, bytes: &[u8]) -> Result<(), DestinationError>;

    /// Removes a record; one that is not there is removed.
    fn remove(&self, key: &str) -> Result<(), DestinationError>;

    /// Keys of everything that begins with this one and a slash.
    fn list(&self, folder: &str) -> Result<Vec<String>, DestinationError>;

    /// A file of the tree, where it is there.
    fn open(&self, key: &str) -> Result<Option<File>, DestinationError>;

    /// Puts a staged file into the tree, whole or not at all, for good.
    fn publish(&self, staged: &Path, key: &str, steps: &Steps) -> Result<(), DestinationError>;
}

/// A place, as a person names it: a folder, or `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of S3, or of what speaks as S3 does.
    Bucket(BucketUrl),
}

impl Target {
    /// The place, with all its answers waited for as is said. Nothing is made where it is not there.
    pub fn open(&self, patience: &Patience) -> Result<Box<dyn Place>, DestinationError> {
        Ok(match self {
            Self::Folder(root) => Box::new(FolderPlace::new(root)),
            Self::Bucket(url) => Box::new(Bucket::open(url, patience)?),
        })
    }

    /// As it is given on a command line or in a file. Names of folders may be any bytes.
    pub fn parse(named: &Path) -> Result<Self, BadTarget> {
        let text = named.to_string_lossy();
        if let Some(rest) = text.strip_prefix("s3://") {
            return BucketUrl::parse(rest).map(Self::Bucket).ok_or_else(|| BadTarget::Bucket(text.into()));
        }
        match scheme_of(&text) {
            // Of a URL with a password the rest is nobody's business.
            Some(scheme) if text.contains('@') => Err(BadTarget::Scheme(format!("{scheme}:…"))),
            Some(_) => Err(BadTarget::Scheme(text.into())),
            None => Ok(Self::Folder(named.to_owned())),
        }
    }

    /// Whether it is a folder, and so is found from where the program, or a file that names it, is.
    pub fn is_folder(named: &Path) -> bool {
        scheme_of(&named.to_string_lossy()).is_none()
    }
}

/// What stands before a colon as the scheme of a URL does; nothing of a path.
fn scheme_of(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let is_of_schemes = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(is_of_schemes))
        .then_some(scheme)
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(root) => root.display().fmt(f),
            Self::Bucket(url) => url.fmt(f),
        }
    }
}

/// A place that is none.
#[derive(Debug, thiserror::Error)]
pub enum BadTarget {
    /// Another kind of URL.
    #[error("{0:?} is neither a folder nor s3://BUCKET/PREFIX; a folder of that name is ./{0}")]
    Scheme(String),
    /// Of a bucket.
    #[error(
        "{0:?}: the name of a bucket has 3 to 63 of a-z, 0-9, dots and hyphens, and its prefix no empty part, no dot part and no control character"
    )]
    Bucket(String),
}

/// The hash of what is read, in hexadecimal, and how many bytes it were.
pub fn hash_of(mut from: impl Read) -> io::Result<(String, u64)> {
    let (mut hash, mut piece, mut bytes) = (Sha256::new(), vec![0; 1 << 16], 0);
    loop {
        match from.read(&mut piece)? {
            0 => return Ok((hex(&hash.finalize()), bytes)),
            read => {
                hash.update(&piece[..read]);
                bytes += read as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_a_bucket_and_nothing_else() {
        let of = |text: &str| Target::parse(Path::new(text)).map(|target| target.to_string());
        assert_eq!(of("/srv/events").unwrap(), "/srv/events");
        assert_eq!(of("./s3:events").unwrap(), "./s3:events");
        assert_eq!(of("/srv/2026:11").unwrap(), "/srv/2026:11");
        for bad in ["s3:lake/x", "s3:/lake", "S3://lake/x", "file:/srv", "redis:secret@lake"] {
            let why = of(bad).unwrap_err().to_string();
            let scheme = bad.split(':').next().unwrap();
            assert!(why.contains(&format!("./{scheme}:")) && !why.contains("secret"), "{why}");
            assert!(!Target::is_folder(Path::new(bad)), "{bad}");
        }
        assert_eq!(of("s3://lake/bluesky/raw").unwrap(), "s3://lake/bluesky/raw");
        assert_eq!(of("s3://lake/").unwrap(), "s3://lake");
        for bad in
            ["s3://", "s3://x", "s3://La", "s3://lake//a", "s3://lake/../a", "s3://lake/a\nb", "s3://la@ke"]
        {
            assert!(matches!(of(bad), Err(BadTarget::Bucket(_))), "{bad:?}");
        }
        let other = of("gs://user:secret@lake").unwrap_err().to_string();
        assert!(other.contains("gs:") && !other.contains("secret"), "{other}");
    }
}
