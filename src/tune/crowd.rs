//! Many bare connections at once, opened without waiting for one another.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use crate::buffer::connect::{Address, Place};
use crate::server;

/// What each says once it is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    Nothing,
    /// The beginning of a command, and no more.
    Half,
    /// PING, and waits for the answer.
    Ping,
}

/// The longest wait before the program looks whether it shall end.
const LOOK: Duration = Duration::from_millis(200);

/// A crowd.
pub struct Crowd {
    sockets: Vec<TcpStream>,
    /// How long each took until it was connected, and where it asked, answered: in milliseconds, ascending.
    took: Vec<f64>,
}

impl Crowd {
    /// Connects so many, all at once, and waits until each is connected and has its answer.
    pub fn gather(address: &Address, count: usize, says: Says, limit: Duration) -> anyhow::Result<Self> {
        let to = resolve(address)?;
        let started = Instant::now();
        let sockets: Vec<TcpStream> = (0..count).map(|_| begin(to)).collect::<anyhow::Result<_>>()?;
        let mut crowd = Self { sockets, took: Vec::new() };
        let mut is_asked = vec![false; count];
        let mut open: Vec<usize> = (0..count).collect();
        while !open.is_empty() {
            anyhow::ensure!(
                started.elapsed() < limit,
                "{} of {count} connections to {address} did not come about within {limit:?}",
                open.len()
            );
            for at in crowd.ready(&open, |at| if is_asked[at] { PollFlags::IN } else { PollFlags::OUT })? {
                if crowd.step(at, says, &mut is_asked[at])? {
                    crowd.took.push(started.elapsed().as_secs_f64() * 1e3);
                    open.retain(|other| *other != at);
                }
            }
        }
        crowd.took.sort_unstable_by(f64::total_cmp);
        Ok(crowd)
    }

    /// So many percent of them were answered within so many milliseconds.
    pub fn answered(&self, percent: usize) -> f64 {
        let at = (self.took.len() * percent).div_ceil(100).clamp(1, self.took.len().max(1)) - 1;
        self.took.get(at).copied().unwrap_or(f64::NAN)
    }

    /// How many the server has closed within so long; all of them end it.
    pub fn wait_closed(&mut self, limit: Duration) -> anyhow::Result<usize> {
        let (started, mut open) = (Instant::now(), (0..self.sockets.len()).collect::<Vec<_>>());
        while !open.is_empty() && started.elapsed() < limit {
            for at in self.ready(&open, |_| PollFlags::IN)? {
                let mut some = [0; 64];
                match self.sockets[at].read(&mut some) {
                    Ok(0) => open.retain(|other| *other != at),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => open.retain(|other| *other != at),
                }
            }
        }
        Ok(self.sockets.len() - open.len())
    }

    /// Those of `open` on which something happened.
    fn ready(&self, open: &[usize], wants: impl Fn(usize) -> PollFlags) -> anyhow::Result<Vec<usize>> {
        anyhow::ensure!(!server::ending(), "interrupted");
        let mut wanted: Vec<PollFd<'_>> =
            open.iter().map(|at| PollFd::from_borrowed_fd(self.sockets[*at].as_fd(), wants(*at))).collect();
        let limit = Timespec { tv_sec: 0, tv_nsec: LOOK.as_nanos() as i64 };
        match poll(&mut wanted, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for many connections"),
        }
        Ok(open.iter().zip(&wanted).filter(|(_, fd)| !fd.revents().is_empty()).map(|(at, _)| *at).collect())
    }

    /// Goes on with one: whether it is where it should be.
    fn step(&mut self, at: usize, says: Says, is_asked: &mut bool) -> anyhow::Result<bool> {
        let socket = &mut self.sockets[at];
        if !*is_asked {
            if let Err(error) = sockopt::socket_error(&*socket)? {
                return Err(error).context("connecting one of many");
            }
            let words: &[u8] = match says {
                Says::Nothing => return Ok(true),
                Says::Half => b"*2\r\n$3\r\nGET\r\n$1000\r\nhalf",
                Says::Ping => b"PING\r\n",
            };
            socket.write_all(words).context("writing on one of many connections")?;
            *is_asked = true;
            return Ok(says == Says::Half);
        }
        let mut some = [0; 64];
        match socket.read(&mut some) {
            Ok(0) => anyhow::bail!("the server closed one of many connections"),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).context("reading on one of many connections"),
        }
    }
}

fn resolve(address: &Address) -> anyhow::Result<SocketAddr> {
    let plain = address.plain().context("a thousand clients are tried without TLS only")?;
    let Place::Tcp(host, port) = plain.place else {
        anyhow::bail!("a thousand clients are tried over TCP only: {address} is a socket in a file")
    };
    let mut all = (host, port).to_socket_addrs().with_context(|| format!("looking up {host}"))?;
    all.next().with_context(|| format!("{host} has no address"))
}

/// Begins to connect, and does not wait.
fn begin(to: SocketAddr) -> anyhow::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket =
        socket_with(family, SocketType::STREAM, flags, None).context("opening one of many sockets")?;
    match connect(&socket, &to) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket.into()),
        Err(error) => Err(error).with_context(|| format!("connecting to {to}")),
    }
}
