//! What cutting blocks promises: by count, by bytes, by age on the caller's clock, and never another order.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::time::Duration;

use forebay::block::decode::Decoder;
use forebay::block::encode::Wanted;
use forebay::block::frame::{Draft, lines};
use forebay::buffer::batch::{Batcher, Limits};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse::{Event, parse};
use proptest::prelude::*;

use crate::support::event;

/// The events of a draft.
fn of(lane: Lane, bytes: &[u8]) -> Event<'_> {
    Event { bytes, time_us: 1, lane, cursor: 0 }
}

fn opened(draft: &Draft) -> Vec<Vec<u8>> {
    let block = crate::support::encode(draft, Wanted::Plain);
    let mut decoder = Decoder::new().unwrap();
    let content = decoder.open(block.sealed()).unwrap();
    lines(content).map(<[u8]>::to_vec).collect()
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_block_is_cut_by_count_by_bytes_and_by_age_on_the_caller_s_clock() {
    let line = event(jetstream::LIKES, 1, 100);
    let limits = Limits { events_max: 4, bytes_max: 3 * line.len() + 2, linger: 100 * MS };
    let run = |limits, pushes: &[(usize, u64)]| -> Vec<(u64, usize)> {
        let (mut batcher, mut cuts) = (Batcher::new(limits, jetstream::LANES), Vec::new());
        for &(padding, at_ms) in pushes {
            let bytes = event(jetstream::LIKES, 1, padding);
            batcher.push(&of(jetstream::LIKES, &bytes), MS * at_ms as u32, &mut |_, draft| {
                cuts.push((draft.events(), draft.len()));
            });
        }
        batcher.flush(&mut |_, draft| cuts.push((draft.events(), draft.len())));
        assert_eq!(batcher.next_due(), None);
        cuts
    };
    let one = line.len();
    // Three fit to the byte, and a byte less does not.
    assert_eq!(run(limits, &[(100, 0); 7]), [(3, 3 * one + 2), (3, 3 * one + 2), (1, one)]);
    let tight = Limits { bytes_max: 3 * one + 1, ..limits };
    assert_eq!(run(tight, &[(100, 0); 4]), [(2, 2 * one + 1), (2, 2 * one + 1)]);
    let roomy = Limits { bytes_max: 1 << 20, ..limits };
    assert_eq!(run(roomy, &[(100, 0); 9]).iter().map(|cut| cut.0).collect::<Vec<_>>(), [4, 4, 1]);
    // By age: at 99 ms not yet, at 100 ms before what comes then.
    assert_eq!(
        run(roomy, &[(100, 0), (100, 99), (100, 100)]).iter().map(|cut| cut.0).collect::<Vec<_>>(),
        [2, 1]
    );
    // One above the limit has a block to itself, and what stood before it goes first.
    assert_eq!(
        run(limits, &[(100, 0), (5_000, 0), (100, 0)]).iter().map(|cut| cut.0).collect::<Vec<_>>(),
        [1, 1, 1]
    );
}

#[test]
fn the_next_cut_is_told_and_lanes_are_due_on_their_own() {
    let mut batcher =
        Batcher::new(Limits { events_max: 9, bytes_max: 1 << 20, linger: 100 * MS }, jetstream::LANES);
    let line = event(jetstream::LIKES, 1, 10);
    let mut none = |lane: Lane, _: Draft| panic!("{lane} was cut");
    assert_eq!(batcher.next_due(), None);
    batcher.push(&of(jetstream::LIKES, &line), 5 * MS, &mut none);
    batcher.push(&of(jetstream::POSTS, &line), 25 * MS, &mut none);
    assert_eq!(batcher.next_due(), Some(105 * MS));
    batcher.expire(104 * MS, &mut none);
    let mut cut = Vec::new();
    batcher.expire(105 * MS, &mut |lane, _| cut.push(lane));
    assert_eq!((cut.as_slice(), batcher.next_due()), ([jetstream::LIKES].as_slice(), Some(125 * MS)));
    batcher.expire(125 * MS, &mut |lane, _| cut.push(lane));
    assert_eq!((cut.as_slice(), batcher.next_due()), ([jetstream::LIKES, jetstream::POSTS].as_slice(), None));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_blocks_are_cut_each_lane_s_events_come_out_as_they_went_in(
        pushes in prop::collection::vec((0_usize..6, 0_usize..400, 0_u32..80), 0..200),
        events_max in 1_u64..9,
        bytes_max in 1_usize..1_500,
        linger_ms in 0_u32..200,
    ) {
        let mut batcher = Batcher::new(Limits { events_max, bytes_max, linger: MS * linger_ms }, jetstream::LANES);
        let (mut went_in, mut came_out) = (vec![Vec::new(); 6], vec![Vec::new(); 6]);
        let mut now = Duration::ZERO;
        {
            let mut cut = |lane: Lane, draft: Draft| {
                assert!((1..=events_max).contains(&draft.events()));
                assert!(draft.len() <= bytes_max || draft.events() == 1);
                came_out[lane.index()].extend(opened(&draft));
            };
            for (number, (lane, padding, pause_ms)) in pushes.into_iter().enumerate() {
                now += MS * pause_ms;
                let lane = jetstream::ALL[lane];
                let bytes = event(lane, number as u64, padding);
                batcher.push(&parse(&bytes).unwrap(), now, &mut cut);
                went_in[lane.index()].push(bytes);
                if let Some(due) = batcher.next_due() {
                    assert!(due <= now + MS * linger_ms, "the next cut is later than any event may wait");
                }
            }
            batcher.flush(&mut cut);
        }
        prop_assert_eq!(went_in, came_out);
    }
}
