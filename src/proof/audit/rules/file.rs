//! Rules on a redis.conf that was read without a server: does a server start with it?

use super::Rule;
use crate::proof::audit::rule::{Fix, Severity, State};
use crate::proof::audit::seen::{FileFaults, Seen};
use crate::proof::audit::version::Versions;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "file.readable",
        severity: Severity::Danger,
        must: "A server starts with this file",
        why: "Redis refuses to start with a line that it cannot read, and it reads the file again at the next \
              restart: that may be the one after the crash.",
        remedy: "mend the lines that are named",
        source: "Redis source: config.c, loadServerConfigFromString",
        versions: Versions::All,
        check: |seen| Ok(faults(seen, "every line can be read", |file| &file.fatal)),
    },
    Rule {
        id: "file.known",
        severity: Severity::Danger,
        must: "Every directive is one that Redis or Valkey has",
        why: "A server that does not know a directive refuses to start. A module or a newer version may know it; a \
              typing error nobody does, and the setting that was meant is not made.",
        remedy: "correct the name, or take the line out",
        source: "CONFIG GET of Redis 6.2, 7.0, 8.2, Valkey 8.1, 9.1",
        versions: Versions::All,
        check: |seen| Ok(faults(seen, "every name is one of theirs", |file| &file.unknown)),
    },
];

fn faults(seen: &Seen, kept: &str, pick: fn(&FileFaults) -> &Vec<String>) -> State {
    let Some(file) = &seen.file else { return State::Idle("a server was asked, not a file".into()) };
    let faults = pick(file);
    let read = if faults.is_empty() { kept.into() } else { faults.join("; ") };
    State::of(faults.is_empty(), read, || vec![Fix::act(format!("mend {}", faults.join("; ")))])
}
