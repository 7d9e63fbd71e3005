//! Usual events come back, and take few bytes.

use std::sync::Arc;

use super::atproto_support::{DICTIONARY, RECORDED, SYNTHETIC, assert_comes_back, encode};
use forebay::block::atproto::code::Role;
use forebay::block::atproto::tally::{Column, Tally};
use forebay::block::atproto::{Effort, Encoder, Header};

fn all_lines() -> impl Iterator<Item = &'static str> {
    RECORDED.into_iter().chain([SYNTHETIC.as_str()]).flat_map(str::lines)
}

#[test]
fn every_event_comes_back_alone() {
    for line in all_lines() {
        assert_comes_back(line.as_bytes());
    }
}

#[test]
fn blocks_of_any_number_of_events_come_back() {
    let lines: Vec<&str> = all_lines().collect();
    for size in [2, 3, 7, 20, 256, 2_000] {
        for block in lines.chunks(size) {
            assert_comes_back(block.join("\n").as_bytes());
        }
    }
}

#[test]
fn events_of_one_collection_come_back_together() {
    for collection in ["feed.like", "feed.post", "feed.repost", "graph.follow", "\"kind\":\"account\""] {
        let block: Vec<&str> = all_lines().filter(|line| line.contains(collection)).collect();
        assert_comes_back(block.join("\n").as_bytes());
    }
}

#[test]
fn own_cids_are_left_out_where_effort_is_dense() {
    let likes: Vec<&str> = all_lines().filter(|line| line.contains("feed.like\",\"rkey")).take(100).collect();
    let block = likes.join("\n");
    let with_record = block.matches("\"record\":").count();
    let (dense, quick) = (encode(block.as_bytes(), Effort::Dense), encode(block.as_bytes(), Effort::Quick));
    assert_eq!((quick.len() - dense.len()) / with_record, 32, "and a bit or two");
}

/// Counts the own CIDs that are stored.
#[derive(Default)]
struct Stored(usize);

impl Tally for Stored {
    fn number(&mut self, _: Role, _: u64, _: u32) {}
    fn bytes(&mut self, column: Column, _: &[u8]) {
        self.0 += usize::from(column == Column::OwnCids);
    }
    fn texts(&mut self, _: &[u8]) {}
}

#[test]
fn all_own_cids_are_computed_and_with_little_effort_none() {
    let with_record = all_lines().filter(|line| line.contains("\"record\":")).count();
    for (effort, stored) in [(Effort::Dense, 0), (Effort::Quick, with_record)] {
        let mut encoder = Encoder::with_tally(Arc::clone(&DICTIONARY), Stored::default()).unwrap();
        for line in all_lines() {
            encoder.encode(line.as_bytes(), effort).unwrap();
        }
        assert_eq!(encoder.tally().0, stored, "{effort:?}");
    }
}

#[test]
fn head_says_what_is_inside() {
    let block = RECORDED[0].trim_end();
    let frame = encode(block.as_bytes(), Effort::Dense);
    let (header, _) = Header::read(&frame).unwrap();
    assert_eq!((header.dictionary, header.events, header.size), (1, 152, block.len()));
}

#[test]
fn encoder_gives_the_same_frame_whatever_came_before() {
    let first = encode(RECORDED[0].trim_end().as_bytes(), Effort::Dense);
    for line in all_lines().take(500) {
        encode(line.as_bytes(), Effort::Quick);
    }
    assert!(encode(RECORDED[0].trim_end().as_bytes(), Effort::Dense) == first);
}
