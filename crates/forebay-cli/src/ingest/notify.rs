//! What systemd is told of a service of `Type=notify`: a datagram to the socket that it names in the environment.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use forebay_pipe::ingest::{Counted, Counts};

/// How long the loop that takes events may stand still: its longest step, a host asked twice, has deadlines of 40 s together.
const STUCK_US_MAX: u64 = 60_000_000;

/// Whoever is told.
pub(super) struct Notify {
    socket: UnixDatagram,
    to: SocketAddr,
    /// How often it wants to hear that the program is well.
    watchdog: Option<Duration>,
    told: Instant,
    is_ready: bool,
    is_stopping: bool,
}

impl Notify {
    /// Where the environment names a socket.
    pub(super) fn from_env() -> Option<Self> {
        let var = |name| std::env::var(name).ok();
        let path = var("NOTIFY_SOCKET").filter(|path| !path.is_empty())?;
        let to = match path.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok()?,
            None => SocketAddr::from_pathname(path).ok()?,
        };
        let is_ours = var("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let usec = var("WATCHDOG_USEC").filter(|_| is_ours).and_then(|usec| usec.parse().ok());
        Self::to(to, usec.map(Duration::from_micros))
    }

    fn to(to: SocketAddr, watchdog: Option<Duration>) -> Option<Self> {
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, to, watchdog, told: Instant::now(), is_ready: false, is_stopping: false })
    }

    /// Tells what is new: ready once a host is subscribed, which is after the buffer was opened.
    pub(super) fn look(&mut self, counts: &Counts, counted: &Counted, is_stopping: bool, now_us: u64) {
        if !self.is_ready && counted.connections > 0 {
            self.is_ready = true;
            self.say(&format!("READY=1\nSTATUS=subscribed to {}\n", counted.host));
        }
        if !self.is_stopping && is_stopping {
            self.is_stopping = true;
            self.say("STOPPING=1\nSTATUS=sending what was read\n");
        }
        let is_well = counts.stuck_us(now_us).is_none_or(|us| us < STUCK_US_MAX);
        // Half of its patience is what it asks for.
        if self.watchdog.is_some_and(|patience| is_well && self.told.elapsed() >= patience / 2) {
            self.told = Instant::now();
            self.say("WATCHDOG=1\n");
        }
    }

    fn say(&self, text: &str) {
        // Whoever does not listen is not worth an error: systemd ends a service that it does not hear of.
        let _ = self.socket.send_to_addr(text.as_bytes(), &self.to);
    }
}
