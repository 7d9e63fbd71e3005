//! What an audit has seen of a server: its settings, what it says of itself, its users, its keys, its machine.
//! Each part is there, or the reason why it is not; nothing is assumed.

use super::fsync::Fsync;
use super::settings::Settings;
use super::usage::Usage;
use super::users::Users;
use crate::buffer::connect::Facts;
use crate::host::Host;
pub use crate::host::{Read, Unread};
use crate::profile::Profile;

/// What was seen.
pub struct Seen {
    /// What must hold.
    pub profile: Profile,
    /// Settings, from CONFIG GET or from a file.
    pub settings: Read<Settings>,
    /// The answer of INFO.
    pub info: Read<Facts>,
    /// Who may log in and what they may do.
    pub users: Read<Users>,
    /// What is done with the database.
    pub usage: Read<Usage>,
    /// The machine, where it is this one.
    pub host: Read<Host>,
    /// How long fsyncs take on its disk; measured only where that is permitted.
    pub fsync: Read<Fsync>,
    /// What is wrong with the file, where a file was read.
    pub file: Option<FileFaults>,
    /// What the server would read at its next start; none where it was started without a file.
    pub on_disk: Read<Option<Settings>>,
    /// Whether the server is Forebay's own, in a temporary folder.
    pub is_own: bool,
}

/// What is wrong with a redis.conf, each with its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileFaults {
    /// What every server refuses to start with.
    pub fatal: Vec<String>,
    /// Directives that no server known to Forebay has.
    pub unknown: Vec<String>,
}

impl Seen {
    /// A setting as the server writes it.
    pub fn text(&self, name: &str) -> Read<&str> {
        let settings = self.settings.as_ref().map_err(Clone::clone)?;
        settings.get(name).ok_or_else(|| Unread(format!("the server names no setting {name}")))
    }

    /// A setting that is a size.
    pub fn bytes(&self, name: &str) -> Read<u64> {
        let text = self.text(name)?;
        crate::profile::redis_bytes(text).ok_or_else(|| Unread(format!("{name} {text:?} is not a size")))
    }

    /// `maxmemory`, or what the profile asks for where the server has no limit.
    pub fn limit(&self) -> Read<u64> {
        match self.bytes("maxmemory")? {
            0 => self.profile.maxmemory().map_err(Unread),
            limit => Ok(limit),
        }
    }

    /// A setting that is a whole number.
    pub fn number(&self, name: &str) -> Read<i64> {
        let text = self.text(name)?;
        text.trim().parse().map_err(|_| Unread(format!("{name} {text:?} is not a whole number")))
    }

    /// A setting that is yes or no.
    pub fn yes(&self, name: &str) -> Read<bool> {
        match self.text(name)?.trim().to_ascii_lowercase().as_str() {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => Err(Unread(format!("{name} {other:?} is neither yes nor no"))),
        }
    }

    /// What the server says of itself.
    pub fn info(&self) -> Read<&Facts> {
        self.info.as_ref().map_err(Clone::clone)
    }

    /// A field of INFO.
    pub fn field(&self, name: &str) -> Read<&str> {
        self.info()?.get(name).ok_or_else(|| Unread(format!("INFO of this server has no {name}")))
    }

    /// A field of INFO that is a number.
    pub fn count(&self, name: &str) -> Read<u64> {
        let text = self.field(name)?;
        text.trim().parse().map_err(|_| Unread(format!("INFO says {name}:{text}, which is not a number")))
    }

    /// The machine.
    pub fn host(&self) -> Read<&Host> {
        self.host.as_ref().map_err(Clone::clone)
    }

    /// The users.
    pub fn users(&self) -> Read<&Users> {
        self.users.as_ref().map_err(Clone::clone)
    }

    /// What is done with the database.
    pub fn usage(&self) -> Read<&Usage> {
        self.usage.as_ref().map_err(Clone::clone)
    }

    /// `name value`, for what a rule says it has read.
    pub fn said(&self, name: &str) -> Read<String> {
        // Save points take a line each.
        Ok(super::remedy::conf_line(name, self.text(name)?).replace('\n', ", "))
    }
}
