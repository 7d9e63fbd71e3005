//! Damage to an AOF that was whole: its end cut off at any byte, a bit flipped anywhere. No setting promises anything
//! here; what is claimed is that no more is lost than was cut, and that nobody reads what is damaged without being told.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use forebay::buffer::connection::Connection;

use super::cell::Fault;
use super::clients::{Read, read_all};
use super::environment::DurabilityEnvironment;
use crate::aof::{copy_all, ends, frames, newest_log};
use crate::ledger::Findings;
use crate::push::Pusher;
use crate::wait::go_on;
use crate::workload::Offer;
use crate::{Scale, Subject};
use fastrand::Rng;
use forebay::buffer::keys::Name;
use forebay::buffer::overflow::{Fate, FateReport};
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream;
use forebay_rig::server::{Folder, Purpose, ServerError};

/// Events in the AOF, and those that a writer adds where it seems whole.
const EVENTS: u64 = 20_000;
const MORE: u64 = 500;
/// Bytes of its end that are cut off, at the most.
pub(super) const TAIL: u64 = 64 << 10;
/// Bytes before and after a flipped bit that are shown.
const AROUND: usize = 40;
/// Places that are tried at quick scale.
const QUICK: u64 = 12;
const SMALLEST: u64 = 4;
/// Flips that are tried at full scale.
const FULL_FLIPS: u64 = 500;

/// An AOF that was whole.
pub(super) struct Whole {
    name: Name,
    offer: Offer,
    options: Options,
    pushed: u64,
    /// A copy of its folder.
    copy: Folder,
    /// The file that was written last, from the server's folder.
    file: PathBuf,
    /// What stands in it.
    written: Vec<u8>,
    /// Where each block's transaction ends in it, and the block's events.
    ends: Vec<(u64, u64)>,
}

/// What a server with a damaged AOF came up with.
pub(super) enum Came {
    /// Nothing was damaged: the file is what it was.
    Untouched,
    /// It did not load it: what it said.
    Refused(String),
    /// It did.
    Up(Box<Up>),
}

/// What was there.
pub(super) struct Up {
    pub findings: Findings,
    pub read: Read,
    /// Whether a lane's hash and its last block disagree.
    pub is_at_odds: bool,
    /// What came of a writer that went on.
    pub after: After,
}

/// What came of a writer that went on where the lanes end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nobody tried.
    Untried,
    /// It was refused, or a reader told of something.
    Told,
    /// So many events that it was told are stored were not read, or were read otherwise.
    Wrong(u64),
}

/// A server for damaged copies.
pub(super) struct Bench<'a> {
    whole: &'a Whole,
    environment: DurabilityEnvironment,
}

fn environment(on: &Subject<'_>) -> anyhow::Result<DurabilityEnvironment> {
    let over = [("appendfsync", "everysec"), ("auto-aof-rewrite-percentage", "0")];
    Ok(DurabilityEnvironment::new(on.binary, on.profile, Fault::Kill, &over)?)
}

impl Whole {
    /// Fills a server and ends it.
    pub fn new(on: &Subject<'_>) -> anyhow::Result<Self> {
        let offer = Offer::draw(on.seed, on.profile.load.rate, EVENTS + MORE, on.progress)?;
        let mut environment = environment(on)?;
        let name: Name = "whole".parse()?;
        let limits = on.profile.limits().map_err(anyhow::Error::msg)?;
        // A cut copy of its AOF may lack that this writer ended.
        let options = Options { limits, takes_over: true, ..Options::default() };
        let writer = Writer::open(&environment.address, &name, &options)?;
        let mut pusher = Pusher::new(writer, &offer.events, EVENTS, offer.rate);
        pusher.bulk(None, || false)?;
        let pushed = pusher.next;
        pusher.writer.close()?;
        let mut connection = environment.address.dial()?;
        let frames = frames(&mut connection, &name)?;
        drop(connection);
        environment.server()?.terminate()?;
        let copy = Folder::new(Purpose::Aof)?;
        copy_all(environment.server()?.dir(), copy.path())?;
        let file = newest_log(copy.path())?;
        let written = fs::read(copy.path().join(&file))?;
        let ends = ends(&written, &frames)?;
        Ok(Self { name, offer, options, pushed, copy, file, written, ends })
    }

    fn bytes(&self) -> u64 {
        self.written.len() as u64
    }

    /// A server to try copies on.
    pub fn bench(&self, on: &Subject<'_>) -> anyhow::Result<Bench<'_>> {
        Ok(Bench { whole: self, environment: environment(on)? })
    }

    /// Events that a cut of so many bytes costs: those of every block whose transaction is no longer whole.
    pub fn cost(&self, cut: u64) -> u64 {
        let length = self.bytes().saturating_sub(cut);
        self.ends.iter().filter(|(end, _)| *end > length).map(|(_, events)| events).sum()
    }

    /// A bit's place, with what stands there.
    pub fn around(&self, (at, bit): (u64, u64)) -> String {
        let middle = usize::try_from(at).unwrap_or(usize::MAX).min(self.written.len());
        let [before, after] = [middle.saturating_sub(AROUND), (middle + AROUND).min(self.written.len())];
        let text = |from: usize, to: usize| self.written[from..to].escape_ascii();
        format!("bit {bit} of byte {at}, behind {} and before {}", text(before, middle), text(middle, after))
    }

    /// Cuts and flips that are tried.
    pub fn places(&self, scale: Scale, seed: u64) -> (Vec<u64>, Vec<(u64, u64)>) {
        let mut draw = Rng::with_seed(seed);
        let tail = TAIL.min(self.bytes());
        match scale {
            Scale::Smallest | Scale::Quick => {
                let count = if scale == Scale::Quick { QUICK } else { SMALLEST };
                (
                    (0..count).map(|_| 1 + draw.u64(..tail)).collect(),
                    (0..count).map(|_| (draw.u64(..self.bytes()), draw.u64(..8))).collect(),
                )
            }
            Scale::Full => (
                (1..=tail).collect(),
                (0..FULL_FLIPS).map(|_| (draw.u64(..self.bytes()), draw.u64(..8))).collect(),
            ),
        }
    }
}

impl Bench<'_> {
    /// Starts the server on a copy that was changed, and reads what is there.
    pub fn with(
        &mut self,
        change: impl FnOnce(&Path) -> std::io::Result<()>,
        after: impl FnOnce(&mut Connection, &Name) -> anyhow::Result<()>,
    ) -> anyhow::Result<Came> {
        go_on()?;
        let server = self.environment.server()?;
        if server.is_running() {
            server.kill()?;
        }
        copy_all(self.whole.copy.path(), server.dir())?;
        change(&server.dir().join(&self.whole.file))?;
        match server.restart() {
            Ok(()) => {}
            Err(ServerError::ExitedEarly { log, .. }) => return Ok(Came::Refused(log)),
            Err(error) => return Err(error.into()),
        }
        let mut connection = self.environment.address.dial()?;
        after(&mut connection, &self.whole.name)?;
        let (read, findings) = self.read(self.whole.pushed)?;
        let is_at_odds = is_at_odds(&mut connection, &self.whole.name)?;
        Ok(Came::Up(Box::new(Up { findings, read, is_at_odds, after: After::Untried })))
    }

    /// Reads all there is, and what became of the first so many events.
    fn read(&self, acknowledged: u64) -> anyhow::Result<(Read, Findings)> {
        let Whole { name, offer, .. } = self.whole;
        let make = |index: u64, out: &mut Vec<u8>| offer.events.write_event(index, out);
        let mut ledger = offer.ledger(&make);
        let read = read_all(&self.environment.address, name, &mut ledger)?;
        for (lane, events) in offer.by_lane(acknowledged) {
            ledger.told(FateReport { lane, fate: Fate::Acknowledged, from: 0, events, retries: 0 });
        }
        Ok((read, ledger.findings()))
    }

    /// Writes on where the lanes end, and reads it.
    fn go_on(&self) -> anyhow::Result<After> {
        let Whole { name, offer, options, pushed, .. } = self.whole;
        let Ok(writer) = Writer::open(&self.environment.address, name, options) else {
            return Ok(After::Told);
        };
        let mut pusher = Pusher::new(writer, &offer.events, offer.count(), offer.rate);
        pusher.next = *pushed;
        if pusher.bulk(None, || false).is_err() || pusher.writer.close().is_err() {
            return Ok(After::Told);
        }
        let (read, findings) = self.read(offer.count())?;
        Ok(if read.is_told() { After::Told } else { After::Wrong(findings.lost() + wrong(&findings)) })
    }

    /// The same with a change that must have acted on the file.
    fn damaged(&mut self, change: impl FnOnce(&Path) -> std::io::Result<()>) -> anyhow::Result<Came> {
        let (whole, mut acted) = (self.whole, false);
        let change = |file: &Path| {
            change(file)?;
            acted = fs::read(file)? != whole.written;
            Ok(())
        };
        let came = self.with(change, |_, _| Ok(()))?;
        Ok(if acted { came } else { Came::Untouched })
    }

    /// Cuts so many bytes off the end.
    pub fn cut(&mut self, cut: u64) -> anyhow::Result<Came> {
        let length = self.whole.bytes().saturating_sub(cut);
        self.damaged(|file| fs::OpenOptions::new().write(true).open(file)?.set_len(length))
    }

    /// Flips a bit.
    pub fn flip(&mut self, (at, bit): (u64, u64)) -> anyhow::Result<Came> {
        let written = &self.whole.written;
        let flip = |file: &Path| {
            let mut bytes = written.clone();
            if let Some(byte) = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at)) {
                *byte ^= 1 << (bit % 8);
            }
            fs::write(file, bytes)
        };
        let mut came = self.damaged(flip)?;
        // Where nothing is noticed, what was written before is there; what is written next must be too.
        if let Came::Up(up) = &mut came
            && !up.is_known()
        {
            up.after = self.go_on()?;
        }
        Ok(came)
    }
}

impl Up {
    /// Whether anybody is told of anything.
    pub fn is_known(&self) -> bool {
        self.is_at_odds || self.read.is_told() || self.after == After::Told
    }
}

/// Events that are wrong, whatever happened.
pub(super) fn wrong(findings: &Findings) -> u64 {
    findings.unexpected + findings.repeats + findings.out_of_order
}

/// Whether a lane's hash and its last block disagree: in number, events or cursor.
fn is_at_odds(connection: &mut Connection, name: &Name) -> anyhow::Result<bool> {
    for lane in jetstream::ALL {
        let hash: [Option<Vec<u8>>; 3] =
            redis::cmd("HMGET").arg(name.writer(lane)).arg(&["s", "e", "c"]).query(connection)?;
        let last: Vec<(String, HashMap<String, Vec<u8>>)> = redis::cmd("XREVRANGE")
            .arg(name.stream(lane))
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(1)
            .query(connection)?;
        let is_at_odds = match last.first() {
            Some((_, last)) => {
                ["s", "e", "c"].iter().zip(&hash).any(|(field, known)| last.get(*field) != known.as_ref())
            }
            // A lane that has no block: a hash that tells of one.
            None => hash[0].as_ref().is_some_and(|number| number != b"0"),
        };
        if is_at_odds {
            return Ok(true);
        }
    }
    Ok(false)
}
