//! What is claimed of the ledger: every kind of fault is counted, and said where it is.

use super::*;

fn make(index: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("event {index}").as_bytes());
}

/// A ledger with events 0 to 9 offered to one lane, the first 8 acknowledged, and `read` read.
fn ledger(read: &[u64]) -> Findings {
    let mut ledger = Ledger::new(&make);
    (0..10).for_each(|index| ledger.offered(jetstream::LIKES, index));
    ledger.acknowledged(jetstream::LIKES, 8);
    for index in read {
        ledger.read(jetstream::LIKES, format!("event {index}").as_bytes());
    }
    ledger.findings()
}

#[test]
fn a_sound_buffer_has_no_faults_and_an_unknown_event_may_turn_up_or_not() {
    for end in 8..=10 {
        let findings = ledger(&(0..end).collect::<Vec<_>>());
        assert_eq!((findings.faults(), findings.read, findings.unknown), (0, end, 2));
    }
}

#[test]
fn what_is_acknowledged_and_not_read_is_lost_and_said_where() {
    let findings = ledger(&[1, 2, 4, 5]);
    assert_eq!((findings.lost_prefix, findings.lost_middle, findings.lost_tail), (1, 1, 2));
    assert_eq!(ledger(&[]).lost_whole, 8);
}

#[test]
fn findings_of_two_buffers_are_added_and_every_kind_of_fault_counts() {
    // No two alike, so that one field cannot stand for another, nor a product for a sum.
    let of = |from: u64| Findings {
        offered: from + 20,
        acknowledged: from + 19,
        given_up: from + 18,
        unknown: from + 17,
        read: from + 16,
        lost_whole: from + 1,
        lost_prefix: from + 2,
        lost_middle: from + 4,
        lost_tail: from + 8,
        unexpected: from + 32,
        repeats: from + 64,
        out_of_order: from + 128,
        kept: from + 256,
    };
    let (one, other) = (of(1_000), of(50_000));
    assert_eq!((one.lost(), one.faults()), (4_015, 8_495));
    let both = one.and(other);
    assert_eq!((both.lost(), both.faults()), (4_015 + 200_015, 8_495 + 400_495));
    assert_eq!(
        (both.offered, both.acknowledged, both.given_up, both.unknown, both.read),
        (51_040, 51_038, 51_036, 51_034, 51_032)
    );
    assert_eq!(
        (both.lost_whole, both.lost_prefix, both.lost_middle, both.lost_tail),
        (51_002, 51_004, 51_008, 51_016)
    );
    assert_eq!(
        (both.unexpected, both.repeats, both.out_of_order, both.kept),
        (51_064, 51_128, 51_256, 51_512)
    );
}

#[test]
fn events_that_are_known_by_their_hash_are_told_without_being_made_again() {
    let mut prints = Prints::default();
    prints.add(vec![prints.of(b"event 0"), prints.of(b"event 1")]);
    let never = |_: u64, _: &mut Vec<u8>| unreachable!("it is known by its hash");
    let mut ledger = Ledger::with_prints(&never, &prints);
    (0..2).for_each(|index| ledger.offered(jetstream::LIKES, index));
    ledger.acknowledged(jetstream::LIKES, 2);
    ledger.read(jetstream::LIKES, b"event 0");
    ledger.read(jetstream::LIKES, b"event 1");
    let findings = ledger.findings();
    assert_eq!((findings.faults(), findings.read), (0, 2));
    // And what is out of place, or was never offered.
    let mut ledger = Ledger::with_prints(&never, &prints);
    (0..2).for_each(|index| ledger.offered(jetstream::LIKES, index));
    ledger.acknowledged(jetstream::LIKES, 2);
    for event in [&b"event 1"[..], b"event 0", b"event X"] {
        ledger.read(jetstream::LIKES, event);
    }
    let findings = ledger.findings();
    assert_eq!((findings.out_of_order, findings.unexpected, findings.lost()), (1, 1, 0));
}

#[test]
fn what_was_found_in_each_lane_is_added_up() {
    let mut ledger = Ledger::new(&make);
    let lanes = [(jetstream::LIKES, 0..5), (jetstream::POSTS, 5..12)];
    for (lane, indexes) in lanes.clone() {
        indexes.clone().for_each(|index| ledger.offered(lane, index));
        ledger.told(FateReport { lane, fate: Fate::Shed, from: 0, events: 1, retries: 0 });
        ledger.told(FateReport {
            lane,
            fate: Fate::Acknowledged,
            from: 1,
            events: indexes.end - indexes.start - 2,
            retries: 0,
        });
    }
    for (lane, indexes) in lanes {
        // One that was given up, two in the wrong order, and one of them once more.
        for index in [0, 2, 1, 1].map(|place| indexes.start + place) {
            ledger.read(lane, format!("event {index}").as_bytes());
        }
    }
    let found = ledger.findings();
    assert_eq!((found.offered, found.acknowledged, found.given_up, found.unknown), (12, 8, 2, 2));
    assert_eq!((found.read, found.kept, found.out_of_order, found.repeats), (6, 2, 2, 2));
    assert_eq!((found.lost_tail, found.lost()), (4, 4));
}

#[test]
fn a_sentence_says_of_what_was_given_up_only_where_something_was() {
    let sound = Findings { acknowledged: 1_200, read: 1_200, ..Findings::default() };
    let each = "1,200 acknowledged, 1,200 read back, each the same bytes, once, in its lane's order";
    assert_eq!(sound.sentence(), each);
    let given_up = Findings { given_up: 3, ..sound };
    assert_eq!(given_up.sentence(), format!("{each}; 3 counted as given up, and none of them came back"));
    let kept = Findings { kept: 2, ..given_up };
    assert!(kept.sentence().ends_with("; 3 counted as given up, of which 2 came back all the same"));
    assert!(Findings { lost_tail: 1, ..sound }.sentence().ends_with("0 out of order"));
}

#[test]
fn repeats_and_order_are_counted() {
    let findings = ledger(&[0, 1, 2, 2, 4, 3, 5, 6, 7]);
    assert_eq!((findings.repeats, findings.out_of_order, findings.lost()), (1, 1, 0));
}

#[test]
fn an_event_with_other_bytes_or_in_another_lane_is_unexpected_and_the_one_offered_is_lost() {
    let mut ledger = Ledger::new(&make);
    ledger.offered(jetstream::LIKES, 0);
    ledger.offered(jetstream::POSTS, 1);
    ledger.acknowledged(jetstream::LIKES, 1);
    ledger.acknowledged(jetstream::POSTS, 1);
    ledger.read(jetstream::LIKES, b"event O");
    ledger.read(jetstream::LIKES, b"event 1");
    let findings = ledger.findings();
    assert_eq!((findings.unexpected, findings.lost()), (2, 2));
}

#[test]
fn what_was_given_up_is_owed_no_more_and_must_not_come_back() {
    let tell = |ledger: &mut Ledger<'_>, fate, from, events| {
        ledger.told(FateReport { lane: jetstream::LIKES, fate, from, events, retries: 0 });
    };
    let ledger = |read: &[u64]| {
        let mut ledger = Ledger::new(&make);
        (0..10).for_each(|index| ledger.offered(jetstream::LIKES, index));
        tell(&mut ledger, Fate::Trimmed, 0, 2);
        tell(&mut ledger, Fate::Acknowledged, 0, 4);
        tell(&mut ledger, Fate::Shed, 4, 2);
        tell(&mut ledger, Fate::Spilled, 6, 3);
        for index in read {
            ledger.read(jetstream::LIKES, format!("event {index}").as_bytes());
        }
        assert!(
            ledger.places.is_none() || read[0] != 2 || read.len() < 5,
            "no search where nothing is wrong"
        );
        ledger.findings()
    };
    let sound = ledger(&[2, 3, 6, 7, 8]);
    assert_eq!((sound.acknowledged, sound.given_up, sound.unknown, sound.faults()), (5, 4, 1, 0));
    assert_eq!(ledger(&[1, 2, 3, 6, 7, 8]).kept, 1);
    assert_eq!((ledger(&[2, 3, 6, 8]).lost_middle, ledger(&[6, 7, 8]).lost_prefix), (1, 2));
}
