//! Somebody's server, ended and started by commands of theirs.
//!
//! Between the two it is down, so whoever ends this program in between must start it again: [`start_again`]. One command
//! runs at a time: whoever starts it again waits for what is under way, so that no kill comes after the start.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::wait::poll;
use super::{ServerError, ending};
use forebay::buffer::secret;

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a server may take to be gone, once something was sent to end it.
const GONE: Duration = Duration::from_secs(10);
/// How much of what a command said is shown.
const SAID_BYTES: u64 = 2_000;

/// How somebody's server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody answers.
    Gone,
    /// It answers, and has not loaded its data.
    Loading,
    /// It answers and has loaded its data.
    Ready,
}

/// Looks how it stands.
#[derive(Clone)]
pub struct Look(pub Arc<dyn Fn() -> Standing + Send + Sync>);

/// A server that is down, or about to be, because of us.
struct Down {
    start: String,
    look: Look,
}

static DOWN: Mutex<Option<Down>> = Mutex::new(None);
/// Held while a command runs.
static TURN: Mutex<()> = Mutex::new(());

/// The values behind these locks are valid between any two statements, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Commands of a shell.
#[derive(Debug, Clone)]
pub struct Commands {
    /// Ends the server as a crash would: `docker kill redis`.
    pub kill: String,
    /// Starts it again, and leaves it running: `docker start redis`.
    pub start: String,
}

impl fmt::Display for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ended by `{}`, started by `{}`", secret::command(&self.kill), secret::command(&self.start))
    }
}

impl Commands {
    /// Runs the command that ends it, and waits until it is gone.
    pub fn kill(&self, look: &Look) -> Result<(), ServerError> {
        let _turn = lock(&TURN);
        if ending() {
            return Err(ServerError::Ending);
        }
        *lock(&DOWN) = Some(Down { start: self.start.clone(), look: look.clone() });
        run(&self.kill, ending)?;
        if is_gone(look, ending) {
            return Ok(());
        }
        let why = format!(
            "it ended well, and the server still answers after {GONE:?}: --kill-cmd must name one that ends it"
        );
        Err(ServerError::Command { line: self.kill.clone(), why })
    }

    /// Runs the command that starts it.
    pub fn start(&self) -> Result<(), ServerError> {
        let _turn = lock(&TURN);
        if ending() {
            return Err(ServerError::Ending);
        }
        run(&self.start, || false)?;
        *lock(&DOWN) = None;
        Ok(())
    }
}

/// Starts a server that is down because of us, and waits until it has loaded its data; the command that did, or that
/// failed. None where there is no such server, or where it was never down. For the end of the program.
pub fn start_again() -> Option<Result<String, ServerError>> {
    let _turn = lock(&TURN);
    let Down { start, look } = lock(&DOWN).take()?;
    // What was sent to end it may still be on its way.
    if !is_gone(&look, || false) {
        return None;
    }
    let failed = |why: String| ServerError::Command { line: start.clone(), why };
    Some(run(&start, || false).and_then(|()| {
        let ready = poll(LIMIT, || ((look.0)() == Standing::Ready).then_some(()));
        ready.map(|()| start.clone()).ok_or_else(|| {
            failed(format!("it ended well, and within {LIMIT:?} the server had not loaded its data"))
        })
    }))
}

fn is_gone(look: &Look, stop: impl Fn() -> bool) -> bool {
    let seen = poll(GONE, || match (look.0)() {
        Standing::Gone => Some(true),
        _ => stop().then_some(false),
    });
    seen.unwrap_or(false)
}

/// Runs a command to its end, or until it shall stop. What it leaves running is not ours.
fn run(line: &str, stop: impl Fn() -> bool) -> Result<(), ServerError> {
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
    let ended = poll(LIMIT, || match child.try_wait() {
        Ok(None) if stop() => Some(None),
        waited => waited.transpose().map(Some),
    });
    match ended {
        Some(Some(Ok(status))) if status.success() => Ok(()),
        Some(Some(Ok(status))) => Err(failed(format!(
            "it failed ({status}). It said: {}",
            secret::said(line, &last_words(&mut said))
        ))),
        Some(Some(Err(error))) => Err(broken(error)),
        Some(None) => {
            // It would end the server after somebody has started it again.
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
            Err(ServerError::Ending)
        }
        None => {
            end_shell(&mut child);
            Err(failed(format!(
                "it had not ended within {LIMIT:?}. It said: {}",
                secret::said(line, &last_words(&mut said))
            )))
        }
    }
}

/// Ends the shell alone: what it started may be the server.
fn end_shell(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
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
