//! Many bare connections at once, opened without waiting for one another.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use crate::wait::go_on;
use forebay::buffer::connect::{Address, Endpoint};
use forebay_rig::load::resp;

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
pub struct OpenConnections {
    members: Vec<Member>,
    /// How long each took until it was connected, and where it asked, answered: in milliseconds, ascending.
    took: Vec<f64>,
}

struct Member {
    socket: TcpStream,
    has_said: bool,
    heard: Vec<u8>,
}

/// What each says, the login first, and what it must hear to that.
struct Script {
    says: Vec<u8>,
    hears: Vec<u8>,
}

impl Script {
    fn of(address: &Address, says: Says) -> anyhow::Result<Self> {
        let plain = address.plain().context("a thousand clients are tried without TLS only")?;
        let (mut words, answers) = resp::greeting(&plain);
        let mut hears = b"+OK\r\n".repeat(answers);
        match says {
            Says::Nothing => {}
            Says::Half => words.extend_from_slice(b"*2\r\n$3\r\nGET\r\n$1000\r\nhalf"),
            Says::Ping => {
                words.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
                hears.extend_from_slice(b"+PONG\r\n");
            }
        }
        Ok(Self { says: words, hears })
    }
}

impl OpenConnections {
    /// Connects so many, all at once, and waits until each is connected, logged in and has its answer.
    pub fn gather(address: &Address, count: usize, says: Says, limit: Duration) -> anyhow::Result<Self> {
        let (to, script) = (resolve(address)?, Script::of(address, says)?);
        let started = Instant::now();
        let members: Vec<Member> = (0..count).map(|_| Member::begin(to)).collect::<anyhow::Result<_>>()?;
        let mut crowd = Self { members, took: Vec::new() };
        let mut open: Vec<usize> = (0..count).collect();
        while !open.is_empty() {
            anyhow::ensure!(
                started.elapsed() < limit,
                "{} of {count} connections to {address} did not come about within {limit:?}",
                open.len()
            );
            let wants = |at: usize| if crowd.members[at].has_said { PollFlags::IN } else { PollFlags::OUT };
            for at in crowd.ready(&open, wants)? {
                if crowd.members[at].step(&script)? {
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
        let (started, mut open) = (Instant::now(), (0..self.members.len()).collect::<Vec<_>>());
        while !open.is_empty() && started.elapsed() < limit {
            for at in self.ready(&open, |_| PollFlags::IN)? {
                let mut some = [0; 64];
                match self.members[at].socket.read(&mut some) {
                    Ok(0) => open.retain(|other| *other != at),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => open.retain(|other| *other != at),
                }
            }
        }
        Ok(self.members.len() - open.len())
    }

    /// Those of `open` on which something happened.
    fn ready(&self, open: &[usize], wants: impl Fn(usize) -> PollFlags) -> anyhow::Result<Vec<usize>> {
        go_on()?;
        let mut wanted: Vec<PollFd<'_>> = open
            .iter()
            .map(|at| PollFd::from_borrowed_fd(self.members[*at].socket.as_fd(), wants(*at)))
            .collect();
        let limit = Timespec { tv_sec: 0, tv_nsec: LOOK.as_nanos() as i64 };
        match poll(&mut wanted, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for many connections"),
        }
        Ok(open.iter().zip(&wanted).filter(|(_, fd)| !fd.revents().is_empty()).map(|(at, _)| *at).collect())
    }
}

impl Member {
    /// Begins to connect, and does not wait.
    fn begin(to: SocketAddr) -> anyhow::Result<Self> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            socket_with(family, SocketType::STREAM, flags, None).context("opening one of many sockets")?;
        match connect(&socket, &to) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error).with_context(|| format!("connecting to {to}")),
        }
        Ok(Self { socket: socket.into(), has_said: false, heard: Vec::new() })
    }

    /// Goes on: whether it has heard all that it must.
    fn step(&mut self, script: &Script) -> anyhow::Result<bool> {
        if !self.has_said {
            if let Err(error) = sockopt::socket_error(&self.socket)? {
                return Err(error).context("connecting one of many");
            }
            self.socket.write_all(&script.says).context("writing on one of many connections")?;
            self.has_said = true;
            return Ok(script.hears.is_empty());
        }
        let mut some = [0; 128];
        match self.socket.read(&mut some) {
            Ok(0) => anyhow::bail!("the server closed one of many connections"),
            Ok(count) => self.heard.extend_from_slice(&some[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("reading on one of many connections"),
        }
        let heard = self.heard.as_slice();
        anyhow::ensure!(
            script.hears.starts_with(heard),
            "one of many clients was told {}",
            heard.escape_ascii()
        );
        Ok(heard.len() == script.hears.len())
    }
}

fn resolve(address: &Address) -> anyhow::Result<SocketAddr> {
    let plain = address.plain().context("a thousand clients are tried without TLS only")?;
    let Endpoint::Tcp(host, port) = plain.place else {
        anyhow::bail!("a thousand clients are tried over TCP only: {address} is a socket in a file")
    };
    let mut all = (host, port).to_socket_addrs().with_context(|| format!("looking up {host}"))?;
    all.next().with_context(|| format!("{host} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use forebay_rig::server::{Conf, Server, ServerBinary};

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn each_of_a_crowd_is_logged_in_and_one_that_is_not_is_told_from_it() {
        let server = Server::start(&ServerBinary::find(None).unwrap(), &Conf::default()).unwrap();
        for says in [Says::Nothing, Says::Half, Says::Ping] {
            OpenConnections::gather(&Address::parse(&server.url()).unwrap(), 20, says, LIMIT).unwrap();
        }
        let url = server.url();
        let (before, host) = url.split_once('@').expect("a server of our own has a password");
        let stranger = Address::parse(&format!("{before}x@{host}")).unwrap();
        let told = OpenConnections::gather(&stranger, 20, Says::Ping, LIMIT).err().unwrap().to_string();
        assert!(told.contains("WRONGPASS"), "{told}");
    }
}
