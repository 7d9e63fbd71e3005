//! How the connections of a run come about, come back, and are given up.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::connection::{Link, State};
use super::plan::Error;
use super::traffic::{Look, SWEEP_BELOW, Traffic, plain};

/// How long the first connections may take to come about, all of them; and how often one may fail by then, so that
/// whoever is refused hears of it soon.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
const OPEN_FAILURES: u32 = 4;

/// Longest wait for one of them.
const OPEN_LOOK: Duration = Duration::from_millis(20);

impl Traffic<'_> {
    /// Makes the connections, before the clock starts. Those that do not come about are tried again during the run.
    pub fn open(&mut self, stop: &AtomicBool) -> Result<(), Error> {
        let is_open = |link: &Link| link.state != State::Up && link.failures < OPEN_FAILURES;
        while self.links.iter().any(is_open) && self.epoch.elapsed() < OPEN_LIMIT && !stop.load(Relaxed) {
            let now = self.now();
            self.reconnect(now);
            self.wait(now + OPEN_LOOK.as_nanos() as u64)?;
        }
        if self.away == self.links.len() && !stop.load(Relaxed) {
            let said: Vec<&str> = self.books.outcome.errors.keys().map(String::as_str).collect();
            let why = if said.is_empty() { "no answer".into() } else { said.join("; ") };
            return Err(Error::NoServer(format!("{}: no connection came about: {why}", self.plan.address)));
        }
        Ok(())
    }

    /// Starts the clock. What failed before counts: it was tried.
    pub fn start(&mut self) {
        self.epoch = Instant::now();
        self.books.outcome.reconnects = 0;
        for link in &mut self.links {
            link.clock_starts();
        }
        if !self.books.outcome.paced {
            self.look = if self.plan.pipeline < SWEEP_BELOW { Look::Sweep } else { Look::Spin };
        }
        if self.look == Look::Sweep {
            for socket in self.links.iter().filter(|link| link.state == State::Up).filter_map(Link::socket) {
                self.poller.remove(socket);
            }
        }
        for index in 0..self.links.len() {
            self.refill(index);
        }
        self.flush();
    }

    /// Begins to connect where there is no connection and it is time.
    pub fn reconnect(&mut self, now: u64) {
        if self.away == 0 {
            return;
        }
        for index in 0..self.links.len() {
            let link = &mut self.links[index];
            match link.state {
                State::Down(at) if at <= now => {
                    let begun = link.connect(&self.door, now).and_then(|()| {
                        let socket = link.socket().ok_or(io::ErrorKind::NotConnected)?;
                        self.poller.add(socket, index, true)
                    });
                    if let Err(error) = begun {
                        self.close(index, &format!("connecting: {}", plain(&error)));
                    }
                }
                State::Connecting(until) if until <= now => {
                    self.close(index, "connecting: no answer in time");
                }
                _ => {}
            }
        }
    }

    /// When the next connection is to be tried, or given up.
    pub fn next_retry(&self) -> Option<u64> {
        if self.away == 0 {
            return None;
        }
        let at = |link: &Link| match link.state {
            State::Down(at) | State::Connecting(at) => Some(at),
            State::Up => None,
        };
        self.links.iter().filter_map(at).min()
    }

    /// Gives a connection up for now. What was under way is lost: nobody knows its fate.
    pub(super) fn close(&mut self, index: usize, why: &str) {
        let now = self.now();
        let link = &mut self.links[index];
        if let Some(socket) = link.socket() {
            self.poller.remove(socket);
        }
        if link.state == State::Up {
            self.away += 1;
            self.books.outcome.reconnects += 1;
        }
        let lost = link.close(now);
        for sent in &lost {
            link.own.lost(sent.asked, &mut self.common);
            self.books.waited(sent.asked.kind, sent.due, now);
        }
        self.books.lost(why, lost.len() as u64);
    }
}
