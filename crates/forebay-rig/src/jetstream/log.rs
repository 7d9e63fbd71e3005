//! The order of what a host has: places, of which each holds an event, an event that is there once more, or something evil.
//!
//! A seq is a place counted from the host's first. Without faults a place is an index. Faults that stand in the store,
//! and so come again with every replay, shift the places behind them; all of it is arithmetic, and nothing is kept.

use super::fault::Fault;
use super::network::Network;
use super::settings::{Protocol, Settings};

/// What is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// Event `index`.
    Event(u64),
    /// Event `index` once more, under another seq.
    Again(u64),
    /// The evil frame of this number, behind event `index`.
    Evil { number: u64, index: u64 },
}

impl Item {
    /// The event whose moment is this item's.
    pub(super) fn index(self) -> u64 {
        match self {
            Self::Event(index) | Self::Again(index) | Self::Evil { index, .. } => index,
        }
    }
}

/// The order of what a host has.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// The event before which some are again, and which those are.
    regress: Option<(u64, Vec<u64>)>,
    evil_every: Option<u64>,
}

impl Log {
    pub(super) fn new(settings: &Settings, network: &Network) -> Self {
        let mut log = Self::default();
        for fault in &settings.faults {
            match *fault {
                Fault::Regress { by, at } if settings.protocol == Protocol::V2 => {
                    let again = (at.saturating_sub(by)..at).filter(|&index| is_of_account(network, index));
                    log.regress = Some((at, again.collect()));
                }
                Fault::Evil { every } => log.evil_every = Some(every.max(1)),
                _ => {}
            }
        }
        log
    }

    /// What is at this place.
    pub(super) fn item(&self, place: u64) -> Item {
        let Some(every) = self.evil_every else { return self.event(place) };
        let (number, at) = (place / (every + 1), place % (every + 1));
        if at == every {
            return Item::Evil { number, index: self.event(number * every + at - 1).index() };
        }
        self.event(number * every + at)
    }

    fn event(&self, place: u64) -> Item {
        match &self.regress {
            Some((at, again)) if place >= *at => match again.get((place - at) as usize) {
                Some(&index) => Item::Again(index),
                None => Item::Event(place - again.len() as u64),
            },
            _ => Item::Event(place),
        }
    }

    /// The event with which this place comes to exist.
    pub(super) fn comes_with(&self, place: u64) -> u64 {
        let at = match self.evil_every {
            Some(every) => place / (every + 1) * every + (place % (every + 1)).min(every - 1),
            None => place,
        };
        match (self.event(at), &self.regress) {
            (Item::Again(_), Some((before, _))) => *before,
            (item, _) => item.index(),
        }
    }

    /// How many places there are when so many events exist; and so the place of the next event.
    pub(super) fn len(&self, events: u64) -> u64 {
        let again = match &self.regress {
            // They come just before the event itself.
            Some((at, again)) if events > *at => again.len() as u64,
            _ => 0,
        };
        let len = events + again;
        len + self.evil_every.map_or(0, |every| len / every)
    }

    /// The place of an event.
    pub(super) fn place(&self, index: u64) -> u64 {
        let again = match &self.regress {
            Some((at, again)) if index >= *at => again.len() as u64,
            _ => 0,
        };
        let at = index + again;
        at + self.evil_every.map_or(0, |every| at / every)
    }
}

/// Is it of an identity or an account?
fn is_of_account(network: &Network, index: u64) -> bool {
    let chunk = network.chunk(index);
    !super::encode::Parts::of(chunk.line(index)).is_commit
}
