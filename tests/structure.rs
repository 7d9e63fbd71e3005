//! What is claimed of the sources themselves.

use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file under `src`, with its path from there.
fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 50, "the sources are elsewhere now");
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Modules of the crate that a source names.
fn named(text: &str) -> Vec<&str> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.split("crate::").skip(1).map(|rest| rest.split(ends).next().unwrap_or_default()).collect()
}

#[test]
fn the_data_path_knows_nothing_of_what_is_built_on_it() {
    let allowed = ["event", "block", "buffer"];
    for (name, text) in all() {
        if allowed.iter().any(|module| name.starts_with(&format!("{module}/"))) {
            for module in named(&text) {
                assert!(allowed.contains(&module), "{name} names crate::{module}");
            }
        }
    }
    assert_eq!(named("use crate::report::Report; crate::exit"), ["report", "exit"], "the check sees imports");
}

#[test]
fn every_file_says_what_it_is_for_and_none_is_long() {
    for (name, text) in all() {
        assert!(text.starts_with("//! "), "{name}");
        assert!(text.lines().count() <= 600, "{name}");
    }
}

#[test]
fn processes_are_started_in_one_place_and_keys_are_named_in_one() {
    let having = |part: &str| -> Vec<String> {
        all().into_iter().filter(|(_, text)| text.contains(part)).map(|(name, _)| name).collect()
    };
    assert!(having("Command::new(").iter().all(|name| name.starts_with("server/")));
    assert_eq!(having("forebay:{}:{{{}}}"), ["buffer/keys.rs"]);
    assert_eq!(having(":writer\""), ["buffer/keys.rs"]);
}
