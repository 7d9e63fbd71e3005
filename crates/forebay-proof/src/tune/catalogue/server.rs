//! Candidates among the server's settings.

use super::super::trial_run::{Cut, Work};
use super::candidate::{Candidate, CandidateKind, Change, Guard, Measured};

const LOAD: Measured = Measured::By(Work::Append(Cut::Load));
const WITH_REWRITE: Measured = Measured::By(Work::AppendWithRewrite(Cut::Load));
const REWRITING: Measured = Measured::By(Work::Rewriting(Cut::Load));
const DRAIN: Measured = Measured::By(Work::Drain);
const OPERATIONS: Measured = Measured::By(Work::Operations);

const fn live(settings: &'static [(&'static str, &'static str)]) -> Change {
    Change::Server { settings, is_live: true }
}

const fn at_start(settings: &'static [(&'static str, &'static str)]) -> Change {
    Change::Server { settings, is_live: false }
}

/// All of them.
pub const SERVER: &[Candidate] = &[
    Candidate {
        id: "appendfsync-always",
        change: live(&[("appendfsync", "always")]),
        hope: "what is acknowledged is on the disk",
        cost: "an fsync each time the server has written",
        measured: LOAD,
        guard: Guard::Durability,
        kind: CandidateKind::Safer,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "appendfsync-everysec",
        change: live(&[("appendfsync", "everysec")]),
        hope: "one fsync a second instead of one for each write",
        cost: "a power cut takes what was acknowledged in up to 2 s",
        measured: LOAD,
        guard: Guard::Durability,
        risks_others: true,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "appendfsync-no",
        change: live(&[("appendfsync", "no")]),
        hope: "no fsync at all",
        cost: "a power cut takes what the kernel had not written by itself: 30 s and more",
        measured: LOAD,
        guard: Guard::Durability,
        kind: CandidateKind::Harmful,
        risks_others: true,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "no-appendfsync-on-rewrite",
        change: live(&[("no-appendfsync-on-rewrite", "yes")]),
        hope: "no fsync beside the writes of a rewrite; LATENCY DOCTOR advises it",
        cost: "nothing is fsynced while a rewrite lasts, even under always",
        measured: REWRITING,
        guard: Guard::Durability,
        kind: CandidateKind::Harmful,
        risks_others: true,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "rewrite-percentage-400",
        change: live(&[("auto-aof-rewrite-percentage", "400")]),
        hope: "a quarter of the rewrites, each a fork and a write of everything",
        cost: "an AOF of up to five times the data: disk, and time to load it",
        measured: LOAD,
        guard: Guard::Durability,
        both: &[("auto-aof-rewrite-min-size", "1mb")],
        kind: CandidateKind::Choice,
        risks_others: true,
    },
    Candidate {
        id: "incremental-fsync-off",
        change: live(&[("aof-rewrite-incremental-fsync", "no")]),
        hope: "a rewrite without an fsync at each 4 MB",
        cost: "one long fsync at its end, beside that of the log",
        measured: REWRITING,
        guard: Guard::Durability,
        risks_others: true,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "rdb-preamble-off",
        change: live(&[("aof-use-rdb-preamble", "no")]),
        hope: "an AOF that is text throughout",
        cost: "longer rewrites, and a longer start",
        measured: Measured::ByRestart,
        guard: Guard::Durability,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "rdbcompression-no",
        change: live(&[("rdbcompression", "no")]),
        hope: "a rewrite of the AOF does not compress blocks that zstd has compressed",
        cost: "what is stored beside the blocks takes more of the disk; of a buffer alone 0.1 % more was seen",
        measured: WITH_REWRITE,
        guard: Guard::Durability,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "stream-node-64k",
        change: live(&[("stream-node-max-bytes", "65536")]),
        hope: "more blocks in a node: fewer allocations, less rounded up",
        cost: "more to copy at each append and each trim",
        measured: LOAD,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "stream-node-256k",
        change: live(&[("stream-node-max-bytes", "262144")]),
        hope: "more blocks in a node: fewer allocations, less rounded up",
        cost: "more to copy at each append and each trim; drained blocks go later",
        measured: LOAD,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "stream-node-entries-1000",
        change: live(&[("stream-node-max-entries", "1000")]),
        hope: "more blocks in a node",
        cost: "drained blocks go later",
        measured: LOAD,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "io-threads-2",
        change: at_start(&[("io-threads", "2")]),
        hope: "answers are written by a second thread",
        cost: "a thread that spins, taken from whoever compresses",
        measured: LOAD,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "activedefrag",
        change: live(&[("activedefrag", "yes"), ("active-defrag-ignore-bytes", "1048576")]),
        hope: "memory that comes back after a drain",
        cost: "processor time for what is moved",
        measured: DRAIN,
        guard: Guard::Pressure,
        risks_others: true,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "activedefrag-eager",
        change: live(&[
            ("activedefrag", "yes"),
            ("active-defrag-ignore-bytes", "1048576"),
            ("active-defrag-cycle-min", "25"),
        ]),
        hope: "the same, sooner",
        cost: "a quarter of a core while there is something to move",
        measured: DRAIN,
        guard: Guard::Pressure,
        risks_others: true,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "lazyfree",
        change: live(&[
            ("lazyfree-lazy-eviction", "yes"),
            ("lazyfree-lazy-expire", "yes"),
            ("lazyfree-lazy-server-del", "yes"),
            ("lazyfree-lazy-user-del", "yes"),
        ]),
        hope: "large keys are freed by a thread",
        cost: "memory that is free a little later",
        measured: DRAIN,
        guard: Guard::Pressure,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "jemalloc-bg-thread-off",
        change: live(&[("jemalloc-bg-thread", "no")]),
        hope: "no thread that gives pages back",
        cost: "pages that are given back only when something is freed",
        measured: DRAIN,
        guard: Guard::Pressure,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "allkeys-lru",
        change: live(&[("maxmemory-policy", "allkeys-lru")]),
        hope: "a full server goes on taking writes; MET-001 asks for it",
        cost: "it drops whole lanes for that, read or not",
        measured: LOAD,
        guard: Guard::Pressure,
        kind: CandidateKind::Harmful,
        risks_others: true,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "hz-100",
        change: live(&[("hz", "100")]),
        hope: "housekeeping in smaller portions",
        cost: "ten times as many wake-ups",
        measured: OPERATIONS,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "hz-500",
        change: live(&[("hz", "500")]),
        hope: "housekeeping in the smallest portions",
        cost: "fifty times as many wake-ups; redis.conf warns of it",
        measured: OPERATIONS,
        kind: CandidateKind::Harmful,
        risks_others: true,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "dynamic-hz-off",
        change: live(&[("dynamic-hz", "no")]),
        hope: "housekeeping that does not grow with clients",
        cost: "slower to notice idle clients where there are thousands",
        measured: OPERATIONS,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "latency-tracking-off",
        change: live(&[("latency-tracking", "no")]),
        hope: "no histogram for each command",
        cost: "no percentiles of commands: the watch and the alerts on them are blind",
        measured: OPERATIONS,
        kind: CandidateKind::Choice,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "activerehashing-off",
        change: live(&[("activerehashing", "no")]),
        hope: "no millisecond in ten for the rehashing of tables: a buffer has a dozen keys",
        cost: "tables of other keys are rehashed only as they are used",
        measured: OPERATIONS,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "maxmemory-clients",
        change: live(&[("maxmemory-clients", "67108864")]),
        hope: "a client that does not read cannot take the memory of the buffer",
        cost: "the largest client is dropped instead",
        measured: LOAD,
        guard: Guard::Pressure,
        kind: CandidateKind::Safer,
        risks_others: true,
        ..Candidate::PLAIN
    },
];
