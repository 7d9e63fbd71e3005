//! What is claimed of the faults of the simulated Jetstream that change which events come, and in which order: each does
//! what it says, and is seen to have acted.

use std::collections::HashMap;
use std::time::Duration;

use forebay_rig::jetstream::{Evil, Fault, Form, Protocol, Settings, Simulator, Standing};
use serde_json::Value;
use tungstenite::Error;

use super::jetstream_protocol::until;
use super::jetstream_support::{Client, STREAM, start, still};

fn with(protocol: Protocol, events: u64, faults: &[Fault]) -> Simulator {
    start(Settings { faults: faults.to_vec(), ..still(protocol, events) })
}

/// Which events these frames are.
fn indices(simulator: &Simulator, frames: &[Vec<u8>], events: u64, form: Form) -> Vec<u64> {
    let known: HashMap<_, _> = (0..events).map(|index| (simulator.line(index, form), index)).collect();
    frames.iter().map(|frame| known[frame]).collect()
}

#[test]
fn faults_have_names_of_their_own_and_none_acts_unasked() {
    let mut names: Vec<_> = Fault::all().iter().map(Fault::name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    let simulator = start(still(Protocol::V1, 1_000));
    Client::connect(&simulator, "/subscribe?cursor=1").take(1_000);
    assert_eq!(simulator.acted(), []);
}

#[test]
fn the_cut_over_swallows_reorders_and_ends_without_a_close_frame() {
    let cut_over = Fault::CutOver { swallow: 20, reorder: 5, close_after: 50 };
    let settings = Settings { rate: 5_000.0, history: 3_000, faults: vec![cut_over], ..Settings::default() };
    let simulator = start(settings);
    let (frames, end) = Client::connect(&simulator, "/subscribe?cursor=1").rest();
    assert!(matches!(end, Error::Protocol(_)), "{end}");
    assert_eq!(simulator.times("cut-over"), 1);
    let seen = indices(&simulator, &frames, frames.len() as u64 + 20, Form::V1);
    let cut = seen.len() - 50;
    assert!(cut >= 3_000 && seen[..cut].iter().copied().eq(0..cut as u64));
    let first = cut as u64 + 20;
    assert_eq!(seen[cut..cut + 6], [first + 5, first, first + 1, first + 2, first + 3, first + 4]);
    assert!(seen[cut + 6..].iter().copied().eq(first + 6..first + 50));
    // A later replay has what was swallowed.
    let from = simulator.time_us(cut as u64);
    let frames = Client::connect(&simulator, &format!("/subscribe?cursor={from}")).take(50);
    assert!(indices(&simulator, &frames, first + 60, Form::V1).into_iter().eq(cut as u64..cut as u64 + 50));
    // Without a cursor there is no replay, and nothing to cut over from.
    Client::connect(&simulator, "/subscribe").take(200);
    assert!(simulator.times("cut-over") <= 2);
}

#[test]
fn reordering_brings_one_event_before_older_ones() {
    let simulator = with(Protocol::V2, 1_000, &[Fault::Reorder { every: 100, by: 5 }]);
    let frames = Client::connect(&simulator, "/subscribe?cursor=1").take(1_000);
    let seen = indices(&simulator, &frames, 1_000, Form::V1WithCursor);
    assert_eq!(seen[98..108], [98, 99, 105, 100, 101, 102, 103, 104, 106, 107]);
    let mut sorted = seen;
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..1_000));
    assert_eq!(simulator.times("reorder"), 9);
}

#[test]
fn a_time_leads_to_the_begin_of_its_segment() {
    let simulator = with(Protocol::V2, 10_000, &[Fault::SegmentStart { events: 4_096 }]);
    let from = simulator.time_us(9_000);
    let mut client = Client::connect(&simulator, &format!("{STREAM}?cursor={from}"));
    assert_eq!(client.next(), simulator.line(8_192, Form::V2));
    let mut client = Client::connect(&simulator, &format!("{STREAM}?cursor=9001"));
    assert_eq!(client.next(), simulator.line(9_000, Form::V2));
    assert_eq!(simulator.times("segment-start"), 1);
}

#[test]
fn one_collection_is_left_out() {
    let nsid = "app.bsky.feed.repost";
    let simulator = with(Protocol::V1, 2_000, &[Fault::OmitCollection { nsid: nsid.into() }]);
    let is_left = |index: &u64| {
        let line: Value = serde_json::from_slice(&simulator.line(*index, Form::V1)).unwrap();
        line["commit"]["collection"] != nsid
    };
    let expected: Vec<_> = (0..2_000).filter(is_left).collect();
    let frames = Client::connect(&simulator, "/subscribe?cursor=1").take(expected.len() as u64);
    assert_eq!(indices(&simulator, &frames, 2_000, Form::V1), expected);
    assert_eq!(simulator.times("omit-collection"), 2_000 - expected.len() as u64);
    assert!(expected.len() < 2_000);
}

#[test]
fn times_go_back_by_jitter_and_by_a_step() {
    let faults = vec![
        Fault::TimeBack { jitter_us: 50_000 },
        Fault::TimeStep { at_index: 1_500, back_us: 3_600_000_000 },
    ];
    let settings = Settings { rate: 5_000.0, history: 500, last: Some(1_999), faults, ..Settings::default() };
    let simulator = start(settings);
    let mut client = Client::connect(&simulator, "/subscribe?cursor=1");
    let times: Vec<u64> = (0..2_000).map(|_| client.json()["time_us"].as_u64().unwrap()).collect();
    let backs = |range: std::ops::Range<usize>| times[range].windows(2).filter(|two| two[1] < two[0]).count();
    assert_eq!(backs(0..500), 0);
    assert!(backs(500..1_500) > 100, "{}", backs(500..1_500));
    for (index, shown) in (0..).zip(&times) {
        let late = simulator.time_us(index) - shown;
        let step = if index < 1_500 { 0 } else { 3_600_000_000 };
        assert!((step..=step + 50_000).contains(&late), "event {index} is {late} µs back");
    }
    assert!(simulator.times("time-back") > 200);
    assert_eq!(simulator.times("time-step"), 500);
}

#[test]
fn evil_frames_stand_in_the_store_and_come_again() {
    for (path, form) in [("/subscribe?cursor=1", Form::V1WithCursor), (STREAM, Form::V2)] {
        let simulator = with(Protocol::V2, 800, &[Fault::Evil { every: 100 }]);
        let path = if form == Form::V2 { format!("{path}?cursor=1") } else { path.into() };
        let mut first = Vec::new();
        for _ in 0..2 {
            let mut client = Client::connect(&simulator, &path);
            // What is no text ends a message, not the connection.
            let frames: Vec<_> = (0..808)
                .map(|_| match client.try_next() {
                    Ok(frame) => frame,
                    Err(Error::Utf8(_)) => b"no text".to_vec(),
                    Err(other) => panic!("{other}"),
                })
                .collect();
            for index in 0..800 {
                assert_eq!(frames[index + index / 100], simulator.line(index as u64, form), "{index}");
            }
            assert!(first.is_empty() || first == frames);
            first = frames;
        }
        let evil = simulator.evil();
        assert_eq!(evil.iter().map(|sent| sent.evil).collect::<Vec<_>>(), Evil::ALL);
        for (number, sent) in evil.iter().enumerate() {
            assert_eq!((sent.times, sent.frames.len(), sent.standing), (2, 1, sent.evil.standing()));
            if sent.evil != Evil::Garbage {
                assert_eq!(first[number * 101 + 100], sent.frames[0]);
            }
            let parsed = serde_json::from_slice::<Value>(&sent.frames[0]);
            match sent.standing {
                Standing::Event => assert!(parsed.is_ok(), "{sent:?}"),
                Standing::NoEvent => assert!(parsed.map_or(true, |line| line.get("time_us").is_none())),
                Standing::Either => {}
            }
        }
        assert_eq!(simulator.times("evil"), 16);
    }
}

#[test]
fn the_last_events_come_once_more_under_the_same_seqs() {
    let simulator = with(Protocol::V2, 1_000, &[Fault::DuplicateLast { n: 100, at: 600 }]);
    let frames = Client::connect(&simulator, &format!("{STREAM}?cursor=1")).take(1_100);
    let seen = indices(&simulator, &frames, 1_000, Form::V2);
    assert!(seen.into_iter().eq((0..600).chain(500..600).chain(600..1_000)));
    assert_eq!(simulator.times("duplicate-last"), 1);
}

#[test]
fn a_restored_relay_sends_its_accounts_again_under_new_seqs() {
    let simulator = with(Protocol::V2, 8_000, &[Fault::Regress { by: 5_000, at: 6_000 }]);
    let mut client = Client::connect(&simulator, &format!("{STREAM}?cursor=1"));
    let again = simulator.seq(6_000) - 6_001;
    assert!(again > 0);
    let frames: Vec<Value> = (0..8_000 + again).map(|_| client.json()["payload"].clone()).collect();
    assert!((1..).zip(&frames).all(|(seq, frame)| frame["seq"] == seq));
    let object = |frame: &Value| frame.get("account").or_else(|| frame.get("identity")).cloned();
    let before: Vec<_> = frames[1_000..6_000].iter().filter_map(object).collect();
    let after: Vec<_> = frames[6_000..6_000 + again as usize].iter().filter_map(object).collect();
    assert_eq!(before, after);
    assert_eq!(simulator.times("regress"), again);
}

#[test]
fn faults_combine_on_the_live_tail() {
    let faults = vec![
        Fault::Evil { every: 70 },
        Fault::Regress { by: 300, at: 1_200 },
        Fault::Reorder { every: 90, by: 3 },
        Fault::DuplicateLast { n: 10, at: 1_500 },
    ];
    let settings =
        Settings { rate: 2_000.0, history: 1_000, last: Some(2_999), faults, ..Settings::default() };
    let simulator = start(Settings { protocol: Protocol::V2, ..settings });
    let again = simulator.seq(2_999) - 3_000 - 2_999 / 70;
    let places = 3_000 + again + (3_000 + again) / 70;
    let mut client = Client::connect(&simulator, "/subscribe?cursor=1");
    let mut seqs = HashMap::new();
    let mut refused = 0;
    for _ in 0..places + 10 {
        match client.try_next() {
            Ok(frame) => match serde_json::from_slice::<Value>(&frame) {
                Ok(event) if event.get("cursor").is_some() => {
                    *seqs.entry(event["cursor"].as_u64().unwrap()).or_insert(0) += 1;
                }
                _ => refused += 1,
            },
            Err(Error::Utf8(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    // Each seq of an event is there, those of the last ten twice.
    assert_eq!(seqs.values().filter(|times| **times == 2).count(), 10);
    assert_eq!(seqs.len() as u64 + refused, places);
    assert!((0..3_000).all(|index| seqs.contains_key(&simulator.seq(index))));
    for name in ["evil", "regress", "reorder", "duplicate-last"] {
        assert!(simulator.times(name) > 0, "{name}");
    }
}

#[test]
fn the_port_changes_its_protocol_and_its_seqs_at_the_next_connection() {
    let simulator = start(Settings { first_seq: 9_000, ..still(Protocol::V2, 500) });
    let mut client = Client::connect(&simulator, "/subscribe?cursor=9000");
    client.take(500);
    simulator.change(|settings| settings.first_seq = 1);
    simulator.cut();
    assert!(client.try_next().is_err());
    let mut client = Client::connect(&simulator, "/subscribe?cursor=1");
    assert_eq!(client.json()["cursor"], 1);
    simulator.change(|settings| settings.protocol = Protocol::V1);
    assert_eq!(simulator.times("other-protocol"), 0);
    simulator.cut();
    let mut client = Client::connect(&simulator, "/subscribe?cursor=1");
    assert_eq!(client.next(), simulator.line(0, Form::V1));
    assert_eq!((simulator.times("seq-restart"), simulator.times("other-protocol")), (1, 1));
    assert!(simulator.times("cut") >= 2);
    drop(client);
    until("the closed connections are gone", || simulator.open() == 0);
}

#[test]
fn a_slow_consumer_far_behind_is_dropped() {
    for (path, is_told) in [("/subscribe?cursor=1", false), (&*format!("{STREAM}?cursor=1"), true)] {
        let slow = Fault::SlowConsumer { behind: 1_000, rate: 50.0, window: Duration::from_millis(300) };
        let settings = Settings { faults: vec![slow], ..still(Protocol::V2, 200_000) };
        let simulator = start(settings);
        let mut client = Client::connect(&simulator, path);
        // It takes a little, then nothing, until it is dropped; what the kernel had taken comes all the same.
        client.take(100);
        until("the slow consumer is dropped", || simulator.times("slow-consumer") == 1);
        let (frames, _) = client.rest();
        let last: Value = serde_json::from_slice(frames.last().unwrap()).unwrap();
        assert_eq!(last["error"] == "ConsumerTooSlow", is_told, "{last}");
        assert!(frames.len() < 190_000);
    }
}
