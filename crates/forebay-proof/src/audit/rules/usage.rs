//! Rules on what is done with the database: a buffer wants to be alone with its keys.

use crate::audit::rule::{Fix, Rule, Severity, State, Unread};
use crate::audit::version::Versions;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "use.ttl",
        severity: Severity::Danger,
        must: "No key of the buffer has a time to live",
        why: "When it has passed, a whole lane is gone, with its groups.",
        remedy: "PERSIST <key>",
        source: "Redis documentation: EXPIRE, PERSIST",
        versions: Versions::All,
        check: |seen| {
            let expiring = &seen.usage()?.expiring;
            let read = if expiring.is_empty() { "none has".into() } else { expiring.join(", ") };
            Ok(State::of(expiring.is_empty(), read, || {
                expiring.iter().map(|key| Fix::command(format!("PERSIST {key}"))).collect()
            }))
        },
    },
    Rule {
        id: "use.wrong-type",
        severity: Severity::Danger,
        must: "The buffer's keys hold what a buffer keeps there",
        why: "Where something else lies, no block of that lane can be stored.",
        remedy: "another --buffer NAME; or RENAMENX what is in the way",
        source: "src/buffer/keys.rs",
        versions: Versions::All,
        check: |seen| {
            let misused = &seen.usage()?.misused;
            let each: Vec<String> = misused.iter().map(|(key, kind)| format!("{key} is a {kind}")).collect();
            let read = if each.is_empty() { "they do".into() } else { each.join(", ") };
            Ok(State::of(misused.is_empty(), read, || {
                misused.iter().map(|(key, _)| Fix::command(format!("RENAMENX {key} {key}.aside"))).collect()
            }))
        },
    },
    Rule {
        id: "use.other-writers",
        severity: Severity::Danger,
        must: "Nobody but Forebay's writers adds to the lanes",
        why: "An entry added by hand has no number: readers report it as damage, and the count of events is wrong \
              from there on.",
        remedy: "find who does it: ACL LOG, CLIENT LIST, MONITOR; give other programs a user without the buffer's keys",
        source: "XINFO STREAM: entries-added, against the writer's own count",
        versions: Versions::From((7, 0, 0)),
        check: |seen| {
            let lanes = &seen.usage()?.lanes;
            if lanes.iter().any(|lane| lane.added.is_none()) {
                return Err(Unread("XINFO STREAM of this server counts no entries".into()));
            }
            let strange = lanes.iter().filter_map(|lane| {
                let (added, blocks) = (lane.added?, lane.last_block.unwrap_or(0));
                (added > blocks).then(|| format!("{}: {added} entries, {blocks} blocks", lane.stream))
            });
            let strange: Vec<String> = strange.collect();
            let read = if strange.is_empty() { "every entry is a block".into() } else { strange.join(", ") };
            Ok(State::of(strange.is_empty(), read, || {
                vec![Fix::act(
                    "find who writes there (CLIENT LIST, ACL LOG) and give it a user without the buffer's keys",
                )]
            }))
        },
    },
    Rule {
        id: "use.xdel",
        severity: Severity::Danger,
        must: "No block has been deleted from the middle",
        why: "XDEL takes events that nobody may have read. With the trimming that a buffer does it can also leave a \
              node in the stream that the server refuses to load at its next start (redis#15808).",
        remedy: "find who does it; drain the lane with forebay read --group … --ack >> FILE, then let it be trimmed empty",
        source: "XINFO STREAM: max-deleted-entry-id; redis#15808",
        versions: Versions::From((7, 0, 0)),
        check: |seen| {
            let lanes = &seen.usage()?.lanes;
            if lanes.iter().any(|lane| lane.deleted.is_none()) {
                return Err(Unread("XINFO STREAM of this server tells of no deleted entries".into()));
            }
            let lanes = lanes.iter().filter(|lane| lane.deleted == Some(true));
            let lanes: Vec<&str> = lanes.map(|lane| lane.stream.as_str()).collect();
            let read = if lanes.is_empty() {
                "none has".into()
            } else {
                format!("XDEL was used on {}", lanes.join(", "))
            };
            Ok(State::of(lanes.is_empty(), read, || {
                vec![Fix::act(
                    "drain these lanes, then DEL their streams: the mark stays as long as the key does",
                )]
            }))
        },
    },
    Rule {
        id: "use.emptied",
        severity: Severity::Warn,
        must: "Nobody has emptied a database since the counters began",
        why: "FLUSHALL and FLUSHDB take every event, and readers see only that there is nothing.",
        remedy: "ACL SETUSER default -flushall -flushdb; then CONFIG RESETSTAT",
        source: "INFO commandstats: cmdstat_flushall, cmdstat_flushdb",
        versions: Versions::All,
        check: |seen| {
            // A server without these statistics is not taken for one on which nobody gave the commands.
            if !seen.info()?.has("cmdstat_") {
                return Err(Unread("INFO of this server counts no commands".into()));
            }
            let calls = |name: &str| {
                let text = seen.field(&format!("cmdstat_{name}")).ok()?;
                let calls: u64 = text.strip_prefix("calls=")?.split(',').next()?.parse().ok()?;
                (calls > 0).then(|| format!("{name} {calls} times"))
            };
            let emptied: Vec<String> = ["flushall", "flushdb"].into_iter().filter_map(calls).collect();
            let read = if emptied.is_empty() { "nobody has".into() } else { emptied.join(", ") };
            Ok(State::of(emptied.is_empty(), read, || {
                vec![Fix::command("ACL SETUSER default -flushall -flushdb"), Fix::command("CONFIG RESETSTAT")]
            }))
        },
    },
    Rule {
        id: "use.other-keys",
        severity: Severity::Note,
        must: "The buffer has the database to itself",
        why: "Other keys take from the same maxmemory, and what fills it for them stops the buffer.",
        remedy: "a server of its own for the buffer; --buffer NAME names the one that was looked for",
        source: "DBSIZE, INFO keyspace",
        versions: Versions::All,
        check: |seen| {
            let here = seen.usage()?.other_keys;
            let info = seen.info()?;
            let others: u64 = info.databases().map(|(_, keys)| keys).sum();
            let elsewhere = others.saturating_sub(here + seen.usage()?.own_keys);
            let read = format!("{here} other keys in its database, {elsewhere} in others");
            Ok(State::of(here + elsewhere == 0, read, || {
                vec![Fix::act(
                    "a server of its own for the buffer; maxmemory is shared by all keys of a server",
                )]
            }))
        },
    },
    Rule {
        id: "use.no-group",
        severity: Severity::Note,
        must: "Every lane with events has a reading group",
        why: "Blocks are let go once every group has acknowledged them. Without a group nothing ever is, and memory \
              fills.",
        remedy: "forebay read --group NAME --ack >> FILE",
        source: "XINFO STREAM: groups",
        versions: Versions::All,
        check: |seen| {
            let lanes = seen.usage()?.lanes.iter().filter(|lane| lane.length > 0 && lane.groups == 0);
            let lanes: Vec<&str> = lanes.map(|lane| lane.stream.as_str()).collect();
            let read =
                if lanes.is_empty() { "each has".into() } else { format!("without: {}", lanes.join(", ")) };
            Ok(State::of(lanes.is_empty(), read, || {
                vec![Fix::shell("forebay read --group parquet --ack >> events.ndjson")]
            }))
        },
    },
];
