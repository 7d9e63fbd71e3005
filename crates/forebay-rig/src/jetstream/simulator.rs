//! The simulator as tests and proofs see it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use super::dictionary::Which;
use super::encode::{Encoder, Form, Parts};
use super::evil::Sent;
use super::fault::FaultName;
use super::listen;
use super::network::Network;
use super::settings::Settings;
use super::shared::Shared;

/// A Jetstream on a port of 127.0.0.1. Dropping it closes the port and every connection, and ends its threads.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Simulator {
    /// Starts one on a free port. Its history lies before now, and live events come from now on.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(settings));
        listen::start(&shared, listener)?;
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as `ws://127.0.0.1:PORT`, without a path.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// How many events exist now: those of the indices below.
    pub fn tip(&self) -> u64 {
        self.shared.tip(self.shared.settings().last)
    }

    /// The network that it serves.
    pub fn network(&self) -> &Network {
        &self.shared.network
    }

    /// Event `index` as it is served now in this form, without a line end: the same bytes for every connection, as long as the
    /// settings stay.
    pub fn line(&self, index: u64, form: Form) -> Vec<u8> {
        let (settings, log) = self.shared.host();
        let chunk = self.shared.network.chunk(index);
        let seq = settings.first_seq + log.place(index);
        let time_us = self.shared.clock.shown_us(index, &settings.faults);
        let mut line = Vec::new();
        Encoder::default().write(&Parts::of(chunk.line(index)), form, seq, time_us, &mut line);
        line
    }

    /// When event `index` came or comes to exist, in microseconds since 1970: what a cursor of that kind is compared with, and
    /// without faults what the event shows.
    pub fn time_us(&self, index: u64) -> u64 {
        self.shared.clock.time_us(index)
    }

    /// The seq of event `index` as it is now.
    pub fn seq(&self, index: u64) -> u64 {
        let (settings, log) = self.shared.host();
        settings.first_seq + log.place(index)
    }

    /// The oldest event that can still be had.
    pub fn oldest(&self) -> u64 {
        let settings = self.shared.settings();
        self.shared.tip(settings.last).saturating_sub(settings.retention)
    }

    /// The dictionary of `compress=true`. That of the second protocol's stream is handed out by the host itself.
    pub fn dictionary() -> io::Result<&'static [u8]> {
        Which::V1.bytes()
    }

    /// How often each fault acted, by name. Besides those of [`Fault::name`](super::Fault::name): `clamped`, `future`,
    /// `other-protocol`, `seq-restart`, `cut`, `no-pong`, `not-taken`.
    pub fn acted(&self) -> Vec<(FaultName, u64)> {
        self.shared.acts.list()
    }

    /// How often this one acted.
    pub fn times(&self, name: &str) -> u64 {
        self.shared.acts.times(name)
    }

    /// What it sent that breaks careless parsers.
    pub fn evil(&self) -> Vec<Sent> {
        self.shared.evil.list()
    }

    /// Streams that it ever agreed to, those that are over included.
    pub fn connections(&self) -> u64 {
        self.shared.streams()
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.shared.connections.open()
    }

    /// Changes the settings for the connections to come; those that are there keep theirs, until [`cut`](Self::cut).
    /// Seed, rate and history stay as they were.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.shared.change(|settings| {
            let (seed, rate, history) = (settings.seed, settings.rate, settings.history);
            change(settings);
            (settings.seed, settings.rate, settings.history) = (seed, rate, history);
        });
    }

    /// Ends every connection now, without a close frame, as a host that is started again.
    pub fn cut(&self) {
        self.shared.cut();
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.connections.end(self.address);
    }
}
