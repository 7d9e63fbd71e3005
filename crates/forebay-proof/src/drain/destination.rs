//! Where the drains of a round go.

use std::path::{Path, PathBuf};

use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::place::bucket_settings::Access;
use forebay_rig::s3::{S3Server, Settings};
use forebay_rig::server::Scratch;
use forebay_rig::server::fault::disk::Disk;

/// Room on a disk of our own, which lives in memory.
pub(super) const ROOM: u64 = 256 << 20;

/// Where the drains of a round go.
pub(super) enum Destination {
    /// A folder of this machine's.
    Folder(Scratch),
    /// A folder on a disk of our own, in which faults act.
    Disk(Disk),
    /// A bucket of our own, and where files for it are staged.
    Bucket(S3Server, Scratch),
}

impl Destination {
    /// A folder.
    pub fn folder() -> anyhow::Result<Self> {
        Ok(Self::Folder(Scratch::new()?))
    }

    /// A disk; an error where none can be mounted here.
    pub fn disk() -> anyhow::Result<Self> {
        Ok(Self::Disk(Disk::mount(ROOM)?))
    }

    /// A bucket.
    pub fn bucket() -> anyhow::Result<Self> {
        Ok(Self::Bucket(S3Server::start(Settings::default())?, Scratch::new()?))
    }

    /// The folder of this name in it: of a bucket that in which files are staged.
    pub fn at(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) | Self::Bucket(_, folder) => folder.path().join(name),
            Self::Disk(disk) => disk.path().join(name),
        }
    }

    /// The same for a drain.
    pub fn target(&self, name: &str) -> Target {
        let Self::Bucket(s3, _) = self else { return Target::Folder(self.at(name)) };
        let settings = s3.settings();
        let at = format!("s3://{}/{name}", settings.bucket);
        match Target::parse(Path::new(&at)) {
            Ok(Target::Bucket(url)) => {
                let (endpoint, id) = (s3.url(), settings.access_key);
                Target::Bucket(url.by(Access::Key { endpoint, id, secret: "secret".into() }))
            }
            // A drain to it says what is wrong with the name.
            _ => Target::Folder(at.into()),
        }
    }

    /// Where files for a bucket are staged.
    pub fn staging(&self) -> Option<PathBuf> {
        match self {
            Self::Bucket(_, folder) => Some(folder.path().to_owned()),
            _ => None,
        }
    }

    /// The disk under it.
    pub fn as_disk(&self) -> anyhow::Result<&Disk> {
        match self {
            Self::Disk(disk) => Ok(disk),
            _ => anyhow::bail!("the destination is no disk of our own"),
        }
    }

    /// The bucket that it is.
    pub fn as_bucket(&self) -> anyhow::Result<&S3Server> {
        match self {
            Self::Bucket(s3, _) => Ok(s3),
            _ => anyhow::bail!("the destination is no bucket of our own"),
        }
    }
}
