//! `read --exec`: a command of the user's that is given each batch on stdin, and says by its exit status whether it has it.
//!
//! A batch is a file without a name, written before the command starts: whatever becomes of us, the command reads it
//! whole, and never takes the half of it for the end.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How often a batch is given to the command before the read ends.
const TRIES: u32 = 3;

/// The pause after the first failure; it grows with each.
const PAUSE: Duration = Duration::from_millis(500);

/// Between one look whether it has ended and the next.
const LOOK: Duration = Duration::from_millis(5);

/// The command.
pub(super) struct Exec<'a> {
    line: &'a str,
    /// How long it may take for a batch, all tries together.
    limit: Duration,
    stop: &'a AtomicBool,
}

impl<'a> Exec<'a> {
    /// Blocks that a consumer holds for `claim_idle` may be given to another one: it has to be done before that.
    pub(super) fn new(line: &'a str, claim_idle: Duration, stop: &'a AtomicBool) -> Self {
        Self { line, limit: claim_idle / 10 * 9, stop }
    }

    /// Gives it a batch until it has it; else why it does not.
    pub(super) fn take(&self, batch: &mut File, events: u64) -> Result<(), String> {
        let deadline = Instant::now() + self.limit;
        let mut tries = 1;
        loop {
            let why = match self.once(batch, events, deadline) {
                Ok(status) if status.success() => return Ok(()),
                Ok(status) => status.to_string(),
                Err(why) => why,
            };
            let pause = PAUSE * tries;
            if tries == TRIES || self.stop.load(Relaxed) || Instant::now() + pause >= deadline {
                return Err(format!("{why}; tried {tries} of {TRIES} times"));
            }
            tries += 1;
            std::thread::sleep(pause);
        }
    }

    fn once(&self, batch: &mut File, events: u64, deadline: Instant) -> Result<ExitStatus, String> {
        let broken = |error: std::io::Error| error.to_string();
        batch.seek(SeekFrom::Start(0)).map_err(broken)?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(self.line).stdin(Stdio::from(batch.try_clone().map_err(broken)?));
        command.env("FOREBAY_EVENTS", events.to_string());
        // A terminal's Ctrl-C goes to us alone: the batch under way is finished.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(broken)?;
        loop {
            if let Some(status) = child.try_wait().map_err(broken)? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
                let _ = child.wait();
                return Err(format!(
                    "killed after {}: soon after (--claim-idle) another consumer is given the same events",
                    humantime::format_duration(self.limit)
                ));
            }
            std::thread::sleep(LOOK);
        }
    }
}
