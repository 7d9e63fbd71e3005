//! The dashboard of the server, its machine, and the watch: the data.

use super::{Dashboard, Look, Panel, ask, may_lack};

pub(super) const DASHBOARD: Dashboard = Dashboard {
    uid: "forebay-server",
    title: "Forebay server",
    about: "The server beneath the buffer, its machine, and the watch",
    panels: &PANELS,
};

const PANELS: [Panel; 26] = [
    Panel {
        title: "Server",
        about: "1 where the last look had its answers.",
        look: Look::Figure,
        unit: "bool",
        asks: &[ask("min(forebay_server_up{@server})", "up")],
    },
    Panel {
        title: "Version",
        about: "Of each server that is watched.",
        look: Look::Name,
        unit: "none",
        asks: &[ask("forebay_server_info{@server}", "{{server}} {{version}} {{role}}")],
    },
    Panel {
        title: "Up for",
        about: "Since the server's start.",
        look: Look::Figure,
        unit: "s",
        asks: &[ask("min(forebay_server_uptime_seconds{@server})", "uptime")],
    },
    Panel {
        title: "Slowest 5 of 100",
        about: "Round trip of a PING that 95 of 100 do not exceed, over 5 minutes. The profile's line is \
                a critical alert.",
        look: Look::Figure,
        unit: "s",
        asks: &[ask(
            "histogram_quantile(0.95, sum by (le) (rate(forebay_probe_seconds_bucket{@server}[5m])))",
            "p95",
        )],
    },
    Panel {
        title: "Keys evicted",
        about: "In the last hour. A lane is one key: this stays at 0.",
        look: Look::Figure,
        unit: "none",
        asks: &[ask("sum(increase(forebay_server_evicted_keys_total{@server}[1h]))", "evicted")],
    },
    Panel {
        title: "Cannot see",
        about: "Things that the watch cannot see: commands that the server refuses to it.",
        look: Look::Figure,
        unit: "none",
        asks: &[ask("sum(forebay_watch_unknown{@server})", "unknown")],
    },
    Panel {
        title: "Round trip",
        about: "Of a PING, five times a second; one without an answer counts with the time it has \
                waited.",
        look: Look::Lines,
        unit: "s",
        asks: &[
            ask(
                "histogram_quantile(0.5, \
                 sum by (instance, le) (rate(forebay_probe_seconds_bucket{@server}[$__rate_interval])))",
                "p50 {{instance}}",
            ),
            ask(
                "histogram_quantile(0.95, \
                 sum by (instance, le) (rate(forebay_probe_seconds_bucket{@server}[$__rate_interval])))",
                "p95 {{instance}}",
            ),
            ask(
                "histogram_quantile(0.99, \
                 sum by (instance, le) (rate(forebay_probe_seconds_bucket{@server}[$__rate_interval])))",
                "p99 {{instance}}",
            ),
        ],
    },
    Panel {
        title: "Commands: p95",
        about: "On the server, by command, without the network. Redis 7.0 and newer.",
        look: Look::Lines,
        unit: "s",
        asks: &[may_lack(
            "histogram_quantile(0.95, \
                 sum by (command, le) (rate(forebay_server_command_seconds_bucket{@server}[$__rate_interval])))",
            "{{command}}",
        )],
    },
    Panel {
        title: "Memory",
        about: "Used, of it data, and what the process has; and maxmemory where it is set.",
        look: Look::Lines,
        unit: "bytes",
        asks: &[
            ask("forebay_server_memory_used_bytes{@server}", "used {{instance}}"),
            ask("forebay_server_memory_dataset_bytes{@server}", "data {{instance}}"),
            ask("forebay_server_memory_rss_bytes{@server}", "process {{instance}}"),
            may_lack("forebay_server_memory_max_bytes{@server}", "maxmemory {{instance}}"),
        ],
    },
    Panel {
        title: "Fragmentation",
        about: "Memory that the allocator holds and cannot give, by used memory. It matters above 1.3 \
                and a good share of maxmemory.",
        look: Look::Lines,
        unit: "none",
        asks: &[ask("forebay_server_fragmentation_ratio{@server}", "{{instance}}")],
    },
    Panel {
        title: "Fragmentation: cost",
        about: "Bytes that the allocator holds and cannot give.",
        look: Look::Lines,
        unit: "bytes",
        asks: &[ask("forebay_server_fragmentation_bytes{@server}", "{{instance}}")],
    },
    Panel {
        title: "Copied by forks",
        about: "Memory copied on write by the fork that runs, and by the last of each kind. It comes on \
                top of used memory.",
        look: Look::Lines,
        unit: "bytes",
        asks: &[may_lack("forebay_server_copy_on_write_bytes{@server}", "{{fork}} {{instance}}")],
    },
    Panel {
        title: "Append-only log",
        about: "Its size, and its size after the last rewrite.",
        look: Look::Lines,
        unit: "bytes",
        asks: &[
            may_lack("forebay_server_aof_size_bytes{@server}", "log {{instance}}"),
            may_lack("forebay_server_aof_base_size_bytes{@server}", "after rewrite {{instance}}"),
        ],
    },
    Panel {
        title: "Append-only log: state",
        about: "Enabled, last write, last rewrite and last snapshot are 1 where all is well; a rewrite \
                that runs is 1 too.",
        look: Look::Lines,
        unit: "bool",
        asks: &[
            ask("forebay_server_aof_enabled{@server}", "enabled {{instance}}"),
            ask("forebay_server_aof_last_write_ok{@server}", "last write ok {{instance}}"),
            ask("forebay_server_aof_last_rewrite_ok{@server}", "last rewrite ok {{instance}}"),
            ask("forebay_server_rdb_last_save_ok{@server}", "last snapshot ok {{instance}}"),
            ask("forebay_server_aof_rewrite_in_progress{@server}", "rewrite runs {{instance}}"),
        ],
    },
    Panel {
        title: "fsync",
        about: "Writes that waited for an fsync of over 2 s, a second; and fsyncs that are due.",
        look: Look::Lines,
        unit: "none",
        asks: &[
            ask(
                "rate(forebay_server_aof_delayed_fsyncs_total{@server}[$__rate_interval])",
                "delayed {{instance}}",
            ),
            may_lack("forebay_server_aof_pending_fsyncs{@server}", "pending {{instance}}"),
        ],
    },
    Panel {
        title: "Commands",
        about: "Processed, a second.",
        look: Look::Lines,
        unit: "ops",
        asks: &[ask(
            "rate(forebay_server_commands_processed_total{@server}[$__rate_interval])",
            "{{instance}}",
        )],
    },
    Panel {
        title: "Connections",
        about: "And how many there may be. Blocked ones wait in a reader's XREADGROUP.",
        look: Look::Lines,
        unit: "none",
        asks: &[
            ask("forebay_server_connected_clients{@server}", "connected {{instance}}"),
            ask("forebay_server_blocked_clients{@server}", "blocked {{instance}}"),
            ask("forebay_server_max_clients{@server}", "maxclients {{instance}}"),
        ],
    },
    Panel {
        title: "Refused and evicted",
        about: "Connections refused at maxclients, and keys evicted, a second.",
        look: Look::Lines,
        unit: "cps",
        asks: &[
            ask(
                "rate(forebay_server_rejected_connections_total{@server}[$__rate_interval])",
                "refused {{instance}}",
            ),
            ask("rate(forebay_server_evicted_keys_total{@server}[$__rate_interval])", "evicted {{instance}}"),
        ],
    },
    Panel {
        title: "Processor",
        about: "Of the server: 1 is one core.",
        look: Look::Lines,
        unit: "none",
        asks: &[ask(
            "rate(forebay_server_cpu_seconds_total{@server}[$__rate_interval])",
            "{{mode}} {{instance}}",
        )],
    },
    Panel {
        title: "Keys, slow commands",
        about: "Keys by database, and entries of the slow log.",
        look: Look::Lines,
        unit: "short",
        asks: &[
            may_lack("forebay_server_keys{@server}", "keys {{db}} {{instance}}"),
            ask("forebay_server_slowlog_entries{@server}", "slow log {{instance}}"),
        ],
    },
    Panel {
        title: "Restarts, loading",
        about: "Restarts in 5 minutes; 1 while the server loads its data.",
        look: Look::Lines,
        unit: "none",
        asks: &[
            ask("increase(forebay_server_restarts_total{@server}[5m])", "restarts {{instance}}"),
            ask("forebay_server_loading{@server}", "loading {{instance}}"),
        ],
    },
    Panel {
        title: "The machine: memory",
        about: "Available, and what there may be; known where the server runs on the watcher's machine.",
        look: Look::Lines,
        unit: "bytes",
        asks: &[
            may_lack("forebay_host_memory_available_bytes{@server}", "available {{instance}}"),
            may_lack("forebay_host_memory_limit_bytes{@server}", "all {{instance}}"),
        ],
    },
    Panel {
        title: "The machine: disk",
        about: "Free where the append-only log is; known where the server runs on the watcher's machine.",
        look: Look::Lines,
        unit: "bytes",
        asks: &[may_lack("forebay_host_disk_free_bytes{@server}", "{{instance}}")],
    },
    Panel {
        title: "The watch: looks",
        about: "How long the last look took, and seconds since the last good one.",
        look: Look::Lines,
        unit: "s",
        asks: &[
            ask("forebay_watch_look_seconds{@server}", "took {{instance}}"),
            ask("forebay_watch_look_age_seconds{@server}", "age {{instance}}"),
        ],
    },
    Panel {
        title: "The watch: results",
        about: "Looks a second, by result.",
        look: Look::Lines,
        unit: "ops",
        asks: &[ask("rate(forebay_watch_looks_total{@server}[$__rate_interval])", "{{result}} {{instance}}")],
    },
    Panel {
        title: "Clocks",
        about: "The server's clock less the watcher's. Ages are by the server's clock.",
        look: Look::Lines,
        unit: "s",
        asks: &[ask("forebay_watch_clock_offset_seconds{@server}", "{{instance}}")],
    },
];
