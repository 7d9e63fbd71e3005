//! Why there is nothing to say about a folder: each error names the place and the remedy.

use std::path::PathBuf;

use forebay::buffer::error::Error as BufferError;
use forebay_rig::server::ServerError;

/// What can go wrong before there is anything to say about a folder's contents.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be read, or one of ours cannot be written.
    #[error("{}: {why}; --aof names a folder that this user can read", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// Nothing in the folder is an AOF or a snapshot.
    #[error(
        "{} holds no AOF: no manifest, no .aof and no .rdb file, here or (manifests) one folder further down{}; name an \
         appendonlydir, a server's dir, or a folder with an appendonly.aof",
        folder.display(), files(seen)
    )]
    NoAof {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        seen: Vec<String>,
    },
    /// More than one thing that could be meant.
    #[error("{} holds several AOFs or snapshots{}; put the one that is meant into a folder of its own", folder.display(), files(seen))]
    Several {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        seen: Vec<String>,
    },
    /// Parts without the file that says how they go together.
    #[error(
        "{} holds parts of an AOF and no manifest, so no server loads it{}; bring appendonly.aof.manifest from where the \
         folder was copied, or write it in a copy: a line `file <name> seq <number> type <b for base, i for incr>` each, \
         the base first, then by number",
        folder.display(), files(seen)
    )]
    NoManifest {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        seen: Vec<String>,
    },
    /// The temporary folder is too small.
    #[error(
        "{} has {free} bytes free and {needed} are needed for a copy, since nothing is written to the folder itself; \
         make room, or set TMPDIR to a folder with more",
        at.display()
    )]
    Room {
        /// Bytes of the copy and what a server needs beside it.
        needed: u64,
        /// Bytes there are.
        free: u64,
        /// The temporary folder.
        at: PathBuf,
    },
    /// A file could not be copied.
    #[error("cannot copy {} to {}: {why}", file.display(), to.display())]
    Copy {
        /// The file.
        file: PathBuf,
        /// Its copy.
        to: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The server binary does not know AOFs in parts.
    #[error(
        "{manifest} is the manifest of an AOF in parts, which Redis has since 7.0, and {} is {version}: it would start \
         empty. Name a newer redis-server or a valkey-server with --server-bin",
        path.display()
    )]
    TooOld {
        /// The binary.
        path: PathBuf,
        /// Its version.
        version: String,
        /// The manifest.
        manifest: String,
    },
    /// The server could not be started, for a reason that is not in the data.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The loaded data could not be read.
    #[error(transparent)]
    Buffer(#[from] BufferError),
    /// No memory for a decoder.
    #[error("cannot make a decoder: {0}")]
    Decoder(std::io::Error),
}

/// What is in a folder, as the end of a message.
fn files(seen: &[String]) -> String {
    const SHOWN: usize = 10;
    let rest = seen.len().saturating_sub(SHOWN);
    let names = seen.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (seen.is_empty(), rest) {
        (true, _) => " (it holds no files)".into(),
        (false, 0) => format!(" ({names})"),
        (false, rest) => format!(" ({names} and {rest} more)"),
    }
}
