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
    /// Why files may have held more than a server makes of them, although it loads them.
    pub doubts: Vec<String>,
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
                let (missing, unlisted, doubts) = Default::default();
                return Ok(Source {
                    kind,
                    folder: folder.to_owned(),
                    name,
                    files,
                    missing,
                    unlisted,
                    doubts,
                });
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
    let failed = |why| Error::Folder { path: folder.to_owned(), why };
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

/// Whether a part is a base: what a rewrite has left.
fn is_base(name: &str) -> bool {
    is_part(name) && (name.ends_with(".base.rdb") || name.ends_with(".base.aof"))
}

/// Whether a name is that of a part of an AOF: `<name>.<number>.base.rdb`, `….base.aof`, `….incr.aof`.
fn is_part(name: &str) -> bool {
    let stem = [".base.rdb", ".base.aof", ".incr.aof"].into_iter().find_map(|end| name.strip_suffix(end));
    let number = stem.and_then(|stem| stem.rsplit_once('.')).map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn in_parts(folder: &Path, files: &[OnDisk], manifest: &str) -> Result<Source, Error> {
    let path = folder.join(manifest);
    let text = std::fs::read(&path).map_err(|why| Error::Folder { path, why })?;
    let (mut missing, mut unlisted, mut doubts) = (Vec::new(), Vec::new(), Vec::new());
    // What the server will make of a manifest is for it to say. This only compares names, where it has them.
    if let Some(named) = named(&String::from_utf8_lossy(&text)) {
        let is_there = |name: &str| files.iter().any(|file| file.name == name);
        let gone = named.iter().filter(|(name, role)| *role != Role::History && !is_there(name));
        missing.extend(gone.map(|(name, _)| name.clone()));
        let is_named = |name: &str| named.iter().any(|(known, _)| known == name);
        let rest: Vec<&OnDisk> =
            files.iter().filter(|file| is_part(&file.name) && !is_named(&file.name)).collect();
        unlisted.extend(rest.iter().map(|file| file.name.clone()));
        doubts = self::doubts(&named, files, &rest);
    }
    Ok(Source {
        kind: Kind::Parts,
        folder: folder.to_owned(),
        name: manifest.to_owned(),
        files: files.to_vec(),
        missing,
        unlisted,
        doubts,
    })
}

/// Why files may have held more than a server makes of them. What a crash in the middle of a rewrite leaves is no reason:
/// a base that is not named yet, or not any more, beside one that is.
fn doubts(named: &[(String, Role)], files: &[OnDisk], unlisted: &[&OnDisk]) -> Vec<String> {
    let mut doubts = Vec::new();
    let bases: Vec<&str> =
        named.iter().filter(|(_, role)| *role == Role::Base).map(|(name, _)| name.as_str()).collect();
    // A base in RDB format has a head and a checksum even where there is no key.
    let empty = files.iter().filter(|file| file.bytes == 0 && file.name.ends_with(".base.rdb"));
    let empty = empty.filter(|file| bases.contains(&file.name.as_str()));
    doubts.extend(empty.map(|file| format!("{} has no bytes: whatever was in it is gone", file.name)));
    if let (true, Some(base)) = (bases.is_empty(), files.iter().find(|file| is_base(&file.name))) {
        doubts.push(format!("{} is there and the manifest names no base: no server loads it", base.name));
    }
    let more = unlisted.iter().filter(|file| file.bytes > 0 && !is_base(&file.name));
    doubts.extend(more.map(|file| {
        format!("{} has {} bytes and is not named by the manifest: no server loads it", file.name, file.bytes)
    }));
    doubts
}

/// What a file is to its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Base,
    Increment,
    /// A rewrite has replaced it.
    History,
}

/// The files of a manifest, and what each is. None where a line reads otherwise than `file <name> seq <number> type
/// <letter>`, as with a name in quotes.
fn named(manifest: &str) -> Option<Vec<(String, Role)>> {
    let lines = manifest.lines().filter(|line| !line.starts_with('#'));
    let name = |line: &str| match line.split_ascii_whitespace().collect::<Vec<_>>().as_slice() {
        ["file", name, "seq", _, "type", kind, ..] if !name.starts_with(['"', '\'']) => {
            let role = match *kind {
                "b" => Role::Base,
                "h" => Role::History,
                _ => Role::Increment,
            };
            Some(((*name).to_owned(), role))
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
        let expected = vec![("a.1.base.rdb".into(), Role::Base), ("a.0.incr.aof".into(), Role::History)];
        assert_eq!(named(sound), Some(expected));
        assert_eq!(named("file \"a b\" seq 1 type b\n"), None);
        assert_eq!(named("garbage\n"), None);
    }

    #[test]
    fn what_no_server_loads_is_doubted_and_what_a_rewrite_leaves_is_not() {
        let doubts = |manifest: &str, files: &[(&str, u64)]| {
            let files: Vec<OnDisk> =
                files.iter().map(|(name, bytes)| OnDisk { name: (*name).into(), bytes: *bytes }).collect();
            let named = named(manifest).unwrap();
            let is_named = |file: &&OnDisk| named.iter().any(|(known, _)| *known == file.name);
            let rest: Vec<&OnDisk> = files.iter().filter(|file| !is_named(file)).collect();
            doubts(&named, &files, &rest)
        };
        let (base, more) = ("file a.2.base.rdb seq 2 type b\n", "file a.2.incr.aof seq 2 type i\n");
        let both = format!("{base}{more}");
        let whole = [("a.2.base.rdb", 90), ("a.2.incr.aof", 0)];
        assert_eq!(doubts(&both, &whole), Vec::<String>::new());
        for left in [("a.1.base.rdb", 90), ("a.3.base.rdb", 90), ("a.3.incr.aof", 0)] {
            assert_eq!(doubts(&both, &[whole[0], whole[1], left]), Vec::<String>::new(), "{left:?}");
        }
        for (manifest, files, said) in [
            (both.as_str(), [("a.2.base.rdb", 0), ("a.2.incr.aof", 9)], "a.2.base.rdb has no bytes"),
            (more, [("a.2.base.rdb", 90), ("a.2.incr.aof", 9)], "names no base"),
            (base, [("a.2.base.rdb", 90), ("a.2.incr.aof", 9)], "a.2.incr.aof has 9 bytes and is not named"),
        ] {
            let told = doubts(manifest, &files);
            assert!(told.len() == 1 && told[0].contains(said), "{told:?}");
        }
    }
}
