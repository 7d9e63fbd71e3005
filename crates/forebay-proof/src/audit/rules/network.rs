//! Rules on connections: how many there may be, who is turned away, and who is cut off.

use super::checks::within;
use crate::audit::rule::{Fix, Rule, Severity, State};
use crate::audit::version::Versions;

/// Connections that a writer, a few groups, and whoever watches them need.
const CLIENTS_MIN: i64 = 64;

/// Descriptors that a server keeps for itself beside its clients.
const OWN_FILES: u64 = 32;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "network.timeout",
        severity: Severity::Warn,
        must: "Clients that are idle are not cut off",
        why: "In a quiet hour a lane has nothing to send; cut off, its writer learns of it in the middle of the next \
              block, whose fate is then unknown until it is sent again.",
        remedy: "timeout 0",
        source: "redis.conf: timeout",
        versions: Versions::All,
        check: |seen| within(seen, "timeout", 0..=0, "0"),
    },
    Rule {
        id: "network.keepalive",
        severity: Severity::Warn,
        must: "Clients that are gone are noticed within ten minutes",
        why: "A connection whose other end has vanished keeps its consumer and its buffers; without keepalive, for ever.",
        remedy: "tcp-keepalive 300",
        source: "redis.conf: tcp-keepalive",
        versions: Versions::All,
        check: |seen| within(seen, "tcp-keepalive", 1..=600, "300"),
    },
    Rule {
        id: "network.maxclients",
        severity: Severity::Warn,
        must: "There is room for every writer, reader and watcher",
        why: "A writer takes a connection a lane; at maxclients the next to come is turned away, and that may be the \
              writer after a restart.",
        remedy: "maxclients 10000",
        source: "redis.conf: maxclients",
        versions: Versions::All,
        check: |seen| within(seen, "maxclients", CLIENTS_MIN.., "10000"),
    },
    Rule {
        id: "network.rejected",
        severity: Severity::Warn,
        must: "No client has been turned away",
        why: "Somebody has met maxclients, or protected mode. If it was the writer, the source was held back.",
        remedy: "maxclients 10000; CLIENT LIST shows who is connected; then CONFIG RESETSTAT",
        source: "INFO stats: rejected_connections",
        versions: Versions::All,
        check: |seen| {
            let rejected = seen.count("rejected_connections")?;
            Ok(State::of(rejected == 0, format!("rejected_connections {rejected}"), || {
                let most = seen.number("maxclients").map_or(10_000, |now| (now * 2).max(10_000));
                vec![Fix::set("maxclients", most.to_string()), Fix::command("CONFIG RESETSTAT")]
            }))
        },
    },
    Rule {
        id: "network.backlog",
        severity: Severity::Note,
        must: "The queue of new connections is at least 511 long",
        why: "After a restart all clients come back in the same second; those beyond the queue wait for a second and \
              more, or give up.",
        remedy: "tcp-backlog 511",
        source: "redis.conf: tcp-backlog",
        versions: Versions::All,
        check: |seen| {
            let backlog = seen.number("tcp-backlog")?;
            Ok(State::of(backlog >= 511, seen.said("tcp-backlog")?, || {
                vec![Fix::at_start("tcp-backlog", "511")]
            }))
        },
    },
    Rule {
        id: "network.somaxconn",
        severity: Severity::Warn,
        must: "The kernel allows the queue of new connections that is asked for",
        why: "net.core.somaxconn cuts tcp-backlog down without a word to the clients.",
        remedy: "sysctl -w net.core.somaxconn=<tcp-backlog>, and in /etc/sysctl.d",
        source: "redis.conf: tcp-backlog; listen(2)",
        versions: Versions::All,
        check: |seen| {
            let (asked, most) = (seen.number("tcp-backlog")?, seen.host()?.number("net.core.somaxconn")?);
            let read = format!("tcp-backlog {asked}, net.core.somaxconn {most}");
            Ok(State::of(u64::try_from(asked).unwrap_or(0) <= most, read, || {
                vec![Fix::shell(format!("sysctl -w net.core.somaxconn={asked}"))]
            }))
        },
    },
    Rule {
        id: "network.file-limit",
        severity: Severity::Warn,
        must: "The limit on open files leaves room for maxclients",
        why: "A server that may not open enough files lowers maxclients at its start, and only logs it.",
        remedy: "LimitNOFILE=65536 in its systemd unit, or ulimit -n 65536 before it starts",
        source: "redis.conf: maxclients; Redis source: server.c, adjustOpenFilesLimit",
        versions: Versions::All,
        check: |seen| {
            let (clients, files) = (seen.number("maxclients")?, seen.host()?.files_max()?);
            let needed = u64::try_from(clients).unwrap_or(0) + OWN_FILES;
            Ok(State::of(
                files >= needed.max(1_024 + OWN_FILES),
                format!("maxclients {clients}, open files {files}"),
                || {
                    vec![Fix::act(
                        "LimitNOFILE=65536 in its systemd unit, or `ulimit -n 65536` before it starts",
                    )]
                },
            ))
        },
    },
];
