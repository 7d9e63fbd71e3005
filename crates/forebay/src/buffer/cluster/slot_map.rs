//! Which node has which slot, as far as any node has said: of two that differ the one with the higher configuration epoch is right.

use std::time::Instant;

use super::slot::SLOTS;
use super::view::{Node, Place, View};

/// What is known of a cluster.
#[derive(Default)]
pub(super) struct SlotMap {
    pub view: View,
    /// For each slot the place of its master in the view, where one is known.
    pub owners: Vec<Option<u16>>,
    /// What nodes have said since, of slots that they do not have.
    pub moved: Vec<(u16, Place)>,
    /// Nodes that gave no answer, and when.
    pub silent: Vec<(Place, Instant)>,
    /// When nodes were last asked, and whether one said.
    pub told: Option<(Instant, Result<(), String>)>,
    /// Whom to ask first the next time: another one each time, since one may know less than the others.
    pub turn: usize,
}

impl SlotMap {
    pub fn master(&self, slot: u16) -> Option<&Node> {
        self.view.nodes.get(usize::from((*self.owners.get(usize::from(slot))?)?))
    }

    pub fn is_silent(&mut self, place: &Place) {
        self.silent.retain(|(silent, _)| silent != place);
        self.silent.push((place.clone(), Instant::now()));
    }

    /// Whether it names none of the nodes that are known: what answers at this address by now is of another cluster.
    pub fn is_strange(&self, view: &View) -> bool {
        let is_known = |node: &Node| self.view.nodes.iter().any(|known| known.id == node.id);
        !self.view.nodes.is_empty() && !view.nodes.iter().any(is_known)
    }

    pub fn begin_with(&mut self, view: View) {
        self.view = View::default();
        self.merge(view);
    }

    pub fn take(&mut self, from: &Place, view: View) {
        self.silent.retain(|(silent, _)| silent != from);
        self.merge(view);
    }

    /// Of slots that have another master here than there, the newer word counts, while the node is still one of the cluster. Where an
    /// operator has taken a slot away from one and given it to another, no epoch is newer: then two words count, that of a node
    /// without it and this view.
    pub fn merge(&mut self, mut view: View) {
        let mut owners = vec![None; usize::from(SLOTS)];
        for (index, node) in view.nodes.iter().enumerate().filter(|(_, node)| node.master.is_none()) {
            for slot in node.slots.iter().cloned().flatten() {
                owners[usize::from(slot)] = u16::try_from(index).ok();
            }
        }
        let of_old = |old: &Node| view.nodes.iter().position(|node| node.id == old.id);
        let old_at: Vec<Option<usize>> = self.view.nodes.iter().map(of_old).collect();
        for (slot, owner) in owners.iter_mut().enumerate() {
            let Some(old) = self.owners.get(slot).copied().flatten().map(usize::from) else { continue };
            let (Some(old), Some(Some(at))) = (self.view.nodes.get(old), old_at.get(old)) else { continue };
            let said = owner.and_then(|index| view.nodes.get(usize::from(index)));
            let has_moved_there = said.is_some_and(|said| {
                self.moved.iter().any(|(of, to)| usize::from(*of) == slot && *to == said.place)
            });
            if !has_moved_there && said.is_none_or(|said| said.id != old.id && said.epoch < old.epoch) {
                *owner = u16::try_from(*at).ok();
            }
        }
        for node in &mut view.nodes {
            let known = self.view.nodes.iter().find(|known| known.id == node.id);
            node.epoch = node.epoch.max(known.map_or(0, |known| known.epoch));
        }
        self.view = view;
        self.owners = owners;
        self.moved.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(lines: &[&str]) -> View {
        View::parse(&lines.join("\n"), &Place::new("h", 1), false).unwrap()
    }

    fn owner(state: &SlotMap, slot: u16) -> Option<&str> {
        state.master(slot).map(|node| &*node.id)
    }

    #[test]
    fn of_two_views_the_one_with_the_higher_epoch_is_right_for_each_slot() {
        let mut state = SlotMap::default();
        state.merge(view(&["a h:1 master - 0 0 1 c 0-9", "b h:2 master - 0 0 2 c 10-19"]));
        assert_eq!((owner(&state, 5), owner(&state, 15), owner(&state, 20)), (Some("a"), Some("b"), None));
        // Failed over.
        state.merge(view(&[
            "a h:1 master,fail - 0 0 1 c",
            "b h:2 master - 0 0 2 c 10-19",
            "c h:3 master - 0 0 3 c 0-9",
        ]));
        assert_eq!(owner(&state, 5), Some("c"));
        // One that has not heard of it.
        let old = ["a h:1 master - 0 0 1 c 0-9", "b h:2 master - 0 0 2 c 10-19", "c h:3 slave a 0 0 1 c"];
        state.merge(view(&old));
        assert_eq!((owner(&state, 5), owner(&state, 15)), (Some("c"), Some("b")));
        // What was known stays known, also over a view that says nothing of a slot.
        state.merge(view(&["b h:2 master - 0 0 2 c 10-19", "c h:3 master - 0 0 3 c"]));
        assert_eq!(owner(&state, 5), Some("c"));
        // A node that was forgotten has nothing.
        state.merge(view(&["b h:2 master - 0 0 2 c 10-19"]));
        assert_eq!((owner(&state, 5), owner(&state, 15)), (None, Some("b")));
    }

    #[test]
    fn a_slot_that_was_taken_away_and_given_to_a_node_with_a_lower_epoch_is_there_once_a_node_says_so_too() {
        let mut state = SlotMap::default();
        state.merge(view(&["a h:1 master - 0 0 1 c 0-9", "b h:2 master - 0 0 2 c 10-19"]));
        let now = ["a h:1 master - 0 0 1 c 0-10", "b h:2 master - 0 0 2 c 11-19"];
        state.merge(view(&now));
        assert_eq!(owner(&state, 10), Some("b"), "one that has not heard of a move says the same");
        state.moved.push((10, Place::new("h", 1)));
        for _ in 0..2 {
            state.merge(view(&now));
            assert_eq!(owner(&state, 10), Some("a"));
        }
    }

    #[test]
    fn a_node_of_another_cluster_is_told_from_one_of_this() {
        let mut state = SlotMap::default();
        let ours = view(&["a h:1 master - 0 0 1 c 0-9"]);
        let theirs = view(&["x h:1 master - 0 0 9 c 0-9"]);
        assert!(!state.is_strange(&theirs));
        state.merge(ours.clone());
        assert!(!state.is_strange(&ours) && state.is_strange(&theirs));
        state.begin_with(theirs);
        assert_eq!(owner(&state, 3), Some("x"));
    }
}
