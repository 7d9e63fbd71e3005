//! A redis.conf tried on a real server: a copy without whatever could reach beyond a private folder, and what the
//! server says of each line.
//!
//! A line is in the copy only if its directive is on the list of those that may stay, and as the words that were read of
//! it, not as its text. What a line would start or open is overruled at the end of the copy.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use super::conf_file::{ConfFile, SourceLine};
use super::directives;
use forebay::buffer::secret;
use forebay_rig::server::{ServerBinary, ServerError, Start, Trial, quoted};

/// How long a server may take to start.
pub const LIMIT: Duration = Duration::from_secs(2);
/// How many lines may be refused before the rest is left untried.
const REFUSED_MAX: usize = 40;
/// More databases than that take memory before the first command.
const DATABASES_MAX: u64 = 10_000;
/// Values of settings that are overruled where the copy has them; other servers may not know them.
const OVERRULED: [(&str, &str); 13] = [
    ("appendonly", "no"),
    ("cluster-enabled", "no"),
    ("daemonize", "no"),
    ("log-format", "legacy"),
    ("loglevel", "notice"),
    ("oom-score-adj", "no"),
    ("rdma-port", "0"),
    ("set-proc-title", "no"),
    ("supervised", "no"),
    ("syslog-enabled", "no"),
    ("tls-cluster", "no"),
    ("tls-port", "0"),
    ("tls-replication", "no"),
];
/// The end of every copy: no port, a socket in the folder, no snapshot.
const ENDING: &str = "port 0\nunixsocket s\nsave \"\"\n";

/// Words of a line that a reason may have of its own: no secrets.
const OWN: [&str; 6] = ["yes", "no", "user", "on", "off", "save"];

/// A line of the user's file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    /// Name and version of the server.
    pub server: String,
    /// Lines that were tried.
    pub lines: BTreeSet<Place>,
    /// Lines that the server refused, in its words.
    pub refused: Vec<(Option<Place>, String)>,
    /// Lines that were not tried, and their directives; none where that is no name.
    pub untried: Vec<(Place, String)>,
    /// Whether it started in the end, without the lines that it refused; none where it did not say in time.
    pub is_started: Option<bool>,
}

impl Tried {
    /// Whether the server took the line as it stands.
    pub fn took(&self, place: &Place) -> bool {
        self.is_started == Some(true)
            && self.lines.contains(place)
            && !self.refused.iter().any(|(refused, _)| refused.as_ref() == Some(place))
    }
}

/// Tries a file.
pub fn run(file: &ConfFile, binary: &ServerBinary, limit: Duration) -> Result<Tried, ServerError> {
    let trial = Trial::new()?;
    let absent = absent(file);
    let (mut copy, out): (Vec<&SourceLine>, Vec<&SourceLine>) =
        file.lines.iter().partition(|line| may_stay(line));
    let mut tried = Tried {
        server: format!("{} {}", binary.kind.to_string().to_lowercase(), binary.version),
        lines: copy.iter().map(|line| place(line)).collect(),
        untried: out.iter().map(|line| (place(line), shown_name(line))).collect(),
        refused: absent.into_iter().collect(),
        ..Tried::default()
    };
    loop {
        match trial.start(binary, &render(&copy), limit)? {
            Start::Ready => tried.is_started = Some(true),
            Start::Silent => tried.is_started = None,
            Start::Refused { line: Some(at), why } if (1..=copy.len()).contains(&at) => {
                let line = copy.remove(at - 1);
                tried.refused.push((Some(place(line)), without(&line.words, &why)));
                if tried.refused.len() < REFUSED_MAX {
                    continue;
                }
                tried.is_started = None;
            }
            Start::Refused { why, .. } => {
                let all: Vec<String> =
                    copy.iter().flat_map(|line| line.words.iter().skip(1).cloned()).collect();
                tried.refused.push((None, without(&all, &why)));
                tried.is_started = Some(false);
            }
        }
        return Ok(tried);
    }
}

/// The last line `bind`, where this machine lacks an address of it, or does not know a name. A socket of our own is bound there for a
/// moment, on a port that the system chooses: no server has to listen for that.
fn absent(file: &ConfFile) -> Option<(Option<Place>, String)> {
    let line = file.lines.iter().rev().find(|line| line.name == "bind")?;
    let words = line.words.iter().skip(1).flat_map(|word| word.split_whitespace());
    let lacks = |word: &&str| match word.parse::<IpAddr>() {
        Ok(address) => {
            TcpListener::bind((address, 0)).is_err_and(|error| error.kind() == ErrorKind::AddrNotAvailable)
        }
        // What begins with `-` may be absent, and `*` is all that there are.
        Err(_) => !word.starts_with('-') && *word != "*" && (*word, 0).to_socket_addrs().is_err(),
    };
    let at = words.into_iter().position(|word| lacks(&word))?;
    let why = format!(
        "word {} is an address that this machine does not have, or a name that it does not know",
        at + 1
    );
    Some((Some(place(line)), why))
}

/// Whether a server of ours may be started with the line.
fn may_stay(line: &SourceLine) -> bool {
    let is_large = line.name == "databases"
        && line
            .words
            .get(1)
            .and_then(|number| number.parse::<u64>().ok())
            .is_some_and(|number| number > DATABASES_MAX);
    directives::stays(&line.words[0]) && !is_large
}

fn place(line: &SourceLine) -> Place {
    Place { file: line.file.clone(), line: line.line }
}

/// The name of a line's directive where it is one.
fn shown_name(line: &SourceLine) -> String {
    if directives::is_known(&line.words[0]) { line.name.clone() } else { "no known directive".into() }
}

fn render(copy: &[&SourceLine]) -> String {
    let mut text = String::new();
    for line in copy {
        let values: Vec<String> = line.words[1..].iter().map(|word| quoted(word)).collect();
        text.extend([&line.words[0], " ", &values.join(" "), "\n"]);
    }
    for (name, value) in OVERRULED.iter().filter(|(name, _)| copy.iter().any(|line| line.name == *name)) {
        text.extend([name, " ", value, "\n"]);
    }
    text + ENDING
}

/// The server's words without what it quotes of the line, and without every value of it: one of them may be a password.
fn without(words: &[String], why: &str) -> String {
    let mut shown = String::new();
    for (at, part) in why.split('\'').enumerate() {
        shown.push_str(if at % 2 == 0 { part } else { "'…'" });
    }
    let values = words.iter().skip(1).filter(|word| word.len() > 2 && !OWN.contains(&word.as_str()));
    let is_number = |word: &str| word.parse::<i128>().is_ok();
    values
        .filter(|word| !is_number(word))
        .fold(shown, |shown, word| shown.replace(word.as_str(), secret::HIDDEN))
}
