//! Reading a redis.conf as a server of 7.0 or newer does: quoting, includes, directives that add up, and what it would
//! refuse.

use std::path::{Path, PathBuf};

use super::conf_conflicts::{self, Whole};
pub use super::conf_fault::{ConfFault, ConfFaultKind, SourceLine};
use super::conf_line::{Line, split};
use super::settings::Settings;
use super::{conf_acl, directives};
use forebay::buffer::secret;

/// How deep files may include files.
const DEPTH_MAX: usize = 16;
/// How many files may be included.
const FILES_MAX: usize = 64;
/// How large all of them together may be.
const BYTES_MAX: u64 = 16 << 20;
/// How many troubles are kept.
const TROUBLES_MAX: usize = 200;

/// A redis.conf, and what it includes.
#[derive(Debug, Clone, Default)]
pub struct ConfFile {
    /// What a server would have: the file's settings, and the defaults of those that it does not name.
    pub settings: Settings,
    /// Commands that are renamed, with their new names; empty where they are disabled.
    pub renamed: Vec<(String, String)>,
    /// The lines that make users, without their passwords.
    pub users: Vec<String>,
    /// What a server would not understand.
    pub troubles: Vec<ConfFault>,
    /// Every line with words that could be told apart, those of included files in their place.
    pub lines: Vec<SourceLine>,
    /// Where the server goes before it looks for what is included further on.
    dir: Option<PathBuf>,
    files: usize,
    bytes: u64,
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

impl ConfError {
    /// What stands in the way.
    pub fn why(&self) -> String {
        format!("{}: {}", self.path.display(), self.why)
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
    let whole = Whole { settings: &file.settings, users: &file.users, lines: &file.lines };
    let together: Vec<ConfFault> = conf_conflicts::troubles(&whole).collect();
    file.troubles.extend(together);
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
    // Its mark, and a letter beside a zero.
    if matches!(bytes[..], [0xff, 0xfe, letter, 0, ..] | [0xfe, 0xff, 0, letter, ..] if letter > 0) {
        return Err("it is UTF-16, which no server reads: save it as UTF-8".into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl ConfFile {
    fn take(&mut self, path: &Path, text: &str, depth: usize) {
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => {
                self.trouble(path, 1, ConfFaultKind::ByteOrderMark);
                rest
            }
            None => text,
        };
        for (at, line) in text.split('\n').enumerate() {
            let failed = match split(line) {
                Line::Nothing => continue,
                Line::Bad => Err(ConfFaultKind::Quotes),
                Line::Words(words) => self.directive((path, at + 1), &words, depth),
            };
            if let Err(kind) = failed {
                self.trouble(path, at + 1, kind);
            }
        }
    }

    fn trouble(&mut self, file: &Path, line: usize, kind: ConfFaultKind) {
        // A Sentinel's file is one trouble, however many lines it has.
        let is_known =
            kind == ConfFaultKind::Sentinel && self.troubles.iter().any(|known| known.kind == kind);
        if !is_known && self.troubles.len() < TROUBLES_MAX {
            self.troubles.push(ConfFault { file: file.into(), line, kind });
        }
    }

    fn directive(
        &mut self,
        (path, at): (&Path, usize),
        words: &[String],
        depth: usize,
    ) -> Result<(), ConfFaultKind> {
        let [name, values @ ..] = words else { return Ok(()) };
        let current = directives::current(name);
        if current != "include" {
            let line =
                SourceLine { file: path.into(), line: at, name: current.clone(), words: words.to_vec() };
            self.lines.push(line);
        }
        if current == "sentinel" {
            return Err(ConfFaultKind::Sentinel);
        }
        if directives::is_removed(name) {
            return Err(ConfFaultKind::Removed(current));
        }
        if directives::is_of_module(name) && !values.is_empty() {
            return Ok(());
        }
        if !directives::is_known(name) {
            return Err(ConfFaultKind::UnknownDirective(directives::like(name)));
        }
        let name = current;
        let bad = |why: String| Err(ConfFaultKind::BadValue(name.clone(), why));
        match (name.as_str(), values) {
            ("include", [pattern]) => self.include(path, pattern, depth),
            ("rename-command", [old, new]) => self.rename(old, new).or_else(|why| bad(why.into())),
            ("user", [user, rules @ ..]) => {
                let line = format!("user {user} ");
                if self.users.iter().any(|known| known.starts_with(&line)) {
                    return bad("a user is made twice".into());
                }
                self.users.push(line + &secret::rules(rules));
                conf_acl::user(rules).or_else(bad)
            }
            ("include", _) => bad("takes one path".into()),
            ("rename-command", _) => bad("takes a command and its new name".into()),
            ("user", _) => bad("takes a name and rules".into()),
            ("loadmodule", []) => bad("takes a path".into()),
            ("loadmodule", _) => Ok(()),
            _ => self.set(&name, values).map_err(|why| ConfFaultKind::BadValue(name.clone(), why)),
        }
    }

    /// Renames a command. Those that were renamed before are gone by their old names, and there by the new ones.
    fn rename(&mut self, old: &str, new: &str) -> Result<(), &'static str> {
        let is_there = |name: &str| {
            let last = self.renamed.iter().rev().find_map(|(old, new)| {
                let is_new = new.eq_ignore_ascii_case(name);
                (is_new || old.eq_ignore_ascii_case(name)).then_some(is_new)
            });
            !name.is_empty() && last.unwrap_or_else(|| conf_acl::is_command(name))
        };
        let (is_old, is_taken) = (is_there(old), !old.eq_ignore_ascii_case(new) && is_there(new));
        self.renamed.push((old.to_ascii_lowercase(), new.to_owned()));
        match (is_old, is_taken) {
            (false, _) => Err("renames what is no command of any server"),
            (_, true) => Err("the new name is that of another command"),
            _ => Ok(()),
        }
    }

    /// Sets what the words say; the error says what the directive takes.
    fn set(&mut self, name: &str, values: &[String]) -> Result<(), String> {
        // A server splits a quoted value of those that take several words.
        let kind = directives::kind(name);
        let is_list = matches!(
            kind,
            directives::ValueKind::Save
                | directives::ValueKind::OutputBuffer
                | directives::ValueKind::Addresses
                | directives::ValueKind::Percentiles
                | directives::ValueKind::Scores
                | directives::ValueKind::SomeOf(_)
                | directives::ValueKind::Master
        );
        let split: Vec<String>;
        let values = match values {
            [one] if is_list && !one.is_empty() => {
                split = one.split_whitespace().map(str::to_owned).collect();
                &split[..]
            }
            values => values,
        };
        let text = values.join(" ");
        super::conf_value::check(kind, values)?;
        if name == "dir" {
            self.dir = Some(PathBuf::from(&text));
        }
        match kind {
            directives::ValueKind::Save => {
                // The first in a file takes the place of the defaults; an empty one of all before it.
                let adds_up = !text.is_empty() && !self.is_past_include;
                let before = self.saves.take().filter(|_| adds_up).unwrap_or_default();
                self.saves = Some(format!("{before} {text}").trim().to_owned());
            }
            directives::ValueKind::OutputBuffer => {
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
    fn include(&mut self, from: &Path, pattern: &str, depth: usize) -> Result<(), ConfFaultKind> {
        let failed = |why: String| ConfFaultKind::Include(pattern.into(), why);
        if depth >= DEPTH_MAX {
            return Err(failed(format!("files include each other more than {DEPTH_MAX} deep")));
        }
        let found = self.named(from, pattern).map_err(failed)?;
        if found.is_empty() && !is_pattern(pattern) {
            return Err(failed("there is no such file".into()));
        }
        for path in found {
            self.files += 1;
            if self.files > FILES_MAX {
                return Err(failed(format!("more than {FILES_MAX} files are included")));
            }
            let text = load(&path).map_err(|why| failed(format!("{}: {why}", path.display())))?;
            self.bytes += text.len() as u64;
            if self.bytes > BYTES_MAX {
                return Err(failed(format!("more than {BYTES_MAX} bytes are included")));
            }
            self.is_past_include = false;
            self.take(&path, &text, depth + 1);
            self.is_past_include = true;
        }
        Ok(())
    }

    /// The files of a pattern, no more than may be included and one.
    fn named(&self, from: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
        // Servers know no `**`. A star in several folders may stand for all that a disk holds.
        let folders = pattern.rsplit_once('/').map_or("", |(folders, _)| folders);
        if is_pattern(folders) {
            return Err("not read: a pattern for folders may stand for any number of files".into());
        }
        let pattern = pattern.replace("**", "*");
        let beside = from.parent().map(|folder| folder.join(&pattern)).unwrap_or_default();
        let after_dir = self.dir.as_ref().map(|dir| dir.join(&pattern));
        // As in a shell, and in a server, a star does not stand for a leading dot.
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
        for place in after_dir.into_iter().chain([PathBuf::from(&pattern), beside]) {
            let paths = glob::glob_with(&place.to_string_lossy(), options).map_err(|why| why.to_string())?;
            let found: Vec<PathBuf> = paths.filter_map(Result::ok).take(FILES_MAX + 1).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests;
