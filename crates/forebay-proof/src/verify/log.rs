//! The commands of an append-only file, read as a server reads them and obeyed by nobody: up to where they are whole, which
//! of them are no data, and which empty the buffer.
//!
//! This is about the user's file. What a server makes of it is for the server to say, which by then may have cut its copy.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom};

use forebay::buffer::keys::Name;
use serde::Serialize;

/// A line of the format is shorter: a count, a length, a time stamp.
const LINE_BYTES_MAX: u64 = 128;
/// Of a word so much is kept: more than a command's name or a key of a buffer has.
const WORD_BYTES_MAX: u64 = 256;
/// So many words of a command are looked at.
const WORDS_MAX: usize = 1_000;
/// Commands that are no data: so many are listed.
const LISTED_MAX: usize = 100;

/// What to look for in a file.
pub(super) struct Wanted<'a> {
    /// Commands that hold data.
    pub data: &'a BTreeSet<String>,
    /// Whether a word is a key of the buffer.
    pub is_key: &'a dyn Fn(&[u8]) -> bool,
    /// The buffer's database.
    pub database: u64,
}

/// What a file of commands came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Log {
    /// Its name.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Where the commands begin: behind a snapshot that opens the file.
    pub begins: u64,
    /// Whole commands in it.
    pub commands: u64,
    /// Where and why it stops being whole.
    pub stop: Option<Stop>,
    /// Commands that are no data.
    pub foreign: Vec<Foreign>,
    /// The last command that takes the buffer away.
    pub emptied: Option<Emptied>,
}

/// Where a file of commands stops being whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// The first byte that is not: of a transaction without its end, that of its beginning.
    pub offset: u64,
    /// Why.
    pub why: Why,
}

/// Why a file stops being whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It ends within a command.
    Command,
    /// It ends within a transaction, between two commands.
    Transaction,
    /// It ends within a time stamp. A server takes no offence, and writes on in the middle of that line.
    TimeStamp,
    /// What stands there is no command.
    NoCommand,
    /// From there on all is zero, as a disk leaves it whose power failed.
    Zeros,
}

/// A command that is no data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Foreign {
    /// Its first byte.
    pub offset: u64,
    /// Its name, and the word behind it where that says what it does.
    pub command: String,
}

/// A command that takes the buffer away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Emptied {
    /// Its first byte; of a command in a transaction, that of the transaction.
    pub offset: u64,
    /// As it stands there.
    pub command: String,
    /// Whole commands that follow it in the file.
    pub followed_by: u64,
}

/// A command as it stands in the file.
struct Command {
    words: Vec<Vec<u8>>,
    /// How many there are, listed or not.
    count: u64,
}

/// What the next record of the file is.
enum Next {
    Command(Command),
    /// A comment: a time stamp.
    Note,
    Stop(Why),
    End,
}

/// Reads a file of commands that begin at a place.
pub(super) fn scan(file: &mut File, name: &str, begins: u64, wanted: &Wanted<'_>) -> io::Result<Log> {
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(begins))?;
    let mut records = Records { reader: BufReader::with_capacity(1 << 20, file), at: begins, bytes };
    let mut log = Log { file: name.into(), bytes, begins, ..Log::default() };
    let (mut transaction, mut database) = (None, 0_u64);
    loop {
        let offset = records.at;
        match records.next()? {
            Next::Note => {}
            Next::End => {
                let within = transaction.map(|offset| Stop { offset, why: Why::Transaction });
                log.stop = within;
                return Ok(log);
            }
            Next::Stop(why) => {
                let offset = transaction.filter(|_| why != Why::NoCommand).unwrap_or(offset);
                log.stop = Some(Stop { offset, why });
                return Ok(log);
            }
            Next::Command(command) => {
                log.commands += 1;
                if let Some(emptied) = &mut log.emptied {
                    emptied.followed_by += 1;
                }
                let name = command.name();
                match name.as_str() {
                    "multi" => transaction = Some(offset),
                    "exec" => transaction = None,
                    "select" => database = command.number(1).unwrap_or(database),
                    _ => {}
                }
                if !wanted.data.contains(&name) && log.foreign.len() < LISTED_MAX {
                    log.foreign.push(Foreign { offset, command: command.shown(2) });
                }
                let is_append = transaction.is_some() && command.is_append(&name);
                if !is_append && command.takes_away(&name, wanted, database) {
                    let offset = transaction.unwrap_or(offset);
                    log.emptied = Some(Emptied { offset, command: command.shown(4), followed_by: 0 });
                }
            }
        }
    }
}

impl Log {
    /// Bytes behind the place where it stops being whole.
    pub fn rest(&self) -> u64 {
        self.stop.map_or(0, |stop| self.bytes.saturating_sub(stop.offset))
    }

    /// Whether it was cut: it ends too early, and all before is well.
    pub fn is_cut(&self) -> bool {
        self.stop.is_some_and(|stop| matches!(stop.why, Why::Command | Why::Transaction | Why::TimeStamp))
    }
}

impl Command {
    fn name(&self) -> String {
        self.words.first().map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).unwrap_or_default()
    }

    fn number(&self, at: usize) -> Option<u64> {
        std::str::from_utf8(self.words.get(at)?).ok()?.parse().ok()
    }

    /// The first words, without what would steer a terminal.
    fn shown(&self, words: usize) -> String {
        let word = |word: &Vec<u8>| -> String {
            String::from_utf8_lossy(word).chars().take(64).flat_map(char::escape_debug).collect()
        };
        let mut shown: Vec<String> = self.words.iter().take(words).map(word).collect();
        if let Some(name) = shown.first_mut() {
            *name = name.to_ascii_uppercase();
        }
        let more = if self.count > words as u64 && words > 2 { " …" } else { "" };
        shown.join(" ") + more
    }

    /// Whether, in a transaction, it gives a stream the name that it has while a block is added.
    fn is_append(&self, name: &str) -> bool {
        let words: Vec<&[u8]> = self.words.iter().map(|word| &**word).collect();
        matches!(words[..], [_, from, to] if name == "rename" && to.strip_prefix(from) == Some(Name::ASIDE.as_bytes()))
    }

    /// Whether it empties the buffer's database, or removes a key of the buffer's.
    fn takes_away(&self, name: &str, wanted: &Wanted<'_>, database: u64) -> bool {
        let is_key = |word: &Vec<u8>| (wanted.is_key)(word);
        match name {
            "flushall" => true,
            "flushdb" => database == wanted.database,
            "swapdb" => [self.number(1), self.number(2)].contains(&Some(wanted.database)),
            "del" | "unlink" => database == wanted.database && self.words.iter().skip(1).any(is_key),
            "rename" | "renamenx" | "move" => {
                database == wanted.database && self.words.get(1).is_some_and(is_key)
            }
            _ => false,
        }
    }
}

/// The records of a file, one after the other.
struct Records<R> {
    reader: BufReader<R>,
    at: u64,
    bytes: u64,
}

/// A line of the format.
enum Line {
    Is(Vec<u8>),
    /// The file ends within it; so it begins.
    Ends(Vec<u8>),
    /// It is longer than any.
    Long,
}

impl<R: Read> Records<R> {
    fn next(&mut self) -> io::Result<Next> {
        if self.at >= self.bytes {
            return Ok(Next::End);
        }
        let line = match self.line()? {
            Line::Is(line) => line,
            Line::Ends(begun) => {
                return Ok(match begun.first() {
                    Some(b'#') => Next::Stop(Why::TimeStamp),
                    Some(b'*') => Next::Stop(Why::Command),
                    _ => self.no_command(&begun)?,
                });
            }
            Line::Long => return self.no_command(&[]),
        };
        if line.starts_with(b"#") {
            return Ok(Next::Note);
        }
        let Some(count) = number(&line, b'*').filter(|count| *count > 0) else {
            return self.no_command(&line);
        };
        let mut words = Vec::new();
        for _ in 0..count {
            let length = match self.line()? {
                Line::Is(line) => number(&line, b'$'),
                Line::Ends(_) => return Ok(Next::Stop(Why::Command)),
                Line::Long => None,
            };
            let Some(length) = length else { return Ok(Next::Stop(Why::NoCommand)) };
            // With the line's end behind it, whatever stands there: servers do not look.
            if length.saturating_add(2) > self.bytes - self.at {
                return Ok(Next::Stop(Why::Command));
            }
            self.word(length, &mut words)?;
        }
        Ok(Next::Command(Command { words, count }))
    }

    /// What stands here is no command: zeros to the end, or something else.
    fn no_command(&mut self, line: &[u8]) -> io::Result<Next> {
        let mut is_zero = line.iter().all(|byte| *byte == 0);
        while is_zero {
            let piece = self.reader.fill_buf()?;
            if piece.is_empty() {
                return Ok(Next::Stop(Why::Zeros));
            }
            is_zero = piece.iter().all(|byte| *byte == 0);
            let length = piece.len();
            self.reader.consume(length);
        }
        Ok(Next::Stop(Why::NoCommand))
    }

    fn line(&mut self) -> io::Result<Line> {
        let mut line = Vec::new();
        // Of a line that is too long nothing is consumed beyond what is known: the reading ends there.
        let length = (&mut self.reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        self.at += length as u64;
        Ok(if line.ends_with(b"\n") {
            Line::Is(line)
        } else if self.at >= self.bytes {
            Line::Ends(line)
        } else if line.iter().all(|byte| *byte == 0) {
            // Zeros may go on for long.
            Line::Ends(line)
        } else {
            Line::Long
        })
    }

    /// A word and the line's end behind it; what is kept of it goes to the others, as far as they are looked at.
    fn word(&mut self, length: u64, words: &mut Vec<Vec<u8>>) -> io::Result<()> {
        let kept = if words.len() < WORDS_MAX { length.min(WORD_BYTES_MAX) } else { 0 };
        let mut word = Vec::new();
        (&mut self.reader).take(kept).read_to_end(&mut word)?;
        if words.len() < WORDS_MAX {
            words.push(word);
        }
        io::copy(&mut (&mut self.reader).take(length - kept + 2), &mut io::sink())?;
        self.at += length + 2;
        Ok(())
    }
}

/// The number of a line `*3` or `$14`, read as servers do: what follows the digits does not count.
fn number(line: &[u8], mark: u8) -> Option<u64> {
    let rest = line.strip_prefix(&[mark])?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
