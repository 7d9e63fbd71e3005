//! What is claimed of the faults of the simulated Jetstream that befall a connection: silence, resets, errors, frames that are
//! too large, and dictionaries that nobody has.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use forebay_rig::jetstream::{Fault, Form, Protocol, Settings, Simulator};
use serde_json::Value;
use tungstenite::{Error, Message};

use super::jetstream_support::{Client, DICTIONARY, STREAM, get, start, still};

const MOMENT: Duration = Duration::from_millis(400);

fn with(fault: Fault) -> Simulator {
    let settings = still(Protocol::V2, 3_000);
    start(Settings { ping_every: Duration::from_millis(50), faults: vec![fault], ..settings })
}

fn replay(simulator: &Simulator) -> Client {
    Client::connect(simulator, "/subscribe?cursor=1")
}

#[test]
fn a_stalled_host_answers_nothing_and_then_continues() {
    let simulator = with(Fault::Stall { after: 500, for_: MOMENT });
    let mut client = replay(&simulator);
    client.take(500);
    let begun = Instant::now();
    client.send(Message::Ping("there?".into()));
    // Not before the stall is over does anything come: not the answer either.
    assert_eq!(client.next(), simulator.line(500, Form::V1WithCursor));
    assert!(begun.elapsed() > MOMENT / 2, "{:?}", begun.elapsed());
    assert_eq!(client.take(2_499).len(), 2_499);
    assert_eq!(simulator.times("stall"), 1);
}

#[test]
fn an_idle_host_pings() {
    let simulator = with(Fault::Idle { after: 500, for_: MOMENT });
    let mut client = replay(&simulator);
    client.take(500);
    let mut pings = 0;
    while client.raw().read().unwrap().is_ping() {
        pings += 1;
    }
    assert!(pings >= 2, "{pings}");
    assert_eq!(client.take(2_499).len(), 2_499);
    assert_eq!((simulator.times("idle"), simulator.times("no-pong")), (1, 0));
}

#[test]
fn a_half_open_connection_says_nothing_for_ever() {
    let simulator = with(Fault::HalfOpen { after: 500, connections: u64::MAX });
    let mut client = replay(&simulator);
    client.take(500);
    client.set_read_timeout(MOMENT);
    client.send(Message::Ping("there?".into()));
    match client.try_next() {
        Err(Error::Io(error)) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
        other => panic!("{other:?}"),
    }
    assert_eq!((simulator.times("half-open"), simulator.open()), (1, 1));
}

#[test]
fn drops_come_at_drawn_places_and_a_client_that_resumes_gets_all() {
    let simulator = with(Fault::Drop { every: 200 });
    let (mut next, mut lengths) = (0, Vec::new());
    while next < 3_000 {
        let mut client = Client::connect(&simulator, &format!("/subscribe?cursor={}", next + 1));
        let begun = next;
        while next < 3_000 {
            match client.try_next() {
                Ok(frame) => assert_eq!(frame, simulator.line(next, Form::V1WithCursor)),
                Err(Error::ConnectionClosed) => break,
                Err(other) => panic!("{other}"),
            }
            next += 1;
        }
        lengths.push(next - begun);
    }
    // The last was not dropped before the end.
    lengths.pop();
    assert!(lengths.len() > 5 && lengths.iter().any(|length| *length != lengths[0]), "{lengths:?}");
    assert!(simulator.times("drop") >= lengths.len() as u64);
}

#[test]
fn a_reset_comes_in_the_middle_of_a_frame() {
    let simulator = with(Fault::Reset { every: 200 });
    let (frames, end) = replay(&simulator).rest();
    assert!(frames.len() <= 400);
    match end {
        Error::Io(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        other => panic!("{other:?}"),
    }
    assert_eq!(simulator.times("reset"), 1);
}

#[test]
fn connections_are_refused_so_many_times() {
    let simulator = with(Fault::Status { code: 503, times: 2 });
    simulator.change(|settings| settings.faults.push(Fault::Status { code: 429, times: 1 }));
    for (code, retry) in [(503, None), (503, None), (429, Some("1"))] {
        let Err(answer) = Client::try_connect(&simulator, "/subscribe") else { panic!("not refused") };
        assert_eq!(answer.status().as_u16(), code);
        assert_eq!(answer.headers().get("Retry-After").map(|value| value.to_str().unwrap()), retry);
    }
    replay(&simulator).take(10);
    assert_eq!((simulator.times("status"), simulator.connections()), (3, 1));
}

#[test]
fn a_slow_handshake_takes_its_time() {
    let simulator = with(Fault::SlowHandshake { wait: MOMENT });
    let begun = Instant::now();
    replay(&simulator).take(10);
    assert!(begun.elapsed() >= MOMENT);
    assert_eq!(simulator.times("slow-handshake"), 1);
}

#[test]
fn a_large_frame_is_one_frame() {
    let simulator = with(Fault::LargeFrame { bytes: 8 << 20, after: 500 });
    let mut client = replay(&simulator);
    client.take(500);
    assert_eq!(client.next().len(), 8 << 20);
    assert_eq!(client.next(), simulator.line(500, Form::V1WithCursor));
    assert_eq!(simulator.times("large-frame"), 1);
}

/// A stream with the host's dictionary, of which the first events were read.
fn compressed(simulator: &Simulator) -> (Client, Vec<u8>) {
    let (_, dictionary) = get(simulator, DICTIONARY);
    let id = zstd::zstd_safe::get_dict_id_from_dict(&dictionary).unwrap();
    let path = format!("{STREAM}?cursor=1&zstdDictionary={id}");
    let mut client = Client::connect_zstd(simulator, &path, &dictionary);
    client.take(500);
    (client, dictionary)
}

fn binary(client: &mut Client) -> Vec<u8> {
    loop {
        match client.raw().read().unwrap() {
            Message::Binary(bytes) => return bytes.to_vec(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_bomb_is_small_and_decompresses_to_very_much() {
    let simulator = with(Fault::Bomb { after: 500, bytes: 256 << 20 });
    let (mut client, dictionary) = compressed(&simulator);
    let bomb = binary(&mut client);
    assert!(bomb.len() < 16 << 10, "{}", bomb.len());
    let mut decoder = zstd::stream::read::Decoder::with_dictionary(&bomb[..], &dictionary).unwrap();
    assert_eq!(std::io::copy(&mut decoder, &mut std::io::sink()).unwrap(), 256 << 20);
    assert_eq!(client.next(), simulator.line(500, Form::V2));
    assert_eq!(simulator.times("bomb"), 1);
    // Without compression there is none.
    replay(&simulator).take(3_000);
    assert_eq!(simulator.times("bomb"), 1);
}

#[test]
fn a_frame_names_a_dictionary_that_nobody_has() {
    let simulator = with(Fault::WrongDictionary { after: 500 });
    let (mut client, dictionary) = compressed(&simulator);
    let frame = binary(&mut client);
    let own = zstd::zstd_safe::get_dict_id_from_dict(&dictionary);
    assert!(zstd::zstd_safe::get_dict_id_from_frame(&frame).is_some_and(|id| Some(id) != own));
    assert_eq!(client.next(), simulator.line(500, Form::V2));
    assert_eq!(simulator.times("wrong-dictionary"), 1);
}

#[test]
fn a_rotated_dictionary_is_refused_by_its_id() {
    let simulator = start(still(Protocol::V2, 1_000));
    let (_, dictionary) = compressed(&simulator);
    simulator.change(|settings| settings.faults.push(Fault::RotatedDictionary));
    let old = zstd::zstd_safe::get_dict_id_from_dict(&dictionary).unwrap();
    let Err(answer) = Client::try_connect(&simulator, &format!("{STREAM}?zstdDictionary={old}")) else {
        panic!("the old dictionary was taken")
    };
    let said: Value = serde_json::from_slice(answer.body().as_deref().unwrap()).unwrap();
    assert_eq!((answer.status().as_u16(), said["error"].as_str()), (400, Some("UnknownZstdDictionary")));
    let (_, new) = compressed(&simulator);
    assert_ne!(new, dictionary);
    assert_eq!(simulator.times("rotated-dictionary"), 1);
}
