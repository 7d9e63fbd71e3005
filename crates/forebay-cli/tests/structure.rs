//! What is claimed of the sources themselves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Every source file of the crates, with its path from `crates/`, without its `src/`.
fn all() -> Vec<(String, String)> {
    let root = Path::new(ROOT).join("crates");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&root).unwrap() {
        files(&entry.unwrap().path().join("src"), &mut found);
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    assert!(found.len() > 50, "the sources are elsewhere now");
    let name = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().replacen("/src/", "/", 1);
    found.into_iter().map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

/// What the compiler cannot hold: the watch may name the client library's types, and must not talk to servers with them.
#[test]
fn the_watch_asks_servers_through_the_buffer_alone() {
    let watch: Vec<_> = all().into_iter().filter(|(name, _)| name.starts_with("forebay-watch/")).collect();
    assert!(watch.len() > 20, "the watch is elsewhere now");
    for (name, text) in watch {
        assert!(!text.contains("redis::"), "{name} talks to servers itself");
    }
}

#[test]
fn every_file_says_what_it_is_for_and_none_is_long() {
    for (name, text) in all() {
        assert!(text.starts_with("//! "), "{name}");
        assert!(text.lines().count() <= 600, "{name}");
    }
}

/// Names in ARCHITECTURE.md's map: of files, those of Rust without their ending, and of folders.
#[test]
fn every_place_on_the_map_is_there() {
    let text = std::fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let (_, map) = text.split_once("## Map").unwrap();
    let (map, _) = map.split_once("\n## ").unwrap();
    let mut there = Vec::new();
    files(&Path::new(ROOT).join("crates"), &mut there);
    there.extend(std::fs::read_dir(ROOT).unwrap().map(|entry| entry.unwrap().path()));
    let there: BTreeSet<String> = there.iter().flat_map(|path| stems(path.to_str().unwrap())).collect();
    let absent = |map: &str| -> Vec<String> {
        named(map).into_iter().filter(|name| !there.contains(name) && !name.contains('*')).collect()
    };
    assert!(named(map).len() > 80, "the map is elsewhere now");
    assert_eq!(absent(map), [""; 0], "they are on the map, and nowhere else");
    assert_eq!(
        absent("| `buffer/no_such.rs`, `writer`, `no_such.lua` | `reader_of_none` |"),
        ["no_such", "no_such.lua"]
    );
}

/// What stands in backticks in the first column of a table.
fn named(map: &str) -> Vec<String> {
    let places = map.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.split('|').nth(1));
    places.flat_map(|place| place.split('`').skip(1).step_by(2)).flat_map(stems).collect()
}

/// `a/b.rs`: `a`, `b`.
fn stems(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.map(|part| part.trim_end_matches(".rs").to_owned()).collect()
}

#[test]
fn processes_are_started_in_one_place_and_keys_are_named_in_one() {
    let having = |part: &str| -> Vec<String> {
        all().into_iter().filter(|(_, text)| text.contains(part)).map(|(name, _)| name).collect()
    };
    for part in ["Command::new(", "process::Command", "process::{Child, Command"] {
        // The one command that is the user's own, and is waited for.
        let is_allowed =
            |name: &String| name.starts_with("forebay-rig/server/") || name == "forebay-cli/read/exec.rs";
        assert!(having(part).iter().all(is_allowed), "{part}: {:?}", having(part));
    }
    assert!(!having("Command::new(").is_empty(), "the check sees them");
    assert_eq!(having("forebay:{{{}."), ["forebay/buffer/keys.rs"]);
    assert_eq!(having(":writer\""), ["forebay/buffer/keys.rs"]);
    for (name, text) in all().into_iter().filter(|(name, _)| name != "forebay/buffer/keys.rs") {
        let mut code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        assert_eq!(code.find(|line| names_a_key(line)), None, "{name} names a key");
    }
    assert!(names_a_key(r#"format!("forebay:{{{name}.likes.0}}")"#), "the check sees keys");
    assert!(names_a_key(r#"format!("forebay:{{events.{}.0}}", lane)"#), "the check sees keys");
    assert!(!names_a_key(r#"("forebay: writing under forebay:{name}:…, removed afterwards")"#));
}

/// Whether something like a key stands in a line. `forebay: ` opens a message, and `…` ends what people are shown.
fn names_a_key(line: &str) -> bool {
    let mut words =
        line.split("forebay:").skip(1).map(|rest| rest.split(['"', ' ']).next().unwrap_or_default());
    words.any(|word| !word.is_empty() && !word.starts_with(':') && !word.contains('…'))
}

/// Addresses that may stand in the product: this machine's, containers', documentation's, and those that a user replaces.
fn is_permitted(host: &str) -> bool {
    const KNOWN: [&str; 10] = [
        "127.0.0.1",
        "localhost",
        "prometheus",
        "{}",
        "{at}",
        "host",
        // Names of XML, which nobody opens.
        "www.w3.org",
        "s3.amazonaws.com",
        // The beginning of an address that is everybody's own secret.
        "hooks.slack.com",
        // Where README says to get Rust.
        "rustup.rs",
    ];
    let host = host.to_ascii_lowercase();
    KNOWN.contains(&host.as_str()) || host.ends_with(".example") || host.ends_with("example.net")
}

#[test]
fn no_address_stands_in_the_product_that_is_somebody_else_s() {
    let root = Path::new(ROOT);
    let (mut files, mut seen) = (Vec::new(), 0);
    for folder in ["crates", "deploy", "docs", "profiles"] {
        everything(&root.join(folder), &mut files);
    }
    files.push(root.join("README.md"));
    for path in files {
        // A library that is not ours, and events as the network has them: their links are data.
        let name = path.to_str().unwrap();
        if name.contains("/vendor/")
            || name.contains("/src/synth/")
            || name.contains("/tests/")
            || name.contains("/deploy/secrets/")
        {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let schemes = ["http", "ws"].into_iter().flat_map(|scheme| text.split(scheme).skip(1));
        for rest in schemes.filter_map(|rest| rest.strip_prefix("s").or(Some(rest))?.strip_prefix("://")) {
            seen += 1;
            let ends = |c: char| "/:\"'`<>) ,;#?".contains(c) || c.is_whitespace();
            let host = rest.split(ends).next().unwrap();
            assert!(host.is_empty() || is_permitted(host), "{name}: {host}");
        }
    }
    assert!(seen > 10, "the check sees addresses: {seen}");
    assert!(!is_permitted("github.com") && is_permitted("wiki.example"));
}

fn everything(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { everything(&path, found) } else { found.push(path) }
    }
}
