//! Everything that lies in a folder, by what it is, and whether a server loads it.

use super::folder::{self, Folder};
use super::manifest::{Manifest, Part};
use super::rdb::Head;
use super::source::{DataLayout, Listed, Role, Source};

/// So many files are listed.
const LISTED_MAX: usize = 1_000;

/// Servers write their names in small letters.
pub(super) fn ends_with(name: &str, end: &str) -> bool {
    name.ends_with(end)
}

/// Whether a part is a base: what a rewrite has left.
pub(super) fn is_base(name: &str) -> bool {
    is_part(name) && (name.ends_with(".base.rdb") || name.ends_with(".base.aof"))
}

/// Whether a name is that of a part of an AOF: `<name>.<number>.base.rdb`, `….base.aof`, `….incr.aof`.
pub(super) fn is_part(name: &str) -> bool {
    let stem = [".base.rdb", ".base.aof", ".incr.aof"].into_iter().find_map(|end| name.strip_suffix(end));
    let number = stem.and_then(|stem| stem.rsplit_once('.')).map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a name is that of a file that a rewrite or a snapshot writes to until it is done.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with("temp-")
}

/// The names in a folder with their sizes, for a message.
pub(super) fn names(folder: &Folder) -> Vec<String> {
    let name = |item: &folder::Item| match item.kind {
        folder::EntryKind::File if item.bytes == 1 => format!("{} (1 byte)", item.name),
        folder::EntryKind::File => format!("{} ({} bytes)", item.name, item.bytes),
        folder::EntryKind::Folder => format!("{}/", item.name),
        folder::EntryKind::Link => format!("{} (a link, which is not followed)", item.name),
        folder::EntryKind::Special => format!("{} (no file)", item.name),
    };
    folder.items.iter().map(name).collect()
}

/// What a manifest names, and is there.
pub(super) fn of_manifest(manifest: &Manifest, folder: &Folder) -> Vec<Listed> {
    let listed = |(name, part): &(String, Part)| {
        let item = folder.items.iter().find(|item| item.name == *name)?;
        let role = match (item.kind, part) {
            (folder::EntryKind::File, Part::Base) => Role::Base,
            (folder::EntryKind::File, Part::Increment) => Role::Increment,
            (folder::EntryKind::File, Part::History) => Role::History,
            _ => Role::NotAFile,
        };
        Some(Listed { name: name.clone(), bytes: item.bytes, role, head: None })
    };
    manifest.parts.iter().filter_map(listed).collect()
}

/// Everything that lies in the folder and in those below it; of a source that has what its manifest names already.
pub(super) fn all(source: &Source, top: &Folder, below: &[Folder]) -> Vec<Listed> {
    let mut all = Vec::new();
    for folder in std::iter::once(top).chain(below) {
        let is_top = folder.path == top.path;
        for item in &folder.items {
            let is_its = folder.path == source.folder;
            let named = source.listing.iter().find(|named| is_its && named.name == item.name);
            let role = match (named, item.kind) {
                (Some(named), _) => named.role,
                (None, folder::EntryKind::Link) => Role::Link,
                (None, folder::EntryKind::Special) => Role::Special,
                // What is in it is listed below.
                (None, folder::EntryKind::Folder)
                    if is_top && below.iter().any(|other| other.path.ends_with(&item.name)) =>
                {
                    continue;
                }
                (None, folder::EntryKind::Folder) => Role::Folder,
                (None, folder::EntryKind::File) => role(source, &item.name, is_its),
            };
            let subfolder = folder.path.file_name().filter(|_| !is_top).map(|name| name.to_string_lossy());
            let name =
                subfolder.map_or_else(|| item.name.clone(), |folder| format!("{folder}/{}", item.name));
            let is_snapshot = item.kind == folder::EntryKind::File
                && matches!(
                    role,
                    Role::Base | Role::Log | Role::Snapshot | Role::Unlisted | Role::SnapshotBeside
                );
            // A file that cannot be read is found out about when it is copied.
            let head = if is_snapshot {
                folder.file(&item.name).and_then(|mut file| Head::read(&mut file)).ok().flatten()
            } else {
                None
            };
            all.push(Listed { name, bytes: item.bytes, role, head });
        }
    }
    // What a server loads first, then what looks like data.
    all.sort_by_key(|file| file.role as u8);
    all.truncate(LISTED_MAX);
    all
}

/// What a file is that no manifest names.
fn role(source: &Source, name: &str, is_its: bool) -> Role {
    let is_main = is_its && name == source.name;
    match source.kind {
        DataLayout::Parts if is_main => Role::Manifest,
        DataLayout::Single if is_main => Role::Log,
        DataLayout::Snapshot if is_main => Role::Snapshot,
        _ if is_temporary(name) => Role::Unfinished,
        DataLayout::Parts if is_part(name) => Role::Unlisted,
        _ if ends_with(name, ".rdb") => Role::SnapshotBeside,
        _ if ends_with(name, ".aof") => Role::LogBeside,
        _ => Role::Other,
    }
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
}
