//! The ledger: every event's fate, kept outside of what is broken.
//!
//! An event is a function of its number, so the ledger keeps numbers, not bytes, and makes each event again to
//! hold what was read against it, byte for byte. A lane acknowledges in the order of its pushes, so what is
//! acknowledged of a lane is a count.
//!
//! lost = acknowledged − read; unexpected = read − offered. An event that is neither acknowledged nor given up
//! is unknown: it owes nothing and may turn up. One that the writer counted as given up (shed, trimmed) is owed no
//! more, and must not turn up: then the count was wrong.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

pub use crate::findings::Findings;
use forebay::buffer::overflow::{Fate, FateReport};
use forebay::event::jetstream;
use forebay::event::lane::Lane;

/// Makes event number `index` again, appending its bytes.
pub type Make<'a> = dyn Fn(u64, &mut Vec<u8>) + Sync + 'a;

/// What events look like, by a keyed hash of 64 bits of each: to know them again without making them again.
#[derive(Default)]
pub struct Prints {
    state: RandomState,
    of: Vec<u64>,
}

impl Prints {
    /// What an event looks like.
    pub fn of(&self, event: &[u8]) -> u64 {
        self.state.hash_one(event)
    }

    /// The next events look like these.
    pub fn add(&mut self, prints: Vec<u64>) {
        self.of.extend(prints);
    }

    fn at(&self, index: u64) -> Option<u64> {
        self.of.get(usize::try_from(index).ok()?).copied()
    }

    fn is(&self, index: u64, event: &[u8]) -> bool {
        self.at(index).is_some_and(|print| print == self.of(event))
    }
}

/// Every event's fate.
pub struct Ledger<'a> {
    make: &'a Make<'a>,
    prints: Option<&'a Prints>,
    lanes: [LaneLedger; jetstream::ALL.len()],
    unexpected: u64,
    scratch: Vec<u8>,
    /// How events are hashed where their prints are not known.
    state: RandomState,
    /// Where each offered event stands, by the hash of its bytes. Made when the first event is not the one expected: a sound
    /// buffer never needs it.
    places: Option<HashMap<u64, (Lane, usize)>>,
}

/// What is owed of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// Nothing, as yet.
    Open,
    /// That it comes back.
    Back,
    /// That it does not: it was counted as given up.
    Gone,
}

/// A lane's events in the order in which they were offered.
#[derive(Default)]
struct LaneLedger {
    offered: Vec<u64>,
    /// As far as anything is owed.
    owed: Vec<Owed>,
    read: Vec<bool>,
    /// The place after the last one read.
    next: usize,
    /// Where the next one read stands, should it not be `next`.
    hint: usize,
    repeats: u64,
    out_of_order: u64,
}

impl<'a> Ledger<'a> {
    /// Nothing offered yet.
    pub fn new(make: &'a Make<'a>) -> Self {
        Self {
            make,
            prints: None,
            lanes: Default::default(),
            unexpected: 0,
            scratch: Vec::new(),
            state: RandomState::new(),
            places: None,
        }
    }

    /// The same where it is known beforehand what each event looks like: events are told by their hash then.
    pub fn with_prints(make: &'a Make<'a>, prints: &'a Prints) -> Self {
        Self { prints: Some(prints), ..Self::new(make) }
    }

    /// Event `index` is about to be pushed to `lane`.
    pub fn offered(&mut self, lane: Lane, index: u64) {
        self.lanes[lane.index()].offered.push(index);
    }

    /// The first `count` events offered to `lane` are acknowledged.
    pub fn acknowledged(&mut self, lane: Lane, count: u64) {
        self.owe(lane, 0, count, Owed::Back);
    }

    /// So many events of `lane`, from one on, were given up: they are owed no more, and must not turn up.
    pub fn given_up(&mut self, lane: Lane, from: u64, count: u64) {
        self.owe(lane, from, count, Owed::Gone);
    }

    /// A writer that began with an empty lane said what became of some events.
    pub fn told(&mut self, told: FateReport) {
        let owed = match told.fate {
            Fate::Acknowledged | Fate::Spilled => Owed::Back,
            Fate::Shed | Fate::Trimmed => Owed::Gone,
        };
        self.owe(told.lane, told.from, told.events, owed);
    }

    fn owe(&mut self, lane: Lane, from: u64, events: u64, now: Owed) {
        let account = &mut self.lanes[lane.index()];
        let end = account.offered.len();
        let place = |number: u64| usize::try_from(number).unwrap_or(end).min(end);
        let (from, to) = (place(from), place(from.saturating_add(events)));
        if account.owed.len() < to {
            account.owed.resize(end, Owed::Open);
        }
        for owed in &mut account.owed[from..to] {
            // What was given up stays so, whenever it is heard that it had been acknowledged.
            if *owed != Owed::Gone {
                *owed = now;
            }
        }
    }

    /// The next event read of `lane` should be the one after so many acknowledged ones. This only saves a search.
    pub fn hint(&mut self, lane: Lane, before: u64) {
        self.lanes[lane.index()].hint = usize::try_from(before).unwrap_or(usize::MAX);
    }

    /// An event came out of `lane`.
    pub fn read(&mut self, lane: Lane, event: &[u8]) {
        let account = &self.lanes[lane.index()];
        for place in [account.next_owed(), account.hint] {
            if self.is(lane, place, event) {
                self.found(lane, place);
                return;
            }
        }
        match self.look_up(event) {
            Some((at, place)) if at == lane && self.is(lane, place, event) => self.found(lane, place),
            _ => self.unexpected += 1,
        }
    }

    /// Whether the event offered at a place has just these bytes.
    fn is(&mut self, lane: Lane, place: usize, event: &[u8]) -> bool {
        let Some(index) = self.lanes[lane.index()].offered.get(place) else { return false };
        if let Some(prints) = self.prints {
            return prints.is(*index, event);
        }
        self.scratch.clear();
        (self.make)(*index, &mut self.scratch);
        self.scratch == event
    }

    fn found(&mut self, lane: Lane, place: usize) {
        let account = &mut self.lanes[lane.index()];
        account.read.resize(account.offered.len(), false);
        if std::mem::replace(&mut account.read[place], true) {
            account.repeats += 1;
        } else if place < account.next {
            account.out_of_order += 1;
        }
        account.next = account.next.max(place + 1);
    }

    fn look_up(&mut self, event: &[u8]) -> Option<(Lane, usize)> {
        let state = self.prints.map_or(&self.state, |prints| &prints.state);
        if self.places.is_none() {
            let (mut places, mut bytes) = (HashMap::new(), Vec::new());
            for lane in jetstream::ALL {
                for (place, index) in self.lanes[lane.index()].offered.iter().enumerate() {
                    let known = self.prints.and_then(|prints| prints.at(*index));
                    let print = known.unwrap_or_else(|| {
                        bytes.clear();
                        (self.make)(*index, &mut bytes);
                        state.hash_one(&bytes[..])
                    });
                    places.insert(print, (lane, place));
                }
            }
            self.places = Some(places);
        }
        self.places.as_ref()?.get(&state.hash_one(event)).copied()
    }

    /// What is lost: the lane, and how many of its events were offered before.
    pub fn lost(&self) -> impl Iterator<Item = (Lane, u64)> {
        let of = |lane: Lane| self.lanes[lane.index()].lost().map(move |place| (lane, place as u64));
        jetstream::ALL.into_iter().flat_map(of)
    }

    /// What was found once everything is read.
    pub fn findings(&self) -> Findings {
        let mut all = Findings { unexpected: self.unexpected, ..Findings::default() };
        for account in &self.lanes {
            account.add_to(&mut all);
        }
        all
    }
}

impl LaneLedger {
    fn owed(&self, place: usize) -> Owed {
        self.owed.get(place).copied().unwrap_or(Owed::Open)
    }

    /// The first place after the last one read that was not given up.
    fn next_owed(&self) -> usize {
        let gone = self.owed.get(self.next..).unwrap_or_default();
        self.next + gone.iter().take_while(|owed| **owed == Owed::Gone).count()
    }

    /// Acknowledged, and not read.
    fn lost(&self) -> impl Iterator<Item = usize> {
        let was_read = |place: &usize| self.read.get(*place).copied().unwrap_or(false);
        (0..self.offered.len()).filter(move |place| self.owed(*place) == Owed::Back && !was_read(place))
    }

    fn add_to(&self, all: &mut Findings) {
        let offered = self.offered.len();
        all.offered += offered as u64;
        let count = |owed: Owed| (0..offered).filter(|place| self.owed(*place) == owed).count() as u64;
        all.acknowledged += count(Owed::Back);
        all.given_up += count(Owed::Gone);
        all.unknown += count(Owed::Open);
        all.read += self.read.iter().filter(|read| **read).count() as u64;
        all.repeats += self.repeats;
        all.out_of_order += self.out_of_order;
        let was_read = |place: usize| self.read.get(place).copied().unwrap_or(false);
        all.kept +=
            (0..offered).filter(|place| self.owed(*place) == Owed::Gone && was_read(*place)).count() as u64;
        let span = self.read.iter().position(|read| *read).zip(self.read.iter().rposition(|read| *read));
        for place in self.lost() {
            *match span {
                None => &mut all.lost_whole,
                Some((first, _)) if place < first => &mut all.lost_prefix,
                Some((_, last)) if place > last => &mut all.lost_tail,
                Some(_) => &mut all.lost_middle,
            } += 1;
        }
    }
}

#[cfg(test)]
mod tests;
