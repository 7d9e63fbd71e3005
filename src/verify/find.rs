//! What a folder holds that a server can load: an AOF in parts, a single append-only file, or a snapshot.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Error;

/// How the data lie on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
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
    pub kind: Kind,
    /// The folder that the files are in.
    #[serde(serialize_with = "shown")]
    pub folder: PathBuf,
    /// The manifest, the append-only file, or the snapshot.
    pub name: String,
    /// Every file that belongs to it.
    pub files: Vec<OnDisk>,
    /// What the manifest names and is not there.
    pub missing: Vec<String>,
    /// What is there and the manifest does not name: no server loads it.
    pub unlisted: Vec<String>,
}

impl Source {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Of a path that is no UTF-8 what can be shown of it: that is no reason to say nothing.
fn shown<S: serde::Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

/// Looks into a folder: at it, and at its subfolders for a manifest.
pub fn find(folder: &Path) -> Result<Source, Error> {
    let (files, subfolders) = list(folder)?;
    let mut parts: Vec<(PathBuf, Vec<OnDisk>)> = vec![(folder.to_owned(), files.clone())];
    let mut closed = None;
    for subfolder in subfolders.into_iter().filter(|subfolder| !subfolder.ends_with("lost+found")) {
        match list(&subfolder) {
            Ok((files, _)) => parts.push((subfolder, files)),
            Err(error) => closed = Some(error),
        }
    }
    let manifests: Vec<(&PathBuf, &Vec<OnDisk>, &OnDisk)> = parts
        .iter()
        .flat_map(|(folder, files)| files.iter().map(move |file| (folder, files, file)))
        .filter(|(_, _, file)| file.name.ends_with(".manifest"))
        .collect();
    match manifests.as_slice() {
        // The data may be in the one that cannot be read: then whatever else is here may be years old.
        [] => closed.map_or(Ok(()), Err)?,
        [(folder, files, manifest)] => return in_parts(folder, files, &manifest.name),
        several => {
            let seen = several.iter().map(|(folder, _, file)| folder.join(&file.name).display().to_string());
            return Err(Error::Several { folder: folder.to_owned(), seen: seen.collect() });
        }
    }
    if let Some((folder, files)) =
        parts.iter().find(|(_, files)| files.iter().any(|file| is_part(&file.name)))
    {
        let seen = files.iter().map(|file| format!("{} ({} bytes)", file.name, file.bytes)).collect();
        return Err(Error::NoManifest { folder: folder.clone(), seen });
    }
    for (end, kind) in [(".aof", Kind::Single), (".rdb", Kind::Snapshot)] {
        let found: Vec<&OnDisk> = files.iter().filter(|file| file.name.ends_with(end)).collect();
        match found.as_slice() {
            [] => {}
            [file] => {
                let (name, files) = (file.name.clone(), vec![(*file).clone()]);
                let (folder, missing, unlisted) = (folder.to_owned(), Vec::new(), Vec::new());
                return Ok(Source { kind, folder, name, files, missing, unlisted });
            }
            several => {
                let seen = several.iter().map(|file| file.name.clone()).collect();
                return Err(Error::Several { folder: folder.to_owned(), seen });
            }
        }
    }
    Err(Error::NoAof { folder: folder.to_owned(), seen: files.into_iter().map(|file| file.name).collect() })
}

/// Files, without those that a rewrite had not finished, and subfolders, each in the order of their names.
pub(super) fn list(folder: &Path) -> Result<(Vec<OnDisk>, Vec<PathBuf>), Error> {
    let failed = |source| Error::Folder { path: folder.to_owned(), source };
    let (mut files, mut subfolders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A link that leads nowhere is no file; the manifest that names it will say so.
        let Ok(seen) = std::fs::metadata(entry.path()) else { continue };
        let Ok(name) = entry.file_name().into_string() else { continue };
        if seen.is_dir() {
            subfolders.push(entry.path());
        } else if seen.is_file() && !name.starts_with("temp-") {
            files.push(OnDisk { name, bytes: seen.len() });
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    subfolders.sort();
    Ok((files, subfolders))
}

/// Whether a name is that of a part of an AOF: `<name>.<number>.base.rdb`, `….base.aof`, `….incr.aof`.
fn is_part(name: &str) -> bool {
    let stem = [".base.rdb", ".base.aof", ".incr.aof"].into_iter().find_map(|end| name.strip_suffix(end));
    let number = stem.and_then(|stem| stem.rsplit_once('.')).map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn in_parts(folder: &Path, files: &[OnDisk], manifest: &str) -> Result<Source, Error> {
    let path = folder.join(manifest);
    let text = std::fs::read(&path).map_err(|source| Error::Folder { path, source })?;
    let (mut missing, mut unlisted) = (Vec::new(), Vec::new());
    // What the server will make of a manifest is for it to say. This only compares names, where it has them.
    if let Some(named) = named(&String::from_utf8_lossy(&text)) {
        let is_there = |name: &str| files.iter().any(|file| file.name == name);
        missing.extend(
            named.iter().filter(|(name, is_old)| !is_old && !is_there(name)).map(|(name, _)| name.clone()),
        );
        let is_named = |name: &str| named.iter().any(|(known, _)| known == name);
        let rest = files.iter().filter(|file| is_part(&file.name) && !is_named(&file.name));
        unlisted.extend(rest.map(|file| file.name.clone()));
    }
    Ok(Source {
        kind: Kind::Parts,
        folder: folder.to_owned(),
        name: manifest.to_owned(),
        files: files.to_vec(),
        missing,
        unlisted,
    })
}

/// The files of a manifest, and of each whether a rewrite has replaced it. None where a line reads otherwise than
/// `file <name> seq <number> type <letter>`, as with a name in quotes.
fn named(manifest: &str) -> Option<Vec<(String, bool)>> {
    let lines = manifest.lines().filter(|line| !line.starts_with('#'));
    let name = |line: &str| match line.split_ascii_whitespace().collect::<Vec<_>>().as_slice() {
        ["file", name, "seq", _, "type", kind, ..] if !name.starts_with(['"', '\'']) => {
            Some(((*name).to_owned(), *kind == "h"))
        }
        _ => None,
    };
    lines.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_known_by_their_names() {
        for name in ["appendonly.aof.1.base.rdb", "a.12.incr.aof", "x y.aof.3.base.aof"] {
            assert!(is_part(name), "{name}");
        }
        for name in ["appendonly.aof", "dump.rdb", "a.incr.aof", "base.rdb", "a..incr.aof", "1.incr.aof"] {
            assert!(!is_part(name), "{name}");
        }
    }

    #[test]
    fn a_manifest_that_reads_otherwise_names_nothing() {
        let sound = "file a.1.base.rdb seq 1 type b\nfile a.0.incr.aof seq 0 type h\n";
        assert_eq!(named(sound), Some(vec![("a.1.base.rdb".into(), false), ("a.0.incr.aof".into(), true)]));
        assert_eq!(named("file \"a b\" seq 1 type b\n"), None);
        assert_eq!(named("garbage\n"), None);
    }
}
