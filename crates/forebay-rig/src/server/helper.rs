//! A program that stands beside the servers: Prometheus, Alertmanager. It ends with its owner as a server does.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::folder::private;
use super::process_registry::{self, OwnedProcess};
use super::wait::poll;
use super::{ServerError, process};

/// How many lines of the log an error shows.
const LOG_LINES: usize = 15;

/// A program of somebody else's that runs for us, in a temporary folder and with a port of its own.
#[derive(Debug)]
pub struct Helper {
    path: PathBuf,
    held: Arc<OwnedProcess>,
    folder: PathBuf,
}

impl Helper {
    /// A place for one: nothing runs yet.
    pub fn reserve(path: &Path) -> Result<Self, ServerError> {
        let held = process_registry::reserve()?;
        let folder = held.folder_path().inspect_err(|_| process_registry::release(&held))?;
        Ok(Self { path: path.into(), held, folder })
    }

    /// The port that it may listen at, on loopback.
    pub fn port(&self) -> u16 {
        self.held.port
    }

    /// The folder for its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes one of them, for this user alone.
    pub fn write(&self, name: &str, text: &str) -> Result<(), ServerError> {
        let path = self.folder.join(name);
        let written =
            private().truncate(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| ServerError::Folder { doing: "write", path, source })
    }

    /// Starts it in its folder, and waits until `is_ready`.
    pub fn start<A: Into<OsString>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        limit: Duration,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<(), ServerError> {
        let path = self.log_path();
        let failed = |source| ServerError::Folder { doing: "write", path: path.clone(), source };
        let log = private().append(true).open(&path).map_err(failed)?;
        let mut command = Command::new(&self.path);
        command.args(arguments.into_iter().map(Into::into)).current_dir(&self.folder).stdin(Stdio::null());
        command.stderr(log.try_clone().map_err(failed)?).stdout(log);
        process_registry::spawn(&self.held, command)?;
        let outcome = poll(limit, || match self.held.ended() {
            Ok(Some(status)) => {
                Some(Err(ServerError::ExitedEarly { path: self.path.clone(), status, log: self.log() }))
            }
            _ => is_ready().then_some(Ok(())),
        });
        outcome.unwrap_or_else(|| {
            let reason = "it does not say that it is ready".into();
            let (path, place) = (self.path.clone(), format!("port {}", self.held.port));
            Err(ServerError::NotReady { path, place, limit, reason, log: self.log() })
        })
    }

    /// The last lines of its log.
    pub fn log(&self) -> String {
        process::tail(&self.log_path(), 0, LOG_LINES).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("helper.log")
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        process_registry::release(&self.held);
    }
}
