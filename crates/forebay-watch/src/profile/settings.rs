//! Which settings a profile may have, and what their values look like.
//!
//! They go into the configuration of servers that Forebay starts, so this is a list of what is allowed: sizes, limits,
//! durability, cleaning up. Nothing that names a file, a program, a module, a user or another server is on it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use toml::{Spanned, Value};

/// What the value of a setting looks like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// `yes` or `no`.
    YesNo,
    /// `2gb`.
    Size,
    /// `2gb` or `5%`.
    SizeOrPercent,
    /// A whole number from, and up to.
    Number(i64, i64),
    /// One of these.
    Word(&'static [&'static str]),
    /// Seconds and changes in turn, or nothing.
    Save,
    /// Addresses of this machine, each maybe with a `-` before it.
    Addresses,
    /// A class of clients, two sizes and seconds, once or more.
    OutputBuffer,
    /// Letters.
    Letters,
    /// Any word.
    Password,
}

use Shape::{Addresses, Letters, Number, OutputBuffer, Password, Save, Size, SizeOrPercent, Word, YesNo};

const MANY: i64 = i32::MAX as i64;
/// Longer than any value.
const VALUE_BYTES_MAX: usize = 512;
const POLICIES: &[&str] = &[
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-lrm",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-lrm",
    "volatile-random",
    "volatile-ttl",
];

/// By their names, as CONFIG GET gives them.
const ALLOWED: &[(&str, Shape)] = &[
    ("active-defrag-cycle-max", Number(1, 99)),
    ("active-defrag-cycle-min", Number(1, 99)),
    ("active-defrag-ignore-bytes", Size),
    ("active-defrag-max-scan-fields", Number(1, MANY)),
    ("active-defrag-threshold-lower", Number(0, 1_000)),
    ("active-defrag-threshold-upper", Number(0, 1_000)),
    ("active-expire-effort", Number(1, 10)),
    ("activedefrag", YesNo),
    ("activerehashing", YesNo),
    ("aof-load-truncated", YesNo),
    ("aof-rewrite-incremental-fsync", YesNo),
    ("aof-timestamp-enabled", YesNo),
    ("aof-use-rdb-preamble", YesNo),
    ("appendfsync", Word(&["always", "everysec", "no"])),
    ("appendonly", YesNo),
    ("auto-aof-rewrite-min-size", Size),
    ("auto-aof-rewrite-percentage", Number(0, MANY)),
    ("bind", Addresses),
    ("client-output-buffer-limit", OutputBuffer),
    ("client-query-buffer-limit", Size),
    ("crash-log-enabled", YesNo),
    ("crash-memcheck-enabled", YesNo),
    ("databases", Number(1, MANY)),
    ("disable-thp", YesNo),
    ("dynamic-hz", YesNo),
    ("hash-max-listpack-entries", Number(0, MANY)),
    ("hash-max-listpack-value", Size),
    ("hz", Number(1, 500)),
    ("io-threads", Number(1, 128)),
    ("io-threads-do-reads", YesNo),
    ("jemalloc-bg-thread", YesNo),
    ("latency-monitor-threshold", Number(0, MANY)),
    ("latency-tracking", YesNo),
    ("lazyfree-lazy-eviction", YesNo),
    ("lazyfree-lazy-expire", YesNo),
    ("lazyfree-lazy-server-del", YesNo),
    ("lazyfree-lazy-user-del", YesNo),
    ("lazyfree-lazy-user-flush", YesNo),
    ("lfu-decay-time", Number(0, MANY)),
    ("lfu-log-factor", Number(0, MANY)),
    ("loglevel", Word(&["debug", "verbose", "notice", "warning", "nothing"])),
    ("maxclients", Number(1, MANY)),
    ("maxmemory", Size),
    ("maxmemory-clients", SizeOrPercent),
    ("maxmemory-eviction-tenacity", Number(0, 100)),
    ("maxmemory-policy", Word(POLICIES)),
    ("maxmemory-samples", Number(1, 64)),
    ("min-replicas-max-lag", Number(0, MANY)),
    ("min-replicas-to-write", Number(0, MANY)),
    ("no-appendfsync-on-rewrite", YesNo),
    ("notify-keyspace-events", Letters),
    ("oom-score-adj", Word(&["no", "yes", "relative", "absolute"])),
    ("protected-mode", YesNo),
    ("proto-max-bulk-len", Size),
    ("rdb-save-incremental-fsync", YesNo),
    ("rdbchecksum", YesNo),
    ("rdbcompression", YesNo),
    ("repl-backlog-size", Size),
    ("repl-backlog-ttl", Number(0, MANY)),
    ("repl-timeout", Number(1, MANY)),
    ("replica-ignore-maxmemory", YesNo),
    ("requirepass", Password),
    ("save", Save),
    ("slowlog-log-slower-than", Number(-1, i64::MAX)),
    ("slowlog-max-len", Number(0, i64::MAX)),
    ("stop-writes-on-bgsave-error", YesNo),
    ("stream-node-max-bytes", Size),
    ("stream-node-max-entries", Number(0, i64::MAX)),
    ("tcp-backlog", Number(0, MANY)),
    ("tcp-keepalive", Number(0, MANY)),
    ("timeout", Number(0, MANY)),
    ("tracking-table-max-keys", Number(0, i64::MAX)),
];

/// Where each setting stands in a profile's text.
#[derive(Deserialize)]
struct Places {
    settings: BTreeMap<Spanned<String>, Value>,
}

/// Holds the settings of a profile's text against the list. The error names the setting, its line, and what to do.
pub(super) fn check(text: &str) -> Result<(), String> {
    let places: Places = toml::from_str(text).map_err(|why| why.message().to_owned())?;
    let mut places: Vec<_> = places.settings.into_iter().collect();
    // The first one first.
    places.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in places {
        let line = 1 + text[..name.span().start].matches('\n').count();
        // The name may hold anything.
        let failed =
            |why: &str| Err(format!("line {line}: settings.{}: {why}", name.as_ref().escape_debug()));
        let Some((_, shape)) = ALLOWED.iter().find(|(known, _)| known == name.as_ref()) else {
            let lower = name.as_ref().to_ascii_lowercase();
            return failed(if ALLOWED.iter().any(|(known, _)| *known == lower) {
                "write it in lower case, as CONFIG GET does"
            } else {
                "a profile may not set this. It sets how much a server holds and how safely, never files, programs, \
                 modules, users or other servers; remove it, or set it in the redis.conf of your own server"
            });
        };
        if let Err(wanted) = shape.check(&value) {
            return failed(&format!("its value must be {wanted}"));
        }
    }
    Ok(())
}

impl Shape {
    /// Whether a value has this shape; else what it must be.
    fn check(self, value: &Value) -> Result<(), String> {
        let (is_right, wanted) = match value {
            Value::String(_) | Value::Integer(_) | Value::Boolean(_) => {
                let text = as_conf(value);
                let is_plain =
                    text.len() <= VALUE_BYTES_MAX && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
                (is_plain && self.fits(&text), self.wanted())
            }
            _ => (false, self.wanted()),
        };
        if is_right { Ok(()) } else { Err(wanted) }
    }

    fn fits(self, text: &str) -> bool {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let is_size = |text: &str| !text.contains(' ') && redis_bytes(text).is_some();
        match self {
            YesNo => matches!(text, "yes" | "no"),
            Size => is_size(text),
            SizeOrPercent => {
                is_size(text) || text.strip_suffix('%').is_some_and(|share| within(share, 0, 100))
            }
            Number(from, to) => within(text, from, to),
            Word(known) => known.contains(&text),
            Save => words.len().is_multiple_of(2) && words.iter().all(|word| within(word, 0, i64::MAX)),
            Addresses => !words.is_empty() && words.iter().all(|word| is_address(word)),
            OutputBuffer => {
                let is_class = |class: &[&str]| {
                    matches!(class, [name, hard, soft, seconds]
                        if ["normal", "slave", "replica", "pubsub"].contains(name)
                            && is_size(hard) && is_size(soft) && within(seconds, 0, MANY))
                };
                !words.is_empty() && words.chunks(4).all(is_class)
            }
            Letters => text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'$'),
            Password => !text.contains(' '),
        }
    }

    /// In words.
    fn wanted(self) -> String {
        match self {
            YesNo => "yes or no".into(),
            Size => "a size, such as \"2gb\"".into(),
            SizeOrPercent => "a size or a share, such as \"2gb\" or \"5%\"".into(),
            Number(from, i64::MAX) => format!("a whole number from {from}"),
            Number(from, to) => format!("a whole number from {from} to {to}"),
            Word(known) => format!("one of {}", known.join(", ")),
            Save => "seconds and changes in turn, such as \"3600 1 300 100\", or \"\" for none".into(),
            Addresses => "IP addresses, such as \"127.0.0.1 -::1\"".into(),
            OutputBuffer => {
                "a class of clients, two sizes and seconds, such as \"normal 0 0 0 pubsub 32mb 8mb 60\""
                    .into()
            }
            Letters => "letters, such as \"KEA\"".into(),
            Password => "one word of printable ASCII".into(),
        }
    }
}

/// A whole number in its plainest form, between two others.
fn within(text: &str, from: i64, to: i64) -> bool {
    text.parse::<i64>().is_ok_and(|number| (from..=to).contains(&number)) && !text.starts_with('+')
}

fn is_address(word: &str) -> bool {
    let address = word.strip_prefix('-').unwrap_or(word);
    address == "*" || address == "::*" || address.parse::<IpAddr>().is_ok()
}

/// Every setting that a profile may have.
pub fn allowed() -> impl Iterator<Item = &'static str> {
    ALLOWED.iter().map(|(name, _)| *name)
}

pub(super) fn as_conf(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Boolean(true) => "yes".into(),
        Value::Boolean(false) => "no".into(),
        other => other.to_string(),
    }
}

/// A size as redis.conf writes it: `1k` is 1,000 bytes, `1kb` 1,024.
pub fn redis_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match &text[split..] {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    text[..split].parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests;
