//! How to undo the changes that no fsync has covered yet.

use std::collections::VecDeque;

use fastrand::Rng;

/// How to undo each change that has not settled, oldest first.
#[derive(Debug)]
pub(super) struct Undo<T> {
    steps: VecDeque<T>,
    /// Changes that cannot be undone any more.
    settled: u64,
}

impl<T> Default for Undo<T> {
    fn default() -> Self {
        Self { steps: VecDeque::new(), settled: 0 }
    }
}

impl<T> Undo<T> {
    pub(super) fn push(&mut self, step: T) {
        self.steps.push_back(step);
    }

    /// Changes ever, until now: what an fsync that begins now will cover.
    pub(super) fn changes(&self) -> u64 {
        self.settled + self.steps.len() as u64
    }

    /// The first so many changes stay, whatever comes.
    pub(super) fn settle(&mut self, changes: u64) {
        while self.settled < changes && self.steps.pop_front().is_some() {
            self.settled += 1;
        }
    }

    /// The newest change that may be undone.
    pub(super) fn newest(&mut self) -> Option<T> {
        self.steps.pop_back()
    }

    /// How many changes survive a power cut: the settled ones, and with `some` as many more of the oldest as it draws.
    pub(super) fn surviving(&self, some: Option<&mut Rng>) -> u64 {
        self.settled + some.map_or(0, |draw| draw.u64(..=self.steps.len() as u64))
    }

    /// What the changes that have not settled need to be undone.
    pub(super) fn steps(&self) -> impl Iterator<Item = &T> {
        self.steps.iter()
    }
}
