//! What the threads of a simulator share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::{Acts, Connections};

use super::clock::{Clock, now_us};
use super::evil::Ledger;
use super::fault::{CUT, OTHER_PROTOCOL, SEQ_RESTART};
use super::log::Log;
use super::network::Network;
use super::settings::Settings;

/// What the threads of a simulator share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) network: Network,
    pub(super) clock: Clock,
    pub(super) acts: Acts,
    pub(super) evil: Ledger,
    pub(super) connections: Arc<Connections>,
    state: Mutex<State>,
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
    /// Streams that were ever agreed on.
    streams: u64,
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
            connections: Connections::new("jetstream"),
            state: Mutex::new(State { settings, log, announced: Vec::new(), refused: 0, streams: 0 }),
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

    /// Ends every connection now.
    pub(super) fn cut(&self) {
        self.acts.add(CUT, self.connections.cut() as u64);
    }
}
