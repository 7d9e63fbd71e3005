//! Rules on versions with known faults that hit a buffer. A distribution may have mended a fault under the old
//! number; each rule says so where it matters.

use crate::audit::rule::{Checked, Fix, Rule, Severity, State};
use crate::audit::snapshot::AuditSnapshot;
use crate::audit::version::Versions;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "version.old",
        severity: Severity::Danger,
        must: "The server is Redis 6.2 or newer, or Valkey",
        why: "Older ones have no XAUTOCLAIM and no XTRIM MINID: blocks of a reader that died are never given out \
              again, and nothing can be trimmed by what was read.",
        remedy: "upgrade",
        source: "Redis documentation: XAUTOCLAIM, XTRIM",
        versions: Versions::Within { redis: &[((0, 0, 0), (6, 1, u64::MAX))], valkey: &[] },
        check: |seen| faulty(seen, "upgrade to a version that is maintained"),
    },
    Rule {
        id: "version.unmaintained",
        severity: Severity::Note,
        must: "The version is one that its makers support",
        why: "Faults found from now on stay, unless the distribution mends them.",
        remedy: "Redis 8, or Valkey; or a distribution that keeps its package patched",
        source: "SECURITY.md of Redis 8.2: 7.4 and newer are supported, and 6.2 until the end of 2025",
        versions: Versions::Within { redis: &[((0, 0, 0), (7, 3, u64::MAX))], valkey: &[] },
        check: |seen| faulty(seen, "plan an upgrade; until then keep the distribution's package up to date"),
    },
    Rule {
        id: "version.waitaof",
        severity: Severity::Warn,
        must: "WAITAOF answers when the data is on the disk, not before",
        why: "On these versions it answers up to a second early under appendfsync everysec: what a client takes for \
              fsynced can go with the power. Forebay probes for it and refuses --ack fsync; other programs do not.",
        remedy: "appendfsync always, or Redis 7.4.3 and newer",
        source: "redis#13793",
        versions: Versions::Within { redis: &[((7, 4, 0), (7, 4, 2))], valkey: &[((8, 0, 0), (9, 1, 2))] },
        check: |seen| {
            if !seen.yes("appendonly")? || !seen.text("appendfsync")?.eq_ignore_ascii_case("everysec") {
                return Ok(State::Kept(format!("{}, not under appendfsync everysec", running(seen)?)));
            }
            Ok(State::Broken(
                format!("{} under appendfsync everysec", running(seen)?),
                vec![Fix::set("appendfsync", "always")],
            ))
        },
    },
    Rule {
        id: "version.rewrite-fsync",
        severity: Severity::Warn,
        must: "A rewrite leaves the AOF before it on the disk",
        why: "These versions begin a new AOF without an fsync of the one before: a power cut during a rewrite takes \
              more than the last second.",
        remedy: "Redis 7.0.5 or newer",
        source: "redis#11004; release notes of 7.0.5",
        versions: Versions::Within { redis: &[((7, 0, 0), (7, 0, 4))], valkey: &[] },
        check: |seen| faulty(seen, "upgrade to 7.0.5 or newer"),
    },
    Rule {
        id: "version.xautoclaim",
        severity: Severity::Warn,
        must: "XAUTOCLAIM is safe",
        why: "Readers take over blocks of readers that died by XAUTOCLAIM; in these versions it can overflow and \
              crash the server.",
        remedy: "Redis 7.0.5 or newer",
        source: "CVE-2022-31144, CVE-2022-35951; release notes of 7.0.4 and 7.0.5",
        versions: Versions::Within { redis: &[((7, 0, 0), (7, 0, 4))], valkey: &[] },
        check: |seen| faulty(seen, "upgrade to 7.0.5 or newer"),
    },
    Rule {
        id: "version.scripts",
        severity: Severity::Note,
        must: "Who may run scripts cannot take the server over",
        why: "Blocks are appended by a script, so every writer may run some. In these versions a script can execute \
              code as the server; distributions may have mended it under the old number.",
        remedy: "Redis 6.2.20, 7.2.11, 7.4.6, 8.0.4, 8.2.2; Valkey 7.2.11, 8.0.6, 8.1.4; or newer",
        source: "CVE-2025-49844",
        versions: Versions::Within {
            redis: &[
                ((0, 0, 0), (6, 2, 19)),
                ((7, 0, 0), (7, 2, 10)),
                ((7, 4, 0), (7, 4, 5)),
                ((8, 0, 0), (8, 0, 3)),
                ((8, 2, 0), (8, 2, 1)),
            ],
            valkey: &[((7, 2, 0), (7, 2, 10)), ((8, 0, 0), (8, 0, 5)), ((8, 1, 0), (8, 1, 3))],
        },
        check: |seen| faulty(seen, "see whether the package is patched; upgrade where it is not"),
    },
    Rule {
        id: "version.lag",
        severity: Severity::Note,
        must: "The lag that XINFO GROUPS gives is right",
        why: "In these versions it is wrong after trimming. `forebay stat` counts for itself; dashboards and alerts \
              that read it do not.",
        remedy: "Redis 7.2.7, 7.4.2 or newer; or forebay stat --json",
        source: "redis#13338, redis#13473; release notes of 7.2.7 and 7.4.2",
        versions: Versions::Within { redis: &[((7, 0, 0), (7, 2, 6)), ((7, 4, 0), (7, 4, 1))], valkey: &[] },
        check: |seen| faulty(seen, "take the lag from forebay stat --json, not from XINFO GROUPS"),
    },
    Rule {
        id: "version.trim-acked",
        severity: Severity::Note,
        must: "XTRIM … ACKED trims",
        why: "In these versions XTRIM ~ … ACKED deletes nothing: programs that trim with it fill the memory. Forebay \
              trims by MINID and is not affected.",
        remedy: "Redis 8.6 or newer; or trim by MINID",
        source: "redis#14656, redis#14623; seen on 8.2.3",
        versions: Versions::Within { redis: &[((8, 2, 0), (8, 2, 3)), ((8, 4, 0), (8, 4, 0))], valkey: &[] },
        check: |seen| faulty(seen, "do not trim the buffer's lanes with other programs"),
    },
];

/// The state of a server that is among those with the fault.
fn faulty(seen: &AuditSnapshot, remedy: &str) -> Checked {
    Ok(State::Broken(running(seen)?, vec![Fix::act(remedy)]))
}

/// Name and version of the server.
pub(crate) fn running(seen: &AuditSnapshot) -> Result<String, crate::audit::rule::Unread> {
    Ok(seen.info()?.running())
}
