//! A temporary folder that goes with its owner as a server does: for data that a server is to be started on.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::folder::private;
use super::process_registry::{self, OwnedProcess};
use super::wait::poll;
use super::{ServerBinary, ServerError, process};

/// How long a check of a folder's files may take: it reads them once.
const CHECK_LIMIT: Duration = Duration::from_secs(300);
/// The name by which every server binary becomes the checker of append-only files; Valkey heeds it too.
const CHECKER: &str = "redis-check-aof";

/// A folder of our own. Dropped, or on a signal, it is removed.
#[derive(Debug)]
pub struct Scratch {
    held: Arc<OwnedProcess>,
    path: PathBuf,
}

impl Scratch {
    /// Makes one in the temporary folder.
    pub fn new() -> Result<Self, ServerError> {
        // The port that comes with it is not used.
        let held = process_registry::reserve()?;
        let path = held.folder_path().inspect_err(|_| process_registry::release(&held))?;
        Ok(Self { held, path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the binary, run as `redis-check-aof`, says of a file or manifest. It changes nothing without `--fix`, but
    /// opens files for writing, so it is for copies. None where it does not end in time.
    pub fn check_aof(&self, binary: &ServerBinary, file: &Path) -> Result<Option<String>, ServerError> {
        let path = self.path.join("check.log");
        let failed = |source| ServerError::Folder { doing: "write", path: path.clone(), source };
        let log = private().truncate(true).open(&path).map_err(failed)?;
        let mut command = Command::new(&binary.path);
        command.arg0(CHECKER).arg(file).stdin(Stdio::null());
        command.stderr(log.try_clone().map_err(failed)?).stdout(log);
        process_registry::spawn(&self.held, command)?;
        if poll(CHECK_LIMIT, || self.held.ended().transpose()).is_none() {
            // What cannot be killed now is tried again when the folder goes.
            let _ = self.held.signal(rustix::process::Signal::KILL);
            return Ok(None);
        }
        process::tail(&path, 0, usize::MAX).map(Some).map_err(failed)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        process_registry::release(&self.held);
    }
}
