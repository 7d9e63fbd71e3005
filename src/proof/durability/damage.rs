//! Damage to an AOF that was whole: its end cut off at any byte, a bit flipped anywhere. No setting promises anything
//! here; what is claimed is that no more is lost than was cut, and that nobody reads what is damaged without being told.

use std::fs;
use std::path::{Path, PathBuf};

use redis::Connection;

use super::clients::{Read, read_all};
use super::ground::Ground;
use super::{Run, cell};
use crate::buffer::entry::{Entry, Id};
use crate::buffer::keys::Name;
use crate::buffer::overflow::{Fate, Told};
use crate::buffer::writer::{Options, Writer};
use crate::event::lane::Lane;
use crate::event::synth::random::Rng;
use crate::proof::Scale;
use crate::proof::ledger::Findings;
use crate::proof::offer::Offer;
use crate::proof::push::Pusher;
use crate::server::ServerError;

/// Events in the AOF.
const EVENTS: u64 = 20_000;
/// Bytes of its end that are cut off, at the most.
pub(super) const TAIL: u64 = 64 << 10;
/// Places that are tried at quick scale.
const QUICK: u64 = 12;
/// Flips that are tried at full scale.
const FULL_FLIPS: u64 = 500;

/// An AOF that was whole, and the server that wrote it.
pub(super) struct Whole<'a> {
    ground: Ground,
    name: Name,
    offer: &'a Offer,
    pushed: u64,
    /// A copy of its folder.
    copy: tempfile::TempDir,
    /// The file that was written last, from the server's folder.
    file: PathBuf,
    pub bytes: u64,
    /// Bytes of each frame, in the order of the AOF.
    frames: Vec<(u64, u64)>,
}

/// What a server with a damaged AOF came up with.
pub(super) enum Came {
    /// It did not load it: what it said.
    Refused(String),
    /// It did.
    Up(Box<Up>),
}

/// What was there.
pub(super) struct Up {
    pub findings: Findings,
    pub read: Read,
    /// Events that the lanes' hashes know of and the lanes do not have, at their ends.
    pub short: u64,
}

impl<'a> Whole<'a> {
    /// Fills a server and ends it.
    pub fn new(run: &Run<'_>, offer: &'a Offer) -> anyhow::Result<Self> {
        let over = [("appendfsync", "everysec"), ("auto-aof-rewrite-percentage", "0")];
        let mut ground = Ground::new(run.on.binary, run.on.profile, cell::Fault::Kill, &over)?;
        let name: Name = "whole".parse()?;
        let limits = run.on.profile.limits().map_err(anyhow::Error::msg)?;
        let writer = Writer::open(&ground.address, &name, &Options { limits, ..Options::default() })?;
        let mut pusher = Pusher::new(writer, &offer.events, EVENTS.min(offer.count()), offer.rate);
        pusher.bulk(None, || false)?;
        let pushed = pusher.next;
        pusher.writer.close()?;
        let mut connection = ground.address.dial()?;
        let frames = frames(&mut connection, &name)?;
        drop(connection);
        ground.server.terminate()?;
        let copy = tempfile::Builder::new().prefix("forebay-aof-").tempdir()?;
        copy_all(ground.server.dir(), copy.path())?;
        let file = newest_log(copy.path())?;
        let bytes = fs::metadata(copy.path().join(&file))?.len();
        Ok(Self { ground, name, offer, pushed, copy, file, bytes, frames })
    }

    /// Starts the server on a copy that was changed, and reads what is there.
    pub fn with(
        &mut self,
        change: impl FnOnce(&Path) -> std::io::Result<()>,
        after: impl FnOnce(&mut Connection, &Name) -> anyhow::Result<()>,
    ) -> anyhow::Result<Came> {
        anyhow::ensure!(!crate::server::ending(), "interrupted");
        let server = &mut self.ground.server;
        if server.is_running() {
            server.kill()?;
        }
        copy_all(self.copy.path(), server.dir())?;
        change(&server.dir().join(&self.file))?;
        match server.restart() {
            Ok(()) => {}
            Err(ServerError::ExitedEarly { log, .. }) => return Ok(Came::Refused(log)),
            Err(error) => return Err(error.into()),
        }
        let mut connection = self.ground.address.dial()?;
        after(&mut connection, &self.name)?;
        let make = |index: u64, out: &mut Vec<u8>| self.offer.events.write_event(index, out);
        let mut ledger = self.offer.ledger(&make);
        let read = read_all(&self.ground.address, &self.name, &mut ledger)?;
        for (lane, events) in self.offer.by_lane(self.pushed) {
            ledger.told(Told { lane, fate: Fate::Acknowledged, from: 0, events });
        }
        let short = short(&mut connection, &self.name)?;
        Ok(Came::Up(Box::new(Up { findings: ledger.findings(), read, short })))
    }

    /// Cuts so many bytes off the end.
    pub fn cut(&mut self, cut: u64) -> anyhow::Result<Came> {
        let length = self.bytes.saturating_sub(cut);
        self.with(|file| fs::OpenOptions::new().write(true).open(file)?.set_len(length), |_, _| Ok(()))
    }

    /// Flips a bit.
    pub fn flip(&mut self, at: u64, bit: u64) -> anyhow::Result<Came> {
        let flip = |file: &Path| {
            let mut bytes = fs::read(file)?;
            if let Some(byte) = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at)) {
                *byte ^= 1 << (bit % 8);
            }
            fs::write(file, bytes)
        };
        self.with(flip, |_, _| Ok(()))
    }

    /// Events that a cut of so many bytes may cost at the most: those of every block of which it takes a byte.
    pub fn cost_max(&self, cut: u64) -> u64 {
        let (mut bytes, mut events) = (0, 0);
        for (frame, held) in self.frames.iter().rev() {
            events += held;
            bytes += frame;
            if bytes >= cut {
                break;
            }
        }
        events
    }

    /// Cuts and flips that are tried.
    pub fn places(&self, scale: Scale, seed: u64) -> (Vec<u64>, Vec<(u64, u64)>) {
        let mut draw = Rng::new(seed);
        let tail = TAIL.min(self.bytes);
        match scale {
            Scale::Quick => (
                (0..QUICK).map(|_| 1 + draw.below(tail)).collect(),
                (0..QUICK).map(|_| (draw.below(self.bytes), draw.below(8))).collect(),
            ),
            Scale::Full => (
                (1..=tail).collect(),
                (0..FULL_FLIPS).map(|_| (draw.below(self.bytes), draw.below(8))).collect(),
            ),
        }
    }
}

/// The blocks of a buffer in the order in which they were written: bytes of the frame, and events.
fn frames(connection: &mut Connection, name: &Name) -> anyhow::Result<Vec<(u64, u64)>> {
    let mut blocks = Vec::new();
    for lane in Lane::ALL {
        let entries: Vec<(String, Vec<redis::Value>)> =
            redis::cmd("XRANGE").arg(name.stream(lane)).arg("-").arg("+").query(connection)?;
        for (id, fields) in entries {
            let id = Id::parse(&id).ok_or_else(|| anyhow::anyhow!("{id} is no id"))?;
            let entry = Entry::read(id, fields).map_err(|why| anyhow::anyhow!("block {id}: {why}"))?;
            blocks.push((id, entry.frame.len() as u64, entry.events));
        }
    }
    // Of one millisecond, which lane came first is not known: the larger block counts as the later one.
    blocks.sort_by_key(|(id, bytes, _)| (id.ms, *bytes));
    Ok(blocks.into_iter().map(|(_, bytes, events)| (bytes, events)).collect())
}

/// Events that a lane's hash knows of and the lane does not have at its end.
fn short(connection: &mut Connection, name: &Name) -> anyhow::Result<u64> {
    let mut short = 0;
    for lane in Lane::ALL {
        let known: Option<u64> = redis::cmd("HGET").arg(name.writer(lane)).arg("e").query(connection)?;
        let last: Vec<(String, Vec<redis::Value>)> = redis::cmd("XREVRANGE")
            .arg(name.stream(lane))
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(1)
            .query(connection)?;
        let last = last.into_iter().find_map(|(id, fields)| Entry::read(Id::parse(&id)?, fields).ok());
        short += known.unwrap_or(0).saturating_sub(last.map_or(0, |entry| entry.total));
    }
    Ok(short)
}

/// Makes a folder's files those of another, and removes whatever else is there.
fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
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
fn newest_log(folder: &Path) -> anyhow::Result<PathBuf> {
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
