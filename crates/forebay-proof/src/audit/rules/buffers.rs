//! Rules on the buffers of clients: they take from the memory that events are in, and a block must fit into them.

use super::checks::size;
use crate::audit::rule::{Checked, Fix, Rule, Severity, State, Unread};
use crate::audit::snapshot::AuditSnapshot;
use crate::audit::version::Versions;

/// The largest event that `forebay append` takes unless told otherwise: one block may hold it alone, incompressible.
const LARGEST_EVENT: u64 = forebay::event::lines::DEFAULT_MAX_EVENT_BYTES as u64;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "memory.clients-bounded",
        severity: Severity::Note,
        must: "The memory of all clients together is bounded",
        why: "Answers waiting for slow readers count against maxmemory: a few stuck readers fill the buffer without \
              one event more.",
        remedy: "maxmemory-clients 5%",
        source: "redis.conf: maxmemory-clients",
        versions: Versions::From((7, 0, 0)),
        check: |seen| {
            let is_set = !matches!(seen.text("maxmemory-clients")?.trim(), "0" | "0%");
            Ok(State::of(is_set, seen.said("maxmemory-clients")?, || {
                vec![Fix::set("maxmemory-clients", "5%")]
            }))
        },
    },
    Rule {
        id: "memory.clients",
        severity: Severity::Warn,
        must: "Clients' buffers take less than a tenth of maxmemory",
        why: "They count against maxmemory: what slow readers hold is missing for events.",
        remedy: "maxmemory-clients 5%; CLIENT LIST shows who holds it (omem, qbuf)",
        source: "INFO memory: mem_clients_normal",
        versions: Versions::All,
        check: |seen| {
            let (held, limit) = (seen.count("mem_clients_normal")?, seen.bytes("maxmemory")?);
            let read = format!("mem_clients_normal {}, maxmemory {}", size(held), size(limit));
            Ok(State::of(limit == 0 || held <= limit / 10, read, || {
                // Before 7.0 there is no such setting, and a server does not start with it.
                let is_there = seen.text("maxmemory-clients").is_ok();
                let old = ("client-output-buffer-limit", "normal 256mb 64mb 60");
                let (name, value) = if is_there { ("maxmemory-clients", "5%") } else { old };
                vec![Fix::set(name, value)]
            }))
        },
    },
    Rule {
        id: "memory.output-buffer",
        severity: Severity::Note,
        must: "What waits for one slow reader is bounded",
        why: "A reader that stops reading leaves its answers in the server's memory, against maxmemory, without end.",
        remedy: "client-output-buffer-limit normal 256mb 64mb 60",
        source: "redis.conf: client-output-buffer-limit",
        versions: Versions::All,
        check: |seen| {
            let normal = output_limit(seen, "normal")?;
            Ok(State::of(
                normal > 0,
                format!("client-output-buffer-limit normal, hard limit {}", size(normal)),
                || vec![Fix::set("client-output-buffer-limit", "normal 256mb 64mb 60")],
            ))
        },
    },
    Rule {
        id: "memory.query-buffer",
        severity: Severity::Danger,
        must: "A whole block fits into a client's query buffer",
        why: "A command larger than that closes the connection: the block can never be stored, and its lane stands.",
        remedy: "client-query-buffer-limit 1gb",
        source: "redis.conf: client-query-buffer-limit",
        versions: Versions::All,
        check: |seen| block_fits(seen, "client-query-buffer-limit", 2, "1gb"),
    },
    Rule {
        id: "memory.bulk-length",
        severity: Severity::Danger,
        must: "A whole block may be one value",
        why: "A value above proto-max-bulk-len ends the connection with a protocol error: the block can never be \
              stored, and its lane stands.",
        remedy: "proto-max-bulk-len 512mb",
        source: "redis.conf: proto-max-bulk-len",
        versions: Versions::All,
        check: |seen| block_fits(seen, "proto-max-bulk-len", 1, "512mb"),
    },
];

/// Whether a setting has room for a block, so many times.
fn block_fits(seen: &AuditSnapshot, name: &str, times: u64, fix: &str) -> Checked {
    let limit = seen.bytes(name)?;
    let block = seen.profile.limits().map_or(0, |limits| limits.bytes_max as u64).max(LARGEST_EVENT);
    let needed = (block + (64 << 10)) * times;
    let read = format!("{name} {}, a block may take {}", size(limit), size(block));
    Ok(State::of(limit >= needed, read, || vec![Fix::set(name, fix)]))
}

/// The hard limit of a class of clients.
pub(super) fn output_limit(seen: &AuditSnapshot, class: &str) -> Result<u64, Unread> {
    let text = seen.text("client-output-buffer-limit")?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let limits = words.chunks(4).find(|group| group[0].eq_ignore_ascii_case(class));
    limits
        .and_then(|group| forebay_watch::profile::redis_bytes(group.get(1)?))
        .ok_or_else(|| Unread(format!("client-output-buffer-limit {text:?} has no size for {class}")))
}
