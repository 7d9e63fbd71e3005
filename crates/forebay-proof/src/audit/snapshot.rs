//! What an audit has seen of a server: its settings, what it says of itself, its users, its keys, its machine.
//! Each part is there, or the reason why it is not; nothing is assumed.

use super::cluster::Cluster;
use super::conf_line::conf_line;
use super::fsync::Fsync;
use super::settings::Settings;
use super::trial::Tried;
use super::usage::Usage;
use super::users::Users;
use forebay::buffer::connect::Facts;
use forebay::buffer::secret;
use forebay_watch::machine::Host;
pub use forebay_watch::machine::{Read, Unread};
use forebay_watch::profile::Profile;

/// Settings that INFO tells too, and its fields.
const IN_INFO: [(&str, &str); 8] = [
    ("maxmemory", "maxmemory"),
    ("maxmemory-policy", "maxmemory_policy"),
    ("appendonly", "aof_enabled"),
    ("maxclients", "maxclients"),
    ("port", "tcp_port"),
    ("hz", "configured_hz"),
    ("cluster-enabled", "cluster_enabled"),
    ("repl-backlog-size", "repl_backlog_size"),
];

/// What was seen.
#[derive(Clone)]
pub struct AuditSnapshot {
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
    /// What it tells of its cluster, where it is a node of one.
    pub cluster: Read<Cluster>,
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
    /// Lines that were read.
    pub lines: usize,
    /// What servers are known to refuse.
    pub fatal: Vec<String>,
    /// Directives that no server known to Forebay has.
    pub unknown: Vec<String>,
    /// What the rules refuse, and the server that was tried has taken.
    pub taken: Vec<String>,
    /// What a server said of it, where one was started on a copy.
    pub tried: Option<Tried>,
}

impl AuditSnapshot {
    /// A setting as the server writes it; what CONFIG does not give, from INFO where that has it.
    pub fn text(&self, name: &str) -> Read<&str> {
        let settings = self.settings.as_ref().map_err(Clone::clone);
        let found = settings.and_then(|settings| {
            settings.get(name).ok_or_else(|| Unread(format!("the server names no setting {name}")))
        });
        found.or_else(|why| self.in_info(name).ok_or(why))
    }

    /// A setting that INFO tells too.
    fn in_info(&self, name: &str) -> Option<&str> {
        let (_, field) = IN_INFO.iter().find(|(setting, _)| *setting == name)?;
        match (name, self.info.as_ref().ok()?.get(field)?) {
            ("appendonly" | "cluster-enabled", "1") => Some("yes"),
            ("appendonly" | "cluster-enabled", "0") => Some("no"),
            (_, value) => Some(value),
        }
    }

    /// Why CONFIG cannot be given here, where it cannot.
    pub fn no_config(&self) -> Option<&'static str> {
        let is_unknown =
            self.users.as_ref().is_ok_and(|users| users.unknown.iter().any(|name| name == "config"));
        match (&self.settings, is_unknown) {
            (_, true) => Some("CONFIG is disabled or renamed here"),
            (Err(_), _) => Some("CONFIG cannot be used here"),
            _ => None,
        }
    }

    /// Whether a command is known to be disabled or renamed here.
    pub fn lacks(&self, command: &str) -> bool {
        let is_it = |name: &String| name.eq_ignore_ascii_case(command);
        self.users.as_ref().is_ok_and(|users| users.unknown.iter().any(is_it))
    }

    /// A setting that is a size.
    pub fn bytes(&self, name: &str) -> Read<u64> {
        let text = self.text(name)?;
        forebay_watch::profile::redis_bytes(text)
            .ok_or_else(|| Unread(format!("{name} {text:?} is not a size")))
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

    /// The cluster.
    pub fn cluster(&self) -> Read<&Cluster> {
        self.cluster.as_ref().map_err(Clone::clone)
    }

    /// `name value`, for what a rule says it has read.
    pub fn said(&self, name: &str) -> Read<String> {
        // Save points take a line each.
        Ok(secret::text(&conf_line(name, self.text(name)?).replace('\n', ", ")))
    }
}
