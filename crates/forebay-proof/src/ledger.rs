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

use crate::report::units::thousands;
use forebay::buffer::overflow::{Fate, Told};
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
    lanes: [Account; jetstream::ALL.len()],
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
struct Account {
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

/// What the ledger found, all lanes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings {
    /// Events pushed.
    pub offered: u64,
    /// Events acknowledged.
    pub acknowledged: u64,
    /// Events counted as given up.
    pub given_up: u64,
    /// Events neither acknowledged nor given up.
    pub unknown: u64,
    /// Different offered events read.
    pub read: u64,
    /// Acknowledged and not read, in lanes of which nothing was.
    pub lost_whole: u64,
    /// Acknowledged and not read, before the first one of their lane that was.
    pub lost_prefix: u64,
    /// Acknowledged and not read, between others of their lane.
    pub lost_middle: u64,
    /// Acknowledged and not read, after the last one of their lane that was.
    pub lost_tail: u64,
    /// Read and never offered, or with other bytes, or in another lane.
    pub unexpected: u64,
    /// Read once more.
    pub repeats: u64,
    /// Read after a later one of their lane.
    pub out_of_order: u64,
    /// Read although they were counted as given up.
    pub kept: u64,
}

impl Findings {
    /// Those of another buffer as well.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            offered: self.offered + other.offered,
            acknowledged: self.acknowledged + other.acknowledged,
            given_up: self.given_up + other.given_up,
            unknown: self.unknown + other.unknown,
            read: self.read + other.read,
            lost_whole: self.lost_whole + other.lost_whole,
            lost_prefix: self.lost_prefix + other.lost_prefix,
            lost_middle: self.lost_middle + other.lost_middle,
            lost_tail: self.lost_tail + other.lost_tail,
            unexpected: self.unexpected + other.unexpected,
            repeats: self.repeats + other.repeats,
            out_of_order: self.out_of_order + other.out_of_order,
            kept: self.kept + other.kept,
        }
    }

    /// Acknowledged and not read.
    pub fn lost(&self) -> u64 {
        self.lost_whole + self.lost_prefix + self.lost_middle + self.lost_tail
    }

    /// Everything that a sound buffer has none of.
    pub fn faults(&self) -> u64 {
        self.lost() + self.unexpected + self.repeats + self.out_of_order + self.kept
    }

    /// For people: what is wrong, or that nothing is.
    pub fn sentence(&self) -> String {
        let show = |count: u64| thousands(count as f64, 0);
        let gone = match self.given_up {
            0 => String::new(),
            _ => format!("; {} counted as given up", show(self.given_up)),
        };
        if self.faults() == 0 {
            let none = if gone.is_empty() { "" } else { ", and none of them came back" };
            return format!(
                "{} acknowledged, {} read back, each the same bytes, once, in its lane's order{gone}{none}",
                show(self.acknowledged),
                show(self.read)
            );
        }
        let gone = match self.kept {
            0 => gone,
            kept => format!("{gone}, of which {} came back all the same", show(kept)),
        };
        format!(
            "of {} acknowledged {} are lost (whole lanes {}, prefix {}, middle {}, tail {}); {} read that were never \
             offered, {} repeated, {} out of order{gone}",
            show(self.acknowledged),
            show(self.lost()),
            show(self.lost_whole),
            show(self.lost_prefix),
            show(self.lost_middle),
            show(self.lost_tail),
            show(self.unexpected),
            show(self.repeats),
            show(self.out_of_order)
        )
    }
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

    /// A writer that began with an empty lane said what became of some events.
    pub fn told(&mut self, told: Told) {
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

impl Account {
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
mod tests {
    use super::*;

    fn make(index: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("event {index}").as_bytes());
    }

    /// A ledger with events 0 to 9 offered to one lane, the first 8 acknowledged, and `read` read.
    fn ledger(read: &[u64]) -> Findings {
        let mut ledger = Ledger::new(&make);
        (0..10).for_each(|index| ledger.offered(jetstream::LIKES, index));
        ledger.acknowledged(jetstream::LIKES, 8);
        for index in read {
            ledger.read(jetstream::LIKES, format!("event {index}").as_bytes());
        }
        ledger.findings()
    }

    #[test]
    fn a_sound_buffer_has_no_faults_and_an_unknown_event_may_turn_up_or_not() {
        for end in 8..=10 {
            let findings = ledger(&(0..end).collect::<Vec<_>>());
            assert_eq!((findings.faults(), findings.read, findings.unknown), (0, end, 2));
        }
    }

    #[test]
    fn what_is_acknowledged_and_not_read_is_lost_and_said_where() {
        let findings = ledger(&[1, 2, 4, 5]);
        assert_eq!((findings.lost_prefix, findings.lost_middle, findings.lost_tail), (1, 1, 2));
        assert_eq!(ledger(&[]).lost_whole, 8);
    }

    #[test]
    fn findings_of_two_buffers_are_added_and_every_kind_of_fault_counts() {
        // No two alike, so that one field cannot stand for another, nor a product for a sum.
        let of = |from: u64| Findings {
            offered: from + 20,
            acknowledged: from + 19,
            given_up: from + 18,
            unknown: from + 17,
            read: from + 16,
            lost_whole: from + 1,
            lost_prefix: from + 2,
            lost_middle: from + 4,
            lost_tail: from + 8,
            unexpected: from + 32,
            repeats: from + 64,
            out_of_order: from + 128,
            kept: from + 256,
        };
        let (one, other) = (of(1_000), of(50_000));
        assert_eq!((one.lost(), one.faults()), (4_015, 8_495));
        let both = one.and(other);
        assert_eq!((both.lost(), both.faults()), (4_015 + 200_015, 8_495 + 400_495));
        assert_eq!(
            (both.offered, both.acknowledged, both.given_up, both.unknown, both.read),
            (51_040, 51_038, 51_036, 51_034, 51_032)
        );
        assert_eq!(
            (both.lost_whole, both.lost_prefix, both.lost_middle, both.lost_tail),
            (51_002, 51_004, 51_008, 51_016)
        );
        assert_eq!(
            (both.unexpected, both.repeats, both.out_of_order, both.kept),
            (51_064, 51_128, 51_256, 51_512)
        );
    }

    #[test]
    fn events_that_are_known_by_their_hash_are_told_without_being_made_again() {
        let mut prints = Prints::default();
        prints.add(vec![prints.of(b"event 0"), prints.of(b"event 1")]);
        let never = |_: u64, _: &mut Vec<u8>| unreachable!("it is known by its hash");
        let mut ledger = Ledger::with_prints(&never, &prints);
        (0..2).for_each(|index| ledger.offered(jetstream::LIKES, index));
        ledger.acknowledged(jetstream::LIKES, 2);
        ledger.read(jetstream::LIKES, b"event 0");
        ledger.read(jetstream::LIKES, b"event 1");
        let findings = ledger.findings();
        assert_eq!((findings.faults(), findings.read), (0, 2));
        // And what is out of place, or was never offered.
        let mut ledger = Ledger::with_prints(&never, &prints);
        (0..2).for_each(|index| ledger.offered(jetstream::LIKES, index));
        ledger.acknowledged(jetstream::LIKES, 2);
        for event in [&b"event 1"[..], b"event 0", b"event X"] {
            ledger.read(jetstream::LIKES, event);
        }
        let findings = ledger.findings();
        assert_eq!((findings.out_of_order, findings.unexpected, findings.lost()), (1, 1, 0));
    }

    #[test]
    fn what_was_found_in_each_lane_is_added_up() {
        let mut ledger = Ledger::new(&make);
        let lanes = [(jetstream::LIKES, 0..5), (jetstream::POSTS, 5..12)];
        for (lane, indexes) in lanes.clone() {
            indexes.clone().for_each(|index| ledger.offered(lane, index));
            ledger.told(Told { lane, fate: Fate::Shed, from: 0, events: 1, retries: 0 });
            ledger.told(Told {
                lane,
                fate: Fate::Acknowledged,
                from: 1,
                events: indexes.end - indexes.start - 2,
                retries: 0,
            });
        }
        for (lane, indexes) in lanes {
            // One that was given up, two in the wrong order, and one of them once more.
            for index in [0, 2, 1, 1].map(|place| indexes.start + place) {
                ledger.read(lane, format!("event {index}").as_bytes());
            }
        }
        let found = ledger.findings();
        assert_eq!((found.offered, found.acknowledged, found.given_up, found.unknown), (12, 8, 2, 2));
        assert_eq!((found.read, found.kept, found.out_of_order, found.repeats), (6, 2, 2, 2));
        assert_eq!((found.lost_tail, found.lost()), (4, 4));
    }

    #[test]
    fn a_sentence_says_of_what_was_given_up_only_where_something_was() {
        let sound = Findings { acknowledged: 1_200, read: 1_200, ..Findings::default() };
        let each = "1,200 acknowledged, 1,200 read back, each the same bytes, once, in its lane's order";
        assert_eq!(sound.sentence(), each);
        let given_up = Findings { given_up: 3, ..sound };
        assert_eq!(given_up.sentence(), format!("{each}; 3 counted as given up, and none of them came back"));
        let kept = Findings { kept: 2, ..given_up };
        assert!(kept.sentence().ends_with("; 3 counted as given up, of which 2 came back all the same"));
        assert!(Findings { lost_tail: 1, ..sound }.sentence().ends_with("0 out of order"));
    }

    #[test]
    fn repeats_and_order_are_counted() {
        let findings = ledger(&[0, 1, 2, 2, 4, 3, 5, 6, 7]);
        assert_eq!((findings.repeats, findings.out_of_order, findings.lost()), (1, 1, 0));
    }

    #[test]
    fn an_event_with_other_bytes_or_in_another_lane_is_unexpected_and_the_one_offered_is_lost() {
        let mut ledger = Ledger::new(&make);
        ledger.offered(jetstream::LIKES, 0);
        ledger.offered(jetstream::POSTS, 1);
        ledger.acknowledged(jetstream::LIKES, 1);
        ledger.acknowledged(jetstream::POSTS, 1);
        ledger.read(jetstream::LIKES, b"event O");
        ledger.read(jetstream::LIKES, b"event 1");
        let findings = ledger.findings();
        assert_eq!((findings.unexpected, findings.lost()), (2, 2));
    }

    #[test]
    fn what_was_given_up_is_owed_no_more_and_must_not_come_back() {
        let tell = |ledger: &mut Ledger<'_>, fate, from, events| {
            ledger.told(Told { lane: jetstream::LIKES, fate, from, events, retries: 0 });
        };
        let ledger = |read: &[u64]| {
            let mut ledger = Ledger::new(&make);
            (0..10).for_each(|index| ledger.offered(jetstream::LIKES, index));
            tell(&mut ledger, Fate::Trimmed, 0, 2);
            tell(&mut ledger, Fate::Acknowledged, 0, 4);
            tell(&mut ledger, Fate::Shed, 4, 2);
            tell(&mut ledger, Fate::Spilled, 6, 3);
            for index in read {
                ledger.read(jetstream::LIKES, format!("event {index}").as_bytes());
            }
            assert!(
                ledger.places.is_none() || read[0] != 2 || read.len() < 5,
                "no search where nothing is wrong"
            );
            ledger.findings()
        };
        let sound = ledger(&[2, 3, 6, 7, 8]);
        assert_eq!((sound.acknowledged, sound.given_up, sound.unknown, sound.faults()), (5, 4, 1, 0));
        assert_eq!(ledger(&[1, 2, 3, 6, 7, 8]).kept, 1);
        assert_eq!((ledger(&[2, 3, 6, 8]).lost_middle, ledger(&[6, 7, 8]).lost_prefix), (1, 2));
    }
}
