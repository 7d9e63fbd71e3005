//! The files of an AOF: copies of them, which of them was written last, and where blocks end in it.

use std::fs;
use std::path::{Path, PathBuf};

use forebay::buffer::connection::{Budget, Connection};
use memchr::memmem;

use forebay::buffer::entry::{Entry, Id};
use forebay::buffer::keys::Name;
use forebay::event::jetstream;

/// How a transaction ends in an AOF.
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// The blocks of a buffer: frames and events.
pub(crate) fn frames(connection: &mut Connection, name: &Name) -> anyhow::Result<Vec<(Vec<u8>, u64)>> {
    let mut blocks = Vec::new();
    connection.set_budget(Budget::LANE);
    for lane in jetstream::ALL {
        let entries: Vec<(String, Vec<redis::Value>)> =
            redis::cmd("XRANGE").arg(name.stream(lane)).arg("-").arg("+").query(connection)?;
        for (id, fields) in entries {
            let id = Id::parse(&id).ok_or_else(|| anyhow::anyhow!("{id} is no id"))?;
            let entry = Entry::read(id, fields).map_err(|why| anyhow::anyhow!("block {id}: {why}"))?;
            blocks.push((entry.frame, entry.events));
        }
    }
    Ok(blocks)
}

/// Where the transactions of blocks end in an AOF. The server writes what a script did as a transaction, and frames as
/// they are.
pub(crate) fn ends(written: &[u8], frames: &[(Vec<u8>, u64)]) -> anyhow::Result<Vec<(u64, u64)>> {
    let end_of = |frame: &[u8]| {
        let at = memmem::find(written, frame)? + frame.len();
        Some(at + memmem::find(&written[at..], EXEC)? + EXEC.len())
    };
    let place = |(frame, events): &(Vec<u8>, u64)| {
        let end =
            end_of(frame).ok_or_else(|| anyhow::anyhow!("a block that was stored is not in the AOF"))?;
        Ok((end as u64, *events))
    };
    frames.iter().map(place).collect()
}

/// Makes a folder's files those of another, and removes whatever else is there.
pub(crate) fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(to)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(&path)?;
        } else if path.extension().is_some_and(|end| end == "aof" || end == "rdb") {
            fs::remove_file(&path)?;
        }
    }
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            fs::create_dir(to.join(name))?;
            copy_all(&path, &to.join(name))?;
        } else if path.extension().is_some_and(|end| ["aof", "manifest", "rdb"].iter().any(|of| end == *of)) {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// The file of an AOF that was written last, from the server's folder.
pub(crate) fn newest_log(folder: &Path) -> anyhow::Result<PathBuf> {
    let (single, parts) = (PathBuf::from("appendonly.aof"), folder.join("appendonlydir"));
    if folder.join(&single).is_file() {
        return Ok(single);
    }
    let mut logs = Vec::new();
    for entry in fs::read_dir(&parts)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".incr.aof") {
            logs.push((fs::metadata(&path)?.len(), path));
        }
    }
    let newest = logs.into_iter().max().ok_or_else(|| anyhow::anyhow!("no AOF in {}", parts.display()))?;
    Ok(newest.1.strip_prefix(folder)?.to_owned())
}
