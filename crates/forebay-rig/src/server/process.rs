//! One running server: start, wait, pause, kill, stop, restart.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use super::fault::network::Proxy;
use super::folder::private;
use super::private_address::PrivateAddress;
use super::process_registry::{self, KILL_LIMIT, OwnedProcess};
use super::ready::{self, Answer};
use super::wait::poll;
use super::{Conf, ServerBinary, ServerError, ServerKind, Version, identify};

/// How long a server may take to answer for the first time.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How long a server that says it is loading may take to be done.
const LOAD_LIMIT: Duration = Duration::from_secs(600);
/// How long a graceful end may take: the server may have a snapshot to write first.
const TERMINATE_LIMIT: Duration = Duration::from_secs(60);
/// How often another port is taken when somebody was quicker.
const START_TRIES: u32 = 5;
/// How many lines of the log an error shows.
const LOG_LINES: usize = 15;
/// How much of the log's end is read for that.
const LOG_BYTES_MAX: u64 = 64 << 10;
/// What belongs to the one who starts the server, whatever the settings say.
const OWN: [&str; 9] = [
    "bind",
    "daemonize",
    "logfile",
    "pidfile",
    "port",
    "requirepass",
    "supervised",
    "unixsocket",
    "unixsocketperm",
];

/// A server of our own. Dropping it ends the process and removes its folder.
#[derive(Debug)]
pub struct Server {
    binary: ServerBinary,
    held: Arc<OwnedProcess>,
    door: PrivateAddress,
    folder: PathBuf,
    data: PathBuf,
    pid: u32,
    /// Where the log of the latest start begins.
    log_start: u64,
    identity: (ServerKind, Version),
}

impl Server {
    /// Starts a server on a free loopback port, in a temporary folder, and waits until it answers and has loaded its
    /// data. Of the settings, `port`, `bind` and the like are ours; with a `dir`, the data go there, and stay there. It
    /// has a password that only its [`url`](Self::url) knows, unless the settings have one: an empty one is none.
    pub fn start(binary: &ServerBinary, conf: &Conf) -> Result<Self, ServerError> {
        let is_port_taken = |outcome: &Result<Self, ServerError>| match outcome {
            Err(ServerError::ExitedEarly { log, .. }) => log.contains("ddress already in use"),
            Err(ServerError::NotOurs { .. }) => true,
            _ => false,
        };
        let mut outcome = Self::start_once(binary, conf, false);
        for _ in 1..START_TRIES {
            if !is_port_taken(&outcome) {
                break;
            }
            outcome = Self::start_once(binary, conf, false);
        }
        outcome
    }

    /// The same without a port: it answers on a socket in its folder. Where the path is too long for one, on a port.
    pub fn start_on_socket(binary: &ServerBinary, conf: &Conf) -> Result<Self, ServerError> {
        match Self::start_once(binary, conf, true) {
            Err(ServerError::NotOurs { .. }) => Self::start(binary, conf),
            outcome => outcome,
        }
    }

    fn start_once(binary: &ServerBinary, conf: &Conf, on_socket: bool) -> Result<Self, ServerError> {
        let is_node = conf.get("cluster-enabled").is_some_and(|value| value.eq_ignore_ascii_case("yes"));
        let held = if is_node { process_registry::reserve_for_node() } else { process_registry::reserve() }?;
        let (folder, door) =
            Self::place(&held, conf, on_socket).inspect_err(|_| process_registry::release(&held))?;
        // From here on an early return drops `server`, which ends what there is and removes the folder.
        let data = conf.get("dir").map_or_else(|| folder.clone(), PathBuf::from);
        let identity = (binary.kind, binary.version);
        let binary = binary.clone();
        let mut server = Self { binary, held, door, folder, data, pid: 0, log_start: 0, identity };
        let is_theirs = |setting: &&(String, String)| !OWN.contains(&setting.0.as_str());
        let mut own: Conf = conf.settings().iter().filter(is_theirs).cloned().collect();
        server.door.set(&mut own);
        // To standard output, which we keep in a file: what is said before the settings are read goes there too.
        own.set("daemonize", "no").set("logfile", "").set("dir", server.data.to_string_lossy());
        let file = server.conf_path();
        write_private(&file, &own.render()).map_err(|source| ServerError::Folder {
            doing: "write",
            path: file,
            source,
        })?;
        server.launch()?;
        Ok(server)
    }

    /// Its folder, and where it answers.
    fn place(
        held: &OwnedProcess,
        conf: &Conf,
        on_socket: bool,
    ) -> Result<(PathBuf, PrivateAddress), ServerError> {
        let folder = held.folder_path()?;
        let failed = |source| ServerError::Folder { doing: "read", path: "/dev/urandom".into(), source };
        let door = match PrivateAddress::socket(&folder).filter(|_| on_socket) {
            Some(socket) => socket,
            None => PrivateAddress::loopback(held.port, conf).map_err(failed)?,
        };
        Ok((folder, door))
    }

    /// Starts the process and waits until it is ready.
    fn launch(&mut self) -> Result<(), ServerError> {
        if process_registry::ending() {
            return Err(ServerError::Ending);
        }
        let path = self.log_path();
        let failed = |source| ServerError::Folder { doing: "write", path: path.clone(), source };
        let log = private().append(true).open(&path).map_err(failed)?;
        self.log_start = log.metadata().map_err(failed)?.len();
        let mut command = Command::new(&self.binary.path);
        command.arg(self.conf_path()).stdin(Stdio::null());
        command.stderr(log.try_clone().map_err(failed)?).stdout(log);
        self.pid = process_registry::spawn(&self.held, command)?;
        let info = self.wait_until_ready()?;
        self.identity = identify(&info).unwrap_or(self.identity);
        Ok(())
    }

    /// Waits until the server serves commands; its INFO.
    fn wait_until_ready(&self) -> Result<String, ServerError> {
        let path = || self.binary.path.clone();
        let started = Instant::now();
        let mut reason = String::new();
        let mut limit = ANSWER_LIMIT;
        let outcome = poll(LOAD_LIMIT, || {
            match self.held.ended() {
                Ok(None) => {}
                Ok(Some(status)) => {
                    return Some(Err(ServerError::ExitedEarly { path: path(), status, log: self.log() }));
                }
                Err(source) => {
                    return Some(Err(ServerError::Signal { doing: "wait for", pid: self.pid, source }));
                }
            }
            match ready::ask(&self.door, self.pid) {
                Answer::Ready(info) => return Some(Ok(info)),
                Answer::Loading => {
                    limit = LOAD_LIMIT;
                    "it is still loading its data".clone_into(&mut reason);
                }
                Answer::NotYet(why) => reason = why,
                Answer::NotOurs(reason) => {
                    return Some(Err(ServerError::NotOurs {
                        path: path(),
                        place: self.door.to_string(),
                        reason,
                    }));
                }
            }
            (started.elapsed() >= limit).then(|| Err(self.not_ready(limit, &reason)))
        });
        if process_registry::ending() {
            return Err(ServerError::Ending);
        }
        outcome.unwrap_or_else(|| Err(self.not_ready(LOAD_LIMIT, &reason)))
    }

    fn not_ready(&self, limit: Duration, reason: &str) -> ServerError {
        let (path, reason) = (self.binary.path.clone(), reason.to_owned());
        ServerError::NotReady { path, place: self.door.to_string(), limit, reason, log: self.log() }
    }

    /// What to connect to, the password included: not to be printed.
    pub fn url(&self) -> String {
        self.url_of(0)
    }

    /// The same for a database.
    pub fn url_of(&self, database: u64) -> String {
        self.door.url(None, database)
    }

    /// The same for another user than the default one.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        self.door.url_as(user, password)
    }

    /// The same through a proxy before it.
    pub fn url_through(&self, proxy: &Proxy) -> String {
        self.door.url(Some(proxy.port()), 0)
    }

    /// The port, the same after a restart.
    pub fn port(&self) -> u16 {
        self.held.port
    }

    /// The process id of the latest start.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The folder that the data are in.
    pub fn dir(&self) -> &Path {
        &self.data
    }

    /// What the running server said it is, in its INFO.
    pub fn identity(&self) -> (ServerKind, Version) {
        self.identity
    }

    /// Whether the process runs, paused or not.
    pub fn is_running(&self) -> bool {
        matches!(self.held.ended(), Ok(None))
    }

    /// The last lines of the server's log, from every start.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log_path(), 0, lines).unwrap_or_default()
    }

    /// The memory the process holds, as the system counts it. `None` where that cannot be told.
    pub fn rss_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    }

    /// Kills the server (SIGKILL) and waits until it is gone; how it ended. The folder stays.
    pub fn kill(&mut self) -> Result<ExitStatus, ServerError> {
        self.signal("kill", Signal::KILL)?;
        self.wait_until_ended("kill", KILL_LIMIT)
    }

    /// Asks the server to end (SIGTERM) and waits until it has; how it ended. The folder stays.
    pub fn terminate(&mut self) -> Result<ExitStatus, ServerError> {
        self.signal("terminate", Signal::TERM)?;
        // A paused server would never get to it.
        self.held.signal(Signal::CONT).map_err(|source| self.not_signalled("terminate", source))?;
        self.wait_until_ended("terminate", TERMINATE_LIMIT)
    }

    /// Pauses the server (SIGSTOP) and waits until it stands still. Connections to it stay open, and get no answer.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.signal("pause", Signal::STOP)?;
        poll(KILL_LIMIT, || self.is_paused().then_some(())).ok_or_else(|| self.unmoved("pause", KILL_LIMIT))
    }

    /// Whether it stands still.
    pub fn is_paused(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        pid.is_some_and(|pid| waitid(WaitId::Pid(pid), options).ok().flatten().is_some())
    }

    /// Lets a paused server go on (SIGCONT).
    pub fn resume(&self) -> Result<(), ServerError> {
        self.signal("resume", Signal::CONT)
    }

    /// Starts the server again after its end, with the same folder, port and settings, and waits until it has loaded
    /// its data. An error while it still runs: a proof must not take an end that never came for one survived.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        if self.is_running() {
            return Err(ServerError::StillRunning { pid: self.pid });
        }
        self.wait_for_port();
        self.launch()
    }

    /// Waits until nobody has the port. A child that the server had forked, for a rewrite, is killed with it and has its
    /// socket until it is gone too. Where somebody else has taken the port, the server will say so.
    fn wait_for_port(&self) {
        let at = (Ipv4Addr::LOCALHOST, self.port());
        // What comes of it stands in the start that follows.
        let _ = poll(KILL_LIMIT, || TcpListener::bind(at).ok());
    }

    fn signal(&self, doing: &'static str, signal: Signal) -> Result<(), ServerError> {
        match self.held.signal(signal) {
            Ok(true) => Ok(()),
            Ok(false) => Err(ServerError::NotRunning { doing, pid: self.pid, log: self.log() }),
            Err(source) => Err(self.not_signalled(doing, source)),
        }
    }

    fn not_signalled(&self, doing: &'static str, source: io::Error) -> ServerError {
        ServerError::Signal { doing, pid: self.pid, source }
    }

    fn unmoved(&self, doing: &'static str, limit: Duration) -> ServerError {
        ServerError::Unmoved { doing, pid: self.pid, limit, log: self.log() }
    }

    fn wait_until_ended(&self, doing: &'static str, limit: Duration) -> Result<ExitStatus, ServerError> {
        match poll(limit, || self.held.ended().transpose()) {
            Some(Ok(status)) => Ok(status),
            Some(Err(source)) => Err(self.not_signalled(doing, source)),
            None => Err(self.unmoved(doing, limit)),
        }
    }

    /// The log of the latest start, for an error.
    fn log(&self) -> String {
        tail(&self.log_path(), self.log_start, LOG_LINES).unwrap_or_default()
    }

    fn conf_path(&self) -> PathBuf {
        self.folder.join("redis.conf")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        process_registry::release(&self.held);
    }
}

/// Writes a file that only this user may read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    private().truncate(true).open(path)?.write_all(text.as_bytes())
}

/// The last lines of a file, looking no further back than `from`.
pub(super) fn tail(path: &Path, from: u64, lines: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    let from = from.max(file.metadata()?.len().saturating_sub(LOG_BYTES_MAX));
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.trim_end().lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}
