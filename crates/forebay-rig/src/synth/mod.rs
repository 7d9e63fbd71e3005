//! Made-up events of the shape, size and entropy of the network's, as many as wanted and always the same.
//!
//! Event `k` is a function of seed, mix, rate and `k` alone: any event can be made, and so checked, without the
//! others. All of them live in one universe: a like names a post by the address and CID that this post's own event
//! has. Events have history (indices below 0), so the first ones too have something to like. Chains of references
//! end because each kind refers to simpler ones only (see `universe`).

mod draft;
pub mod ids;
mod mix;
mod person;
mod posts;
mod profiles;
mod random;
pub mod record;
mod text;
mod universe;
mod words;
mod write;

pub use mix::Mix;

use mix::{Class, Classes};
use random::{Rng, hash};

/// When event 0 was received, in microseconds since 1970: 4 July 2026, as the recorded events.
const START_US: u64 = 1_783_175_888_085_434;
/// The network's mean of November and December 2024.
const NETWORK_RATE: f64 = 938.0;

/// A source of made-up events. Making one changes nothing, so it can be shared and copied.
#[derive(Debug, Clone)]
pub struct Synth {
    seed: u64,
    classes: Classes,
    history: Classes,
    /// Microseconds between events.
    spacing_us: f64,
}

impl Synth {
    /// Events of this seed and mix, at the network's rate.
    pub fn new(seed: u64, mix: Mix) -> Self {
        Self {
            seed: hash(seed, 0, 0),
            classes: Classes::of(mix),
            history: Classes::of(Mix::network()),
            spacing_us: 1e6 / NETWORK_RATE,
        }
    }

    /// Events of this seed in the network's mix, at the network's rate.
    pub fn network(seed: u64) -> Self {
        Self::new(seed, Mix::network())
    }

    /// The same with other times: so many events a second, from one in a quarter of an hour to a billion.
    #[must_use]
    pub fn with_rate(mut self, events_per_second: f64) -> Self {
        let rate = if events_per_second.is_nan() { NETWORK_RATE } else { events_per_second };
        self.spacing_us = 1e6 / rate.clamp(0.001, 1e9);
        self
    }

    /// Appends event `index` (below 2^63) as one line of JSON, without the newline.
    pub fn write_event(&self, index: u64, out: &mut Vec<u8>) {
        self.write(index.cast_signed(), out);
    }

    /// When event `index` was received, in microseconds since 1970. As on the network this goes back a little now
    /// and then: a relay's order is not that of its clock.
    pub fn time_us(&self, index: u64) -> u64 {
        self.received_us(index.cast_signed())
    }

    /// The time of an event without the disorder of the relay.
    fn nominal_us(&self, index: i64) -> u64 {
        START_US.saturating_add_signed((index as f64 * self.spacing_us) as i64)
    }

    fn received_us(&self, index: i64) -> u64 {
        let bits = self.bits("received", index);
        // A fifth come from behind: they waited for their turn up to 16 ms.
        let late_us = if bits.is_multiple_of(5) { (bits >> 8) % 16_000 } else { (bits >> 8) % 1_500 };
        self.nominal_us(index) - late_us
    }

    fn class(&self, index: i64) -> Class {
        self.classes_at(index).class(self.class_bits(index))
    }

    fn is_class(&self, index: i64, class: Class) -> bool {
        self.classes_at(index).is(self.class_bits(index), class)
    }

    fn classes_at(&self, index: i64) -> &Classes {
        if index < 0 { &self.history } else { &self.classes }
    }

    fn class_bits(&self, index: i64) -> u32 {
        (self.bits("class", index) >> 32) as u32
    }

    /// 64 bits of an event for one purpose.
    fn bits(&self, purpose: &'static str, index: i64) -> u64 {
        hash(self.seed, salt(purpose), index as u64)
    }

    /// As many bits of an event as wanted for one purpose.
    fn rng(&self, purpose: &'static str, index: i64) -> Rng {
        Rng::new(self.bits(purpose, index))
    }
}

/// A number that keeps draws for different purposes apart. Inlined, it costs nothing at run time.
#[inline]
const fn salt(purpose: &'static str) -> u64 {
    let bytes = purpose.as_bytes();
    let mut value = 0xCBF2_9CE4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        value = (value ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01B3);
        at += 1;
    }
    value
}
