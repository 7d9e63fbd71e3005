//! What is claimed of `forebay verify` on an AOF that is a program: nothing in it is obeyed but data, on any server.

use std::net::TcpListener;
use std::path::PathBuf;

use forebay_rig::server::ServerBinary;
use serde_json::Value;

use super::cli_support::holds;
use super::support::tell;
use super::verify_support::{Copied, command, json, verify, with_likes, words};

/// The servers of `make servers`, or of the folder that `FOREBAY_SERVERS` names; at least the one that tests run on.
fn servers() -> Vec<PathBuf> {
    let folder = std::env::var_os("FOREBAY_SERVERS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../servers"), PathBuf::from);
    let folders = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let programs = folders.flat_map(|folder| ["redis-server", "valkey-server"].map(|name| folder.join(name)));
    let mut found: Vec<PathBuf> = programs.filter(|program| program.is_file()).collect();
    found.sort();
    if found.is_empty() {
        found.push(ServerBinary::find(None).unwrap().path);
    }
    found
}

/// Commands that act: on the server, on files, on other servers. `{port}` is that of a listener of the test, `{dir}` a
/// folder of it.
const ACTING: [&str; 24] = [
    "MODULE LOAD {dir}/evil.so",
    "REPLICAOF 127.0.0.1 {port}",
    "SLAVEOF 127.0.0.1 {port}",
    "MIGRATE 127.0.0.1 {port} k 0 1000",
    "ACL SETUSER default nopass",
    "ACL SAVE",
    "DEBUG SLEEP 1",
    "CLIENT PAUSE 100000",
    "CONFIG SET dir {dir}",
    "CONFIG SET appendonly no",
    "SAVE",
    "BGSAVE",
    "BGREWRITEAOF",
    "FUNCTION LOAD x",
    "EVAL return_1 0",
    "SHUTDOWN NOSAVE",
    "CLUSTER RESET",
    "LATENCY RESET",
    "SLOWLOG RESET",
    "MONITOR",
    "SUBSCRIBE x",
    "PSYNC ? -1",
    "REPLCONF listening-port 1",
    "WAIT 1 0",
];

/// Nobody came by, and nothing was written.
fn nothing_happened(listener: &TcpListener, dir: &tempfile::TempDir) {
    let came = listener.accept().map(|(_, from)| from);
    assert!(came.is_err(), "{came:?} connected");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something was written");
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn filled(line: &str, port: u16, dir: &tempfile::TempDir) -> String {
    line.replace("{port}", &port.to_string()).replace("{dir}", dir.path().to_str().unwrap())
}

/// A single file with four events, as a server of any version loads it.
fn single() -> Vec<u8> {
    std::fs::read(Copied::of(&mut with_likes(2)).log()).unwrap()
}

#[test]
fn no_command_of_an_aof_that_acts_is_obeyed_by_any_server_and_each_is_named_with_its_byte() {
    let (sound, (listener, port)) = (single(), listener());
    let dir = tempfile::tempdir().unwrap();
    for server in servers() {
        let copied = Copied::nothing();
        let (mut bytes, mut places) = (sound.clone(), Vec::new());
        for line in ACTING {
            places.push(bytes.len() as u64);
            bytes.extend(command(&filled(line, port, &dir)));
        }
        copied.write("appendonly.aof", &bytes);
        let ran =
            verify(copied.path(), &["--buffer", "test", "--json", "--server-bin", server.to_str().unwrap()]);
        let outcome: Value = serde_json::from_slice(&ran.out).unwrap();
        assert_eq!(
            (ran.code, &outcome["state"]),
            (1, &Value::from("refused")),
            "{}: {outcome}",
            server.display()
        );
        let programs = outcome["refused"]["programs"].as_array().unwrap();
        assert_eq!(programs.len(), ACTING.len(), "{}: {programs:?}", server.display());
        for ((program, line), place) in programs.iter().zip(ACTING).zip(places) {
            let name: String = program["command"].as_str().unwrap().split(' ').next().unwrap().into();
            assert!(line.starts_with(&name) && program["offset"] == place, "{line}: {program}");
            // Before Redis 7 there are no functions.
            let is_known = name != "FUNCTION" || !server.to_string_lossy().contains("redis-6.");
            assert_eq!(
                (&program["file"], &program["is_known"]),
                (&Value::from("appendonly.aof"), &Value::from(is_known)),
                "{name} on {}",
                server.display()
            );
        }
        assert_eq!(outcome["refused"]["ended"], "not started");
        nothing_happened(&listener, &dir);
    }
    // One alone, and in words.
    let copied = Copied::nothing();
    copied.write("appendonly.aof", [&sound[..], &command(&filled(ACTING[0], port, &dir))].concat());
    let said = words(copied.path(), 1);
    let headline =
        format!("NOT LOADED: byte {} of appendonly.aof holds MODULE LOAD, which is no data", sound.len());
    holds(
        &said,
        &[&headline, "nothing in it was run", "somebody has edited the file", "Nothing was changed"],
    );
    nothing_happened(&listener, &dir);
}

/// A snapshot whose end nobody finds but a server: it has no checksum, and what could be one stands in a later command. So
/// what follows it is not seen beforehand.
fn hidden(line: &str) -> Vec<u8> {
    let mut server = super::support::server(&[("rdbchecksum", "no")]);
    tell(&server, "SET k v");
    tell(&server, "SAVE");
    let snapshot = std::fs::read(server.dir().join("dump.rdb")).unwrap();
    server.kill().unwrap();
    assert!(snapshot.ends_with(&[0; 8]), "it has a checksum");
    let hiding = [&b"*3\r\n$3\r\nSET\r\n$1\r\nh\r\n$9\r\n\xff"[..], &[0; 8], b"\r\n"].concat();
    [&snapshot[..], &command(line), &hiding].concat()
}

#[test]
fn what_is_not_seen_beforehand_is_not_obeyed_either() {
    let ((listener, port), dir) = (listener(), tempfile::tempdir().unwrap());
    for line in ["MODULE LOAD {dir}/evil.so", "REPLICAOF 127.0.0.1 {port}", "CONFIG SET dir {dir}"] {
        let copied = Copied::nothing();
        copied.write("appendonly.aof", hidden(&filled(line, port, &dir)));
        let said = words(copied.path(), 1);
        let name = line.split(' ').next().unwrap();
        holds(&said, &["NOT LOADED", "nknown command", name]);
        nothing_happened(&listener, &dir);
    }
}

#[test]
fn a_script_that_is_only_loaded_is_run_by_nothing() {
    let copied = Copied::nothing();
    copied.write("appendonly.aof", [single(), command("SCRIPT LOAD return_redis.call('flushall')")].concat());
    assert_eq!(json(copied.path(), 0)["events"], 4);
}

#[test]
fn a_command_that_no_server_here_knows_may_be_of_a_module() {
    let copied = Copied::nothing();
    copied.write("appendonly.aof", [single(), command("JSON.SET k $ 1")].concat());
    let said = words(copied.path(), 1);
    holds(&said, &["JSON.SET", "this server has none of that name", "--server-bin names that one"]);
    assert!(!said.contains("edited"), "{said}");
}

#[test]
fn a_link_is_not_followed_and_a_pipe_is_not_waited_for() {
    let (elsewhere, copied) = (tempfile::tempdir().unwrap(), Copied::nothing());
    std::fs::write(elsewhere.path().join("secret"), "SECRET").unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("secret"), copied.path().join("appendonly.aof"))
        .unwrap();
    let ran = verify(copied.path(), &[]);
    assert_eq!((ran.code, ran.out.len()), (2, 0));
    holds(&ran.err, &["holds no AOF", "appendonly.aof (a link, which is not followed)"]);

    let copied = Copied::nothing();
    let names = ["../secret", "a.1.base.rdb", "a.1.incr.aof"];
    let types = ["i", "b", "i"];
    let line = |(name, kind): (&str, &str)| format!("file {name} seq 1 type {kind}\n");
    copied.write("a.manifest", names.into_iter().zip(types).map(line).collect::<Vec<_>>().concat());
    std::os::unix::fs::symlink(elsewhere.path().join("secret"), copied.path().join("a.1.base.rdb")).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(copied.path().join("a.1.incr.aof"))
            .status()
            .unwrap()
            .success()
    );
    std::os::unix::fs::symlink(elsewhere.path(), copied.path().join("appendonlydir")).unwrap();
    let mut command = super::cli_support::forebay(&["verify", "--aof", copied.path().to_str().unwrap()]);
    let ran = super::cli_support::Ran::from(command.output().unwrap());
    let said = String::from_utf8_lossy(&ran.out).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(ran.code, if said.is_empty() { 3 } else { 1 }, "{}", ran.err);
    assert!(!said.contains("SECRET") && !ran.err.contains("SECRET"));
    if !said.is_empty() {
        holds(&said, &["../secret is no name of a file in this folder", "a link or no file: not followed"]);
    }
}
