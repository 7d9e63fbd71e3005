//! What is claimed of the library's weight: whoever embeds it compiles no more than this.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeSet;
use std::process::Command;

const DIRECT_MAX: usize = 12;
const CRATES_MAX: usize = 70;

#[test]
fn the_library_has_few_dependencies() {
    let manifest = include_str!("../Cargo.toml");
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let direct = section.lines().take_while(|line| !line.starts_with('[')).filter(|line| line.contains('='));
    assert!(direct.clone().count() <= DIRECT_MAX, "{:?}", direct.collect::<Vec<_>>());

    // Without `--no-dedupe` a crate that is used twice has two lines.
    let arguments =
        "tree --offline --locked -p forebay -e normal --no-default-features --prefix none --no-dedupe";
    let tree = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let crates: BTreeSet<&str> = tree.lines().collect();
    assert!(crates.len() > DIRECT_MAX && crates.len() <= CRATES_MAX, "{}: {crates:?}", crates.len());
}
