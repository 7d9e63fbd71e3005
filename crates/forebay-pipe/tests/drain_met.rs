//! What is claimed of layout `met`: each event lies in the folder of its record type and of its day, with the columns that readers
//! of that data expect, and comes back byte for byte, once, through a drain that ends before any step.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use forebay::event::parse::parse;
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::layout::Layout;
use forebay_pipe::drain::step::{Step, Steps};
use forebay_pipe::drain::verify::verify;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::drain_readers::{READERS, python};
use crate::drain_rows::{ONE_OF_EACH, RECORDED};
use crate::drain_support::{append, assert_same, by_lane, config, drained, events, run};
use crate::support::server;

/// Every kind of event that was recorded, some made-up ones, and some that are of no type although they look like it.
fn lines() -> Vec<String> {
    let mut lines: Vec<String> = RECORDED.lines().chain(ONE_OF_EACH.lines()).map(str::to_owned).collect();
    lines.extend(events(0..600));
    for (at, line) in lines.clone().iter().enumerate() {
        match at % 40 {
            1 => lines.push(line.replacen("\"subject\":", "\"sub\":", 1)),
            2 => lines.push(line.replacen("\"createdAt\":", "\"created\":", 1)),
            3 => lines.push(line.replacen("\"operation\":\"create\"", "\"operation\":\"update\"", 1)),
            4 => lines.push(line.replacen("\"time_us\":17", "\"time_us\":16", 1)),
            5 => lines.push(line.replacen("\"text\":\"", "\"tags\":[\"a\",\"b\"],\"text\":\"ü\\n", 1)),
            _ => {}
        }
    }
    lines
}

/// What a row should say, as the readers' script has it: by another reader of JSON than the drain's.
fn said(line: &str) -> Value {
    let event: Value = serde_json::from_str(line).unwrap();
    let (commit, record) = (&event["commit"], &event["commit"]["record"]);
    let (collection, text) = (commit["collection"].as_str(), |of: &Value| of.as_str().map(str::to_owned));
    let is_created = commit["operation"] == "create" && record["createdAt"].is_string();
    let reply = &record["reply"];
    let (has_uri, has_did) = (record["subject"]["uri"].is_string(), record["subject"].is_string());
    let kind = match collection.filter(|_| is_created) {
        Some("app.bsky.feed.post") if record["text"].is_string() && reply.is_null() => "post",
        Some("app.bsky.feed.post") if record["text"].is_string() => "reply",
        Some("app.bsky.feed.like") if has_uri => "like",
        Some("app.bsky.feed.repost") if has_uri => "repost",
        Some("app.bsky.graph.follow") if has_did => "follow",
        Some("app.bsky.graph.block") if has_did => "block",
        _ => "other",
    };
    let uri = collection.map(|collection| {
        format!("at://{}/{collection}/{}", event["did"].as_str().unwrap(), commit["rkey"].as_str().unwrap())
    });
    let at = jiff::Timestamp::from_microsecond(event["time_us"].as_i64().unwrap()).unwrap();
    let at = at.strftime("%Y-%m-%d-%H:%M:%S").to_string();
    let joined = |of: &Value| {
        let words = of.as_array().filter(|words| !words.is_empty() && ["post", "reply"].contains(&kind))?;
        Some(words.iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>().join(","))
    };
    let subject = match kind {
        "like" | "repost" => text(&record["subject"]["uri"]),
        "follow" | "block" => text(&record["subject"]),
        _ => None,
    };
    let reply = (kind == "reply").then(|| json!([reply["parent"]["uri"], reply["root"]["uri"]]));
    let is_post = ["post", "reply"].contains(&kind);
    json!([
        &at[..10],
        uri,
        text(&commit["cid"]),
        text(&event["did"]),
        collection,
        text(&record["createdAt"]).filter(|_| kind != "other"),
        text(&record["text"]).filter(|_| is_post),
        joined(&record["langs"]),
        joined(&record["tags"]),
        kind,
        at,
        subject,
        reply,
    ])
}

/// Lines of a tree, one drain after the other, each ended before another step.
fn drain(to: &Path, lines: &[String]) {
    let server = server(&[]);
    let config = Config { layout: Layout::Met, ..config(&server, to) };
    let mut rest = lines;
    for step in Step::ALL {
        let (some, more) = rest.split_at(rest.len() / 2);
        append(&server, some);
        rest = more;
        assert!(run(&Config { steps: Steps::until(step, 2), ..config.clone() }).is_err(), "{step:?}");
    }
    append(&server, rest);
    run(&config).unwrap();
}

/// The files of a tree, by their folders.
fn folders(to: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for path in Archive::of_folder(to).unwrap().tree().unwrap() {
        *found.entry(path.rsplit_once('/').unwrap().0.to_owned()).or_default() += 1;
    }
    found
}

#[test]
fn each_event_lies_with_its_record_type_and_day_and_four_readers_find_it_there() {
    let (to, lines) = (tempfile::tempdir().unwrap(), lines());
    drain(to.path(), &lines);
    assert_same(&drained(to.path()), &by_lane(&lines), "byte for byte");

    let said: Vec<Value> = lines.iter().map(|line| said(line)).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in &said {
        *counts.entry(format!("{} {}", row[9].as_str().unwrap(), row[0].as_str().unwrap())).or_default() += 1;
    }
    let kinds: std::collections::BTreeSet<&str> = said.iter().map(|row| row[9].as_str().unwrap()).collect();
    assert_eq!(kinds.len(), 7, "{kinds:?}");
    let places: Vec<String> = counts.keys().map(|place| place.replace(' ', "/partition_date=")).collect();
    assert!(folders(to.path()).keys().eq(places.iter()), "{places:?}");

    let mut texts: Vec<String> = said.iter().map(|row| format!("{row}\n")).collect();
    texts.sort_unstable();
    let hash =
        Sha256::digest(texts.concat()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let (python, tree) = (python(), to.path().join("events"));
    for (reader, date) in [("pyarrow", "string"), ("pandas", ""), ("duckdb", "DATE"), ("polars", "Date")] {
        let mut command = Command::new(&python);
        let ran = command.arg(format!("{READERS}/met.py")).arg(reader).arg(&tree).output().unwrap();
        assert!(ran.status.success(), "{reader}: {}", String::from_utf8_lossy(&ran.stderr));
        let read: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(read["rows"], json!(counts), "{reader}");
        assert_eq!(read["hash"], *hash, "{reader}");
        if !date.is_empty() {
            assert_eq!(read["types"]["partition_date"], date, "{reader}");
        }
    }
}

#[test]
fn a_file_that_lies_elsewhere_is_found_and_another_layout_is_refused_with_both_named() {
    let (server, to) = (server(&[]), tempfile::tempdir().unwrap());
    let all = lines();
    append(&server, &all);
    let met = Config { layout: Layout::Met, ..config(&server, to.path()) };
    run(&met).unwrap();
    append(&server, &all[..10]);
    let why = run(&config(&server, to.path())).err().unwrap().to_string();
    assert!(why.contains("in layout met with columns met-1") && why.contains("in layout hive"), "{why}");

    let archive = Archive::of_folder(to.path()).unwrap();
    let path = archive
        .tree()
        .unwrap()
        .into_iter()
        .find(|path| path.starts_with("reply/partition_date=2026"))
        .unwrap();
    let record = archive.last("posts").unwrap().unwrap();
    for (from, elsewhere) in [("reply/", "post/"), ("partition_date=2026", "partition_date=2025")] {
        let moved = path.replacen(from, elsewhere, 1);
        let text =
            std::fs::read_to_string(to.path().join("forebay/commits/posts/000000000001.json")).unwrap();
        assert!(text.contains(&path) && record.commit == 1);
        std::fs::write(
            to.path().join("forebay/commits/posts/000000000001.json"),
            text.replace(&path, &moved),
        )
        .unwrap();
        let events = to.path().join("events");
        std::fs::create_dir_all(events.join(&moved).parent().unwrap()).unwrap();
        std::fs::rename(events.join(&path), events.join(&moved)).unwrap();
        let told = verify(&archive, |_| {}).unwrap().told.join("\n");
        assert!(told.contains(&moved) && told.contains("than its folder"), "{told}");
        std::fs::rename(events.join(&moved), events.join(&path)).unwrap();
        std::fs::write(to.path().join("forebay/commits/posts/000000000001.json"), text).unwrap();
    }
    assert_eq!(verify(&archive, |_| {}).unwrap().told, [""; 0]);
}

#[test]
fn an_event_of_no_json_that_readers_know_is_refused_before_it_is_drained() {
    let server = server(&[]);
    let stream = forebay::Stream::lines("log").unwrap();
    let mut writer = forebay::Writer::builder(server.url(), "test").events(stream).open().unwrap();
    let event = writer.events().parse(b"plain").unwrap();
    writer.push(&event).unwrap();
    writer.close().unwrap();
    let to = tempfile::tempdir().unwrap();
    let why = run(&Config { layout: Layout::Met, ..config(&server, &to.path().join("to")) }).err().unwrap();
    assert!(why.to_string().contains("layout met is for Jetstream's events"), "{why}");
    assert!(parse(b"plain").is_err() && !to.path().join("to").exists());
}
