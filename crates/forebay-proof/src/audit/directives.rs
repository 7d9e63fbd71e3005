//! What is known of the directives of a redis.conf: their names, what kind of value they take, and what a server has
//! where the file says nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What kind of value a directive takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// `yes` or `no`.
    Bool,
    /// `2gb`, between two sizes.
    Bytes(u64, u64),
    /// `2gb` or `5%`.
    BytesOrPercent,
    /// A whole number between two.
    Integer(i128, i128),
    /// A number of octal digits, up to one.
    Octal(i128),
    /// One of these, with bars between them.
    Word(&'static str),
    /// Some of these, with bars between them.
    SomeOf(&'static str),
    /// Addresses to listen on, in any order.
    Addresses,
    /// Save points: seconds and changes in turn.
    Save,
    /// Four words a class of clients.
    OutputBuffer,
    /// Letters in any order.
    Flags,
    /// Three numbers for the kernel's choice of whom to kill.
    Scores,
    /// Percentiles.
    Percentiles,
    /// Host and port of a master.
    Master,
    /// The name of a file, without a folder.
    File,
    /// A process title with places for what is known later.
    Title,
    /// Any word.
    Text,
}

/// A directive.
#[derive(Debug, Clone, Copy)]
struct Directive {
    kind: ValueKind,
    /// Whether a server of our own may be started with it: it names nothing beside a number, a word of its own or a name within
    /// the server's folder. What such a line starts or opens is overruled.
    stays: bool,
}

/// What Redis 6.2 to 8.2 and Valkey 7.2 to 9.1 take, older names and those that CONFIG GET hides included: of ranges the
/// widest (but of `io-threads`, of which Redis takes 128 and Valkey 9.1 more), of words all. From the sources of 6.2.5, 7.0.15, 7.2.4, 7.4.1 and Valkey 8.0.1, and from what the servers of `make
/// servers` answer to a wrong value. `stays`: see [`Directive`].
static TABLE: LazyLock<BTreeMap<&'static str, Directive>> =
    LazyLock::new(|| include_str!("directives.txt").lines().filter_map(row).collect());

fn row(line: &'static str) -> Option<(&'static str, Directive)> {
    let (line, stays) = line.strip_suffix(" stays").map_or((line, false), |line| (line, true));
    let mut words = line.split(' ');
    let (name, kind) = (words.next()?, words.next()?);
    let mut next = || words.next().unwrap_or_default();
    let kind = match kind {
        "bool" => ValueKind::Bool,
        "mem" => ValueKind::Bytes(next().parse().ok()?, next().parse().ok()?),
        "percent" => ValueKind::BytesOrPercent,
        "int" => ValueKind::Integer(next().parse().ok()?, next().parse().ok()?),
        "octal" => {
            next();
            ValueKind::Octal(next().parse().ok()?)
        }
        "word" => ValueKind::Word(next()),
        "words" => ValueKind::SomeOf(next()),
        "addresses" => ValueKind::Addresses,
        "save" => ValueKind::Save,
        "classes" => ValueKind::OutputBuffer,
        "flags" => ValueKind::Flags,
        "scores" => ValueKind::Scores,
        "percentiles" => ValueKind::Percentiles,
        "master" => ValueKind::Master,
        "file" => ValueKind::File,
        "title" => ValueKind::Title,
        _ => ValueKind::Text,
    };
    Some((name, Directive { kind, stays }))
}

/// Directives that are no settings: they have a reading of their own.
const ACTS: [&str; 4] = ["include", "loadmodule", "rename-command", "user"];

/// How the settings of modules that come with Redis 8 begin.
const MODULES: [&str; 7] = ["search-", "ts-", "bf-", "cf-", "cms-", "topk-", "tdigest-"];

/// Names that servers had before 6.2, and none has any more.
const REMOVED: [&str; 16] = [
    "vm-enabled",
    "vm-swap-file",
    "vm-max-memory",
    "vm-page-size",
    "vm-pages",
    "vm-max-threads",
    "glueoutputbuf",
    "shareobjects",
    "shareobjectspoolsize",
    "hash-max-zipmap-entries",
    "hash-max-zipmap-value",
    "diskstore-enabled",
    "diskstore-path",
    "cache-max-memory",
    "cache-flush-delay",
    "really-use-vm",
];

/// Directives that rules and profiles read, and their defaults as CONFIG GET gives it. The defaults are those of
/// Redis 7.0; a test holds them against a running server.
const READ: [(&str, &str); 58] = [
    ("maxmemory", "0"),
    ("maxmemory-policy", "noeviction"),
    ("maxmemory-clients", "0"),
    ("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"),
    ("client-query-buffer-limit", "1073741824"),
    ("proto-max-bulk-len", "536870912"),
    ("lazyfree-lazy-user-del", "no"),
    ("activedefrag", "no"),
    ("stream-node-max-bytes", "4096"),
    ("stream-node-max-entries", "100"),
    ("appendonly", "no"),
    ("appendfsync", "everysec"),
    ("no-appendfsync-on-rewrite", "no"),
    ("auto-aof-rewrite-percentage", "100"),
    ("auto-aof-rewrite-min-size", "67108864"),
    ("aof-use-rdb-preamble", "yes"),
    ("rdbcompression", "yes"),
    ("aof-load-truncated", "yes"),
    ("aof-timestamp-enabled", "no"),
    ("aof-rewrite-incremental-fsync", "yes"),
    ("save", "3600 1 300 100 60 10000"),
    ("stop-writes-on-bgsave-error", "yes"),
    ("protected-mode", "yes"),
    ("bind", "* -::*"),
    ("requirepass", ""),
    ("aclfile", ""),
    ("enable-debug-command", "no"),
    ("enable-protected-configs", "no"),
    ("port", "6379"),
    ("tls-port", "0"),
    ("timeout", "0"),
    ("tcp-keepalive", "300"),
    ("tcp-backlog", "511"),
    ("maxclients", "10000"),
    ("databases", "16"),
    ("disable-thp", "yes"),
    ("oom-score-adj", "no"),
    ("latency-monitor-threshold", "0"),
    ("latency-tracking", "yes"),
    ("slowlog-log-slower-than", "10000"),
    ("slowlog-max-len", "128"),
    ("hz", "10"),
    ("loglevel", "notice"),
    ("crash-log-enabled", "yes"),
    ("cluster-enabled", "no"),
    ("cluster-require-full-coverage", "yes"),
    ("cluster-allow-replica-migration", "yes"),
    ("cluster-replica-validity-factor", "10"),
    ("cluster-node-timeout", "15000"),
    ("repl-ping-replica-period", "10"),
    ("replica-priority", "100"),
    ("cluster-replica-no-failover", "no"),
    ("repl-backlog-size", "1048576"),
    ("min-replicas-to-write", "0"),
    ("replica-ignore-maxmemory", "yes"),
    ("replica-read-only", "yes"),
    ("dynamic-hz", "yes"),
    ("notify-keyspace-events", ""),
];

/// What kind of value a directive takes; one word where no more is known.
pub fn kind(name: &str) -> ValueKind {
    TABLE.get(name.to_ascii_lowercase().as_str()).map_or(ValueKind::Text, |known| known.kind)
}

/// Whether a server of our own may be started with a line of that name.
pub fn stays(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "user" | "rename-command")
        || TABLE.get(name.as_str()).is_some_and(|known| known.stays)
}

/// Every default that rules and profiles read.
pub fn defaults() -> impl Iterator<Item = (&'static str, &'static str)> {
    READ.iter().copied()
}

/// The name in lower case where it is that of a directive but for a slip: one or two letters, in a longer one. Whatever
/// else may stand where a name does may be a password.
pub fn like(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let is_letters = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let is_like = |known: &str| strsim::osa_distance(known, &name) <= known.len().min(14) / 5;
    (is_letters && names().any(is_like)).then_some(name)
}

/// Whether it is the name of a module's setting: a word, a dot, a word.
pub fn is_of_module(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    name.split_once('.').is_some_and(|(module, setting)| is_word(module) && setting.split('.').all(is_word))
}

/// Names of all directives.
fn names() -> impl Iterator<Item = &'static str> {
    TABLE.keys().copied().chain(ACTS)
}

/// Whether some server has it.
pub fn is_known(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    MODULES.iter().any(|begin| name.starts_with(begin)) || names().any(|known| known == name)
}

/// Whether servers had it once, and none has it any more.
pub fn is_removed(name: &str) -> bool {
    REMOVED.iter().any(|removed| removed.eq_ignore_ascii_case(name))
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
