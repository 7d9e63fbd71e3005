//! What refers to what: who made an event, under which keys, and which earlier event it names.
//!
//! References end: a like names a post of class `Post`, which names none; a repost names such a post; what came
//! "via" names a plain repost; an answer names a `Post`, an answer to an answer names an answer.

use super::Synth;
use super::mix::Class;
use super::person::Person;
use super::random::Rng;
use crate::synth::ids::Tid;
use crate::synth::record::{RecordUri, Timestamp};

/// How many indices are looked through for an event of a class before history is: a mix may have none of it.
const LOOK_MAX: i64 = 512;
/// Events of one person in a row (a newcomer following a list) lie within so many indices.
const BURST_LEN: i64 = 64;
/// Percent of follows that are part of a burst.
const FOLLOWS_IN_BURSTS: u64 = 26;
/// Percent of references that go to one of the few posts that everyone sees.
const SUBJECTS_HOT: u64 = 10;
/// Such a post comes every 4.5 minutes, and stays so for some hours.
const HOT_EVERY_US_LOG2: u32 = 28;
const HOT_FOR_US_LOG2: u64 = 34;

/// When an event's commit was made, and under which key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamps {
    pub(super) rev: Tid,
    pub(super) rkey: Tid,
    pub(super) rkey_ms: u64,
    created_ms: u64,
}

impl Stamps {
    /// When the record says it was made, by the client's clock.
    pub(super) fn created_at(&self) -> Timestamp {
        Timestamp::from_ms(self.created_ms)
    }
}

impl Class {
    /// The collection that an event of this class is in, where the class decides it.
    pub(super) fn collection(self) -> &'static str {
        match self {
            Self::Like | Self::LikeVia | Self::LikeDelete => "app.bsky.feed.like",
            Self::Follow | Self::FollowDelete => "app.bsky.graph.follow",
            Self::Repost | Self::RepostVia | Self::RepostDelete => "app.bsky.feed.repost",
            Self::Block | Self::BlockDelete => "app.bsky.graph.block",
            Self::ListItem | Self::ListItemDelete => "app.bsky.graph.listitem",
            Self::ProfileCreate | Self::ProfileUpdate => "app.bsky.actor.profile",
            Self::OtherDelete => "org.hypercerts.claim.activity",
            Self::OtherCreate => "app.bsky.feed.threadgate",
            _ => "app.bsky.feed.post",
        }
    }

    /// What a delete of this class deletes.
    fn deleted(self) -> Option<Self> {
        match self {
            Self::LikeDelete => Some(Self::Like),
            Self::FollowDelete => Some(Self::Follow),
            Self::PostDelete => Some(Self::Post),
            Self::RepostDelete => Some(Self::Repost),
            Self::BlockDelete => Some(Self::Block),
            Self::ListItemDelete => Some(Self::ListItem),
            _ => None,
        }
    }
}

impl Synth {
    /// Who made an event that nothing else decides the maker of.
    pub(super) fn maker(&self, index: i64, class: Class) -> Person {
        let mut rng = self.rng("maker", index);
        let in_burst = match class {
            Class::Follow => rng.percent(FOLLOWS_IN_BURSTS),
            Class::Identity | Class::Account => true,
            _ => false,
        };
        if in_burst {
            rng = self.rng("burst", index.div_euclid(BURST_LEN) * 2 + i64::from(class == Class::Follow));
        }
        Person::busy(&mut rng)
    }

    /// Who made an answer to a post: now and then its own author goes on.
    pub(super) fn replier(&self, index: i64, to: i64) -> Person {
        let goes_on = self.rng("goes on", index).percent(20);
        if goes_on { self.maker(to, Class::Post) } else { self.maker(index, Class::Reply) }
    }

    /// The keys and times of a commit.
    pub(super) fn stamps(&self, index: i64, person: Person, class: Class) -> Stamps {
        let mut rng = self.rng("stamps", index);
        let rev_ms = self.nominal_us(index) / 1_000 - self.delay_ms(person);
        let (clock, count) = (self.server_clock(person), rng.below(1_000));
        let rev = Tid::new(rev_ms * 1_000 + count, clock);
        let by_client = matches!(class, Class::Post | Class::PostQuote | Class::Reply | Class::ReplyDeep);
        let (rkey_ms, rkey) = if by_client && rng.percent(85) {
            // A post's key is the client's, made before its pictures went up.
            let rkey_ms = rev_ms - rng.between(100, 1_500);
            (rkey_ms, Tid::new(rkey_ms * 1_000 + rng.below(1_000), rng.below(32) as u16))
        } else {
            let rkey_ms = rev_ms - 3 - rng.below(4) - rng.below(8);
            (rkey_ms, Tid::new(rkey_ms * 1_000 + count, clock))
        };
        let created_ms = if rng.percent(75) {
            rkey_ms - rng.between(20, 520)
        } else {
            // Many clocks are wrong.
            rkey_ms + rng.below(2_500) - 800
        };
        Stamps { rev, rkey, rkey_ms, created_ms }
    }

    /// The address of the record that an event made.
    pub(super) fn uri(&self, index: i64, person: Person, class: Class) -> RecordUri {
        let rkey = self.stamps(index, person, class).rkey;
        RecordUri { did: self.did(person), collection: class.collection(), rkey }
    }

    /// The last event of a class that is some time older than event `index`.
    fn earlier(&self, index: i64, age_us: u64, class: Class) -> i64 {
        let distance = (age_us as f64 / self.spacing_us) as i64;
        let newest = index - distance.max(1);
        let near = (newest - LOOK_MAX..=newest).rev().find(|&at| self.is_class(at, class));
        // History has every class, so this ends.
        let mut at = newest.min(0) - LOOK_MAX;
        near.unwrap_or_else(|| {
            while !self.is_class(at, class) {
                at -= 1;
            }
            at
        })
    }

    /// The event that a reference names: mostly of the same day, sometimes a year old, and now and then one that
    /// everyone names.
    pub(super) fn subject(&self, index: i64, class: Class, rng: &mut Rng) -> i64 {
        let age_us = if rng.percent(SUBJECTS_HOT) {
            let oldest_us = self.nominal_us(index) - rng.below(1 << HOT_FOR_US_LOG2);
            self.nominal_us(index) - (oldest_us >> HOT_EVERY_US_LOG2 << HOT_EVERY_US_LOG2)
        } else {
            let magnitude = if rng.percent(80) { rng.between(23, 37) } else { rng.between(37, 45) };
            (1 << magnitude) + rng.below(1 << magnitude)
        };
        self.earlier(index, age_us, class)
    }

    /// The record that a delete names, and whose it was.
    pub(super) fn deleted(&self, index: i64, class: Class) -> (Person, Tid) {
        let mut rng = self.rng("deleted", index);
        let Some(deleted) = class.deleted() else {
            let person = self.maker(index, class);
            let made_ms = self.stamps(index, person, class).rkey_ms - rng.below(1 << 35);
            return (person, Tid::new(made_ms * 1_000 + rng.below(1_000), self.server_clock(person)));
        };
        let target = self.subject(index, deleted, &mut rng);
        let person = self.maker(target, deleted);
        (person, self.stamps(target, person, deleted).rkey)
    }
}
