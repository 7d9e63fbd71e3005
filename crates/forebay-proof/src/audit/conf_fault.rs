//! A line of a redis.conf, where it stands, and what a server would not understand of it.

use std::fmt;
use std::path::PathBuf;

use forebay::buffer::secret;

/// A line, as its words would be read by a server.
#[derive(Clone)]
pub struct SourceLine {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// Today's name of its directive.
    pub name: String,
    /// Its words, the name as it is written among them. Secrets too: not for showing.
    pub words: Vec<String>,
}

impl fmt::Debug for SourceLine {
    /// Without its words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A line that a server would not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfFault {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: ConfFaultKind,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfFaultKind {
    /// No server has a directive of that name; the name where it is nearly that of one, since anything else may be a
    /// password.
    UnknownDirective(Option<String>),
    /// No server from 6.2 on has it any more.
    Removed(String),
    /// It is one of a Sentinel's file.
    Sentinel,
    /// A module's setting, and no module is loaded.
    NoModule,
    /// The file begins with a byte order mark.
    ByteOrderMark,
    /// The value is none that it takes, and why.
    BadValue(String, String),
    /// A server takes each of the lines, and not all of them together.
    Together(String),
    /// A quote is not closed, or something follows it.
    Quotes,
    /// A file that is to be included cannot be read, and why.
    Include(String, String),
}

impl fmt::Display for ConfFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        match &self.kind {
            ConfFaultKind::UnknownDirective(Some(name)) => write!(f, "{name}: no such directive"),
            ConfFaultKind::UnknownDirective(None) => {
                write!(f, "no directive (not shown: it may be a password)")
            }
            ConfFaultKind::Removed(name) => write!(f, "{name}: removed; no server from 6.2 on has it"),
            ConfFaultKind::Sentinel => write!(
                f,
                "sentinel: this is the file of a Sentinel, which watches servers and holds no buffer; give that of a server"
            ),
            ConfFaultKind::NoModule => {
                write!(
                    f,
                    "a module's setting (not shown), and no line loadmodule: a server refuses it, or has no use for it"
                )
            }
            ConfFaultKind::ByteOrderMark => {
                write!(
                    f,
                    "a byte order mark, which a server takes for a part of the first word: save it as UTF-8 without one"
                )
            }
            ConfFaultKind::BadValue(name, why) => write!(f, "{name}: {why}"),
            ConfFaultKind::Together(why) => f.write_str(why),
            ConfFaultKind::Quotes => write!(f, "a quote is not closed, or no space follows it"),
            ConfFaultKind::Include(path, why) => {
                write!(f, "{}: {why}", secret::text(&format!("include {path}")))
            }
        }
    }
}
