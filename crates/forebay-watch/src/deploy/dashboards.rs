//! Two Grafana dashboards, made from tables of panels: of the buffer, and of the server.

use serde_json::{Value, json};

mod buffer;
mod server;

/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;

/// How a panel looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// One figure; six to a row.
    Figure,
    /// The labels of what is there, as large as a figure.
    Name,
    /// Lines over time; two to a row.
    Lines,
}

impl Look {
    /// Width and height in the grid.
    fn size(self) -> (u64, u64) {
        match self {
            Self::Figure | Self::Name => (4, 4),
            Self::Lines => (12, 8),
        }
    }

    fn plugin(self) -> &'static str {
        match self {
            Self::Figure | Self::Name => "stat",
            Self::Lines => "timeseries",
        }
    }
}

/// A panel.
struct Panel {
    title: &'static str,
    /// What it shows, and what to look for.
    about: &'static str,
    look: Look,
    /// As Grafana names it.
    unit: &'static str,
    /// Expression and legend of each.
    asks: &'static [Ask],
}

/// What a panel asks of Prometheus.
struct Ask {
    /// With `@buffer` or `@server` in the braces of each metric: see [`Ask::expr`].
    expr: &'static str,
    legend: &'static str,
    /// Whether there is an answer whenever a buffer is written to and read, on a server of the watcher's own machine.
    always: bool,
}

impl Ask {
    /// The expression for what is chosen on the dashboard: buffers, and the watchers that look at them.
    fn expr(&self) -> String {
        self.expr
            .replace("@buffer", r#"buffer=~"$buffer",instance=~"$instance""#)
            .replace("@server", r#"instance=~"$instance""#)
    }
}

/// Something that is always answered.
const fn ask(expr: &'static str, legend: &'static str) -> Ask {
    Ask { expr, legend, always: true }
}

/// Something that has no answer where what it is about is not there: a limit, a fork, a failure.
const fn may_lack(expr: &'static str, legend: &'static str) -> Ask {
    Ask { expr, legend, always: false }
}

/// A dashboard.
struct Dashboard {
    uid: &'static str,
    title: &'static str,
    about: &'static str,
    panels: &'static [Panel],
}

const ALL: [&Dashboard; 2] = [&buffer::DASHBOARD, &server::DASHBOARD];

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
    let filled = |expr: &str| {
        expr.replace("$__rate_interval", window).replace("$buffer", ".+").replace("$instance", ".+")
    };
    let of_panel = |dashboard: &'static Dashboard, panel: &'static Panel| {
        panel.asks.iter().map(move |ask| Query {
            dashboard: dashboard.title,
            panel: panel.title,
            expr: filled(&ask.expr()),
            always: ask.always,
        })
    };
    ALL.into_iter()
        .flat_map(|dashboard| dashboard.panels.iter().flat_map(move |panel| of_panel(dashboard, panel)))
        .collect()
}

/// Every dashboard: its file's name, and its JSON.
pub fn files() -> Vec<(String, String)> {
    ALL.into_iter()
        .map(|dashboard| (format!("{}.json", dashboard.uid), format!("{:#}\n", of_dashboard(dashboard))))
        .collect()
}

fn of_dashboard(dashboard: &Dashboard) -> Value {
    json!({
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["forebay"],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [
            {
                "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
                "refresh": 1, "hide": 0, "includeAll": false, "multi": false,
            },
            variable("buffer", "Buffer", "label_values(forebay_buffer_present, buffer)"),
            variable("instance", "Watcher", "label_values(forebay_server_up, instance)"),
        ]},
        "links": [{
            "type": "dashboards", "title": "Forebay", "tags": ["forebay"], "asDropdown": false,
            "includeVars": true, "keepTime": true,
        }],
        "panels": placed(dashboard.panels),
    })
}

/// A choice of label values, all at first.
fn variable(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name, "label": label, "type": "query", "datasource": datasource(),
        "query": {"query": query, "refId": name}, "definition": query,
        "refresh": 2, "sort": 1, "includeAll": true, "allValue": ".+", "multi": true, "hide": 0,
        "current": {"text": ["All"], "value": ["$__all"], "selected": true},
    })
}

fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// The panels from left to right and from top to bottom.
fn placed(panels: &[Panel]) -> Vec<Value> {
    let (mut x, mut y, mut row_height) = (0, 0, 0);
    let mut made = Vec::new();
    for (panel, id) in panels.iter().zip(1u64..) {
        let (width, height) = panel.look.size();
        // A row has panels of one height.
        if x + width > COLUMNS || (row_height != 0 && row_height != height) {
            (x, y) = (0, y + row_height);
        }
        made.push(of_panel(panel, id, &json!({"x": x, "y": y, "w": width, "h": height})));
        (x, row_height) = (x + width, height);
    }
    made
}

fn of_panel(panel: &Panel, id: u64, place: &Value) -> Value {
    let targets: Vec<Value> = panel
        .asks
        .iter()
        .zip('A'..)
        .map(|(ask, letter)| {
            json!({
                "refId": letter.to_string(), "datasource": datasource(), "editorMode": "code",
                "expr": ask.expr(), "legendFormat": ask.legend, "range": true,
            })
        })
        .collect();
    let options = match panel.look {
        Look::Figure | Look::Name => json!({
            "colorMode": "none", "graphMode": if panel.look == Look::Figure { "area" } else { "none" },
            "textMode": if panel.look == Look::Figure { "auto" } else { "name" },
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
        }),
        Look::Lines => json!({
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }),
    };
    json!({
        "id": id,
        "type": panel.look.plugin(),
        "title": panel.title,
        "description": panel.about,
        "datasource": datasource(),
        "gridPos": place,
        // A gap in the data stays a gap: what is not known is not drawn.
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "noValue": "unknown", "custom": custom(panel.look)},
            "overrides": [],
        },
        "options": options,
        "targets": targets,
    })
}

fn custom(look: Look) -> Value {
    match look {
        Look::Figure | Look::Name => json!({}),
        Look::Lines => json!({"lineWidth": 1, "fillOpacity": 8, "spanNulls": false, "showPoints": "never"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_do_not_overlap_and_fit_the_grid() {
        for dashboard in ALL {
            let mut taken = std::collections::HashSet::new();
            for panel in placed(dashboard.panels) {
                let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
                for x in at("x")..at("x") + at("w") {
                    assert!(x < COLUMNS);
                    for y in at("y")..at("y") + at("h") {
                        assert!(taken.insert((x, y)), "{} at {x}, {y}", panel["title"]);
                    }
                }
            }
        }
    }

    #[test]
    fn every_panel_says_what_it_shows_and_in_what() {
        for dashboard in ALL {
            for panel in dashboard.panels {
                assert!(!panel.unit.is_empty() && panel.about.ends_with('.'), "{}", panel.title);
                assert!(!panel.asks.is_empty(), "{}", panel.title);
                for ask in panel.asks {
                    let metrics = ask.expr.matches("forebay_").count();
                    assert_eq!(ask.expr.matches("{@").count(), metrics, "{}: {}", panel.title, ask.expr);
                }
            }
        }
    }
}
