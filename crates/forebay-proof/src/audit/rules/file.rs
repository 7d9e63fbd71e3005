//! Rules on a redis.conf that was read without a server: which lines a server is known to refuse, and what one that was
//! started on a copy said of them.

use crate::audit::rule::{Checked, Fix, Rule, Severity, State, Unread};
use crate::audit::snapshot::{AuditSnapshot, FileFaults};
use crate::audit::trial::Place;
use crate::audit::version::Versions;

/// How many faults a line names.
const SHOWN_MAX: usize = 20;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "file.readable",
        severity: Severity::Danger,
        must: "No line is one that servers are known to refuse",
        why: "Redis refuses to start with a line that it cannot read, and it reads the file again at the next \
              restart: that may be the one after the crash.",
        remedy: "mend the lines that are named",
        source: "Redis source: config.c, loadServerConfigFromString",
        versions: Versions::All,
        check: |seen| Ok(faults(seen, "none is known to be refused", |file| &file.fatal)),
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
    Rule {
        id: "file.starts",
        severity: Severity::Danger,
        must: "A server starts with a copy of this file",
        why: "What a server of your version says of a line counts more than any table. It is started in a folder of its own, on a \
              socket, without files of others, modules or replication, for at most 2 s.",
        remedy: "forebay audit --conf FILE --try --server-bin /usr/bin/redis-server; then mend the lines that it names",
        source: "the server that is started",
        versions: Versions::All,
        check: starts,
    },
];

fn faults(seen: &AuditSnapshot, kept: &str, pick: fn(&FileFaults) -> &Vec<String>) -> State {
    let Some(file) = &seen.file else { return State::Idle("a server was asked, not a file".into()) };
    let faults = pick(file);
    let lines = crate::report::units::counted(file.lines as u64, "line", "lines");
    let read = if faults.is_empty() { format!("{lines} read, {kept}") } else { told(faults) };
    State::of(faults.is_empty(), read, || vec![Fix::act(format!("mend {}", told(faults)))])
}

/// Faults in a line, as many as a person reads.
fn told(faults: &[String]) -> String {
    let more = faults.len().saturating_sub(SHOWN_MAX);
    let shown = faults[..faults.len() - more].join("; ");
    if more == 0 { shown } else { format!("{shown}; and {more} more") }
}

fn starts(seen: &AuditSnapshot) -> Checked {
    let Some(file) = &seen.file else { return Ok(State::Idle("a server was asked, not a file".into())) };
    let Some(tried) = &file.tried else {
        return Err(Unread("no server was started: --try starts one on a copy of the file".into()));
    };
    let of = |place: &Place| format!("{}:{}", place.file.display(), place.line);
    if !tried.refused.is_empty() {
        let refused: Vec<String> = tried
            .refused
            .iter()
            .map(|(place, why)| format!("{}: {why}", place.as_ref().map_or("the lines together".into(), of)))
            .collect();
        let read = format!("{} refuses {}", tried.server, told(&refused));
        return Ok(State::Broken(read, vec![Fix::act(format!("mend {}", told(&refused)))]));
    }
    if tried.is_started.is_none() {
        return Err(Unread(format!("{} had not started in time, and named no line", tried.server)));
    }
    let count = crate::report::units::counted(
        tried.lines.len() as u64,
        "line that was tried",
        "lines that were tried",
    );
    let mut read = format!("{} took the {count}", tried.server);
    if !file.taken.is_empty() {
        read = format!("{read}, of which other servers refuse {}", told(&file.taken));
    }
    let untried: Vec<String> =
        tried.untried.iter().map(|(place, name)| format!("{name} ({})", of(place))).collect();
    let beside = "whether ports are free, and hosts that other lines than bind name";
    let others = if untried.is_empty() { String::new() } else { format!("{}, ", told(&untried)) };
    Ok(State::Kept(format!("{read}. Not tried: {others}{beside}")))
}
