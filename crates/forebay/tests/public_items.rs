//! What is claimed of the public items: none names a type of the client library, whose major version is nobody's concern who
//! embeds this one. What the other crates of the workspace need of it is hidden from the documentation, and from this claim.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::path::Path;

/// Names of types of the client library, and of the one connection that is made of it.
const FOREIGN: [&str; 6] = ["redis::", "RedisError", "RedisResult", "Connection", "Cmd", "Value>"];

/// Modules of a folder that are public and not hidden, and those that a public one takes names from.
fn public(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
    let mut modules = Vec::new();
    let mut before = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("pub mod ")
            && before != "#[doc(hidden)]"
        {
            modules.push(name.trim_end_matches(';').to_owned());
        }
        before = line;
    }
    let of_others = |name: &String| {
        let text = std::fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("pub use super::"));
        names.filter_map(|rest| Some(rest.split_once("::")?.0.to_owned())).collect::<Vec<_>>()
    };
    let others: Vec<String> = modules.iter().flat_map(of_others).collect();
    modules.extend(others);
    modules
}

/// Public functions, fields and names of a file, each with its signature, that are not hidden.
fn declared(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines: Vec<&str> = code.lines().collect();
    let (mut found, mut is_private) = (Vec::new(), false);
    for (at, line) in lines.iter().enumerate() {
        is_private &= *line != "}";
        is_private |= line.starts_with("pub(super) struct") || line.starts_with("struct");
        let is_item = !is_private && line.trim_start().starts_with("pub ") && !line.contains("pub use");
        let is_hidden = at > 0 && lines[at - 1].trim() == "#[doc(hidden)]";
        if is_item && !is_hidden {
            let rest = lines[at..].join(" ");
            // A struct's fields have lines of their own, but for those without names, which are private.
            let ends: &[char] = if line.contains("pub struct") { &[';', '{', '('] } else { &[';', '{'] };
            let end = rest.find(ends).unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
        }
    }
    found
}

#[test]
fn no_public_item_names_a_type_of_the_client_library() {
    let mut looked_at = 0;
    for folder in ["buffer", "block", "event"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
        for module in public(&folder) {
            let Ok(text) = std::fs::read_to_string(folder.join(format!("{module}.rs"))) else { continue };
            for item in declared(&text) {
                let named = FOREIGN.iter().find(|name| item.contains(**name));
                assert!(named.is_none(), "{module}: {named:?} in {item}");
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 200, "{looked_at}");
}
