//! What is known of the directives of a redis.conf: their names, what kind of value they take, and what a server has
//! where the file says nothing.

/// What kind of value a directive takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// `2gb`.
    Bytes,
    /// `2gb` or `5%`.
    BytesOrPercent,
    /// A whole number.
    Integer,
    /// One of these.
    Word(&'static [&'static str]),
    /// Words in any order.
    Words,
    /// Save points: seconds and changes in turn.
    Save,
    /// Four words a class of clients.
    OutputBuffer,
    /// Letters in any order.
    Flags,
    /// Any word.
    Text,
    /// Any words.
    Texts,
}

/// Every name that Redis 6.2 to 8.2 and Valkey 8 and 9 know, older names for the same included; `bool` behind those
/// that are yes or no on each of them.
const NAMES: &str = include_str!("directives.txt");

/// Directives that take several words, beside those of [`READ`].
const SEVERAL: [&str; 12] = [
    "replicaof",
    "slaveof",
    "user",
    "rename-command",
    "loadmodule",
    "oom-score-adj-values",
    "latency-tracking-info-percentiles",
    "shutdown-on-sigint",
    "shutdown-on-sigterm",
    "rdma-bind",
    "include",
    "unixsocketgroup",
];
/// How the settings of modules that come with Redis 8 begin.
const MODULES: [&str; 7] = ["search-", "ts-", "bf-", "cf-", "cms-", "topk-", "tdigest-"];

const POLICIES: &[&str] = &[
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];
const FSYNC: &[&str] = &["always", "everysec", "no"];
const LEVELS: &[&str] = &["debug", "verbose", "notice", "warning", "nothing"];
const LOCAL: &[&str] = &["no", "yes", "local"];
const OOM: &[&str] = &["no", "yes", "relative", "absolute"];

/// Directives that rules and profiles read: kind, and default as CONFIG GET gives it. The defaults are those of
/// Redis 7.0; a test holds them against a running server.
const READ: [(&str, Kind, &str); 50] = [
    ("maxmemory", Kind::Bytes, "0"),
    ("maxmemory-policy", Kind::Word(POLICIES), "noeviction"),
    ("maxmemory-clients", Kind::BytesOrPercent, "0"),
    (
        "client-output-buffer-limit",
        Kind::OutputBuffer,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    ),
    ("client-query-buffer-limit", Kind::Bytes, "1073741824"),
    ("proto-max-bulk-len", Kind::Bytes, "536870912"),
    ("lazyfree-lazy-user-del", Kind::Bool, "no"),
    ("activedefrag", Kind::Bool, "no"),
    ("stream-node-max-bytes", Kind::Bytes, "4096"),
    ("stream-node-max-entries", Kind::Integer, "100"),
    ("appendonly", Kind::Bool, "no"),
    ("appendfsync", Kind::Word(FSYNC), "everysec"),
    ("no-appendfsync-on-rewrite", Kind::Bool, "no"),
    ("auto-aof-rewrite-percentage", Kind::Integer, "100"),
    ("auto-aof-rewrite-min-size", Kind::Bytes, "67108864"),
    ("aof-use-rdb-preamble", Kind::Bool, "yes"),
    ("aof-load-truncated", Kind::Bool, "yes"),
    ("aof-timestamp-enabled", Kind::Bool, "no"),
    ("aof-rewrite-incremental-fsync", Kind::Bool, "yes"),
    ("save", Kind::Save, "3600 1 300 100 60 10000"),
    ("stop-writes-on-bgsave-error", Kind::Bool, "yes"),
    ("protected-mode", Kind::Bool, "yes"),
    ("bind", Kind::Words, "* -::*"),
    ("requirepass", Kind::Text, ""),
    ("aclfile", Kind::Text, ""),
    ("enable-debug-command", Kind::Word(LOCAL), "no"),
    ("enable-protected-configs", Kind::Word(LOCAL), "no"),
    ("port", Kind::Integer, "6379"),
    ("tls-port", Kind::Integer, "0"),
    ("timeout", Kind::Integer, "0"),
    ("tcp-keepalive", Kind::Integer, "300"),
    ("tcp-backlog", Kind::Integer, "511"),
    ("maxclients", Kind::Integer, "10000"),
    ("databases", Kind::Integer, "16"),
    ("disable-thp", Kind::Bool, "yes"),
    ("oom-score-adj", Kind::Word(OOM), "no"),
    ("latency-monitor-threshold", Kind::Integer, "0"),
    ("latency-tracking", Kind::Bool, "yes"),
    ("slowlog-log-slower-than", Kind::Integer, "10000"),
    ("slowlog-max-len", Kind::Integer, "128"),
    ("hz", Kind::Integer, "10"),
    ("loglevel", Kind::Word(LEVELS), "notice"),
    ("crash-log-enabled", Kind::Bool, "yes"),
    ("cluster-enabled", Kind::Bool, "no"),
    ("repl-backlog-size", Kind::Bytes, "1048576"),
    ("min-replicas-to-write", Kind::Integer, "0"),
    ("replica-ignore-maxmemory", Kind::Bool, "yes"),
    ("replica-read-only", Kind::Bool, "yes"),
    ("dynamic-hz", Kind::Bool, "yes"),
    ("notify-keyspace-events", Kind::Flags, ""),
];

/// What kind of value a directive takes; one word where no more is known.
pub fn kind(name: &str) -> Kind {
    if let Some((_, kind, _)) = READ.iter().find(|known| known.0.eq_ignore_ascii_case(name)) {
        return *kind;
    }
    let known = known().find(|(known, _)| known.eq_ignore_ascii_case(name));
    if SEVERAL.iter().any(|several| several.eq_ignore_ascii_case(name)) || known.is_none() {
        return Kind::Texts;
    }
    if known.is_some_and(|(_, is_bool)| is_bool) { Kind::Bool } else { Kind::Text }
}

/// Names, and whether each is yes or no.
fn known() -> impl Iterator<Item = (&'static str, bool)> {
    NAMES.lines().map(|line| line.strip_suffix(" bool").map_or((line, false), |name| (name, true)))
}

/// Every default that rules and profiles read.
pub fn defaults() -> impl Iterator<Item = (&'static str, &'static str)> {
    READ.iter().map(|(name, _, default)| (*name, *default))
}

/// Whether some server has it. Names with a dot are those of modules.
pub fn is_known(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains('.')
        || MODULES.iter().any(|begin| name.starts_with(begin))
        || known().any(|known| known.0 == name)
}

/// Today's name of a directive.
pub fn current(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "slaveof" => "replicaof".into(),
        _ if name.contains("slave") => name.replace("slaves", "replicas").replace("slave", "replica"),
        _ => name.replace("-max-ziplist-", "-max-listpack-"),
    }
}
