//! A settings file tried on a real server: started on it in a private folder, listened to, and ended at once.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::process_registry::{self, KILL_LIMIT, OwnedProcess};
use super::wait::poll;
use super::{ServerBinary, ServerError, process};

/// What every server says once it has read its settings and made its sockets.
const READY: &str = "eady to accept connections";
/// What stands before the number of a line that is refused.
const AT_LINE: &str = "at line ";
/// What stands before the text of that line.
const QUOTED: &str = ">>> ";

/// What came of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// It took the whole file.
    Ready,
    /// It ended by itself.
    Refused {
        /// The line that it could not read, where it named one.
        line: Option<usize>,
        /// Its reason.
        why: String,
    },
    /// It did neither in time.
    Silent,
}

/// A private folder in which a server may be started again and again. Dropped, server and folder are gone.
#[derive(Debug)]
pub struct Trial {
    held: Arc<OwnedProcess>,
    folder: PathBuf,
}

impl Trial {
    /// Makes the folder.
    pub fn new() -> Result<Self, ServerError> {
        let held = process_registry::reserve()?;
        let folder = held.folder_path().inspect_err(|_| process_registry::release(&held))?;
        Ok(Self { held, folder })
    }

    /// Starts the server on these settings, in the folder, and ends it. What the settings make it do is the caller's
    /// business: whatever they name beside a socket in the folder must not be there.
    pub fn start(&self, binary: &ServerBinary, conf: &str, limit: Duration) -> Result<Start, ServerError> {
        let (file, log) = (self.folder.join("tried.conf"), self.folder.join("tried.log"));
        let failed = |path: &PathBuf| {
            let path = path.clone();
            move |source| ServerError::Folder { doing: "write", path, source }
        };
        let mut private = OpenOptions::new();
        private.write(true).create(true).truncate(true).mode(0o600);
        private.open(&file).and_then(|mut file| file.write_all(conf.as_bytes())).map_err(failed(&file))?;
        let out = private.open(&log).map_err(failed(&log))?;
        let mut command = Command::new(&binary.path);
        command.arg(&file).current_dir(&self.folder).env_clear().stdin(Stdio::null());
        command.stderr(out.try_clone().map_err(failed(&log))?).stdout(out);
        let pid = process_registry::spawn(&self.held, command)?;
        let said = || process::tail(&log, 0, usize::MAX).unwrap_or_default();
        let seen = poll(limit, || match self.held.ended() {
            Ok(None) => said().contains(READY).then_some(Ok(Start::Ready)),
            Ok(Some(_)) => Some(Ok(refusal(&said()))),
            Err(source) => Some(Err(ServerError::Signal { doing: "wait for", pid, source })),
        });
        self.held.signal(Signal::KILL).map_err(|source| ServerError::Signal {
            doing: "kill",
            pid,
            source,
        })?;
        if poll(KILL_LIMIT, || self.held.ended().transpose()).is_none() {
            return Err(ServerError::Unmoved { doing: "kill", pid, limit: KILL_LIMIT, log: said() });
        }
        seen.unwrap_or(Ok(Start::Silent))
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        process_registry::release(&self.held);
    }
}

/// The reason for an end, from the log.
fn refusal(log: &str) -> Start {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = lines.iter().find_map(|line| line.split_once(AT_LINE)?.1.parse().ok());
    let from = lines.iter().position(|line| line.starts_with(QUOTED)).map(|at| at + 1);
    let why = match from.filter(|from| *from < lines.len()) {
        Some(from) => lines[from..].join(" "),
        // `4711:M 29 Nov 2026 01:02:03.456 # Why`
        None => lines
            .last()
            .map_or("nothing", |line| line.rsplit_once(" # ").map_or(*line, |(_, why)| why))
            .into(),
    };
    Start::Refused { line, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_and_the_reason_are_read_from_a_log() {
        let refused = |line, why: &str| Start::Refused { line, why: why.into() };
        let log = "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 3\n\
                   >>> 'databases 0'\nargument must be between 1 and 2147483647 inclusive\n";
        assert_eq!(refusal(log), refused(Some(3), "argument must be between 1 and 2147483647 inclusive"));
        let log =
            "1:C 29 Nov 2026 01:02:03.456 # Redis is starting\n1:M 29 Nov 2026 01:02:03.456 # Why # not\n";
        assert_eq!(refusal(log), refused(None, "not"));
        assert_eq!(refusal(""), refused(None, "nothing"));
    }
}
