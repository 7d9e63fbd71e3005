//! What can go wrong with a server of our own: each error names the thing, the place and the remedy.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use forebay::buffer::secret;

/// Why a server could not be found, started, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No server binary is where it was looked for.
    #[error(
        "no Redis or Valkey server found: looked for {looked_for}. Install one (`apt-get install redis-server`, \
         `brew install redis`), or name one with --server-bin or FOREBAY_SERVER"
    )]
    NotFound {
        /// What was looked for, and where.
        looked_for: String,
    },
    /// The file is there and cannot be run.
    #[error("{} cannot be run: {source}. Is it a program, and may you execute it (`chmod +x`)?", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file runs and is something else.
    #[error(
        "{} is not a Redis or Valkey server: asked for --version, it {said}. Name a redis-server or valkey-server \
         with --server-bin or FOREBAY_SERVER",
        path.display()
    )]
    NotAServer {
        /// The file.
        path: PathBuf,
        /// What it did instead of giving a version.
        said: String,
    },
    /// The server's folder or a file in it cannot be used.
    #[error("cannot {doing} {}: {source}. The temporary folder can be set with TMPDIR", path.display())]
    Folder {
        /// What was being done, as in "write".
        doing: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No free port was found.
    #[error(
        "no free port on 127.0.0.1 between {from} and {to} in {tries} tries: are servers left over from before?"
    )]
    NoFreePort {
        /// The lowest port tried.
        from: u16,
        /// The highest port tried.
        to: u16,
        /// How many ports were tried.
        tries: u32,
    },
    /// The process could not be started.
    #[error("cannot start {}: {source}", path.display())]
    Spawn {
        /// The server binary.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server ended before it answered.
    #[error("{} ended before it answered ({status}). Its last words:\n{log}", path.display())]
    ExitedEarly {
        /// The server binary.
        path: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log since this start.
        log: String,
    },
    /// The server runs and does not answer.
    #[error("{} at {place} was not ready within {limit:?}: {reason}. Its last words:\n{log}", path.display())]
    NotReady {
        /// The server binary.
        path: PathBuf,
        /// Where it was told to listen.
        place: String,
        /// How long it was waited for.
        limit: Duration,
        /// What the last try to reach it said.
        reason: String,
        /// The last lines of its log since this start.
        log: String,
    },
    /// Another process than the one started answers there.
    #[error("{} was started at {place}, but {reason}", path.display())]
    NotOurs {
        /// The server binary.
        path: PathBuf,
        /// Where it was told to listen.
        place: String,
        /// Who answers, and what that may mean.
        reason: String,
    },
    /// There is no process to do this to: it has ended, by itself or by an earlier call.
    #[error("cannot {doing} the server: process {pid} has already ended. Its last words:\n{log}")]
    NotRunning {
        /// What was to be done, as in "kill".
        doing: &'static str,
        /// The process that was.
        pid: u32,
        /// The last lines of its log.
        log: String,
    },
    /// A restart of a server that still runs would hide that it was never ended.
    #[error("cannot restart the server: process {pid} still runs; end it with kill or terminate first")]
    StillRunning {
        /// The process.
        pid: u32,
    },
    /// The process did not do what it was told to in time.
    #[error("process {pid} was told to {doing} and has not within {limit:?}. Its last words:\n{log}")]
    Unmoved {
        /// What it was told to do, as in "kill".
        doing: &'static str,
        /// The process.
        pid: u32,
        /// How long it was waited for.
        limit: Duration,
        /// The last lines of its log.
        log: String,
    },
    /// The system did not let us signal the process or wait for it.
    #[error("cannot {doing} process {pid}: {source}")]
    Signal {
        /// What was to be done, as in "kill".
        doing: &'static str,
        /// The process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// A command to a server, or one that was given to end or start it, failed.
    #[error("the command `{}`: {why}", secret::command(line))]
    Command {
        /// The command.
        line: String,
        /// How it ended, and what it said.
        why: String,
    },
    /// This program was told to end, and its servers with it.
    #[error("no server is started any more: this program was told to end")]
    Ending,
    /// The handler for SIGINT and SIGTERM could not be installed.
    #[error("cannot handle SIGINT and SIGTERM: {0}")]
    Handler(#[from] ctrlc::Error),
}
