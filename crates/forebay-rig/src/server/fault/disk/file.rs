//! A file's bytes as the programs see them, and what a power cut would leave of them.

use super::undo::Undo;
use fastrand::Rng;

/// How to undo one change.
#[derive(Debug)]
enum Step {
    /// It had been this long.
    Shorten(usize),
    /// These bytes had been here.
    PutBack(usize, Vec<u8>),
    /// It had ended with these as well.
    Append(Vec<u8>),
}

/// A file.
#[derive(Debug, Default)]
pub(super) struct File {
    bytes: Vec<u8>,
    undo: Undo<Step>,
}

impl File {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn write(&mut self, at: usize, data: &[u8]) {
        if at > self.bytes.len() {
            self.resize(at);
        }
        let over = (self.bytes.len() - at).min(data.len());
        if over > 0 {
            self.undo.push(Step::PutBack(at, self.bytes[at..at + over].to_vec()));
            self.bytes[at..at + over].copy_from_slice(&data[..over]);
        }
        if over < data.len() {
            self.undo.push(Step::Shorten(self.bytes.len()));
            self.bytes.extend_from_slice(&data[over..]);
        }
    }

    pub(super) fn resize(&mut self, length: usize) {
        let now = self.bytes.len();
        if length < now {
            self.undo.push(Step::Append(self.bytes.split_off(length)));
        } else if length > now {
            self.undo.push(Step::Shorten(now));
            self.bytes.resize(length, 0);
        }
    }

    pub(super) fn changes(&self) -> u64 {
        self.undo.changes()
    }

    pub(super) fn settle(&mut self, changes: u64) {
        self.undo.settle(changes);
    }

    /// The power fails: changes that have not settled are gone. With `some`, as many of the oldest of them stay as it
    /// draws, and of what the next one had appended a part. How many changes are gone.
    pub(super) fn cut_power(&mut self, mut some: Option<&mut Rng>) -> u64 {
        let surviving = self.undo.surviving(some.as_deref_mut());
        let gone = self.undo.changes() - surviving;
        let mut torn = Vec::new();
        while self.undo.changes() > surviving {
            torn = self.undo_newest();
        }
        if let Some(draw) = some {
            let stays = draw.usize(..=torn.len());
            self.bytes.extend(&torn[..stays]);
        }
        self.undo.settle(surviving);
        gone
    }

    /// Undoes the newest change; what it had appended.
    fn undo_newest(&mut self) -> Vec<u8> {
        match self.undo.newest() {
            Some(Step::Shorten(length)) => return self.bytes.split_off(length),
            Some(Step::PutBack(at, old)) => self.bytes[at..at + old.len()].copy_from_slice(&old),
            Some(Step::Append(tail)) => self.bytes.extend(tail),
            None => {}
        }
        Vec::new()
    }

    /// Changes what is on the disk itself; what the change says of it.
    pub(super) fn damage<T>(&mut self, change: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.undo.settle(u64::MAX);
        change(&mut self.bytes)
    }
}
