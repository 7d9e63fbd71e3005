//! What every experiment on a setting needs: servers of our own, and events to fill them with.

use std::ops::Range;

use crate::Subject;
use crate::own_server::{OwnServer, writer};
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::{Counts, Writer};
use forebay_rig::synth::Synth;

/// What every experiment needs; `S` is how much they try.
pub struct Bench<'a, S> {
    /// Whose profile, binary, seed and listener they use.
    pub on: Subject<'a>,
    /// How much they try.
    pub sizes: S,
    /// At the network's mean rate.
    pub events: Synth,
    /// When the writer cuts.
    pub limits: Limits,
}

impl<'a, S> Bench<'a, S> {
    /// Of a subject.
    pub fn of(on: &Subject<'a>, sizes: S) -> anyhow::Result<Self> {
        Ok(Self {
            on: *on,
            sizes,
            events: Synth::network(on.seed).with_rate(on.profile.rates.network),
            limits: on.profile.limits().map_err(anyhow::Error::msg)?,
        })
    }

    /// Starts a server without `maxmemory`.
    pub fn start(&self) -> anyhow::Result<OwnServer> {
        OwnServer::start(self.on.binary)
    }

    /// A writer that soon gives up.
    pub fn writer(&self, address: &Address, name: &Name) -> Result<Writer, Error> {
        writer(address, name, self.limits)
    }

    /// Fills a server with events, cut as at the network's mean rate.
    pub fn fill(&self, own: &OwnServer, events: Range<u64>) -> Result<Counts, Error> {
        self.fill_at(own, events, self.on.profile.rates.network)
    }

    /// The same at another rate.
    pub fn fill_at(&self, own: &OwnServer, events: Range<u64>, rate: f64) -> Result<Counts, Error> {
        own.fill(&self.events, events, rate, self.limits)
    }
}
