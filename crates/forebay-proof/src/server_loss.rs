//! Servers that come back with less than they had acknowledged: killed before the last of their log was fsynced, or started on a
//! copy of an older log.

use std::fs::{OpenOptions, metadata};

use fastrand::Rng;
use forebay_rig::server::{Scratch, Server};

use crate::aof::{copy_all, newest_log};

/// How long a server's log was when it last began to matter.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogMark(u64);

impl LogMark {
    /// From now on what the server logs is not fsynced yet, as far as its kill is concerned.
    pub fn now(server: &Server) -> anyhow::Result<Self> {
        Ok(Self(metadata(server.dir().join(newest_log(server.dir())?))?.len()))
    }

    /// Kills the server, takes from its log what is behind the mark, and starts it again: all of it, or up to any byte that
    /// `random` says. How many bytes were taken.
    pub fn kill(self, server: &mut Server, random: Option<&mut Rng>) -> anyhow::Result<u64> {
        server.kill()?;
        let log = OpenOptions::new().write(true).open(server.dir().join(newest_log(server.dir())?))?;
        let len = log.metadata()?.len();
        let mark = self.0.min(len);
        let left = random.map_or(mark, |random| random.u64(mark..=len));
        log.set_len(left)?;
        server.restart()?;
        Ok(len - left)
    }
}

/// A copy of a server's log, taken while it ran.
pub(crate) struct LogCopy(Scratch);

impl LogCopy {
    /// Copies it.
    pub fn of(server: &Server) -> anyhow::Result<Self> {
        let copy = Scratch::new()?;
        copy_all(server.dir(), copy.path())?;
        Ok(Self(copy))
    }

    /// Ends the server, and starts it on the copy.
    pub fn restore(&self, server: &mut Server) -> anyhow::Result<()> {
        server.terminate()?;
        copy_all(self.0.path(), server.dir())?;
        Ok(server.restart()?)
    }
}
