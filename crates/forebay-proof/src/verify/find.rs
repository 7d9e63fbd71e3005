//! What a folder holds that a server can load: an AOF in parts, a single append-only file, or a snapshot; and everything
//! else that lies there.

use std::io::Read as _;
use std::path::Path;

use super::error::Error;
use super::folder::{self, Folder, Item};
use super::listing::{self, is_base, is_part};
use super::manifest::{Manifest, Part};
use super::source::{DataLayout, OnDisk, Source};

/// More than any manifest has.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// Looks into a folder, at it and at its subfolders for a manifest; the folder that has the files.
pub(super) fn find(path: &Path) -> Result<(Source, Folder), Error> {
    let top = Folder::open(path)?;
    let (mut below, mut closed) = (Vec::new(), None);
    for item in
        top.items.iter().filter(|item| item.kind == folder::EntryKind::Folder && item.name != "lost+found")
    {
        match top.subfolder(&item.name) {
            Ok(folder) => below.push(folder),
            Err(error) => closed = Some(error),
        }
    }
    let manifests: Vec<(&Folder, &Item)> = std::iter::once(&top)
        .chain(&below)
        .flat_map(|folder| folder.items.iter().map(move |item| (folder, item)))
        .filter(|(_, item)| item.kind == folder::EntryKind::File && item.name.ends_with(".manifest"))
        .collect();
    let source = match manifests.as_slice() {
        // The data may be in the one that cannot be read: then whatever else is here may be years old.
        [] => match closed {
            Some(error) => return Err(error),
            None => without_manifest(&top, &below)?,
        },
        [(folder, manifest)] => in_parts(folder, &manifest.name)?,
        several => {
            let seen =
                several.iter().map(|(folder, item)| folder.path.join(&item.name).display().to_string());
            return Err(Error::Several { folder: path.to_owned(), seen: seen.collect() });
        }
    };
    let mut source = Source { listing: listing::all(&source, &top, &below), ..source };
    source.doubts.extend(source.begun_beside_a_snapshot());
    let folder = std::iter::once(top).chain(below).find(|folder| folder.path == source.folder);
    let gone = || Error::Folder { path: source.folder.clone(), why: std::io::ErrorKind::NotFound.into() };
    let folder = folder.ok_or_else(gone)?;
    Ok((source, folder))
}

/// A single file, or a snapshot.
fn without_manifest(top: &Folder, below: &[Folder]) -> Result<Source, Error> {
    let has_part = |folder: &&Folder| folder.items.iter().any(|item| is_part(&item.name));
    if let Some(folder) = std::iter::once(top).chain(below).find(has_part) {
        return Err(Error::NoManifest { folder: folder.path.clone(), seen: listing::names(folder) });
    }
    for (end, kind) in [(".aof", DataLayout::Single), (".rdb", DataLayout::Snapshot)] {
        let is_meant = |item: &&Item| {
            item.kind == folder::EntryKind::File
                && item.name.ends_with(end)
                && !listing::is_temporary(&item.name)
        };
        let found: Vec<&Item> = top.items.iter().filter(is_meant).collect();
        match found.as_slice() {
            [] => {}
            [file] => {
                let files = vec![OnDisk { name: file.name.clone(), bytes: file.bytes }];
                return Ok(Source::of(kind, &top.path, &file.name, files));
            }
            several => {
                let seen = several.iter().map(|file| file.name.clone()).collect();
                return Err(Error::Several { folder: top.path.clone(), seen });
            }
        }
    }
    Err(Error::NoAof { folder: top.path.clone(), seen: listing::names(top) })
}

fn in_parts(folder: &Folder, name: &str) -> Result<Source, Error> {
    let failed = |why| Error::Folder { path: folder.path.join(name), why };
    let mut text = Vec::new();
    folder
        .file(name)
        .and_then(|file| file.take(MANIFEST_BYTES_MAX).read_to_end(&mut text))
        .map_err(failed)?;
    let manifest = Manifest::parse(&String::from_utf8_lossy(&text));
    let mut files = vec![OnDisk { name: name.into(), bytes: text.len() as u64 }];
    let mut source = Source::of(DataLayout::Parts, &folder.path, name, Vec::new());
    for (part, _) in manifest.parts.iter().filter(|(_, part)| *part != Part::History) {
        match folder.regular(part) {
            Some(file) => files.push(OnDisk { name: file.name.clone(), bytes: file.bytes }),
            None => source.missing.push(part.clone()),
        }
    }
    source.files = files;
    let is_named = |item: &&Item| manifest.parts.iter().any(|(known, _)| *known == item.name);
    let parts =
        folder.items.iter().filter(|item| item.kind == folder::EntryKind::File && is_part(&item.name));
    let rest: Vec<&Item> = parts.filter(|item| !is_named(item)).collect();
    source.unlisted = rest.iter().map(|item| item.name.clone()).collect();
    source.doubts = doubts(&manifest, name, folder, &rest);
    source.listing = listing::of_manifest(&manifest, folder);
    Ok(source)
}

/// Why files may have held more than a server makes of them. What a crash in the middle of a rewrite leaves is no reason:
/// a base that is not named yet, or not any more, beside one that is.
fn doubts(manifest: &Manifest, name: &str, folder: &Folder, unlisted: &[&Item]) -> Vec<String> {
    let mut doubts: Vec<String> =
        manifest.troubles.iter().map(|trouble| format!("{name}: {trouble}")).collect();
    let of =
        |wanted: Part| manifest.parts.iter().filter(move |(_, part)| *part == wanted).map(|(name, _)| name);
    // A base in RDB format has a head and a checksum even where there is no key.
    let empty = of(Part::Base).filter(|base| listing::ends_with(base, ".rdb"));
    let empty = empty.filter(|base| folder.regular(base).is_some_and(|file| file.bytes == 0));
    doubts.extend(empty.map(|base| format!("{base} has no bytes: whatever was in it is gone")));
    if of(Part::Base).next().is_none() {
        let first = of(Part::Increment).next();
        if let Some(base) = folder.items.iter().find(|item| is_base(&item.name)) {
            doubts.push(format!("{} is there and the manifest names no base: no server loads it", base.name));
        } else if let Some(first) = first.filter(|first| !is_first(first)) {
            doubts.push(format!(
                "the manifest names no base, and {first} is not the first file that a server begins with: what came \
                 before it is missing"
            ));
        }
    }
    let more = unlisted.iter().filter(|file| file.bytes > 0 && !is_base(&file.name));
    doubts.extend(more.map(|file| {
        format!("{} has {} bytes and is not named by the manifest: no server loads it", file.name, file.bytes)
    }));
    doubts
}

/// Whether this is the first file of commands that a server ever makes: only that one needs no base.
fn is_first(increment: &str) -> bool {
    increment.ends_with(".1.incr.aof")
}
