//! Which slots a buffer's streams are to lie in, so that they fill the masters of a cluster evenly however many there are.
//!
//! Slots are counted as a circle. Stream after stream is given the next number of a sequence that fills it evenly at each point
//! (van der Corput, base 3: clusters have three masters, or nine): a lane's partitions go on from where the lane's own place is.
//! Its key gets the smallest number behind its partition that brings it near there. No stream moves when lanes or partitions are
//! added behind others.

use super::slot::{self, SLOTS};
use crate::event::lane::{Lane, Lanes};

/// How far beside its place a stream may lie, in slots.
const NEAR: u16 = 64;

/// Numbers that are tried: of 10,000 one fits, but in one of 10^34 cases.
const SALTS: u32 = 10_000;

/// The number of each lane's key, by [`Lane::index`].
pub fn salts(lanes: Lanes, key: impl Fn(Lane, u32) -> String) -> Vec<u32> {
    let mut names: Vec<&str> = Vec::new();
    lanes.map(|lane| {
        if names.last() != Some(&lane.lane_name()) {
            names.push(lane.lane_name());
        }
        let place = place(names.len() as u32 - 1 + lane.partition());
        let is_near = |salt: &u32| {
            let slot = slot::of(key(lane, *salt).as_bytes());
            let ahead = (slot + SLOTS - place) % SLOTS;
            ahead.min(SLOTS - ahead) <= NEAR
        };
        (0..SALTS).find(is_near).unwrap_or(0)
    })
}

/// The place of a stream, in the middle of its 27th of the slots.
fn place(index: u32) -> u16 {
    let (mut left, mut part, mut place) = (index, f64::from(SLOTS), f64::from(SLOTS) / 54.0);
    while left > 0 {
        part /= 3.0;
        place += part * f64::from(left % 3);
        left /= 3;
    }
    place as u16 % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::keys::Name;
    use crate::event::jetstream;
    use crate::event::stream::Stream;

    /// Shares of the six lanes in the recorded hour, in thousandths: a few of them have nearly all.
    const SHARES: [(Lane, f64); 6] = [
        (jetstream::POSTS, 120.0),
        (jetstream::LIKES, 530.0),
        (jetstream::REPOSTS, 90.0),
        (jetstream::FOLLOWS, 170.0),
        (jetstream::BLOCKS, 40.0),
        (jetstream::OTHER, 50.0),
    ];

    fn name(partitions: u32) -> Name {
        let counts = SHARES.into_iter().map(|(lane, _)| (lane.name(), partitions));
        let stream = Stream::jetstream().partitioned("/did", counts).unwrap();
        "bluesky".parse::<Name>().unwrap().of(stream)
    }

    /// What the fullest of so many masters holds, over the mean, where slots are divided as `redis-cli --cluster create` does it.
    fn fullest(name: &Name, masters: u16) -> f64 {
        let mut held = vec![0.0; usize::from(masters)];
        for lane in name.lanes() {
            let share = SHARES.iter().find(|(of, _)| of.name() == lane.lane_name()).unwrap().1;
            let of_lane = name.lanes().all_of(lane.lane_name()).count() as f64;
            let slot = slot::of(name.stream(lane).as_bytes());
            held[usize::from(slot) * usize::from(masters) / usize::from(SLOTS)] += share / of_lane;
        }
        held.iter().copied().fold(0.0, f64::max) * f64::from(masters) / held.iter().sum::<f64>()
    }

    #[test]
    fn streams_fill_masters_evenly_and_without_their_numbers_they_do_not() {
        let mut worst: f64 = 0.0;
        for (partitions, masters) in [(3, 3), (9, 9), (9, 3)] {
            let (spread, plain) =
                (fullest(&name(partitions).spread(), masters), fullest(&name(partitions), masters));
            println!("{partitions} partitions, {masters} masters: {spread:.3}, without {plain:.3}");
            assert!(spread <= 1.15, "{partitions} partitions on {masters} masters: {spread}");
            worst = worst.max(plain);
        }
        assert!(worst > 1.5, "they lie evenly as it is: {worst}");
    }

    #[test]
    fn a_stream_stays_where_it_is_when_lanes_and_partitions_are_added_behind_others() {
        let (few, many) = (name(3).spread(), name(9).spread());
        for lane in few.lanes() {
            let same = many.lanes().find(&format!("{}.{}", lane.lane_name(), lane.partition())).unwrap();
            assert_eq!(few.stream(lane), many.stream(same));
        }
    }

    #[test]
    fn a_buffer_is_found_where_its_streams_are_said_to_be_and_by_any_of_their_keys() {
        let (plain, spread) = (name(3), name(3).spread());
        assert_eq!(plain.clone().at(&spread.streams()), Some(spread.clone()));
        assert_eq!(spread.clone().at(&plain.streams()), Some(plain.clone()));
        assert_eq!(plain.clone().at("[]"), None);
        for key in spread.keys() {
            assert_eq!(Name::of_key(&key).map(|name| name.to_string()).as_deref(), Some("bluesky"), "{key}");
        }
    }
}
