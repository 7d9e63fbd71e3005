//! A socket with a deadline.

use std::io::{ErrorKind as IoKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A socket that nothing goes over once the deadline has passed.
pub(super) struct Socket {
    pub(super) pipe: Pipe,
    pub(super) deadline: Instant,
}

pub(super) enum Pipe {
    Tcp(TcpStream),
    Unix(UnixStream),
}

pub(super) fn left(deadline: Instant) -> std::io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(IoKind::TimedOut.into()) } else { Ok(left) }
}

impl Read for Socket {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let left = Some(left(self.deadline)?);
        match &mut self.pipe {
            Pipe::Tcp(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(to)),
            Pipe::Unix(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(to)),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let left = Some(left(self.deadline)?);
        match &mut self.pipe {
            Pipe::Tcp(stream) => stream.set_write_timeout(left).and_then(|()| stream.write(bytes)),
            Pipe::Unix(stream) => stream.set_write_timeout(left).and_then(|()| stream.write(bytes)),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
