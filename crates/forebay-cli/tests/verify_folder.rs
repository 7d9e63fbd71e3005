//! What is claimed of `forebay verify` about everything that lies in a folder, and about figures of the user's own files.

use std::path::Path;

use forebay_rig::server::{Server, ServerBinary, Version};
use serde_json::{Value, json as value};

use super::cli_support::holds;
use super::support::{Ledger, add, info, server, tell, until};
use super::verify_support::{Copied, all, command, json, lane, verify, with_likes, words};

/// Whether the server that tests run on has AOFs in parts: Redis 6.2 does not.
fn has_parts() -> bool {
    ServerBinary::find(None).unwrap().version >= Version::new(7, 0, 0)
}

fn rewrite(server: &Server) {
    tell(server, "BGREWRITEAOF");
    until("the log is rewritten", || {
        ["aof_rewrite_in_progress", "aof_rewrite_scheduled"].iter().all(|field| info(server, field) == "0")
    });
}

/// A folder with six events before a rewrite and four after it, under a name.
fn rewritten(settings: &[(&str, &str)]) -> Copied {
    let durable = [("appendonly", "yes"), ("appendfsync", "always")];
    let mut server = server(&[&durable, settings].concat());
    let mut ledger = Ledger { padding: 50, ..Ledger::default() };
    add(&server, &mut ledger, 3);
    rewrite(&server);
    add(&server, &mut ledger, 2);
    Copied::of(&mut server)
}

fn role<'a>(outcome: &'a Value, name: &str) -> &'a Value {
    let listing = outcome["source"]["listing"].as_array().unwrap();
    &listing.iter().find(|file| file["name"] == name).unwrap_or_else(|| panic!("{name}: {listing:?}"))["role"]
}

/// The lines of a manifest that are wanted.
fn only(text: &str, is_wanted: impl Fn(&str) -> bool) -> String {
    text.split_inclusive('\n').filter(|line| is_wanted(line)).collect()
}

/// What `truncate -s` does.
fn cut(file: &Path, length: u64) {
    std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length).unwrap();
}

#[test]
fn everything_in_the_folder_is_named_with_what_it_is() {
    if !has_parts() {
        return;
    }
    let mut server = with_likes(3);
    rewrite(&server);
    tell(&server, "SAVE");
    server.terminate().unwrap();
    let (dir, parts) = (server.dir(), server.dir().join("appendonlydir"));
    std::fs::write(dir.join("appendonly.aof"), "old").unwrap();
    std::fs::write(parts.join("appendonly.aof.7.incr.aof"), "").unwrap();
    std::fs::write(parts.join("temp-rewriteaof-bg-12.aof"), "x").unwrap();
    std::fs::write(parts.join("notes"), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", parts.join("link")).unwrap();
    let outcome = json(dir, 0);
    for (name, expected) in [
        ("appendonlydir/appendonly.aof.manifest", "manifest"),
        ("appendonlydir/appendonly.aof.2.base.rdb", "base"),
        ("appendonlydir/appendonly.aof.2.incr.aof", "increment"),
        ("appendonlydir/appendonly.aof.7.incr.aof", "unlisted"),
        ("appendonlydir/temp-rewriteaof-bg-12.aof", "unfinished"),
        ("appendonlydir/notes", "other"),
        ("appendonlydir/link", "link"),
        ("appendonly.aof", "log_beside"),
        ("dump.rdb", "snapshot_beside"),
    ] {
        assert_eq!(role(&outcome, name), expected, "{name}");
    }
    let text = words(dir, 0);
    holds(
        &text,
        &["dump.rdb, ", "a snapshot: not loaded where there is an AOF; RDB format ", ", written by "],
    );
    holds(&text, &["appendonlydir/link, ", "a link: not followed", "notes, 1 byte: something else"]);
}

#[test]
fn a_snapshot_beside_an_aof_that_began_empty_is_named() {
    if !has_parts() {
        return;
    }
    // As it is lost again and again: a server with a full snapshot is started with `appendonly yes`.
    let mut old = super::support::filled(4).0;
    tell(&old, "SAVE");
    let dump = std::fs::read(old.dir().join("dump.rdb")).unwrap();
    old.kill().unwrap();
    let folder = Copied::nothing();
    folder.write("dump.rdb", &dump);
    let settings =
        [("appendonly", "yes"), ("appendfsync", "always"), ("dir", folder.path().to_str().unwrap())];
    let mut server = server(&settings);
    let holds_nothing: u64 = super::support::ask(&server, "DBSIZE").unwrap();
    assert_eq!(holds_nothing, 0);
    server.terminate().unwrap();
    let text = words(folder.path(), 1);
    holds(
        &text,
        &[
            "NO BUFFER",
            "dump.rdb",
            &format!("{} bytes", dump.len()),
            "cp -a",
            "forebay verify --aof snapshot",
        ],
    );
    // And after a writer went on, all that is there seems sound.
    server.restart().unwrap();
    add(&server, &mut Ledger { padding: 50, ..Ledger::default() }, 1);
    server.terminate().unwrap();
    holds(
        &words(folder.path(), 1),
        &["FAULTY", "dump.rdb", "is older than this AOF, which began with nothing"],
    );
    let alone = Copied::nothing();
    alone.write("dump.rdb", &dump);
    assert_eq!(json(alone.path(), 0)["events"], 8);
}

#[test]
fn names_in_quotes_are_compared_like_others() {
    if !has_parts() {
        return;
    }
    for name in ["my events.aof", "a \"b\".aof"] {
        let copied = rewritten(&[("appendfilename", name)]);
        assert_eq!(json(copied.path(), 0)["events"], 10, "{name}");
        let manifest = copied.file(".manifest");
        let text = std::fs::read_to_string(&manifest).unwrap();
        let base = only(&text, |line| line.contains("type b"));
        std::fs::write(&manifest, base).unwrap();
        let outcome = json(copied.path(), 1);
        assert_eq!(outcome["source"]["unlisted"], value!([format!("{name}.2.incr.aof")]), "{outcome}");
        assert_eq!(outcome["state"], "faulty");
        // With lines as another system ends them.
        std::fs::write(&manifest, text.replace('\n', "\r\n")).unwrap();
        assert_eq!(json(copied.path(), 0)["events"], 10, "{name}");
    }
}

#[test]
fn a_base_that_is_missing_is_told_whatever_the_manifest_says() {
    if !has_parts() {
        return;
    }
    let copied = rewritten(&[]);
    let (manifest, base) = (copied.file(".manifest"), copied.file(".base.rdb"));
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::remove_file(&base).unwrap();
    holds(
        &words(copied.path(), 1),
        &["NOT LOADED", "appendonly.aof.2.base.rdb: named by the manifest and not there"],
    );
    let without = only(&text, |line| !line.contains("type b"));
    std::fs::write(&manifest, without).unwrap();
    holds(
        &words(copied.path(), 1),
        &["FAULTY", "names no base, and appendonly.aof.2.incr.aof is not the first file"],
    );
}

#[test]
fn a_cut_in_a_file_before_the_last_has_the_figures_of_the_users_file() {
    if !has_parts() {
        return;
    }
    let copied = rewritten(&[]);
    let log = copied.file(".2.incr.aof");
    let bytes = std::fs::read(&log).unwrap();
    let last = *all(&bytes, "*1\r\n$5\r\nMULTI\r\n").last().unwrap();
    let length = last + 250;
    cut(&log, length as u64);
    copied.write("appendonly.aof.3.incr.aof", "");
    let manifest = copied.file(".manifest");
    let text = std::fs::read_to_string(&manifest).unwrap() + "file appendonly.aof.3.incr.aof seq 3 type i\n";
    std::fs::write(&manifest, text).unwrap();
    let outcome = json(copied.path(), 1);
    let stop = value!({"file": "appendonly.aof.2.incr.aof", "offset": last, "rest": 250, "why": "command"});
    assert_eq!((&outcome["state"], &outcome["refused"]["stop"]), (&value!("refused"), &stop));
    let text = words(copied.path(), 1);
    holds(
        &text,
        &[
            &format!("byte {last} of appendonly.aof.2.incr.aof, 250 bytes before its end"),
            "It is not the last file",
            "250 bytes are lost",
            "redis-check-aof --fix mended/appendonly.aof.2.incr.aof",
        ],
    );
    // What the recipe does, done.
    cut(&log, last as u64);
    assert_eq!(json(copied.path(), 0)["events"], 8);
}

#[test]
fn a_log_that_empties_itself_says_by_what_and_how_to_get_the_events_back() {
    let sound = Copied::of(&mut with_likes(4));
    let key = forebay_key();
    for (lines, offset_of, said) in [
        (vec!["FLUSHALL"], 0, "FLUSHALL"),
        (vec!["FLUSHALL ASYNC"], 0, "FLUSHALL ASYNC"),
        (vec!["SELECT 0", "FLUSHDB"], 1, "FLUSHDB"),
        (vec!["MULTI", "SET a b", "FLUSHALL", "EXEC"], 0, "FLUSHALL"),
        (vec!["SWAPDB 0 5"], 0, "SWAPDB 0 5"),
        (vec![key.as_str()], 0, "DEL"),
    ] {
        let copied = sound.again();
        let before = std::fs::read(copied.log()).unwrap();
        let commands: Vec<Vec<u8>> = lines.iter().map(|line| command(line)).collect();
        let offset = before.len() + commands[..offset_of].iter().map(Vec::len).sum::<usize>();
        std::fs::write(copied.log(), [&before[..], &commands.concat()].concat()).unwrap();
        let outcome = json(copied.path(), 1);
        assert_eq!(outcome["state"], "no_buffer", "{said}: {outcome}");
        let logs = outcome["logs"].as_array().unwrap();
        let emptied = &logs.iter().find(|log| !log["emptied"].is_null()).unwrap()["emptied"];
        assert!(
            emptied["offset"] == offset && emptied["command"].as_str().unwrap().starts_with(said),
            "{emptied}"
        );
        let name = copied.log().file_name().unwrap().to_str().unwrap().to_owned();
        let text = words(copied.path(), 1);
        let mend = format!("truncate -s {offset} mended/{name}");
        holds(&text, &["NO BUFFER", "emptied by the log itself", said, &mend, "ForebayBufferSetBack"]);
        // What the recipe does, done.
        cut(&copied.log(), offset as u64);
        assert_eq!(json(copied.path(), 0)["events"], 8, "{said}");
        // Another database's are none of this buffer's.
        let others = [&before[..], &command("SELECT 7"), &command("FLUSHDB")].concat();
        std::fs::write(copied.log(), others).unwrap();
        assert_eq!(json(copied.path(), 0)["events"], 8);
    }
}

/// A command that deletes every key of the buffer.
fn forebay_key() -> String {
    format!("DEL {}", super::support::name().keys().join(" "))
}

#[test]
fn what_came_before_a_log_was_emptied_is_said_to_be_in_no_count() {
    let mut server = with_likes(2);
    tell(&server, "FLUSHALL");
    add(&server, &mut Ledger { padding: 50, ..Ledger::default() }, 1);
    let copied = Copied::of(&mut server);
    holds(&words(copied.path(), 0), &["SOUND: 2 events", "emptied by FLUSHALL", "is in no count"]);
}

#[test]
fn a_file_that_ends_within_a_time_stamp_is_cut() {
    if !has_parts() {
        return;
    }
    for end in ["#", "#TS:17", "#TS:1700000000", "#TS:1700000000\r"] {
        let copied = Copied::of(&mut with_likes(3));
        let whole = std::fs::read(copied.log()).unwrap();
        assert_eq!(json(copied.path(), 0)["state"], "sound");
        std::fs::write(copied.log(), [&whole[..], end.as_bytes()].concat()).unwrap();
        let outcome = json(copied.path(), 1);
        let name = copied.log().file_name().unwrap().to_str().unwrap().to_owned();
        let expected = value!({"file": name, "offset": whole.len(), "bytes": end.len(), "why": "time_stamp"});
        assert_eq!((&outcome["cut"], &outcome["events"]), (&expected, &value!(6)));
        let mend = format!("truncate -s {} {name}", whole.len());
        holds(
            &words(copied.path(), 1),
            &["FAULTY: the tail is cut", "a time stamp that is not whole", &mend],
        );
        // Whole, it is none.
        std::fs::write(copied.log(), [&whole[..], b"#TS:1700000000\r\n"].concat()).unwrap();
        assert_eq!(json(copied.path(), 0)["state"], "sound");
    }
}

#[test]
fn zeros_at_the_end_are_told_as_what_a_power_cut_leaves() {
    let copied = Copied::of(&mut with_likes(3));
    let whole = std::fs::read(copied.log()).unwrap();
    std::fs::write(copied.log(), [&whole[..], &[0; 300]].concat()).unwrap();
    let outcome = json(copied.path(), 1);
    let stop = &outcome["refused"]["stop"];
    assert_eq!(
        (&stop["offset"], &stop["rest"], &stop["why"]),
        (&value!(whole.len()), &value!(300), &value!("zeros"))
    );
    holds(&words(copied.path(), 1), &["NOT LOADED", "300 bytes before its end: from there on all is zero"]);
}

/// What such a snapshot says of its writer: Valkey goes by its own version, whatever it says of Redis.
fn writer() -> String {
    let binary = ServerBinary::find(None).unwrap();
    match binary.kind {
        forebay_rig::server::ServerKind::Redis => "Redis 99.8.7".into(),
        forebay_rig::server::ServerKind::Valkey => format!("Valkey {}", binary.version),
    }
}

/// A snapshot of a format that no server has yet.
fn newer(copied: &Copied, name: &str) {
    let path = copied.path().join(name);
    let bytes = std::fs::read(&path).unwrap();
    // Before its own fields: the first one counts.
    let field = b"\xfa\x09redis-ver\x0699.8.7";
    std::fs::write(&path, [&b"REDIS0099"[..], field, &bytes[9..]].concat()).unwrap();
}

#[test]
fn a_format_that_the_server_does_not_know_is_named_with_its_writer_and_the_servers_reason() {
    let check = |path: &Path, file: &str| {
        let text = words(path, 1);
        let format = format!("{file} is in RDB format 99, written by ");
        let writer = format!("{}: this server does not know that format", writer());
        let reason = "Can't handle RDB format version 99";
        holds(&text, &["NOT LOADED", reason, &format, &writer, "--server-bin names that server"]);
        assert!(!text.contains("--fix") && !text.contains("noticed"), "{text}");
    };
    let mut server = with_likes(3);
    tell(&server, "SAVE");
    let snapshot = Copied::nothing();
    snapshot.write("dump.rdb", std::fs::read(server.dir().join("dump.rdb")).unwrap());
    newer(&snapshot, "dump.rdb");
    check(snapshot.path(), "dump.rdb");
    server.kill().unwrap();
    if has_parts() {
        let copied = rewritten(&[]);
        newer(&copied, "appendonly.aof.2.base.rdb");
        check(copied.path(), "appendonly.aof.2.base.rdb");
    }
}

#[test]
fn a_rewritten_single_file_is_read_behind_its_snapshot() {
    let parts = rewritten(&[]);
    let single = Copied::nothing();
    let bytes = if has_parts() {
        [std::fs::read(parts.file(".base.rdb")).unwrap(), std::fs::read(parts.file(".incr.aof")).unwrap()]
            .concat()
    } else {
        std::fs::read(parts.log()).unwrap()
    };
    single.write("appendonly.aof", &bytes);
    let outcome = json(single.path(), 0);
    assert_eq!((&outcome["events"], lane(&outcome, "likes")["blocks"].as_u64()), (&value!(10), Some(5)));
    assert!(
        outcome["logs"][0]["begins"].as_u64().unwrap() > 50
            && outcome["logs"][0]["commands"].as_u64().unwrap() > 5
    );
    let last = *all(&bytes, "*1\r\n$5\r\nMULTI\r\n").last().unwrap();
    single.write("appendonly.aof", &bytes[..last + 200]);
    let outcome = json(single.path(), 1);
    assert_eq!((&outcome["cut"]["offset"], &outcome["cut"]["bytes"]), (&value!(last), &value!(200)));
    single.write("appendonly.aof", [&bytes[..], &command("CONFIG SET dir /tmp")].concat());
    let ran = verify(single.path(), &["--json"]);
    let outcome: Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!(outcome["refused"]["programs"][0]["offset"], bytes.len());
}
