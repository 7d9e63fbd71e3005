//! The bound on the bytes that a server holds: those of its objects and those being received.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are held now.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicU64);

/// Bytes that count for as long as they are held.
#[derive(Debug)]
pub(super) struct Held {
    bytes: Vec<u8>,
    room: Arc<Room>,
}

impl Room {
    /// Holds these bytes, whether or not there is room for them.
    pub(super) fn hold(self: &Arc<Self>, bytes: Vec<u8>) -> Held {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Held { bytes, room: Arc::clone(self) }
    }

    /// Bytes that are held now.
    pub(super) fn used(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Holds this part too, unless more than `max` bytes would be held then; does it?
    pub(super) fn push(&mut self, part: &[u8], max: u64) -> bool {
        let len = part.len() as u64;
        let grow = |used: u64| used.checked_add(len).filter(|used| *used <= max);
        let has_room = self.room.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow).is_ok();
        if has_room {
            self.bytes.extend_from_slice(part);
        }
        has_room
    }

    /// Keeps the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        let gone = self.bytes.len().saturating_sub(len);
        self.bytes.truncate(len);
        self.room.0.fetch_sub(gone as u64, Ordering::Relaxed);
    }

    /// The bytes, to be changed in place.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl std::ops::Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.bytes.len() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_while_they_are_held() {
        let room = Arc::new(Room::default());
        let mut first = room.hold(vec![0; 10]);
        let mut second = room.hold(Vec::new());
        assert!(second.push(&[1; 5], 15) && !second.push(&[1], 15));
        first.truncate(4);
        assert_eq!(room.used(), 9);
        drop(first);
        assert_eq!((room.used(), second.len()), (5, 5));
        drop(second);
        assert_eq!(room.used(), 0);
    }
}
