//! The dictionary that frames name never changes, and what does not hang on zstd's version is written as before.

use super::atproto_support::{DICTIONARY, RECORDED, encode};
use forebay::block::atproto::Effort;
use sha2::{Digest, Sha256};

/// Events of odd shapes, one of which has a record with everything that DAG-CBOR has.
const ODD: &[u8] = include_bytes!("vectors/odd.txt");

/// Likes of the recorded moment, and the hash of their frame.
const LIKES: usize = 105;
const LIKES_SHA256: &str = "575594cd39fa3d9b7bb0d4003540858be8ed44e2c169f4f72b9c72d28ee3c800";

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[test]
fn frames_without_texts_are_written_as_before() {
    // Texts depend on zstd's version; likes have none.
    let likes: Vec<&str> = RECORDED[0].lines().filter(|line| line.contains("feed.like\",\"rkey")).collect();
    let frame = encode(likes.join("\n").as_bytes(), Effort::Dense);
    assert_eq!((likes.len(), hex(&frame).as_str()), (LIKES, LIKES_SHA256));
}

#[test]
fn own_cid_of_an_odd_record_is_computed() {
    let line = ODD
        .split(|byte| *byte == b'\n')
        .find(|line| line.windows(8).any(|part| part == b"\"$bytes\""))
        .unwrap();
    let (dense, quick) = (encode(line, Effort::Dense), encode(line, Effort::Quick));
    assert!(quick.len() >= dense.len() + 30);
}

#[test]
fn dictionary_1_never_changes() {
    assert_eq!(hex(DICTIONARY.bytes()), "e4391f940e74f6a09e796af73246b974009993714cb130768352599a5d5bb8b0");
}
