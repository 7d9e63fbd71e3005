//! What a rule is: one thing that a server must be for a buffer to hold on it, with all that a person needs to
//! judge and mend it. Rules are data; what they look at is [`AuditSnapshot`].

use serde::{Deserialize, Serialize};

pub use forebay_watch::machine::Unread;

use super::conf_line::conf_line;
use super::snapshot::AuditSnapshot;
use super::version::Versions;

/// What breaking a rule does to a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Loses events, or stops the buffer.
    Danger,
    /// Loses events or stops the buffer once something else goes wrong too.
    Warn,
    /// Worth knowing: a cost, or something that will be missed on the bad day.
    Note,
}

impl Severity {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Danger => "danger",
            Self::Warn => "warn",
            Self::Note => "note",
        }
    }
}

/// What part of a server a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The redis.conf that was read, where it was one.
    File,
    /// How much it may hold, and what happens then.
    Memory,
    /// What is left after a restart.
    Persistence,
    /// Who may connect, and what they may do.
    Network,
    /// The machine beneath it.
    Host,
    /// What can be seen afterwards.
    Observability,
    /// Other servers.
    Replication,
    /// Known faults of its version.
    Version,
    /// What is done with it.
    Use,
}

impl Section {
    /// Every section, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::File,
        Self::Memory,
        Self::Persistence,
        Self::Network,
        Self::Host,
        Self::Observability,
        Self::Replication,
        Self::Version,
        Self::Use,
    ];

    /// The word for people, also the first part of a rule's id.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Memory => "memory",
            Self::Persistence => "persistence",
            Self::Network => "network",
            Self::Host => "host",
            Self::Observability => "observability",
            Self::Replication => "replication",
            Self::Version => "version",
            Self::Use => "use",
        }
    }
}

/// One thing that a server must be.
pub struct Rule {
    /// Stable name, `section.rule`; scripts use it.
    pub id: &'static str,
    /// What breaking it does.
    pub severity: Severity,
    /// What must be, in a sentence that is true of a good server.
    pub must: &'static str,
    /// Why it matters to a buffer.
    pub why: &'static str,
    /// What mends it, in general; what mends it on this server is a [`Fix`].
    pub remedy: &'static str,
    /// Where that is written: redis.conf, a page, an issue.
    pub source: &'static str,
    /// Servers it is about.
    pub versions: Versions,
    /// Looks.
    pub check: fn(&AuditSnapshot) -> Checked,
}

impl Rule {
    /// The section, as the id has it.
    pub fn section(&self) -> Section {
        let word = self.id.split('.').next().unwrap_or_default();
        // A test holds that every id begins with a section.
        Section::ALL.into_iter().find(|section| section.word() == word).unwrap_or(Section::Use)
    }
}

/// What a look came to; an error where it could not be read.
pub type Checked = Result<State, Unread>;

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As it must be; what was read.
    Kept(String),
    /// Not as it must be; what was read, and what mends it here.
    Broken(String, Vec<Fix>),
    /// The same, and a danger here whatever the rule is elsewhere.
    Danger(String, Vec<Fix>),
    /// Not about this server, and why.
    Idle(String),
}

impl State {
    /// `Kept` if `holds`, else `Broken`.
    pub fn of(holds: bool, read: impl Into<String>, fixes: impl FnOnce() -> Vec<Fix>) -> Self {
        if holds { Self::Kept(read.into()) } else { Self::Broken(read.into(), fixes()) }
    }
}

/// What mends a rule that is broken, to the letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Fix {
    /// A setting that a running server takes: a line of redis.conf, or CONFIG SET.
    Set {
        /// Its name.
        directive: String,
        /// Its value, unquoted.
        value: String,
    },
    /// A setting that is only read at the start.
    SetAtStart {
        /// Its name.
        directive: String,
        /// Its value, unquoted.
        value: String,
    },
    /// A command for the server.
    Command {
        /// As redis-cli takes it.
        line: String,
    },
    /// A command for a shell on the server's machine.
    Shell {
        /// As sh takes it.
        line: String,
    },
    /// Something that only a person can do.
    Do {
        /// What.
        text: String,
    },
}

impl Fix {
    /// A setting that a running server takes.
    pub fn set(directive: &str, value: impl Into<String>) -> Self {
        Self::Set { directive: directive.into(), value: value.into() }
    }

    /// A setting that is only read at the start.
    pub fn at_start(directive: &str, value: impl Into<String>) -> Self {
        Self::SetAtStart { directive: directive.into(), value: value.into() }
    }

    /// A command for the server.
    pub fn command(line: impl Into<String>) -> Self {
        Self::Command { line: line.into() }
    }

    /// A command for a shell.
    pub fn shell(line: impl Into<String>) -> Self {
        Self::Shell { line: line.into() }
    }

    /// Something for a person.
    pub fn act(text: impl Into<String>) -> Self {
        Self::Do { text: text.into() }
    }

    /// The remedy in a line.
    pub fn line(&self) -> String {
        match self {
            Self::Set { directive, value } | Self::SetAtStart { directive, value } => {
                conf_line(directive, value)
            }
            Self::Command { line } | Self::Shell { line } => line.clone(),
            Self::Do { text } => text.clone(),
        }
    }
}
