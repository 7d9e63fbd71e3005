//! What controls break, from outside: the drain is the one that is claimed about.

use std::path::Path;

use forebay::buffer::sink::{Done, Plan, Sink};
use forebay_pipe::drain::archive::{Archive, EVENTS};

use super::world::{PATIENCE, World};
use crate::exactly_once::SABOTAGED;

/// The group of drains that know nothing of those before.
const AGAIN: &str = "again";

impl World {
    /// What is in the buffer is acknowledged before any file has it.
    pub fn acknowledge_first(&mut self) -> anyhow::Result<()> {
        let mut sink = self.sink()?;
        for lane in sink.lanes()? {
            let (look, newest) = (sink.look(lane)?, sink.newest(lane)?);
            let Some(newest) = newest else { continue };
            let done = Done { number: newest.number, id: newest.id, total: newest.total };
            let plan = Plan { commit: look.commit + 1, last: done };
            sink.plan(lane, plan, look.commit)?;
            sink.commit(lane, plan)?;
            self.seen.acted.add(SABOTAGED, newest.events);
        }
        Ok(())
    }

    /// After a drain ended with files that are in the tree and not recorded: nobody knows any more which they were to be, and
    /// they are called by the time at which they were made.
    pub fn forget_plan(&mut self) -> anyhow::Result<()> {
        let folder = self.folder();
        for path in Archive::of_folder(&folder)?.pending_files()? {
            let from = folder.join(EVENTS).join(&path);
            if from.exists() {
                std::fs::rename(&from, from.with_file_name(format!("{}.parquet", self.random.u64(..))))?;
                self.seen.acted.add(SABOTAGED, 1);
            }
        }
        for entry in std::fs::read_dir(folder.join("forebay/pending"))? {
            std::fs::remove_file(entry?.path())?;
        }
        let mut sink = self.sink()?;
        for lane in sink.lanes()? {
            let look = sink.look(lane)?;
            if look.plan.is_some() {
                sink.withdraw(lane, look.commit)?;
            }
        }
        Ok(())
    }

    /// Drains go by the server's word alone: what a destination has does not count.
    pub fn go_by_the_server(&mut self) {
        if self.group() != AGAIN {
            self.drain_as(AGAIN);
            self.seen.acted.add(SABOTAGED, 1);
        }
    }

    fn sink(&self) -> anyhow::Result<Sink> {
        Ok(Sink::open_existing(&self.address()?, &Self::name()?, self.group(), PATIENCE)?)
    }
}

/// Half of the largest staged file, in the tree: as of a drain that writes where readers read. Whether there was one.
pub(super) fn half_written(folder: &Path) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(folder.join("forebay/staging"))? {
        let bytes = std::fs::read(entry?.path())?;
        if bytes.len() > 1 {
            std::fs::write(folder.join("events/half.parquet"), &bytes[..bytes.len() / 2])?;
            return Ok(true);
        }
    }
    Ok(false)
}
