//! Rules on the server, the machine beneath it, and the watch itself: the data.

use super::Row;
use super::Severity::{Critical, Warning};

pub(super) const ROWS: [Row; 13] = [
    Row {
        name: "ForebayKeysEvicted",
        severity: Critical,
        per: &[],
        expr: "increase(forebay_server_evicted_keys_total[10m]) > 0",
        hold: 0,
        summary: "{{ $labels.instance }}: the server evicted about {{ $value | printf \"%.0f\" }} keys in 10 \
                  minutes; a lane is one key",
        description: "redis-cli CONFIG SET maxmemory-policy noeviction, now; then `forebay stat` shows which \
                      lanes are left.",
        implies: &[],
    },
    Row {
        name: "ForebayAofWriteFailed",
        severity: Critical,
        per: &[],
        expr: "forebay_server_aof_last_write_ok == 0",
        hold: 0,
        summary: "{{ $labels.instance }}: the server cannot write its append-only log",
        description: "Make room on the disk of the server's `dir`. It takes writes again by itself.",
        implies: &["ForebayWritesRefused", "ForebayWriterStopped"],
    },
    Row {
        name: "ForebayAofRewriteFailed",
        severity: Warning,
        per: &[],
        expr: "forebay_server_aof_last_rewrite_ok == 0",
        hold: 0,
        summary: "{{ $labels.instance }}: the last rewrite of the append-only log failed; the log grows \
                  until one succeeds",
        description: "The server's log says why: no room on the disk, or no memory to fork. Then redis-cli \
                      BGREWRITEAOF.",
        implies: &[],
    },
    Row {
        name: "ForebayFsyncDelayed",
        severity: Warning,
        per: &[],
        expr: "increase(forebay_server_aof_delayed_fsyncs_total[5m]) > 0",
        hold: 0,
        summary: "{{ $labels.instance }}: about {{ $value | printf \"%.0f\" }} writes waited for an fsync of \
                  over 2 s within 5 minutes",
        description: "See what else uses the disk of the server's `dir`: iostat -x 1. Move the AOF to a disk \
                      of its own.",
        implies: &[],
    },
    Row {
        name: "ForebayServerRestarted",
        severity: Warning,
        per: &[],
        expr: "increase(forebay_server_restarts_total[10m]) > 0",
        hold: 0,
        summary: "{{ $labels.instance }}: the server was restarted",
        description: "If nobody meant to: its log, and dmesg for the kernel's OOM killer. `forebay stat` \
                      shows what it has.",
        implies: &[],
    },
    Row {
        name: "ForebayServerLoading",
        severity: Warning,
        per: &[],
        expr: "forebay_server_loading == 1",
        hold: 30,
        summary: "{{ $labels.instance }}: the server loads its data and takes no writes yet",
        description: "Wait: redis-cli INFO persistence has loading_eta_seconds. Writers wait too, as long as \
                      their patience.",
        implies: &[
            "ForebayWatchBlind",
            "ForebayWriterStopped",
            "ForebayWritesRefused",
            "ForebaySlowWarning",
            "ForebaySlowCritical",
        ],
    },
    // A server that loads its data answers, and has a rule of its own.
    Row {
        name: "ForebayServerDown",
        severity: Critical,
        per: &[],
        expr: "forebay_server_up == 0 unless forebay_server_loading == 1",
        hold: 30,
        summary: "{{ $labels.instance }}: the server does not answer",
        description: "redis-cli PING on its own host, then its log. If it answers there: network, password, \
                      TLS.",
        implies: &[
            "ForebayWatchBlind",
            "ForebayReaderBehind",
            "ForebayReaderStopped",
            "ForebayWriterStopped",
            "ForebayWritesRefused",
            "ForebaySlowWarning",
            "ForebaySlowCritical",
        ],
    },
    Row {
        name: "ForebaySlowWarning",
        severity: Warning,
        per: &[],
        expr: "histogram_quantile(0.95, rate(forebay_probe_seconds_bucket[5m])) > <slow>",
        hold: 120,
        summary: "{{ $labels.instance }}: 5 of 100 answers of the server take over {{ $value | \
                  humanizeDuration }}",
        description: "redis-cli SLOWLOG GET 10: what takes long? Then the machine: CPU, swap, a fork that \
                      runs.",
        implies: &[],
    },
    Row {
        name: "ForebaySlowCritical",
        severity: Critical,
        per: &[],
        expr: "histogram_quantile(0.95, rate(forebay_probe_seconds_bucket[5m])) > <too slow>",
        hold: 60,
        summary: "{{ $labels.instance }}: 5 of 100 answers of the server take over {{ $value | \
                  humanizeDuration }}",
        description: "redis-cli SLOWLOG GET 10: what takes long? Then the machine: CPU, swap, a fork that \
                      runs.",
        implies: &["ForebaySlowWarning"],
    },
    Row {
        name: "ForebayConnectionsNearLimit",
        severity: Warning,
        per: &[],
        expr: "forebay_server_connected_clients / forebay_server_max_clients > <connections>",
        hold: 120,
        summary: "{{ $labels.instance }}: {{ $value | humanizePercentage }} of maxclients are connected",
        description: "redis-cli CLIENT LIST: who has so many? Then raise maxclients.",
        implies: &[],
    },
    // Where there is no maxmemory, nothing is lost by it but the machine's memory, and that is a limit of its own.
    Row {
        name: "ForebayFragmentationCosts",
        severity: Warning,
        per: &[],
        expr: "forebay_server_fragmentation_bytes > 0.15 * forebay_server_memory_max_bytes\n\
               and forebay_server_fragmentation_ratio > 1.3",
        hold: 1_800,
        summary: "{{ $labels.instance }}: {{ $value | humanize1024 }}B are lost to fragmentation for half an \
                  hour",
        description: "redis-cli CONFIG SET activedefrag yes (jemalloc only), or restart the server in a \
                      quiet hour.",
        implies: &[],
    },
    Row {
        name: "ForebayDiskShortForRewrite",
        severity: Warning,
        per: &["buffer"],
        expr: "forebay_buffer_limit_used_bytes{limit=\"disk\"}\n  \
               / forebay_buffer_limit_bytes{limit=\"disk\"} > <disk>",
        hold: 300,
        summary: "{{ $labels.instance }}: the append-only log and its next rewrite take {{ $value | \
                  humanizePercentage }} of the disk's room",
        description: "Make room on the disk of the server's `dir`; df -h shows it. A rewrite needs old and \
                      new log at once.",
        implies: &["ForebayBufferFilling"],
    },
    // The one rule that is about absence. A look that is old while the server is down is that rule's.
    Row {
        name: "ForebayWatchBlind",
        severity: Critical,
        per: &[],
        expr: r#"label_replace(absent(up{job="forebay"}), "why", "no job forebay is scraped", "", "")
or label_replace(up{job="forebay"} == 0, "why", "Prometheus cannot scrape it", "", "")
or label_replace(up{job="forebay"} == 1 unless on (job, instance) forebay_server_up,
  "why", "it says nothing about the server", "", "")
or label_replace(forebay_watch_look_age_seconds > 30 and forebay_server_up == 1, "why", "its last look is old", "", "")
or label_replace(forebay_watch_unknown > 0, "why", "the server refuses commands to it", "", "")"#,
        hold: 60,
        summary: "forebay watch {{ $labels.instance }} is blind: {{ $labels.why }}; other alerts may be \
                  missing",
        description: "Open its page (port 9464) and its log. Refused commands: give its user what the page \
                      names.",
        implies: &[],
    },
];
