//! The socket of a connection: frames go out in batches, each within its deadline, and what the client sends is heard.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::settings::Settings;
use super::slow::Slow;
use super::wire::{FromClient, Opcode, push_frame, take_frame};

/// How long a client may take to close its side.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// The client closed it, or it was cut.
    Closed,
    /// A frame was not taken in time.
    NotTaken,
    /// A ping was not answered in time.
    NoPong,
    /// The client reads too slowly.
    TooSlow,
    /// The client sent what it must not.
    Policy,
    /// A fault closes it in order, without a word, or by a reset.
    InOrder,
    Abruptly,
    Reset,
}

/// What goes out on a connection.
#[derive(Debug)]
pub(super) struct Outbox {
    stream: TcpStream,
    bytes: Vec<u8>,
    /// Where frames end in `bytes`.
    ends: Vec<usize>,
    /// What came from the client and is no whole frame yet.
    incoming: Vec<u8>,
    /// Does data from the client end the connection?
    is_push_only: bool,
    write_deadline: Duration,
    ping_every: Duration,
    pong_within: Duration,
    next_ping: Instant,
    /// The ping that waits for its answer: when it must have come, and the ping's number.
    waits_until: Option<(Instant, u64)>,
    pings: u64,
    pub(super) slow: Option<Slow>,
    /// Frames that the kernel took.
    sent: u64,
}

impl Outbox {
    /// A connection after its handshake; `incoming` came with the request.
    pub(super) fn new(stream: TcpStream, incoming: Vec<u8>, settings: &Settings) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        if let Some(bytes) = settings.send_buffer {
            rustix::net::sockopt::set_socket_send_buffer_size(&stream, bytes)?;
        }
        Ok(Self {
            stream,
            bytes: Vec::new(),
            ends: Vec::new(),
            incoming,
            is_push_only: false,
            write_deadline: settings.write_deadline,
            ping_every: settings.ping_every,
            pong_within: settings.pong_within,
            next_ping: Instant::now() + settings.ping_every,
            waits_until: None,
            pings: 0,
            slow: Slow::of(&settings.faults),
            sent: 0,
        })
    }

    /// From now on, does data from the client end the connection?
    pub(super) fn set_push_only(&mut self, is_push_only: bool) {
        self.is_push_only = is_push_only;
    }

    /// Bytes that wait to be sent.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a frame.
    pub(super) fn push(&mut self, opcode: Opcode, payload: &[u8]) {
        push_frame(&mut self.bytes, opcode, payload);
        self.ends.push(self.bytes.len());
    }

    /// Adds bytes that are no whole frame.
    pub(super) fn push_raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Sends all that waits. `behind` is how far the first of it is behind the tip. Where that fails, the rest of the frame
    /// of which a part was sent still waits, and nothing else.
    pub(super) fn flush(&mut self, behind: u64) -> Result<(), Gone> {
        let (mut written, mut frames) = (0, 0);
        let sent = self.send(behind, &mut written, &mut frames);
        let whole = frames.checked_sub(1).map_or(0, |last| self.ends[last]);
        let rest = if written > whole { self.ends.get(frames).copied().unwrap_or(written) } else { written };
        self.bytes.truncate(rest);
        self.bytes.drain(..written);
        self.ends.clear();
        if !self.bytes.is_empty() {
            self.ends.push(self.bytes.len());
        }
        sent
    }

    fn send(&mut self, behind: u64, written: &mut usize, frames: &mut usize) -> Result<(), Gone> {
        let mut deadline = Instant::now() + self.write_deadline;
        while *written < self.bytes.len() {
            match self.stream.write(&self.bytes[*written..]) {
                Ok(0) => return Err(Gone::Closed),
                Ok(more) => {
                    *written += more;
                    let whole = self.ends[*frames..].partition_point(|end| *end <= *written);
                    if whole > 0 {
                        *frames += whole;
                        self.sent += whole as u64;
                        deadline = Instant::now() + self.write_deadline;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait_for_room(deadline, behind.saturating_sub(*frames as u64))?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone::Closed),
            }
        }
        Ok(())
    }

    fn wait_for_room(&mut self, deadline: Instant, behind: u64) -> Result<(), Gone> {
        let now = Instant::now();
        if now >= deadline {
            return Err(Gone::NotTaken);
        }
        let mut until = deadline;
        if let Some(slow) = &mut self.slow {
            if slow.is_too_slow(self.sent, behind, now) {
                return Err(Gone::TooSlow);
            }
            until = until.min(now + slow.look_every());
        }
        self.wait(PollFlags::IN | PollFlags::OUT, until)?;
        self.hear()
    }

    /// Hears the client, and pings it when it is time.
    pub(super) fn attend(&mut self) -> Result<(), Gone> {
        self.hear()?;
        let now = Instant::now();
        if self.waits_until.is_some_and(|(until, _)| now >= until) {
            return Err(Gone::NoPong);
        }
        if now >= self.next_ping {
            self.next_ping = now + self.ping_every;
            self.pings += 1;
            self.waits_until.get_or_insert((now + self.pong_within, self.pings));
            let number = self.pings.to_be_bytes();
            self.push(Opcode::Ping, &number);
        }
        Ok(())
    }

    /// Attends to the client until then, with nothing else to send.
    pub(super) fn idle(&mut self, until: Instant) -> Result<(), Gone> {
        loop {
            self.attend()?;
            self.flush(0)?;
            if Instant::now() >= until {
                return Ok(());
            }
            let pong = self.waits_until.map_or(until, |(until, _)| until);
            self.wait(PollFlags::IN, until.min(self.next_ping).min(pong))?;
        }
    }

    /// Does nothing, hears nothing, until then, or until the connection is gone.
    pub(super) fn sleep(&mut self, until: Option<Instant>) -> Result<(), Gone> {
        loop {
            let far = Instant::now() + Duration::from_secs(3_600);
            self.wait(PollFlags::RDHUP, until.unwrap_or(far))?;
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(());
            }
        }
    }

    fn wait(&self, flags: PollFlags, until: Instant) -> Result<(), Gone> {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let mut fds = [PollFd::new(&self.stream, flags)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Err(Gone::Closed),
        }
        let is_gone = fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::RDHUP);
        if is_gone { Err(Gone::Closed) } else { Ok(()) }
    }

    fn hear(&mut self) -> Result<(), Gone> {
        let mut part = [0; 4_096];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => return Err(Gone::Closed),
                Ok(read) => self.incoming.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone::Closed),
            }
        }
        while let Some(frame) = take_frame(&mut self.incoming).map_err(|_| Gone::Closed)? {
            self.answer(frame)?;
        }
        Ok(())
    }

    fn answer(&mut self, frame: FromClient) -> Result<(), Gone> {
        match frame {
            FromClient::Data if self.is_push_only => return Err(Gone::Policy),
            FromClient::Data => {}
            FromClient::Close(payload) => {
                let mut echo = Vec::new();
                push_frame(&mut echo, Opcode::Close, &payload);
                // The client may not read it, and need not.
                let _ = self.stream.write(&echo);
                return Err(Gone::Closed);
            }
            FromClient::Ping(payload) => self.push(Opcode::Pong, &payload),
            FromClient::Pong(payload) => {
                self.waits_until = self.waits_until.filter(|(_, number)| payload != number.to_be_bytes());
            }
        }
        Ok(())
    }

    /// Ends the connection. What was sent before arrives, but for a reset.
    pub(super) fn finish(mut self, gone: Gone) {
        let code: Option<u16> = match gone {
            Gone::InOrder => Some(1_001),
            Gone::Policy => Some(1_008),
            _ => None,
        };
        if let Some(code) = code {
            self.push(Opcode::Close, &code.to_be_bytes());
            let _ = self.flush(0);
        }
        if gone == Gone::Reset {
            let _ = rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
            return;
        }
        if gone != Gone::Closed {
            self.close();
        }
    }

    /// Closing a socket that has unread bytes would be a reset, and lose what the client has not read.
    fn close(&mut self) {
        let until = Instant::now() + CLOSE_WITHIN;
        let mut part = [0; 4_096];
        if self.stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        while Instant::now() < until {
            match self.stream.read(&mut part) {
                Ok(read) if read > 0 => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.wait(PollFlags::IN | PollFlags::RDHUP, until).is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    }
}
