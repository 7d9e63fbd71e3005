//! What goes over the connections: requests out, answers in, each judged and its latency kept.
//!
//! A request goes to the connection that has been free longest. Where all have as many under way as the plan allows,
//! it waits, and its latency runs. Nothing is left out: what was lost with its connection, or never answered, is in
//! the figures with the time it had waited.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::connection::{Door, Link, Sent, State};
use super::expected_state::{Answer, Common, OwnKeys};
use super::keyspace::Keyspace;
use super::plan::{Error, LoadPlan};
use super::poll::{Poller, Ready};
use super::resp;
use super::stats::LoadStats;

/// Fewer requests under way on each connection than this, and sockets are swept.
pub(super) const SWEEP_BELOW: usize = 8;

/// How sockets are looked at. Where there is a pace, this thread sleeps until one has something. Where there is none, it
/// never sleeps: a server that must wake it for each answer is the slower for it (a twelfth, with one request at a time
/// on 50 connections). With few under way it does not even ask the kernel which socket has something, but tries each in
/// turn: then the server's writes tell nobody (another tenth). With many, most of those tries would find nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Wait,
    Spin,
    Sweep,
}

/// Connections that still come about, and what goes over those that did.
pub(super) struct Traffic<'a> {
    pub(super) plan: &'a LoadPlan<'a>,
    pub(super) common: Common<'a>,
    pub(super) door: Door,
    pub(super) poller: Poller,
    pub(super) ready: Vec<Ready>,
    pub(super) links: Vec<Link>,
    /// Connections that take a request, the one free longest first; and those with requests to be written.
    pub(super) row: VecDeque<usize>,
    pub(super) unwritten: Vec<usize>,
    pub(super) epoch: Instant,
    pub books: LoadStats,
    /// How many connections are not up.
    pub(super) away: usize,
    pub(super) look: Look,
}

impl<'a> Traffic<'a> {
    pub fn of(plan: &'a LoadPlan<'a>) -> Result<Self, Error> {
        let room = Keyspace::of(plan.payloads, plan.connections);
        let own = |index| OwnKeys::new(plan.name, index, room);
        Ok(Self {
            plan,
            common: Common::new(plan.name, plan.payloads, plan.work, room, plan.seed),
            door: Door::of(plan.address).map_err(Error::NoServer)?,
            poller: Poller::new().map_err(Error::waiting)?,
            ready: Vec::new(),
            links: (0..plan.connections).map(|index| Link::new(own(index))).collect(),
            row: VecDeque::new(),
            unwritten: Vec::new(),
            epoch: Instant::now(),
            books: LoadStats::new(plan.arrivals.is_some()),
            away: plan.connections,
            look: Look::Wait,
        })
    }

    /// Nanoseconds since the start.
    pub fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Whether a connection takes a request: the first one in the row does then.
    pub fn is_free(&mut self) -> bool {
        while let Some(index) = self.row.front() {
            let link = &mut self.links[*index];
            if link.state == State::Up && link.under_way.len() < self.plan.pipeline {
                return true;
            }
            link.is_in_row = false;
            self.row.pop_front();
        }
        false
    }

    /// Whether the row has anyone in it.
    pub fn has_free(&self) -> bool {
        !self.row.is_empty()
    }

    /// Sends what was due at `due` over the first connection in the row, which keeps its place until [`Self::flush`]:
    /// a group goes in one piece, as far as a connection takes it.
    pub fn send(&mut self, due: u64, now: u64) {
        let Some(index) = self.row.front().copied() else { return };
        self.books.outcome.jitter.record(now.saturating_sub(due));
        self.ask(index, due, now);
    }

    pub(super) fn ask(&mut self, index: usize, due: u64, now: u64) {
        let link = &mut self.links[index];
        let (own, output) = link.output();
        if output.is_empty() {
            self.unwritten.push(index);
        }
        let asked = own.ask(&mut self.common, output);
        link.under_way.push_back(Sent { asked, due, at: now });
        self.books.sent(asked.kind, 1);
    }

    /// Puts a connection that takes requests at the end of the row.
    pub(super) fn stand_in_row(&mut self, index: usize) {
        let link = &mut self.links[index];
        if !link.is_in_row && link.state == State::Up && link.under_way.len() < self.plan.pipeline {
            link.is_in_row = true;
            self.row.push_back(index);
        }
    }

    /// Without a pace: as many requests as may be under way, once all of them were answered.
    pub(super) fn refill(&mut self, index: usize) {
        let link = &self.links[index];
        if self.look == Look::Wait || link.state != State::Up || !link.under_way.is_empty() {
            return;
        }
        let now = self.now();
        for _ in 0..self.plan.pipeline {
            self.ask(index, now, now);
        }
    }

    /// Writes what was asked; the next group goes to the next connection.
    pub fn flush(&mut self) {
        if !self.unwritten.is_empty() && self.row.len() > 1 {
            self.row.rotate_left(1);
        }
        let mut unwritten = std::mem::take(&mut self.unwritten);
        for index in unwritten.drain(..) {
            self.write(index);
        }
        self.unwritten = unwritten;
    }

    pub(super) fn write(&mut self, index: usize) {
        let link = &mut self.links[index];
        let is_watched = link.is_watched;
        let sweeps = self.look == Look::Sweep;
        let written = link.flush().and_then(|all| {
            if all == is_watched
                && !sweeps
                && let Some(socket) = link.socket()
            {
                self.poller.watch_writes(socket, index, !all)?;
                link.is_watched = !all;
            }
            Ok(())
        });
        if let Err(error) = written {
            self.close(index, &format!("writing: {}", plain(&error)));
        }
    }

    /// Waits until `wake`, or until sockets have something, and serves those.
    pub fn wait(&mut self, wake: u64) -> Result<(), Error> {
        if self.look == Look::Sweep {
            self.sweep();
            if self.away == 0 {
                return Ok(());
            }
        }
        let limit = match self.look {
            Look::Wait => Duration::from_nanos(wake.saturating_sub(self.now())),
            Look::Spin | Look::Sweep => Duration::ZERO,
        };
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(limit, &mut ready).map_err(Error::waiting)?;
        for at in &ready {
            if at.writable && self.links[at.index].is_watched {
                self.writable(at.index);
            }
            if at.readable && self.links[at.index].state == State::Up {
                self.readable(at.index);
            }
        }
        self.ready = ready;
        self.flush();
        Ok(())
    }

    /// Tries every socket in turn.
    fn sweep(&mut self) {
        for index in 0..self.links.len() {
            if self.links[index].state == State::Up {
                self.readable(index);
            }
            if self.links[index].has_output() {
                self.write(index);
            }
        }
        self.flush();
    }

    /// Without a pace: no more requests. What is under way is waited for.
    pub fn calm(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.look, Look::Wait) != Look::Sweep {
            return Ok(());
        }
        for (index, link) in self.links.iter_mut().enumerate().filter(|(_, link)| link.state == State::Up) {
            let Some(socket) = link.socket() else { continue };
            self.poller.add(socket, index, true).map_err(Error::waiting)?;
            link.is_watched = true;
        }
        Ok(())
    }

    fn writable(&mut self, index: usize) {
        let link = &mut self.links[index];
        if matches!(link.state, State::Connecting(_)) {
            if let Err(error) = link.connected() {
                return self.close(index, &format!("connecting: {}", plain(&error)));
            }
            self.away -= 1;
            if self.look == Look::Sweep
                && let Some(socket) = link.socket()
            {
                self.poller.remove(socket);
            }
            self.write(index);
            self.refill(index);
            return self.stand_in_row(index);
        }
        self.write(index);
    }

    fn readable(&mut self, index: usize) {
        let filled = self.links[index].fill();
        let now = self.now();
        // Before the end of a connection may stand what the server had to say.
        if let Err(garbage) = self.answers(index, now) {
            return self.close(index, &garbage);
        }
        if let Err(error) = filled {
            let why = match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                    "the server closed the connection".into()
                }
                _ => format!("reading: {}", plain(&error)),
            };
            return self.close(index, &why);
        }
        self.refill(index);
        self.stand_in_row(index);
    }

    /// Judges every answer that is whole.
    fn answers(&mut self, index: usize, now: u64) -> Result<(), String> {
        let link = &mut self.links[index];
        loop {
            let (reply, bytes) = match resp::parse(&link.input[link.parsed..]) {
                Ok(Some(reply)) => reply,
                Ok(None) => return Ok(()),
                Err(_) => return Err("what came is not RESP".into()),
            };
            if link.greetings > 0 {
                if let resp::Reply::Error(line) = reply {
                    self.books.outcome.fail_connection(&resp::error_kind(line));
                }
                link.greetings -= 1;
                link.parsed += bytes;
                continue;
            }
            let Some(sent) = link.under_way.front().copied() else {
                let kind = match reply {
                    resp::Reply::Error(line) => resp::error_kind(line),
                    _ => "an answer to nothing".into(),
                };
                return Err(kind);
            };
            let answer = link.own.check(sent.asked, reply, &mut self.common);
            link.under_way.pop_front();
            link.parsed += bytes;
            if answer == Answer::Right {
                link.answered();
            }
            self.books.answered(&sent, answer, now);
        }
    }

    /// The run is over: what is under way has waited until now.
    pub fn give_up(&mut self, now: u64) {
        for sent in self.links.iter_mut().flat_map(|link| std::mem::take(&mut link.under_way)) {
            self.books.outcome.unanswered += 1;
            self.books.waited(sent.asked.kind, sent.due, now);
        }
    }
}

/// An error of the system without its number.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
