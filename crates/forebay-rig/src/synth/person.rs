//! The people of the universe: who they are, and how often each is met.

use super::Synth;
use super::random::Rng;
use super::words::{LANGUAGES, Language};
use crate::synth::ids::Did;

/// Everyone there is.
const PEOPLE: f64 = 3e6;

/// A person, by rank: the lower, the busier and the better known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Person(u64);

impl Person {
    /// Someone who does something: the busiest does half a percent of all.
    pub(super) fn busy(rng: &mut Rng) -> Self {
        let unit = rng.unit();
        Self((PEOPLE * unit * unit * unit) as u64)
    }

    /// Someone to whom something is done: the best known gets 2 % of it.
    pub(super) fn known(rng: &mut Rng) -> Self {
        let unit = rng.unit();
        Self((PEOPLE * unit * unit * unit * unit) as u64)
    }
}

impl Synth {
    fn person_bits(&self, purpose: &'static str, person: Person) -> u64 {
        self.bits(purpose, person.0.cast_signed())
    }

    pub(super) fn did(&self, person: Person) -> Did {
        Did::from_bits(self.person_bits("did", person), self.person_bits("did, low", person))
    }

    /// What a person always draws the same: their language, their server.
    pub(super) fn habits(&self, person: Person) -> Rng {
        Rng::new(self.person_bits("habits", person))
    }

    /// How long a person's server takes until a commit is received, in milliseconds. Being the same each time, it
    /// keeps the revisions of one repository in order.
    pub(super) fn delay_ms(&self, person: Person) -> u64 {
        let mut rng = self.habits(person);
        if rng.percent(80) { rng.between(400, 560) } else { rng.between(560, 1_000) }
    }

    /// The number of the clock of a person's server: these use 32 of the 1,024.
    pub(super) fn server_clock(&self, person: Person) -> u16 {
        (self.person_bits("clock", person) % 32) as u16
    }

    /// The language a person writes in.
    pub(super) fn language(&self, person: Person) -> &'static Language {
        let mut share = self.person_bits("language", person) % 100;
        for language in LANGUAGES {
            if share < language.share {
                return language;
            }
            share -= language.share;
        }
        &LANGUAGES[0]
    }
}
