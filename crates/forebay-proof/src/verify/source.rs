//! What a copied folder turned out to hold: how the data lie on disk, the files that a server loads, and what every file
//! there is.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::rdb::Head;

/// How the data lie on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DataLayout {
    /// A manifest and the files it names (Redis 7 and newer, Valkey).
    Parts,
    /// One append-only file (Redis 6.2).
    Single,
    /// An RDB file alone.
    Snapshot,
}

/// A file and its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnDisk {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// How the data lie on disk.
    pub kind: DataLayout,
    /// The folder that the files are in.
    #[serde(serialize_with = "shown")]
    pub folder: PathBuf,
    /// The manifest, the append-only file, or the snapshot.
    pub name: String,
    /// Every file that a server loads, the manifest included; of an AOF in the order of the manifest.
    pub files: Vec<OnDisk>,
    /// What the manifest names and is not there.
    pub missing: Vec<String>,
    /// Parts that are there and the manifest does not name: no server loads them.
    pub unlisted: Vec<String>,
    /// Why files may have held more than a server makes of them, although it loads them.
    pub doubts: Vec<String>,
    /// Everything that lies there, and what it is.
    pub listing: Vec<Listed>,
}

impl Source {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The files that have commands, or may have some behind a snapshot: in the order in which a server loads them.
    pub fn loaded(&self) -> impl Iterator<Item = &OnDisk> {
        self.files.iter().filter(|file| self.kind != DataLayout::Parts || file.name != self.name)
    }

    /// A snapshot beside an AOF, which no server reads then: the largest.
    pub fn snapshot_beside(&self) -> Option<&Listed> {
        let beside = self.listing.iter().filter(|file| file.role == Role::SnapshotBeside);
        beside.max_by_key(|file| file.bytes)
    }

    pub(super) fn of(kind: DataLayout, folder: &Path, name: &str, files: Vec<OnDisk>) -> Self {
        let (missing, unlisted, doubts, listing) = Default::default();
        Self {
            kind,
            folder: folder.to_owned(),
            name: name.to_owned(),
            files,
            missing,
            unlisted,
            doubts,
            listing,
        }
    }

    /// A snapshot that an AOF which began with nothing lies beside: the server was started with `appendonly yes` on a folder
    /// that had only the snapshot, and came up empty.
    pub(super) fn begun_beside_a_snapshot(&self) -> Option<String> {
        let began = self.listing.iter().find(|file| file.role == Role::Base)?.head.as_ref()?;
        let snapshot = self.snapshot_beside()?;
        let head = snapshot.head.as_ref().filter(|head| !head.is_empty)?;
        (began.is_empty && head.created? <= began.created?).then(|| {
            format!(
                "{} ({} bytes) is older than this AOF, which began with nothing: a server with an AOF does not read it, and \
                 what it holds is in no count here",
                snapshot.name, snapshot.bytes
            )
        })
    }

    /// A source of these files, for tests of what is made of it.
    #[cfg(test)]
    pub(super) fn for_test(kind: DataLayout, name: &str, files: &[(&str, u64)]) -> Self {
        let files = files.iter().map(|(name, bytes)| OnDisk { name: (*name).into(), bytes: *bytes });
        Self::of(kind, Path::new("/"), name, files.collect())
    }
}

/// A file that lies there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name; of one in a subfolder with that before it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// What it is.
    pub role: Role,
    /// Of a snapshot: its format and who wrote it.
    pub head: Option<Head>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The manifest.
    Manifest,
    /// What the last rewrite left; the manifest names it.
    Base,
    /// Commands since then; the manifest names it.
    Increment,
    /// The append-only file.
    Log,
    /// The snapshot that is loaded.
    Snapshot,
    /// The manifest names it, as replaced by a rewrite: a server deletes it.
    History,
    /// The manifest names it, and it is a link or no file: links are not followed.
    NotAFile,
    /// A part of an AOF that the manifest does not name.
    Unlisted,
    /// A snapshot beside an AOF: a server with an AOF does not read it.
    SnapshotBeside,
    /// An append-only file beside what is loaded.
    LogBeside,
    /// What a rewrite or a snapshot that had not finished left.
    Unfinished,
    /// A link, which is not followed.
    Link,
    /// A folder, which is not looked into any further.
    Folder,
    /// A pipe, a socket, a device.
    Special,
    /// Something else.
    Other,
}

impl Role {
    /// Whether a server reads it when it starts.
    pub fn is_loaded(self) -> bool {
        matches!(self, Self::Manifest | Self::Base | Self::Increment | Self::Log | Self::Snapshot)
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Manifest => "the manifest",
            Self::Base => "base, named by the manifest",
            Self::Increment => "commands, named by the manifest",
            Self::Log => "the append-only file",
            Self::Snapshot => "the snapshot",
            Self::History => "named by the manifest as replaced: not loaded",
            Self::NotAFile => "named by the manifest, and a link or no file: not followed, not loaded",
            Self::Unlisted => "part of an AOF, not named by the manifest: not loaded",
            Self::SnapshotBeside => "a snapshot: not loaded where there is an AOF",
            Self::LogBeside => "an append-only file: not loaded",
            Self::Unfinished => "left by a rewrite or snapshot that did not finish: not loaded",
            Self::Link => "a link: not followed",
            Self::Folder => "a folder: not looked into",
            Self::Special => "no file",
            Self::Other => "something else",
        }
    }
}

/// Of a path that is no UTF-8 what can be shown of it: that is no reason to say nothing.
pub(super) fn shown<S: serde::Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}
