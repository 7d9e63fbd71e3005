//! What is claimed of `forebay verify` where there is nothing to load, or no server loads it; and where it is ended.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use forebay_rig::server::{ServerBinary, Version};
use serde_json::json as value;

use super::cli_support::{Ran, forebay, holds, interrupt, said};
use super::support::{Ledger, add, info, tell, until};
use super::verify_support::{Copied, all, json, lane, verify, with_likes, words};

/// A refusal before anything was loaded: what it says, in one line.
fn refused(copied: &Copied, code: i32) -> String {
    let ran = verify(copied.path(), &["--buffer", "test"]);
    assert_eq!((ran.code, ran.out.len(), ran.err.lines().count()), (code, 0, 1), "{}", ran.err);
    ran.err
}

/// Whether the server that tests run on has AOFs in parts: Redis 6.2 does not.
fn has_parts() -> bool {
    let binary = ServerBinary::find(None).unwrap();
    binary.version >= Version::new(7, 0, 0)
}

/// A server program that says which version it is, and then runs a script.
fn program(folder: &Copied, version: &str, script: &str) -> PathBuf {
    let path = folder.path().join("program");
    let text = format!("#!/bin/sh\nif [ \"$1\" = --version ]; then echo '{version}'; exit; fi\n{script}\n");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn what_is_no_folder_with_an_aof_is_refused_with_what_is_there() {
    let copied = Copied::nothing();
    let at = copied.path().display().to_string();
    holds(&refused(&copied, 2), &[&at, "holds no AOF", "(it holds no files)", "appendonlydir"]);
    copied.write("notes.txt", "x");
    holds(&refused(&copied, 2), &["holds no AOF", "notes.txt (1 byte)"]);

    let file = copied.path().join("notes.txt");
    let ran = verify(&file, &[]);
    assert_eq!(ran.code, 2);
    holds(&ran.err, &[file.to_str().unwrap(), "Not a directory", "--aof names a folder"]);
    let nowhere = copied.path().join("nowhere");
    let text = said(&["verify", "--aof", nowhere.to_str().unwrap()], 2);
    holds(&text, &[nowhere.to_str().unwrap(), "No such file or directory", "--aof names a folder"]);
}

#[test]
fn a_folder_that_does_not_go_together_is_refused_with_what_is_missing() {
    if !has_parts() {
        return;
    }
    let copied = Copied::of(&mut with_likes(3));
    let manifest = copied.file(".manifest");
    let text = std::fs::read_to_string(&manifest).unwrap();

    copied.write("other.aof.manifest", &text);
    let several = refused(&copied, 2);
    holds(&several, &["several AOFs", "appendonly.aof.manifest", "other.aof.manifest"]);
    std::fs::remove_file(copied.path().join("other.aof.manifest")).unwrap();

    std::fs::remove_file(&manifest).unwrap();
    let parts = refused(&copied, 1);
    holds(
        &parts,
        &["parts of an AOF and no manifest", ".incr.aof (", " bytes)", "bring appendonly.aof.manifest"],
    );

    std::fs::write(&manifest, text.replace(".1.incr.aof", ".7.incr.aof")).unwrap();
    let outcome = json(copied.path(), 1);
    assert_eq!(outcome["state"], "refused");
    let source = &outcome["source"];
    assert_eq!(source["missing"], value!(["appendonly.aof.7.incr.aof"]));
    assert_eq!(source["unlisted"], value!(["appendonly.aof.1.incr.aof"]));
    let text = words(copied.path(), 1);
    holds(
        &text,
        &[
            "NOT LOADED",
            "appendonly.aof.7.incr.aof: named by the manifest and not there",
            "appendonly.aof.1.incr.aof: not named by the manifest",
            "Bring appendonly.aof.7.incr.aof",
        ],
    );
    std::fs::write(&manifest, "x").unwrap();
    assert_eq!(json(copied.path(), 1)["state"], "refused");
}

#[test]
fn a_byte_flipped_in_a_command_is_told_by_its_place_and_nothing_is_mended() {
    let copied = Copied::of(&mut with_likes(5));
    let bytes = std::fs::read(copied.log()).unwrap();
    let step = all(&bytes, "*1\r\n$5\r\nMULTI\r\n")[3];
    copied.flip(step);
    let outcome = json(copied.path(), 1);
    let name = copied.log().file_name().unwrap().to_str().unwrap().to_owned();
    let stop = &outcome["refused"]["stop"];
    assert_eq!((&stop["offset"], &stop["rest"]), (&value!(step), &value!(bytes.len() - step)), "{outcome}");
    assert!(stop["file"] == name.as_str() || stop["file"].is_null(), "{outcome}");
    assert_eq!((&outcome["state"], &outcome["events"]), (&value!("refused"), &value!(0)));
    assert!(!outcome["refused"]["log"].as_array().unwrap().is_empty());
    let text = words(copied.path(), 1);
    let place = format!("sound to byte {step} of {name}, ");
    let mend = format!("redis-check-aof --fix mended/{name}");
    holds(&text, &["NOT LOADED", &place, &mend, "Nothing was changed or deleted"]);
}

#[test]
fn a_single_file_and_a_snapshot_alone_are_loaded() {
    let mut server = with_likes(4);
    tell(&server, "SAVE");
    let parts = Copied::of(&mut server);
    let (single, snapshot) = (Copied::nothing(), Copied::nothing());
    single.write("appendonly.aof", std::fs::read(parts.log()).unwrap());
    snapshot.write("dump.rdb", std::fs::read(server.dir().join("dump.rdb")).unwrap());
    for (copied, kind, what) in [
        (&single, "single", "single AOF file: appendonly.aof"),
        (&snapshot, "snapshot", "snapshot, no AOF: dump.rdb"),
    ] {
        let outcome = json(copied.path(), 0);
        assert_eq!((&outcome["source"]["kind"], &outcome["events"]), (&value!(kind), &value!(8)));
        assert_eq!(lane(&outcome, "likes")["end"], value!({"kind": "with_writer"}));
        holds(&words(copied.path(), 0), &["SOUND: 8 events in 4 blocks", what]);
    }
    // Beside an AOF a snapshot is not what a server loads.
    single.write("dump.rdb", "no snapshot");
    assert_eq!(json(single.path(), 0)["source"]["kind"], "single");
    let bytes = std::fs::read(snapshot.path().join("dump.rdb")).unwrap();
    snapshot.write("dump.rdb", &bytes[..bytes.len() / 2]);
    assert_eq!(json(snapshot.path(), 1)["state"], "refused");
    let text = words(snapshot.path(), 1);
    holds(&text, &["NOT LOADED", "redis-check-rdb mended/dump.rdb"]);
    assert!(!text.contains("--fix"), "{text}");
    single.write("second.aof", "");
    holds(&refused(&single, 2), &["several AOFs or snapshots (appendonly.aof, second.aof)"]);
}

#[test]
fn a_server_that_would_come_up_empty_is_not_asked() {
    let copied = Copied::nothing();
    copied.write("appendonly.aof.manifest", "file appendonly.aof.1.incr.aof seq 1 type i\n");
    copied.write("appendonly.aof.1.incr.aof", "");
    let folder = Copied::nothing();
    let old = program(&folder, "Redis server v=6.2.5 sha=0", "exit 9");
    let ran = verify(copied.path(), &["--server-bin", old.to_str().unwrap()]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    holds(&ran.err, &["appendonly.aof.manifest", "is 6.2.5", "start empty", "--server-bin"]);
    let none = verify(copied.path(), &["--server-bin", "/nowhere/redis-server"]);
    assert_eq!(none.code, 3, "{}", none.err);
}

#[test]
fn a_copy_that_has_no_room_is_not_begun() {
    let copied = Copied::nothing();
    let file = std::fs::File::create(copied.path().join("appendonly.aof")).unwrap();
    // A hole, which takes no room itself.
    file.set_len(8 << 40).unwrap();
    let text = said(&["verify", "--aof", copied.path().to_str().unwrap()], 2);
    holds(&text, &["bytes free", "are needed for a copy", "TMPDIR"]);
}

#[test]
fn ctrl_c_leaves_no_folder_and_no_server() {
    let (copied, temporary, folder) = (Copied::of(&mut with_likes(3)), Copied::nothing(), Copied::nothing());
    let mark = folder.path().join("pid");
    let script = format!("echo $$ > {0}.part; mv {0}.part {0}; exec sleep 100", mark.display());
    let slow = program(&folder, "Redis server v=7.2.0 sha=0", &script);
    let mut command = forebay(&[
        "verify",
        "--aof",
        copied.path().to_str().unwrap(),
        "--server-bin",
        slow.to_str().unwrap(),
    ]);
    let child = command.env("TMPDIR", temporary.path()).spawn().unwrap();
    until("the server was started", || mark.exists());
    assert!(std::fs::read_dir(temporary.path()).unwrap().count() > 0, "it works in the temporary folder");
    interrupt(&child);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (130, "forebay: interrupted, nothing is known\n"));
    assert!(ran.out.is_empty());
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "a folder was left");
    let pid = std::fs::read_to_string(&mark).unwrap();
    assert!(!PathBuf::from(format!("/proc/{}", pid.trim())).exists(), "a server was left");
}

#[test]
fn a_base_that_is_empty_or_left_out_is_not_sound() {
    if !has_parts() {
        return;
    }
    let mut server = with_likes(3);
    tell(&server, "BGREWRITEAOF");
    until("the log is rewritten", || {
        ["aof_rewrite_in_progress", "aof_rewrite_scheduled"].iter().all(|field| info(&server, field) == "0")
    });
    // What comes after the rewrite, and can be loaded alone.
    add(&server, &mut Ledger { padding: 50, ..Ledger::default() }, 2);
    let copied = Copied::of(&mut server);
    assert_eq!(json(copied.path(), 0)["state"], "sound");
    let (manifest, base) = (copied.file(".manifest"), copied.file(".base.rdb"));
    let (text, bytes) = (std::fs::read_to_string(&manifest).unwrap(), std::fs::read(&base).unwrap());

    std::fs::write(&base, "").unwrap();
    holds(&words(copied.path(), 1), &["FAULTY", "has no bytes: whatever was in it is gone"]);
    std::fs::write(&base, bytes).unwrap();
    std::fs::write(&manifest, text.replace(" type b", " type h")).unwrap();
    holds(&words(copied.path(), 1), &["FAULTY", "the manifest names no base"]);
    let without_base: Vec<&str> = text.lines().filter(|line| !line.contains(" type b")).collect();
    std::fs::write(&manifest, without_base.join("\n") + "\n").unwrap();
    holds(&words(copied.path(), 1), &["FAULTY", "the manifest names no base"]);
    let base_alone: Vec<&str> = text.lines().filter(|line| line.contains(" type b")).collect();
    std::fs::write(&manifest, base_alone.join("\n") + "\n").unwrap();
    holds(&words(copied.path(), 1), &["FAULTY", "is not named by the manifest: no server loads it"]);
}
