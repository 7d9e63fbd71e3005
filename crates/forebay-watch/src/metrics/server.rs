//! The server's figures, and those of the machine beneath it.

use super::sheet::{Histogram, Labels, Samples, Sheet};
use crate::view::View;
use forebay::buffer::connect::Facts;
use forebay::buffer::server_stat::CommandLatency;

pub(super) fn add(sheet: &mut Sheet, view: &View) {
    standing(sheet, view);
    figures(sheet, view.facts());
    states(sheet, view.facts());
    labelled(sheet, view.facts());
    slow(sheet, view);
    machine(sheet, view);
}

fn standing(sheet: &mut Sheet, view: &View) {
    let facts = view.facts();
    let up = view.last.as_ref().map(|_| f64::from(u8::from(facts.is_some())));
    sheet.gauge("server_up", "1 where the server answered the last look", up);
    let info = facts.filter(|facts| facts.get("redis_version").is_some()).map(|facts| {
        let text = |text: &str| text.to_owned();
        let role = facts.get("role").unwrap_or("unknown");
        let labels =
            vec![("server", text(facts.server())), ("version", text(facts.version())), ("role", text(role))];
        (labels, Some(1.0))
    });
    sheet.gauges("server_info", "What the server is", info.into_iter().collect());
    let restarts = view.last.as_ref().map(|_| view.restarts as f64);
    sheet.counter(
        "server_restarts_total",
        "How often the server turned out to be another process than before, since the watcher began",
        restarts,
    );
}

/// Fields of INFO that are numbers.
fn figures(sheet: &mut Sheet, facts: Option<&Facts>) {
    const GAUGES: [(&str, &str, &str); 13] = [
        ("loading", "loading", "1 while the server loads its data"),
        ("uptime_seconds", "uptime_in_seconds", "Seconds since the server started"),
        ("memory_used_bytes", "used_memory", "Memory that the server has allocated"),
        ("memory_rss_bytes", "used_memory_rss", "Memory that its process has of the machine"),
        ("memory_dataset_bytes", "used_memory_dataset", "Memory of its data"),
        ("fragmentation_bytes", "allocator_frag_bytes", "Memory lost to the allocator's fragmentation"),
        ("connected_clients", "connected_clients", "Clients connected"),
        ("blocked_clients", "blocked_clients", "Clients waiting in a blocking command"),
        ("max_clients", "maxclients", "Clients that it takes"),
        ("aof_enabled", "aof_enabled", "1 where it writes an append-only log"),
        ("aof_rewrite_in_progress", "aof_rewrite_in_progress", "1 while the log is rewritten"),
        ("aof_size_bytes", "aof_current_size", "Bytes of the log"),
        ("aof_base_size_bytes", "aof_base_size", "Bytes of the log after its last rewrite"),
    ];
    const COUNTERS: [(&str, &str, &str); 4] = [
        ("evicted_keys", "evicted_keys", "Keys evicted; a buffer's key is a whole lane"),
        ("rejected_connections", "rejected_connections", "Connections refused because of maxclients"),
        ("commands_processed", "total_commands_processed", "Commands carried out"),
        ("aof_delayed_fsyncs", "aof_delayed_fsync", "Writes of the log that waited for an fsync"),
    ];
    let number = |field: &str| Some(facts?.number(field)? as f64);
    for (name, field, help) in GAUGES {
        sheet.gauge(&format!("server_{name}"), help, number(field));
    }
    sheet.gauge(
        "server_aof_pending_fsyncs",
        "Fsyncs of the log that are under way or waiting",
        number("aof_pending_bio_fsync"),
    );
    sheet.gauge(
        "server_memory_max_bytes",
        "maxmemory; absent where it is not set",
        number("maxmemory").filter(|bytes| *bytes > 0.0),
    );
    let ratio = facts.and_then(|facts| facts.get("allocator_frag_ratio")?.parse().ok());
    sheet.gauge("server_fragmentation_ratio", "The allocator's active bytes, of those allocated", ratio);
    for (name, field, help) in COUNTERS {
        sheet.counter(&format!("server_{name}_total"), help, number(field));
    }
}

/// Fields of INFO that are `ok` or not.
fn states(sheet: &mut Sheet, facts: Option<&Facts>) {
    const STATES: [(&str, &str, &str); 3] = [
        ("aof_last_write_ok", "aof_last_write_status", "1 where the log's last write went well"),
        ("aof_last_rewrite_ok", "aof_last_bgrewrite_status", "1 where the log's last rewrite went well"),
        ("rdb_last_save_ok", "rdb_last_bgsave_status", "1 where the last snapshot went well"),
    ];
    for (name, field, help) in STATES {
        let state = facts.and_then(|facts| facts.get(field));
        sheet.gauge(&format!("server_{name}"), help, state.map(|state| f64::from(u8::from(state == "ok"))));
    }
}

fn labelled(sheet: &mut Sheet, facts: Option<&Facts>) {
    let number = |field: &str| Some(facts?.number(field)? as f64);
    let real = |field: &str| facts?.get(field)?.parse::<f64>().ok();
    let by = |label: &'static str, values: &[(&str, Option<f64>)]| -> Vec<(Labels, Option<f64>)> {
        values.iter().map(|(value, figure)| (vec![(label, (*value).to_owned())], *figure)).collect()
    };
    let forks = [
        ("current", number("current_cow_size")),
        ("aof", number("aof_last_cow_size")),
        ("rdb", number("rdb_last_cow_size")),
    ];
    sheet.gauges(
        "server_copy_on_write_bytes",
        "Memory copied on write for a fork: the one that runs, the last for the log, the last for a snapshot",
        by("fork", &forks),
    );
    let modes = [("user", real("used_cpu_user")), ("system", real("used_cpu_sys"))];
    sheet.counters("server_cpu_seconds_total", "Processor time of the server", by("mode", &modes));
    let keys = facts.iter().flat_map(|facts| facts.databases());
    let keys = keys.map(|(db, keys)| (vec![("db", db.to_string())], Some(keys as f64))).collect();
    sheet.gauges("server_keys", "Keys of a database", keys);
}

fn slow(sheet: &mut Sheet, view: &View) {
    let server = view.seen().map(|seen| &seen.server);
    let slowlog = server.and_then(|server| Some(server.slowlog? as f64));
    sheet.gauge("server_slowlog_entries", "Entries of the slowlog", slowlog);
    let commands = server.map_or(&[][..], |server| &server.commands);
    let commands =
        commands.iter().map(|of| (vec![("command", of.command.to_owned())], histogram(of))).collect();
    sheet.add(
        "server_command_seconds",
        "How long the server took for a command, without waiting for it; Redis 7.0 and newer, and Valkey",
        Samples::Histogram(commands),
    );
}

/// Bounds of the server's own histograms, in microseconds: those that it names, from 16 us to 2 s.
const BOUNDS_US: [u64; 18] = [
    16, 33, 66, 132, 264, 528, 1_056, 2_113, 4_227, 8_454, 16_908, 33_816, 67_633, 135_266, 270_532, 541_065,
    1_082_130, 2_164_260,
];

/// Always with the same bounds: the server leaves out those that nothing lies below.
fn histogram(of: &CommandLatency) -> Histogram {
    let up_to = |bound: u64| {
        of.at_most.iter().take_while(|(micros, _)| *micros <= bound).last().map_or(0, |(_, count)| *count)
    };
    let mut below = 0;
    let mut buckets: Vec<(f64, u64)> = BOUNDS_US
        .iter()
        .map(|bound| {
            let count = up_to(*bound).saturating_sub(below);
            below += count;
            (*bound as f64 / 1e6, count)
        })
        .collect();
    buckets.push((f64::INFINITY, of.calls.saturating_sub(below)));
    Histogram { sum: of.micros as f64 / 1e6, buckets }
}

fn machine(sheet: &mut Sheet, view: &View) {
    let machine = view.seen().map(|seen| &seen.machine);
    let memory = machine.and_then(|machine| machine.memory.as_ref().ok());
    let figures = [
        (
            "memory_available_bytes",
            "Memory that the server's machine, and its cgroup, could still give",
            memory.map(|memory| memory.available_bytes),
        ),
        (
            "memory_limit_bytes",
            "Memory that the server may have: the machine's, or what its cgroup allows",
            memory.map(|memory| memory.limit_bytes),
        ),
        (
            "disk_free_bytes",
            "What the disk of the server's folder has left",
            machine.and_then(|machine| machine.free_bytes.as_ref().ok().copied()),
        ),
    ];
    for (name, help, bytes) in figures {
        sheet.gauge(&format!("host_{name}"), help, bytes.map(|bytes| bytes as f64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_the_server_leaves_out_are_filled_in() {
        let of = CommandLatency {
            command: "xadd",
            calls: 10,
            micros: 5_000,
            at_most: vec![(8, 2), (66, 5), (4_227, 9), (9_000_000, 10)],
        };
        let told = histogram(&of);
        assert_eq!(told.buckets.len(), 19);
        assert_eq!(told.buckets.iter().map(|(_, count)| count).sum::<u64>(), 10);
        assert_eq!(
            (told.buckets[0].1, told.buckets[2].1, told.buckets[8].1, told.buckets[18].1),
            (2, 3, 4, 1)
        );
        assert!((told.sum - 0.005).abs() < 1e-12);
    }
}
