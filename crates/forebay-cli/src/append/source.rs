//! Where the events of `append` come from: a file, or stdin.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::rejects::place;
use forebay::buffer::line_source::LOOK;

/// Where events come from.
pub(super) struct Source {
    pub reader: Patient,
    /// Device and inode of a plain file.
    pub place: Option<(u64, u64)>,
}

/// Opens a file, or stdin where none is given or `-` is.
pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Source> {
    let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
        // Past the buffer of the standard library: what it holds no poll would tell of.
        let stdin = std::io::stdin().as_fd().try_clone_to_owned().context("cannot read stdin")?;
        let stdin = File::from(stdin);
        let place = place(&stdin);
        return Ok(Source { reader: Patient(stdin), place });
    };
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    if file.metadata().is_ok_and(|meta| meta.is_dir()) {
        anyhow::bail!("{} is a folder; give a file of lines", path.display());
    }
    let place = place(&file);
    Ok(Source { reader: Patient(file), place })
}

/// A file or pipe that is read only where something has come, so that nothing is taken from it once nobody asks.
pub(super) struct Patient(File);

impl Read for Patient {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let wait = Timespec::try_from(LOOK).map_err(std::io::Error::other)?;
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&wait)) {
            Ok(0) => Err(ErrorKind::WouldBlock.into()),
            Ok(_) => self.0.read(to),
            Err(why) => Err(why.into()),
        }
    }
}
