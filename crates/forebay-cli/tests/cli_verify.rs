//! What is claimed of `forebay verify`: which events of a buffer an AOF holds, and every one that is missing or damaged.

use forebay::buffer::connect::Address;
use forebay::buffer::writer::Writer;
use forebay::event::jetstream;
use forebay_rig::server::Server;
use serde_json::json as value;

use super::cli_support::{append, good, holds, run, synthetic};
use super::support::{
    Ledger, Source, add, address, ask, assert_holds_exactly, connection, contents, info, name, open, options,
    places, tell, until,
};
use super::verify_support::{Copied, all, durable, json, lane, seen, verify, verify_live, with_likes, words};

/// Ids of the likes held, in order.
fn ids(server: &Server) -> Vec<String> {
    places(&contents(&address(server))).iter().map(|(_, id)| id.to_string()).collect()
}

/// Deletes likes by their number, the first one being 1.
fn delete(server: &Server, numbers: std::ops::RangeInclusive<usize>) {
    let ids = ids(server);
    for number in numbers {
        tell(server, &format!("XDEL {} {}", name().stream(jetstream::LIKES), ids[number - 1]));
    }
}

/// Whether the server tells what XDEL deleted: Redis 6.2 does not.
fn tells_deleted(server: &Server) -> bool {
    !info(server, "redis_version").starts_with("6.")
}

#[test]
fn what_was_appended_is_there_lane_by_lane() {
    let mut server = durable();
    let mut ledger = Ledger { padding: 50, ..Ledger::default() };
    let mut writer = open(&address(&server), &options(2, 16));
    for lane in jetstream::ALL {
        ledger.push_many(&mut writer, lane, 2 * (lane.index() as u64 + 1)).unwrap();
    }
    writer.close().unwrap();
    let epochs = jetstream::ALL
        .map(|lane| -> u64 { ask(&server, &format!("HGET {} epoch", name().writer(lane))).unwrap() });
    let copied = Copied::of(&mut server);
    let outcome = json(copied.path(), 0);
    for of in jetstream::ALL {
        let blocks = of.index() as u64 + 1;
        let first = 1_700_000_000_000_000_u64;
        let expected = value!({
            "lane": of.name(), "events": 2 * blocks, "blocks": blocks, "first_block": 1, "last_block": blocks,
            "time_us_min": first, "time_us_max": first + 2 * blocks - 1, "blocks_before": 0, "events_before": 0,
            "gap_count": 0, "missing_blocks": 0, "missing_events": 0, "gaps": [], "damage_count": 0, "damage": [],
            "writer": {"epoch": epochs[of.index()], "s": blocks, "e": 2 * blocks},
            "end": {"kind": "with_writer"}, "deleted_upto": null,
        });
        assert_eq!(lane(&outcome, of.name()), &expected);
    }
    let (kind, version) = server.identity();
    for (field, expected) in [
        ("schema", value!(1)),
        ("state", value!("sound")),
        ("buffer", value!("test")),
        ("database", value!(0)),
        ("server", value!(format!("{kind} {version}"))),
        ("changed", value!([])),
        ("refused", value!(null)),
        ("cut", value!(null)),
        ("events", value!(42)),
        ("blocks", value!(21)),
        ("buffers", value!([])),
    ] {
        assert_eq!(outcome[field], expected, "{field}");
    }
    let text = words(copied.path(), 0);
    holds(&text, &["SOUND: 42 events in 21 blocks of buffer test, without a gap or damage"]);
    // The folder of the server, which has its other files beside the AOF.
    assert_eq!(json(server.dir(), 0)["lanes"], outcome["lanes"]);
}

#[test]
fn what_was_read_and_let_go_is_no_loss_and_a_rewritten_log_no_damage() {
    let mut server = durable();
    let mut ledger = Ledger { padding: 50, ..Ledger::default() };
    add(&server, &mut ledger, 10);
    let url = server.url();
    let ran = run(&["read", "--quiet", "--buffer", "test", "--group", "g", "--ack", "--url", &url]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    add(&server, &mut ledger, 3);
    tell(&server, "BGREWRITEAOF");
    until("the log is rewritten", || {
        ["aof_rewrite_in_progress", "aof_rewrite_scheduled"].iter().all(|field| info(&server, field) == "0")
    });
    add(&server, &mut ledger, 2);
    let copied = Copied::of(&mut server);
    let outcome = json(copied.path(), 0);
    let found = lane(&outcome, "likes");
    let figures = ["blocks", "first_block", "last_block", "blocks_before", "events_before", "gap_count"];
    assert_eq!(figures.map(|field| found[field].as_u64().unwrap()), [5, 11, 15, 10, 20, 0]);
    // A writer takes every lane, and leaves a hash where nothing was ever appended.
    assert_eq!(lane(&outcome, "posts")["end"], value!({"kind": "empty"}));
    let text = words(copied.path(), 0);
    holds(
        &text,
        &["SOUND: 10 events in 5 blocks", "before the first: 10 blocks (20 events), let go or deleted"],
    );
}

#[test]
fn a_lane_read_empty_is_sound() {
    let mut server = with_likes(3);
    let url = server.url();
    run(&["read", "--quiet", "--buffer", "test", "--group", "g", "--ack", "--url", &url]);
    let copied = Copied::of(&mut server);
    let outcome = json(copied.path(), 0);
    let found = lane(&outcome, "likes");
    assert_eq!((&found["blocks"], &found["end"]), (&value!(0), &value!({"kind": "empty"})));
    holds(&words(copied.path(), 0), &["says block 3, event 6", "all of it was let go or trimmed"]);
}

#[test]
fn a_cut_tail_is_told_by_its_first_byte() {
    let copied = Copied::of(&mut with_likes(5));
    let whole = std::fs::read(copied.log()).unwrap();
    let last = *all(&whole, "*1\r\n$5\r\nMULTI\r\n").last().unwrap();
    let name = copied.log().file_name().unwrap().to_str().unwrap().to_owned();
    // In the middle of the last block's frame; and within the step that stores it, between two commands. Servers differ in
    // whether they leave out the MULTI before it too; what is not whole of the user's file begins with it.
    let between = last + all(&whole[last..], "\r\n*")[1] + 2;
    for (length, why) in [(last + 200, "command"), (between, "transaction")] {
        copied.write(&name, &whole[..length]);
        let outcome = json(copied.path(), 1);
        let cut = value!({"file": name, "offset": last, "bytes": length - last, "why": why});
        assert_eq!((&outcome["cut"], &outcome["state"]), (&cut, &value!("faulty")), "{length}");
        // The step is not there in part: the hash does not know of the block either.
        let found = lane(&outcome, "likes");
        assert_eq!((&found["blocks"], &found["end"]["kind"]), (&value!(4), &value!("with_writer")));
        let said = format!("cut: {} bytes of {name}, from byte {last} on", length - last);
        holds(&words(copied.path(), 1), &["FAULTY: the tail is cut; sound are 8 events in 4 blocks", &said]);
    }
}

#[test]
fn blocks_that_were_added_behind_the_script_are_sound_and_took_nothing_away() {
    let mut server = durable();
    assert_eq!(append(&server, &synthetic(6_000), &["--buffer", "test"]).code, 0);
    let renamed = redis::cmd("INFO").arg("commandstats").query::<String>(&mut connection(&server)).unwrap();
    assert!(renamed.contains("cmdstat_rename:"), "no block was large enough: {renamed}");
    let copied = Copied::of(&mut server);
    let outcome = json(copied.path(), 0);
    assert_eq!((&outcome["state"], &outcome["events"]), (&value!("sound"), &value!(6_000)));
    let logs = outcome["logs"].as_array().unwrap();
    assert!(logs.iter().all(|log| log["emptied"].is_null() && log["foreign"] == value!([])), "{logs:?}");
}

#[test]
fn a_byte_flipped_in_a_block_is_named_by_its_entry() {
    let mut server = with_likes(5);
    let id = ids(&server)[2].clone();
    let copied = Copied::of(&mut server);
    let frame = all(&std::fs::read(copied.log()).unwrap(), "$1\r\nd\r\n")[2];
    copied.flip(frame + 60);
    let outcome = json(copied.path(), 1);
    let found = lane(&outcome, "likes");
    assert_eq!((&found["damage_count"], &found["damage"][0]["id"]), (&value!(1), &value!(id)), "{outcome}");
    // The others are there, and neither the damaged one nor any other is missing.
    assert_eq!(
        (&found["events"], &found["blocks"], &found["gap_count"]),
        (&value!(8), &value!(4), &value!(0))
    );
    let why = found["damage"][0]["why"].as_str().unwrap();
    let text = words(copied.path(), 1);
    holds(
        &text,
        &["FAULTY: 1 entry damaged or out of place; sound are 8", &format!("damaged: entry {id}: {why}")],
    );
}

#[test]
fn an_entry_that_is_no_block_is_damage_and_what_stands_around_it_is_counted() {
    let mut server = with_likes(2);
    let stream = name().stream(jetstream::LIKES);
    let id: String = ask(&server, &format!("XADD {stream} * f 1 s x")).unwrap();
    let outcome = json(Copied::of(&mut server).path(), 1);
    let found = lane(&outcome, "likes");
    assert_eq!((&found["damage"][0]["id"], &found["events"]), (&value!(id), &value!(4)));
    assert_eq!(found["end"], value!({"kind": "unknown"}));
}

#[test]
fn missing_blocks_are_a_gap_with_its_numbers() {
    let mut server = with_likes(10);
    let (ids, tells) = (ids(&server), tells_deleted(&server));
    delete(&server, 4..=6);
    // By then the sixth of those that are left.
    delete(&server, 6..=6);
    let copied = Copied::of(&mut server);
    let outcome = json(copied.path(), 1);
    let found = lane(&outcome, "likes");
    let gaps = value!([
        {"from": 4, "to": 6, "events": 6, "before": ids[6]},
        {"from": 9, "to": 9, "events": 2, "before": ids[9]},
    ]);
    assert_eq!(found["gaps"], gaps);
    let figures = ["gap_count", "missing_blocks", "missing_events", "blocks", "events", "damage_count"];
    assert_eq!(figures.map(|field| found[field].as_u64().unwrap()), [2, 4, 8, 6, 12, 0]);
    assert_eq!(found["end"], value!({"kind": "with_writer"}));
    assert_eq!(found["deleted_upto"], if tells { value!(ids[8]) } else { value!(null) });
    let gap = format!("missing: blocks 4 to 6 (6 events) before entry {}", ids[6]);
    let one = format!("missing: block 9 (2 events) before entry {}", ids[9]);
    let text = words(copied.path(), 1);
    holds(&text, &["FAULTY: 4 blocks missing (8 events); sound are 12 events in 6 blocks", &gap, &one]);
    assert_eq!(text.contains("XDEL"), tells, "{text}");
}

#[test]
fn what_a_writer_wrote_down_as_lost_is_a_gap_at_the_front_too() {
    let mut server = with_likes(4);
    delete(&server, 1..=2);
    let mut lost = redis::cmd("HSET");
    lost.arg(name().writer(jetstream::LIKES))
        .arg("lost:2")
        .arg("1 2")
        .exec(&mut connection(&server))
        .unwrap();
    let outcome = json(Copied::of(&mut server).path(), 1);
    let found = lane(&outcome, "likes");
    assert_eq!((&found["gaps"][0]["from"], &found["gaps"][0]["to"]), (&value!(2), &value!(2)), "{outcome}");
    assert_eq!((&found["blocks_before"], &found["events_before"]), (&value!(1), &value!(2)), "{outcome}");
}

#[test]
fn a_lane_that_ends_before_its_writer_lacks_blocks() {
    let mut server = with_likes(5);
    delete(&server, 4..=5);
    let copied = Copied::of(&mut server);
    let outcome = json(copied.path(), 1);
    let found = lane(&outcome, "likes");
    assert_eq!(found["end"], value!({"kind": "before_writer", "blocks": 2, "events": 4}));
    assert_eq!((&found["last_block"], &found["writer"]["s"]), (&value!(3), &value!(5)));
    let text = words(copied.path(), 1);
    holds(
        &text,
        &[
            "FAULTY: 2 blocks missing (4 events)",
            "says block 5, event 10; 2 blocks (4 events) at the end are missing",
        ],
    );
}

#[test]
fn a_hash_or_a_stream_that_somebody_deleted_is_told() {
    let (stream, hash) = (name().stream(jetstream::LIKES), name().writer(jetstream::LIKES));
    for (command, end, said) in [
        (format!("DEL {hash}"), value!({"kind": "no_writer"}), "the writer's hash of likes is not there"),
        (format!("HSET {hash} s x"), value!({"kind": "no_writer"}), "or not numbers"),
        (format!("DEL {stream}"), value!({"kind": "deleted"}), "the stream of likes was deleted"),
        (
            format!("HSET {hash} s 2 e 4"),
            value!({"kind": "disagrees", "s": 3, "e": 6}),
            "likes does not end where its writer's hash says",
        ),
    ] {
        let mut server = with_likes(3);
        tell(&server, &command);
        let copied = Copied::of(&mut server);
        let outcome = json(copied.path(), 1);
        assert_eq!(lane(&outcome, "likes")["end"], end, "{command}");
        holds(&words(copied.path(), 1), &["FAULTY: ", said]);
    }
}

#[test]
fn where_the_buffer_is_not_there_others_are_named() {
    let mut server = durable();
    assert_eq!(append(&server, &good(1), &[]).code, 0);
    let third = Address::parse(&format!("{}/3", server.url())).unwrap();
    Writer::open(&third, &"archive".parse().unwrap(), &options(2, 16)).unwrap().close().unwrap();
    let copied = Copied::of(&mut server);
    let outcome = json(copied.path(), 1);
    let others = value!([{"database": 0, "buffer": "events"}, {"database": 3, "buffer": "archive"}]);
    assert_eq!((&outcome["state"], &outcome["buffers"]), (&value!("no_buffer"), &others));
    let text = words(copied.path(), 1);
    holds(&text, &["NO BUFFER: there is no buffer test in database 0 of this AOF"]);
    holds(&text, &["--buffer events", "--buffer archive --db 3"]);
    let there = verify(copied.path(), &["--buffer", "archive", "--db", "3"]);
    assert_eq!(there.code, 0, "{}", there.err);
    // With the default name it is there without a word.
    assert_eq!(verify(copied.path(), &[]).code, 0);
    let nothing = Copied::of(&mut durable());
    holds(&words(nothing.path(), 1), &["NO BUFFER", "none at all, in any database"]);
}

#[test]
fn a_server_that_still_runs_is_not_disturbed() {
    let server = durable();
    let source = Source::start(open(&address(&server), &options(2, 16)), 7, 50);
    source.grant(200);
    source.until_acknowledged(200);
    source.grant(20_000);
    let mut before: Vec<_> = seen(server.dir());
    for _ in 0..3 {
        let acknowledged = source.monitor.counts().acknowledged;
        let ran = verify_live(server.dir(), &["--json", "--buffer", "test"]);
        let outcome: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
        // What was written while it was copied may be there in part, which is told as a cut tail; a gap it is not.
        assert_eq!(outcome["refused"], value!(null), "{outcome}");
        assert_eq!(ran.code, i32::from(!outcome["cut"].is_null()), "{outcome}");
        assert!(outcome["events"].as_u64().unwrap() >= acknowledged, "{acknowledged}: {outcome}");
    }
    let (ledger, _) = source.finish();
    assert!(server.is_running());
    assert_holds_exactly(&address(&server), &ledger);
    // Only appended to: the same files, each beginning with what it had.
    let after = seen(server.dir());
    before.retain(|(path, ..)| path.is_file());
    for (path, figures, bytes) in before {
        let (_, now, grown) = after.iter().find(|(other, ..)| *other == path).unwrap();
        assert_eq!(now[..2], figures[..2], "{}", path.display());
        assert!(grown.starts_with(&bytes), "{}", path.display());
    }
}
