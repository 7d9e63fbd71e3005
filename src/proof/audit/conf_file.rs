//! Reading a redis.conf as a server of 7.0 or newer does: quoting, includes, directives that add up, and what it would
//! refuse.

use std::fmt;
use std::path::{Path, PathBuf};

use super::conf_line::{Line, split};
use super::directives;
use super::settings::Settings;

/// How deep files may include files.
const DEPTH_MAX: usize = 16;
/// How many files may be included.
const FILES_MAX: usize = 64;
/// How large a file may be.
const BYTES_MAX: u64 = 16 << 20;

/// A redis.conf, and what it includes.
#[derive(Debug, Clone, Default)]
pub struct ConfFile {
    /// What a server would have: the file's settings, and the defaults of those that it does not name.
    pub settings: Settings,
    /// Commands that are renamed, with their new names; empty where they are disabled.
    pub renamed: Vec<(String, String)>,
    /// The lines that make users.
    pub users: Vec<String>,
    /// What a server would not understand.
    pub troubles: Vec<Trouble>,
    /// Where the server goes before it looks for what is included further on.
    dir: Option<PathBuf>,
    files: usize,
    /// Behind an include a server takes each `save` for the whole of them, as CONFIG SET does.
    is_past_include: bool,
    saves: Option<String>,
}

/// A file that cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {why}; give --conf the path of a redis.conf", path.display())]
pub struct ConfError {
    path: PathBuf,
    why: String,
}

/// A line that a server would not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: Kind,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// No server has a directive of that name.
    UnknownDirective(String),
    /// The value is none that it takes, and why.
    BadValue(String, String),
    /// A quote is not closed, or something follows it.
    Quotes,
    /// A file that is to be included cannot be read, and why.
    Include(String, String),
}

impl ConfError {
    /// What stands in the way.
    pub fn why(&self) -> String {
        format!("{}: {}", self.path.display(), self.why)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        match &self.kind {
            Kind::UnknownDirective(name) => write!(f, "{name}: no such directive"),
            Kind::BadValue(name, why) => write!(f, "{name}: {why}"),
            Kind::Quotes => write!(f, "a quote is not closed, or no space follows it"),
            Kind::Include(path, why) => write!(f, "include {path}: {why}"),
        }
    }
}

/// Reads a file and what it includes.
pub fn read(path: &Path) -> Result<ConfFile, ConfError> {
    let text = load(path).map_err(|why| ConfError { path: path.into(), why })?;
    let mut file = ConfFile::default();
    for (name, default) in directives::defaults() {
        file.settings.set(name, default);
    }
    file.take(path, &text, 0);
    if let Some(saves) = file.saves.take() {
        file.settings.set("save", saves);
    }
    Ok(file)
}

/// A file's text. What is not UTF-8 is kept as a mark: no directive that matters has such bytes.
fn load(path: &Path) -> Result<String, String> {
    let meta = std::fs::metadata(path).map_err(|why| why.to_string())?;
    if meta.is_dir() {
        return Err("it is a folder".into());
    }
    if !meta.is_file() {
        return Err("it is no regular file".into());
    }
    if meta.len() > BYTES_MAX {
        return Err(format!("it has {} bytes, more than {BYTES_MAX}", meta.len()));
    }
    let bytes = std::fs::read(path).map_err(|why| why.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl ConfFile {
    fn take(&mut self, path: &Path, text: &str, depth: usize) {
        for (at, line) in text.split('\n').enumerate() {
            let failed = match split(line) {
                Line::Nothing => continue,
                Line::Bad => Err(Kind::Quotes),
                Line::Words(words) => self.directive(path, &words, depth),
            };
            if let Err(kind) = failed {
                self.troubles.push(Trouble { file: path.into(), line: at + 1, kind });
            }
        }
    }

    fn directive(&mut self, path: &Path, words: &[String], depth: usize) -> Result<(), Kind> {
        let [name, values @ ..] = words else { return Ok(()) };
        if !directives::is_known(name) {
            // As much as may be a name: what follows it may be a password.
            let is_name = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
            return Err(Kind::UnknownDirective(name.chars().take_while(is_name).collect()));
        }
        let name = directives::current(name);
        let bad = |why: &str| Err(Kind::BadValue(name.clone(), why.into()));
        match (name.as_str(), values) {
            ("include", [pattern]) => self.include(path, pattern, depth),
            ("rename-command", [old, new]) => {
                self.renamed.push((old.to_ascii_lowercase(), new.clone()));
                Ok(())
            }
            ("user", [_, ..]) => {
                self.users.push(words.join(" "));
                Ok(())
            }
            ("include", _) => bad("takes one path"),
            ("rename-command", _) => bad("takes a command and its new name"),
            ("user", _) => bad("takes a name and rules"),
            ("loadmodule", _) => Ok(()),
            _ => self.set(&name, values).map_err(|why| Kind::BadValue(name.clone(), why)),
        }
    }

    /// Sets what the words say; the error says what the directive takes.
    fn set(&mut self, name: &str, values: &[String]) -> Result<(), String> {
        // A server splits a quoted value of those that take several words.
        let kind = directives::kind(name);
        let is_list =
            matches!(kind, directives::Kind::Save | directives::Kind::OutputBuffer | directives::Kind::Words);
        let split: Vec<String>;
        let values = match values {
            [one] if is_list && !one.is_empty() => {
                split = one.split_whitespace().map(str::to_owned).collect();
                &split[..]
            }
            values => values,
        };
        let text = values.join(" ");
        super::conf_line::check(directives::kind(name), values)?;
        if name == "dir" {
            self.dir = Some(PathBuf::from(&text));
        }
        match directives::kind(name) {
            directives::Kind::Save => {
                // The first in a file takes the place of the defaults; an empty one of all before it.
                let adds_up = !text.is_empty() && !self.is_past_include;
                let before = self.saves.take().filter(|_| adds_up).unwrap_or_default();
                self.saves = Some(format!("{before} {text}").trim().to_owned());
            }
            directives::Kind::OutputBuffer => {
                let mut classes =
                    super::meaning::classes(self.settings.get(name).unwrap_or_default()).unwrap_or_default();
                classes.extend(super::meaning::classes(&text).unwrap_or_default());
                let each = classes
                    .iter()
                    .map(|(class, [hard, soft, seconds])| format!("{class} {hard} {soft} {seconds}"));
                self.settings.set(name, each.collect::<Vec<_>>().join(" "));
            }
            _ => self.settings.set(name, text),
        }
        Ok(())
    }

    /// Reads the files that a pattern names. A server looks from its own folder, which is not known here: the
    /// current one is tried, then that of the file.
    fn include(&mut self, from: &Path, pattern: &str, depth: usize) -> Result<(), Kind> {
        let failed = |why: String| Kind::Include(pattern.into(), why);
        self.files += 1;
        if self.files > FILES_MAX {
            return Err(failed(format!("more than {FILES_MAX} files are included")));
        }
        if depth >= DEPTH_MAX {
            return Err(failed(format!("files include each other more than {DEPTH_MAX} deep")));
        }
        let beside = from.parent().map(|folder| folder.join(pattern)).unwrap_or_default();
        let is_pattern = pattern.contains(['*', '?', '[']);
        let mut found = Vec::new();
        let after_dir = self.dir.as_ref().map(|dir| dir.join(pattern));
        // As in a shell, and in a server, a star does not stand for a leading dot.
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
        for place in after_dir.into_iter().chain([PathBuf::from(pattern), beside]) {
            let paths =
                glob::glob_with(&place.to_string_lossy(), options).map_err(|why| failed(why.to_string()))?;
            found = paths.filter_map(Result::ok).collect();
            if !found.is_empty() {
                break;
            }
        }
        if found.is_empty() && !is_pattern {
            return Err(failed("there is no such file".into()));
        }
        for path in found {
            let text = load(&path).map_err(|why| failed(format!("{}: {why}", path.display())))?;
            self.is_past_include = false;
            self.take(&path, &text, depth + 1);
            self.is_past_include = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300), line in "[a-z]{0,9}|save|bind|user|include") {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), [line.as_bytes(), b" ", &bytes].concat()).unwrap();
            prop_assert!(read(file.path()).is_ok());
        }

        #[test]
        fn what_is_written_for_a_server_is_read_back(value in "[ -~]{0,40}") {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), super::super::remedy::conf_line("requirepass", &value)).unwrap();
            let read = read(file.path()).unwrap();
            prop_assert_eq!(read.settings.get("requirepass"), Some(value.as_str()));
        }
    }
}
