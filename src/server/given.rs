//! Somebody's server, ended and started by commands of theirs.
//!
//! Between the two it is down, so whoever ends this program in between must start it again: [`start_again`].

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{ServerError, poll};

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(120);
/// How much of what a command said is shown.
const SAID_BYTES: u64 = 2_000;

/// How to start the server that is down at this moment.
static DOWN: Mutex<Option<String>> = Mutex::new(None);

/// Commands of a shell.
#[derive(Debug, Clone)]
pub struct Commands {
    /// Ends the server as a crash would: `docker kill redis`.
    pub kill: String,
    /// Starts it again, and leaves it running: `docker start redis`.
    pub start: String,
}

impl Commands {
    /// Runs the command that ends it.
    pub fn kill(&self) -> Result<(), ServerError> {
        *DOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.start.clone());
        run(&self.kill)
    }

    /// Runs the command that starts it.
    pub fn start(&self) -> Result<(), ServerError> {
        run(&self.start)?;
        *DOWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

/// Starts a server that is down because of us; the command that did, or that failed. For the end of the program.
pub fn start_again() -> Option<Result<String, ServerError>> {
    let start = DOWN.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    Some(run(&start).map(|()| start))
}

/// Runs a command to its end. What it leaves running is not ours.
fn run(line: &str) -> Result<(), ServerError> {
    let failed = |why: String| ServerError::Command { line: line.to_owned(), why };
    let broken = |error: io::Error| failed(error.to_string());
    // Into a file: what the command leaves running may keep a pipe open for ever.
    let mut said = tempfile::tempfile().map_err(broken)?;
    let (out, err) = (said.try_clone().map_err(broken)?, said.try_clone().map_err(broken)?);
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).stdin(Stdio::null()).stdout(out).stderr(err);
    // A terminal's Ctrl-C goes to us alone.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(broken)?;
    match poll(LIMIT, || child.try_wait().transpose()) {
        Some(Ok(status)) if status.success() => Ok(()),
        Some(Ok(status)) => Err(failed(format!("{status}. It said: {}", last_words(&mut said)))),
        Some(Err(error)) => Err(broken(error)),
        None => {
            // Only the shell itself is ended: what it started may be the server.
            let _ = child.kill();
            let _ = child.wait();
            Err(failed(format!("it had not ended within {LIMIT:?}. It said: {}", last_words(&mut said))))
        }
    }
}

fn last_words(said: &mut File) -> String {
    let mut text = Vec::new();
    let length = said.seek(SeekFrom::End(0)).unwrap_or(0);
    let read = said
        .seek(SeekFrom::Start(length.saturating_sub(SAID_BYTES)))
        .and_then(|_| said.take(SAID_BYTES).read_to_end(&mut text));
    match read {
        Ok(0) | Err(_) => "nothing".into(),
        Ok(_) => String::from_utf8_lossy(&text).trim().to_owned(),
    }
}
