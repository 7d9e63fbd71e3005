//! What is claimed of the simulated Jetstream without faults: both protocols, their cursors, filters, compression and deadlines.

use std::time::{Duration, Instant};

use forebay_rig::jetstream::{Form, Network, Protocol, Settings, Simulator};
use serde_json::{Value, json};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use super::jetstream_support::{Client, DICTIONARY, STREAM, TIME_FROM, get, start, still};

fn error(answer: &tungstenite::http::Response<Option<Vec<u8>>>) -> Value {
    serde_json::from_slice(answer.body().as_deref().unwrap()).unwrap()
}

#[test]
fn a_v1_host_replays_every_event_from_a_time_on() {
    let simulator = start(still(Protocol::V1, 3_000));
    let from = simulator.time_us(1_000);
    let frames = Client::connect(&simulator, &format!("/subscribe?cursor={from}")).take(2_000);
    for (index, frame) in (1_000..).zip(&frames) {
        assert_eq!(*frame, simulator.line(index, Form::V1));
    }
    // But for its time, an event is that of the network.
    let (mut first, mut own): (Value, Value) = (
        serde_json::from_slice(&frames[0]).unwrap(),
        serde_json::from_slice(&Network::new(1, 938.0).line(1_000)).unwrap(),
    );
    assert_eq!(first["time_us"], from);
    first["time_us"] = Value::Null;
    own["time_us"] = Value::Null;
    assert_eq!(first, own);
}

#[test]
fn times_rise_and_live_events_show_now() {
    let simulator = start(Settings { rate: 5_000.0, history: 100, ..Settings::default() });
    let mut client = Client::connect(&simulator, "/subscribe");
    let mut before = 0;
    for _ in 0..1_000 {
        let time = client.json()["time_us"].as_u64().unwrap();
        assert!(time > before);
        before = time;
    }
    let tip = simulator.tip();
    assert!(simulator.time_us(tip - 1) <= now_us() && simulator.time_us(tip + 5_000) > now_us());
    assert!(now_us() - before < 5_000_000, "the last live event is {} µs old", now_us() - before);
}

/// Whether an event is wanted.
type Choice<'a> = &'a dyn Fn(&Value) -> bool;

fn now_us() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as u64
}

#[test]
fn a_replay_goes_on_as_the_live_tail_without_a_gap() {
    for protocol in [Protocol::V1, Protocol::V2] {
        let settings = Settings { protocol, rate: 2_000.0, history: 5_000, ..Settings::default() };
        let simulator = start(settings);
        let form = if protocol == Protocol::V1 { Form::V1 } else { Form::V1WithCursor };
        let frames = Client::connect(&simulator, &format!("/subscribe?cursor={TIME_FROM}")).take(7_000);
        assert!((0..).zip(&frames).all(|(index, frame)| *frame == simulator.line(index, form)));
    }
}

#[test]
fn a_v2_host_has_seqs_in_both_of_its_streams() {
    let simulator = start(Settings { first_seq: 500, ..still(Protocol::V2, 2_000) });
    let frames = Client::connect(&simulator, "/subscribe?cursor=1500").take(1_000);
    assert!((1_000..).zip(&frames).all(|(index, frame)| *frame == simulator.line(index, Form::V1WithCursor)));
    let first = String::from_utf8(frames[0].clone()).unwrap();
    assert!(first.contains(r#","cursor":1500,"kind""#), "{first}");
    let mut client = Client::connect(&simulator, &format!("{STREAM}?cursor=1500"));
    assert_eq!(client.response.headers()["Sec-WebSocket-Protocol"], "xrpc.v1.json");
    let frames = client.take(1_000);
    assert!((1_000..).zip(&frames).all(|(index, frame)| *frame == simulator.line(index, Form::V2)));
}

#[test]
fn the_frames_of_the_stream_say_what_the_lines_say() {
    let simulator = start(still(Protocol::V2, 4_000));
    let mut kinds = std::collections::BTreeMap::new();
    for index in 0..4_000 {
        let line: Value = serde_json::from_slice(&simulator.line(index, Form::V1WithCursor)).unwrap();
        let frame: Value = serde_json::from_slice(&simulator.line(index, Form::V2)).unwrap();
        let payload = &frame["payload"];
        let kind = line["kind"].as_str().unwrap();
        *kinds.entry(kind.to_owned()).or_insert(0) += 1;
        let time: jiff::Timestamp = payload["time"].as_str().unwrap().parse().unwrap();
        let mut expected = json!({
            "$type": format!("network.bsky.jetstream.subscribeEvents#{kind}"),
            "seq": line["cursor"], "did": line["did"], "time": payload["time"],
        });
        if kind == "commit" {
            for (key, value) in line["commit"].as_object().unwrap() {
                expected[key] = value.clone();
            }
        } else {
            expected[kind] = line[kind].clone();
        }
        assert_eq!(frame, json!({ "$type": "message", "payload": expected }));
        assert_eq!(time.as_microsecond() as u64, line["time_us"].as_u64().unwrap());
        assert_eq!(payload["time"].as_str().unwrap().len(), "2026-11-30T10:00:00.000000Z".len());
    }
    assert!(kinds.len() == 3 && kinds["commit"] > 3_000, "{kinds:?}");
}

#[test]
fn a_cursor_of_the_future_and_none_at_all_mean_the_live_tip() {
    let simulator =
        start(Settings { protocol: Protocol::V2, rate: 500.0, history: 1_000, ..Settings::default() });
    let future = now_us() + 3_600_000_000;
    for cursor in [String::new(), format!("?cursor={future}"), "?cursor=999999999".into()] {
        let tip = simulator.tip();
        let mut client = Client::connect(&simulator, &format!("/subscribe{cursor}"));
        let seq = client.json()["cursor"].as_u64().unwrap();
        assert!(seq > tip && seq < tip + 5_000, "{cursor}: {seq}, tip {tip}");
    }
    assert_eq!(simulator.times("future"), 2);
}

#[test]
fn a_cursor_that_is_too_old_is_clamped_refused_or_told() {
    let simulator = start(Settings { retention: 1_000, ..still(Protocol::V2, 5_000) });
    let old = simulator.time_us(100);
    for cursor in [2, old] {
        let mut client = Client::connect(&simulator, &format!("/subscribe?cursor={cursor}"));
        assert_eq!(client.next(), simulator.line(4_000, Form::V1WithCursor));
    }
    let Err(answer) = Client::try_connect(&simulator, &format!("{STREAM}?cursor=2")) else {
        panic!("accepted")
    };
    assert_eq!((answer.status().as_u16(), error(&answer)["error"].as_str()), (400, Some("CursorTooOld")));
    assert!(error(&answer)["message"].as_str().unwrap().contains("4001"));
    let mut client = Client::connect(&simulator, &format!("{STREAM}?cursor={old}"));
    let told = client.json();
    assert_eq!(told["payload"]["$type"], "network.bsky.jetstream.subscribeEvents#info");
    assert_eq!(told["payload"]["name"], "OutdatedCursor");
    assert_eq!(client.next(), simulator.line(4_000, Form::V2));
    assert_eq!(simulator.times("clamped"), 4);
}

#[test]
fn filters_of_both_protocols_choose_events() {
    let simulator = start(still(Protocol::V2, 3_000));
    let did = serde_json::from_slice::<Value>(&simulator.line(7, Form::V1)).unwrap()["did"].clone();
    let did = did.as_str().unwrap();
    let wanted = |choose: Choice<'_>, form| -> Vec<Vec<u8>> {
        let is = |index: &u64| choose(&serde_json::from_slice(&simulator.line(*index, Form::V1)).unwrap());
        (0..3_000).filter(is).map(|index| simulator.line(index, form)).collect()
    };
    let collection = |event: &Value| event["commit"]["collection"].as_str().unwrap_or_default().to_owned();
    let feed: Choice<'_> =
        &|event| collection(event).is_empty() || collection(event).starts_with("app.bsky.feed.");
    let posts: Choice<'_> = &|event| collection(event) == "app.bsky.feed.post";
    let own: Choice<'_> = &|event| event["did"] == did;
    let accounts: Choice<'_> = &|event| event["kind"] == "account";
    for (path, form, choose) in [
        ("/subscribe?cursor=0&wantedCollections=app.bsky.feed.*".to_owned(), Form::V1WithCursor, feed),
        (format!("/subscribe?cursor=0&wantedDids={did}"), Form::V1WithCursor, own),
        (format!("{STREAM}?cursor=0&collections=app.bsky.feed.%2A"), Form::V2, feed),
        (format!("{STREAM}?cursor=0&collections=app.bsky.feed.post&kinds=commit"), Form::V2, posts),
        (format!("{STREAM}?cursor=0&kinds=account"), Form::V2, accounts),
        (format!("{STREAM}?cursor=0&dids={did}"), Form::V2, own),
    ] {
        let expected = wanted(choose, form);
        assert!(!expected.is_empty() && expected.len() < 3_000, "{path}");
        assert_eq!(Client::connect(&simulator, &path).take(expected.len() as u64), expected, "{path}");
    }
}

#[test]
fn what_is_asked_for_wrongly_is_refused() {
    let simulator = start(still(Protocol::V2, 100));
    for (query, name) in [
        ("cursor=x", "InvalidRequest"),
        ("wantedDids=did:plc:a", "InvalidRequest"),
        ("wantedCollections=app.bsky.feed.post", "InvalidRequest"),
        ("kinds=other", "InvalidRequest"),
        ("kinds=account&collections=app.bsky.feed.post", "InvalidRequest"),
        ("compress=true", "InvalidRequest"),
        ("zstdDictionary=77", "UnknownZstdDictionary"),
    ] {
        let Err(answer) = Client::try_connect(&simulator, &format!("{STREAM}?{query}")) else {
            panic!("{query} was accepted")
        };
        assert_eq!(
            (answer.status().as_u16(), error(&answer)["error"].as_str()),
            (400, Some(name)),
            "{query}"
        );
    }
    let Err(answer) = Client::try_connect(&simulator, "/subscribe?wantedCollections=nothing") else {
        panic!()
    };
    assert_eq!(answer.status(), 400);
    let v1 = start(still(Protocol::V1, 100));
    let Err(answer) = Client::try_connect(&v1, STREAM) else { panic!("a V1 host has no such stream") };
    assert_eq!(answer.status(), 404);
}

#[test]
fn frames_are_compressed_with_the_dictionary_that_was_agreed_on() {
    let simulator = start(still(Protocol::V2, 1_000));
    let v1 = Simulator::dictionary().unwrap();
    let mut client = Client::connect_zstd(&simulator, "/subscribe?cursor=1&compress=true", v1);
    assert!((0..1_000).all(|index| client.next() == simulator.line(index, Form::V1WithCursor)));
    let (status, v2) = get(&simulator, DICTIONARY);
    assert_eq!(status, 200);
    let id = zstd::zstd_safe::get_dict_id_from_dict(&v2).unwrap();
    assert_eq!(get(&simulator, &format!("{DICTIONARY}?id={id}")), (200, v2.clone()));
    assert_eq!(get(&simulator, &format!("{DICTIONARY}?id=5")).0, 404);
    let mut client = Client::connect_zstd(&simulator, &format!("{STREAM}?cursor=1&zstdDictionary={id}"), &v2);
    assert!((0..1_000).all(|index| client.next() == simulator.line(index, Form::V2)));
}

#[test]
fn it_pings_and_drops_whoever_does_not_answer() {
    let settings = Settings {
        ping_every: Duration::from_millis(50),
        pong_within: Duration::from_millis(200),
        ..still(Protocol::V1, 100)
    };
    let simulator = start(settings);
    let mut client = Client::connect(&simulator, "/subscribe");
    for _ in 0..20 {
        assert!(client.raw().read().unwrap().is_ping());
        // tungstenite answers with the next read.
    }
    assert_eq!(simulator.times("no-pong"), 0);
    // Nobody reads, so nobody answers.
    until("it drops the silent client", || simulator.times("no-pong") == 1 && simulator.open() == 0);
}

/// Waits for something, with a deadline.
pub(super) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + super::jetstream_support::WITHIN;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn it_drops_whoever_does_not_take_a_frame() {
    let settings = Settings { write_deadline: Duration::from_millis(300), ..still(Protocol::V1, 200_000) };
    let simulator = start(settings);
    let _reads_nothing = Client::connect(&simulator, "/subscribe?cursor=1");
    until("it drops the client", || simulator.times("not-taken") == 1 && simulator.open() == 0);
}

#[test]
fn data_from_the_client_ends_the_stream_and_is_ignored_on_subscribe() {
    let simulator = start(still(Protocol::V2, 100));
    let mut client = Client::connect(&simulator, STREAM);
    client.send(Message::text("{}"));
    match client.raw().read().unwrap() {
        Message::Close(Some(close)) => assert_eq!(close.code, CloseCode::Policy),
        other => panic!("{other:?}"),
    }
    let mut client = Client::connect(&simulator, "/subscribe");
    for len in [2, 125, 126, 200, 65_535, 65_536, 1 << 20] {
        client.send(Message::text("x".repeat(len)));
    }
    client.send(Message::Ping("there?".into()));
    assert_eq!(client.raw().read().unwrap(), Message::Pong("there?".into()));
    // More than a megabyte is more than anybody has to say.
    let _ = client.raw().send(Message::text("x".repeat((1 << 20) + 1)));
    assert!(client.try_next().is_err());
}

#[test]
fn a_silent_source_stays_connected_and_pings() {
    let simulator = start(Settings { ping_every: Duration::from_millis(20), ..still(Protocol::V2, 100) });
    let mut client = Client::connect(&simulator, "/subscribe?cursor=100");
    assert_eq!(client.next(), simulator.line(99, Form::V1WithCursor));
    for _ in 0..5 {
        assert!(client.raw().read().unwrap().is_ping());
    }
    assert_eq!((simulator.tip(), simulator.connections(), simulator.open()), (100, 1, 1));
}

#[test]
fn dropping_it_ends_its_connections_and_its_port() {
    let simulator = start(still(Protocol::V1, 100));
    let address = simulator.address();
    let mut client = Client::connect(&simulator, "/subscribe");
    let begun = Instant::now();
    drop(simulator);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(client.try_next().is_err());
    assert!(std::net::TcpStream::connect(address).is_err());
}
