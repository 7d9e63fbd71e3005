//! What the threads of a simulator share.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::act::Acts;
use super::clock::{Clock, now_us};
use super::evil::Ledger;
use super::fault::{CUT, OTHER_PROTOCOL, SEQ_RESTART};
use super::log::Log;
use super::network::Network;
use super::settings::Settings;

/// Connections at a time. One more is closed at once.
const CONNECTIONS_MAX: usize = 256;

/// What the threads of a simulator share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) network: Network,
    pub(super) clock: Clock,
    pub(super) acts: Acts,
    pub(super) evil: Ledger,
    state: Mutex<State>,
    /// A thread has ended.
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    settings: Settings,
    /// The order that these settings make.
    log: Arc<Log>,
    /// What the next stream shows to have acted: changes of the host.
    announced: Vec<&'static str>,
    /// Connections that were answered with an error since the last change.
    refused: u64,
    open: HashMap<u64, TcpStream>,
    /// Streams that were ever agreed on.
    streams: u64,
    /// The number of the next connection.
    next: u64,
    threads: usize,
    is_ending: bool,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        let network = Network::new(settings.seed, settings.rate);
        let log = Arc::new(Log::new(&settings, &network));
        Self {
            network,
            clock: Clock::start(settings.history, settings.rate),
            acts: Acts::default(),
            evil: Ledger::default(),
            state: Mutex::new(State {
                settings,
                log,
                announced: Vec::new(),
                refused: 0,
                open: HashMap::new(),
                streams: 0,
                next: 0,
                threads: 0,
                is_ending: false,
            }),
            ended: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings as they are for the next connection.
    pub(super) fn settings(&self) -> Settings {
        self.lock().settings.clone()
    }

    /// The settings as they are for the next connection, and the order that they make.
    pub(super) fn host(&self) -> (Settings, Arc<Log>) {
        let state = self.lock();
        (state.settings.clone(), Arc::clone(&state.log))
    }

    /// Changes the settings for the connections to come.
    pub(super) fn change(&self, change: impl FnOnce(&mut Settings)) {
        let mut state = self.lock();
        let before = (state.settings.protocol, state.settings.first_seq);
        change(&mut state.settings);
        state.log = Arc::new(Log::new(&state.settings, &self.network));
        state.refused = 0;
        if state.settings.protocol != before.0 {
            state.announced.push(OTHER_PROTOCOL);
        }
        if state.settings.first_seq != before.1 {
            state.announced.push(SEQ_RESTART);
        }
    }

    /// How many events exist now.
    pub(super) fn tip(&self, last: Option<u64>) -> u64 {
        let tip = self.clock.count_at(now_us());
        last.map_or(tip, |last| tip.min(last.saturating_add(1)))
    }

    /// Takes a connection, which gets a number; none where the simulator ends, or has too many.
    pub(super) fn add(&self, stream: &TcpStream) -> Option<u64> {
        let copy = stream.try_clone().ok()?;
        let mut state = self.lock();
        if state.is_ending || state.open.len() >= CONNECTIONS_MAX {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.open.insert(number, copy);
        Some(number)
    }

    /// A connection is done with. Before its own socket is closed, so that closing closes it.
    pub(super) fn remove(&self, number: u64) {
        self.lock().open.remove(&number);
    }

    /// Is this connection to be answered with an error? The number says which of them it is, from 0.
    pub(super) fn refuse(&self, times: u64) -> Option<u64> {
        let mut state = self.lock();
        let number = state.refused;
        (number < times).then(|| {
            state.refused += 1;
            number
        })
    }

    /// A stream was agreed on.
    pub(super) fn stream_began(&self) {
        let announced = {
            let mut state = self.lock();
            state.streams += 1;
            std::mem::take(&mut state.announced)
        };
        for name in announced {
            self.acts.count(name);
        }
    }

    /// Streams that were ever agreed on.
    pub(super) fn streams(&self) -> u64 {
        self.lock().streams
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> usize {
        self.lock().open.len()
    }

    /// Ends every connection now.
    pub(super) fn cut(&self) {
        let state = self.lock();
        self.acts.add(CUT, state.open.len() as u64);
        for stream in state.open.values() {
            // One that is closed already needs no end.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn is_ending(&self) -> bool {
        self.lock().is_ending
    }

    /// A thread begins.
    pub(super) fn thread_began(&self) {
        self.lock().threads += 1;
    }

    /// A thread has ended.
    pub(super) fn thread_ended(&self) {
        self.lock().threads -= 1;
        self.ended.notify_all();
    }

    /// Ends every connection, and takes no more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.is_ending = true;
        for stream in state.open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits until all threads have ended, so long at most; have they?
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut state = self.lock();
        while state.threads > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
