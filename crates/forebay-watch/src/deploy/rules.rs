//! The alert rules: how a row of the table becomes a rule for a profile, and a rule YAML for Prometheus.
//!
//! Rows are written with the durations that people want. For a proof, which cannot wait for half an hour, all of them
//! are divided by a factor, and no threshold is: `rules(profile, 60.0)` are the same rules on a faster clock.

use std::fmt::Write as _;
use std::time::Duration;

use crate::profile::Profile;
use crate::thresholds::Thresholds;

mod buffer;
mod server;

/// A window is never made shorter: with fewer samples in it `rate` and `deriv` say nothing.
const WINDOW_MIN: Duration = Duration::from_secs(15);

/// How soon somebody should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Today.
    Warning,
    /// Now: events are lost, or will be soon.
    Critical,
}

impl Severity {
    /// Its name, as a label of alerts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A row of the table: a rule without the profile's figures.
struct Row {
    name: &'static str,
    severity: Severity,
    /// Labels that tell its alerts apart, beside `job` and `instance`.
    per: &'static [&'static str],
    /// With windows as `[5m]`, and thresholds of the profile as `<name>`: see [`Lines`].
    expr: &'static str,
    /// Seconds for which it must be true.
    hold: u64,
    summary: &'static str,
    description: &'static str,
    /// Rules that are true by the same cause, and need not be told while this one fires.
    implies: &'static [&'static str],
}

/// A rule for a profile, at a pace.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The alert's name.
    pub name: &'static str,
    /// How soon somebody should look.
    pub severity: Severity,
    /// Labels that tell its alerts apart, beside `job` and `instance`.
    pub per: &'static [&'static str],
    /// What is asked of Prometheus.
    pub expr: String,
    /// For how long it must be true.
    pub hold: Duration,
    /// One line, with figures.
    pub summary: &'static str,
    /// The first step.
    pub description: &'static str,
    /// Rules that are not told while this one fires, where Alertmanager has the rules of [`super::files`].
    pub implies: &'static [&'static str],
}

impl Rule {
    /// Its place in `docs/runbooks.md`, and on the page of the watch.
    pub fn anchor(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// Labels that an alert of this rule and one of those it implies must have in common.
    pub fn in_common(&self, rules: &[Self]) -> Vec<&'static str> {
        let implied: Vec<&Self> = rules.iter().filter(|rule| self.implies.contains(&rule.name)).collect();
        let shared = |label: &&str| implied.iter().all(|rule| rule.per.contains(label));
        ["job", "instance"].into_iter().chain(self.per.iter().copied().filter(shared)).collect()
    }
}

/// Thresholds of a profile, by the name that rows have for them.
struct Lines(Vec<(&'static str, f64)>);

impl Lines {
    fn of(profile: &Profile) -> Self {
        let lines = Thresholds::of(profile);
        let [slow, too_slow] = profile.load.slow_lines();
        Self(vec![
            ("<filling>", lines.filling),
            ("<almost full>", lines.almost_full),
            ("<held>", lines.held_s),
            ("<tonight>", lines.tonight_s),
            ("<soon>", lines.soon_s),
            ("<behind>", lines.behind_s),
            ("<stopped>", lines.stopped_s),
            ("<pending>", lines.pending_s),
            ("<connections>", lines.connections),
            ("<disk>", lines.disk),
            ("<slow>", slow),
            ("<too slow>", too_slow),
        ])
    }

    fn put_into(&self, expr: &str) -> String {
        let figure = |value: f64| format!("{}", (value * 1e6).round() / 1e6);
        self.0.iter().fold(expr.to_owned(), |expr, (name, value)| expr.replace(name, &figure(*value)))
    }
}

/// Every rule. `pace` divides all durations: 1.0 for people.
pub fn rules(profile: &Profile, pace: f64) -> Vec<Rule> {
    let lines = Lines::of(profile);
    buffer::ROWS
        .iter()
        .chain(&server::ROWS)
        .map(|row| Rule {
            name: row.name,
            severity: row.severity,
            per: row.per,
            expr: at_pace(&lines.put_into(row.expr), pace),
            hold: Duration::from_secs_f64(row.hold as f64 / pace),
            summary: row.summary,
            description: row.description,
            implies: row.implies,
        })
        .collect()
}

/// An expression with every window divided by `pace`.
fn at_pace(expr: &str, pace: f64) -> String {
    let mut parts = expr.split('[');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (window, rest) = part.split_once(']').unwrap_or((part, ""));
        // What is no duration stays as it is, for promtool to say so.
        let paced = humantime::parse_duration(window).map_or_else(
            |_| window.to_owned(),
            |window| {
                let shorter = Duration::from_secs_f64(window.as_secs_f64() / pace);
                in_prometheus(shorter.max(WINDOW_MIN.min(window)))
            },
        );
        let _ = write!(text, "[{paced}]{rest}");
    }
    text
}

/// A duration as Prometheus reads it: `2m`, `1h30m`, `1s500ms`.
fn in_prometheus(duration: Duration) -> String {
    let mut left = duration.as_millis();
    if left == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if left >= millis {
            let _ = write!(text, "{}{unit}", left / millis);
            left %= millis;
        }
    }
    text
}

/// The rules as a file for Prometheus. `runbooks` is the address of the page that has a paragraph on each.
pub fn to_yaml(rules: &[Rule], runbooks: &str) -> String {
    let mut text = String::from("groups:\n  - name: forebay\n    rules:\n");
    for rule in rules {
        let _ = write!(text, "      - alert: {}\n        expr: |\n", rule.name);
        for line in rule.expr.lines() {
            let _ = writeln!(text, "          {line}");
        }
        if !rule.hold.is_zero() {
            let _ = writeln!(text, "        for: {}", in_prometheus(rule.hold));
        }
        let _ = write!(
            text,
            "        labels:\n          severity: {}\n        annotations:\n          summary: {}\n          \
             description: {}\n          runbook_url: {}\n",
            rule.severity.name(),
            yaml_text(rule.summary),
            yaml_text(rule.description),
            yaml_text(&format!("{runbooks}#{}", rule.anchor())),
        );
    }
    text
}

/// A text as a YAML scalar in single quotes.
fn yaml_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_divides_durations_and_nothing_else() {
        let expr = "rate(a[10m]) > 600 and increase(b[1d]) > 0";
        assert_eq!(at_pace(expr, 1.0), expr);
        assert_eq!(at_pace(expr, 10.0), "rate(a[1m]) > 600 and increase(b[2h24m]) > 0");
        assert_eq!(at_pace(expr, 1_000.0), "rate(a[15s]) > 600 and increase(b[1m26s400ms]) > 0");
        let profile = Profile::load(crate::profile::DEFAULT).unwrap();
        for (slow, fast) in rules(&profile, 1.0).iter().zip(&rules(&profile, 60.0)) {
            assert!((slow.hold.as_secs_f64() / 60.0 - fast.hold.as_secs_f64()).abs() < 1e-9);
            let without = |expr: &str| -> String {
                expr.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect()
            };
            assert_eq!(without(&slow.expr), without(&fast.expr));
        }
    }

    #[test]
    fn every_threshold_is_the_profiles() {
        let mut profile = Profile::load(crate::profile::DEFAULT).unwrap();
        let expr = |profile: &Profile, name: &str| {
            rules(profile, 1.0).into_iter().find(|rule| rule.name == name).unwrap().expr
        };
        assert!(expr(&profile, "ForebayEventsTooOld").contains("> 28800"));
        assert!(expr(&profile, "ForebayBufferFullTonight").contains("< 14400"));
        assert!(expr(&profile, "ForebaySlowWarning").ends_with("> 0.02"));
        profile.hold.hours = 2.0;
        profile.load.p95_max = Duration::from_millis(100);
        assert!(expr(&profile, "ForebayEventsTooOld").contains("> 7200"));
        assert!(expr(&profile, "ForebaySlowCritical").ends_with("> 0.1"));
        assert!(
            rules(&profile, 1.0).iter().all(|rule| !rule.expr.contains('<') || rule.expr.contains(" < "))
        );
        let lines = Lines::of(&profile);
        let rows = || buffer::ROWS.iter().chain(&server::ROWS);
        assert!(
            lines.0.iter().all(|(name, _)| rows().any(|row| row.expr.contains(name))),
            "none for nothing"
        );
    }

    #[test]
    fn summaries_name_labels_that_their_alerts_have() {
        for rule in rules(&Profile::load(crate::profile::DEFAULT).unwrap(), 1.0) {
            let mut named =
                rule.summary.split("$labels.").skip(1).map(|rest| rest.split(' ').next().unwrap());
            // `why` is given by the expression itself.
            let known = |label: &str| label == "instance" || label == "why" || rule.per.contains(&label);
            assert!(named.clone().count() > 0 && named.all(known), "{}: {}", rule.name, rule.summary);
        }
    }

    #[test]
    fn what_is_implied_is_a_rule() {
        let rules = rules(&Profile::load(crate::profile::DEFAULT).unwrap(), 1.0);
        for rule in &rules {
            for implied in rule.implies {
                assert!(rules.iter().any(|rule| rule.name == *implied), "{} implies {implied}", rule.name);
                assert_ne!(rule.name, *implied);
            }
        }
    }
}
