//! Two folders that were exchanged: what a journal has as one change, and so both survive a power cut or neither does.

use std::collections::BTreeMap;

/// A folder, and which of its changes it was, counted from 1.
pub(super) type Change = (u64, u64);

/// Exchanges across two folders that may be undone.
#[derive(Debug, Default)]
pub(super) struct Exchanges(Vec<[Change; 2]>);

impl Exchanges {
    pub(super) fn push(&mut self, changes: [Change; 2]) {
        self.0.push(changes);
    }

    /// Of a folder so many changes stay: which others stay with them, each of another folder. Those are asked for in turn.
    pub(super) fn settled_with(&mut self, folder: u64, changes: u64) -> Vec<Change> {
        let mut others = Vec::new();
        self.0.retain(|[one, other]| {
            let is_settled = |at: &Change| at.0 == folder && at.1 <= changes;
            let found = if is_settled(one) { Some(*other) } else { is_settled(other).then_some(*one) };
            others.extend(found);
            found.is_none()
        });
        others
    }

    /// Makes what survives of each folder fit: where one half of an exchange is gone, so is the other, and what came after it.
    pub(super) fn undo_both(&mut self, surviving: &mut BTreeMap<u64, u64>) {
        loop {
            let before = surviving.clone();
            for [one, other] in &self.0 {
                for (gone, with) in [(one, other), (other, one)] {
                    let is_gone = surviving.get(&gone.0).is_none_or(|changes| *changes < gone.1);
                    if let Some(changes) = surviving.get_mut(&with.0).filter(|_| is_gone) {
                        *changes = (*changes).min(with.1 - 1);
                    }
                }
            }
            if *surviving == before {
                return self.0.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_an_exchange_stay_together() {
        let mut exchanges = Exchanges::default();
        exchanges.push([(1, 3), (2, 1)]);
        exchanges.push([(2, 2), (3, 5)]);
        let mut surviving = BTreeMap::from([(1, 2), (2, 4), (3, 9)]);
        exchanges.undo_both(&mut surviving);
        assert_eq!(surviving, BTreeMap::from([(1, 2), (2, 0), (3, 4)]));
        exchanges.push([(1, 3), (2, 1)]);
        assert_eq!(exchanges.settled_with(1, 2), []);
        assert_eq!(exchanges.settled_with(2, 1), [(1, 3)]);
        assert_eq!(exchanges.settled_with(2, 1), []);
    }
}
