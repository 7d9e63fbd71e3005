//! Two Grafana dashboards, of the buffer and of the server, as `deploy/grafana/dashboards/` has them: what they ask of
//! Prometheus. To change one, edit it in Grafana, and put its JSON there.

use serde::Deserialize;

/// Every dashboard: its path in a deployment, and its JSON.
pub(super) const ALL: [(&str, &str); 2] = [
    (
        "grafana/dashboards/forebay-buffer.json",
        include_str!("../../../../deploy/grafana/dashboards/forebay-buffer.json"),
    ),
    (
        "grafana/dashboards/forebay-server.json",
        include_str!("../../../../deploy/grafana/dashboards/forebay-server.json"),
    ),
];

/// Metrics that have no sample where what they are about is not there: a limit, a fork, a source, a drain, another machine's memory. Every
/// other one has some whenever a buffer is written to and read, on a server of the watcher's own machine.
const MAY_LACK: [&str; 31] = [
    "forebay_buffer_ids_ahead_seconds",
    "forebay_group_pending_age_seconds",
    "forebay_source_forgets_seconds",
    "forebay_source_behind_seconds",
    "forebay_source_gaps",
    "forebay_source_missed_events",
    "forebay_source_gap_age_seconds",
    "forebay_drain_rows_total",
    "forebay_drain_files_total",
    "forebay_drain_bytes_total",
    "forebay_drain_failures_total",
    "forebay_drain_running",
    "forebay_drain_sign_age_seconds",
    "forebay_drain_max_age_seconds",
    "forebay_drain_last_commit_age_seconds",
    "forebay_drain_last_commit_seconds",
    "forebay_drain_last_commit_rows_per_second",
    "forebay_drain_compression_ratio",
    "forebay_drain_refused",
    "forebay_drain_free_bytes",
    "forebay_drain_bytes_per_hour",
    "forebay_server_command_seconds_bucket",
    "forebay_server_memory_max_bytes",
    "forebay_server_copy_on_write_bytes",
    "forebay_server_aof_size_bytes",
    "forebay_server_aof_base_size_bytes",
    "forebay_server_aof_pending_fsyncs",
    "forebay_server_keys",
    "forebay_host_memory_available_bytes",
    "forebay_host_memory_limit_bytes",
    "forebay_host_disk_free_bytes",
];

/// What is read of a dashboard.
#[derive(Deserialize)]
struct Dashboard {
    title: &'static str,
    panels: Vec<Panel>,
}

#[derive(Deserialize)]
struct Panel {
    title: &'static str,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    expr: String,
}

/// A query of a panel, as it can be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Title of the dashboard.
    pub dashboard: &'static str,
    /// Title of the panel.
    pub panel: &'static str,
    /// The expression, of every buffer and instance.
    pub expr: String,
    /// Whether it must have an answer; others have none where what they are about is not there.
    pub always: bool,
}

/// Every query of every panel, with `window` for Grafana's `$__rate_interval`.
pub fn queries(window: &str) -> Vec<Query> {
    let mut queries = Vec::new();
    for dashboard in dashboards() {
        for panel in dashboard.panels {
            queries.extend(panel.targets.into_iter().map(|Target { expr }| {
                Query {
                    dashboard: dashboard.title,
                    panel: panel.title,
                    always: !MAY_LACK.iter().any(|metric| expr.contains(&format!("{metric}{{"))),
                    expr: expr
                        .replace("$__rate_interval", window)
                        .replace("$buffer", ".+")
                        .replace("$instance", ".+"),
                }
            }));
        }
    }
    queries
}

fn dashboards() -> impl Iterator<Item = Dashboard> {
    // Proof: a test reads them.
    ALL.into_iter().map(|(path, text)| serde_json::from_str(text).expect(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_do_not_overlap_and_fit_the_grid() {
        for (path, text) in ALL {
            let board: serde_json::Value = serde_json::from_str(text).unwrap();
            let mut taken = std::collections::HashSet::new();
            for panel in board["panels"].as_array().unwrap() {
                let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
                for x in at("x")..at("x") + at("w") {
                    assert!(x < 24, "{path}: {}", panel["title"]);
                    for y in at("y")..at("y") + at("h") {
                        assert!(taken.insert((x, y)), "{path}: {} at {x}, {y}", panel["title"]);
                    }
                }
            }
        }
    }

    #[test]
    fn every_query_asks_for_the_watch_that_is_chosen_and_none_may_lack_for_nothing() {
        let targets = || dashboards().flat_map(|board| board.panels).flat_map(|panel| panel.targets);
        for Target { expr } in targets() {
            let chosen = expr.matches(r#"instance=~"$instance""#).count();
            assert_eq!(chosen, expr.matches("forebay_").count(), "{expr}");
            assert_eq!(expr.contains("{buffer="), expr.contains(r#"{buffer=~"$buffer","#), "{expr}");
        }
        for metric in MAY_LACK {
            assert!(targets().any(|target| target.expr.contains(&format!("{metric}{{"))), "{metric}");
        }
    }
}
