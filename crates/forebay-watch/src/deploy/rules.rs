//! The alert rules: `templates/deploy/forebay.rules.yml` filled in for a profile, and read back as the rules in it. What an
//! alert implies is read from where Alertmanager is told it, `deploy/alertmanager.yml`.
//!
//! The file has the durations that people want. For a proof, which cannot wait for half an hour, all of them are divided
//! by a factor, and no threshold is: `rules(profile, 60.0)` are the same rules on a faster clock.

use std::time::Duration;

use askama::Template;

use super::one_line;
use crate::profile::Profile;
use crate::thresholds::Thresholds;

/// The runbooks of the watch that compose.yaml starts, as this machine reaches it.
pub const RUNBOOKS: &str = "http://127.0.0.1:9464/runbooks";

/// Which alerts are reported to whom, and which are not while another one fires.
pub(super) const ALERTMANAGER: &str = include_str!("../../../../deploy/alertmanager.yml");

/// A window is never made shorter: with fewer samples in it `rate` and `deriv` say nothing.
const WINDOW_MIN: Duration = Duration::from_secs(15);

/// What stands before the name of a rule.
const BEGIN: &str = "      - alert: ";
/// What stands between that and the expression.
const EXPR: &str = "\n        expr: |\n          ";
/// What stands between two lines of an expression.
const LINE: &str = "\n          ";

#[derive(Template)]
#[template(path = "deploy/forebay.rules.yml", escape = "none")]
struct Rules {
    profile: String,
    lines: Thresholds,
    /// Address of the runbooks, as it may stand within single quotes.
    runbooks: String,
}

/// A rule for a profile, at a pace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The alert's name.
    pub name: String,
    /// What is asked of Prometheus.
    pub expr: String,
    /// For how long it must be true, its labels and its annotations: lines of the file.
    pub rest: String,
}

impl Rule {
    /// From what the file has between [`BEGIN`] and the next one.
    fn read(text: &str) -> Option<Self> {
        let (name, text) = text.split_once(EXPR)?;
        let end = text.find("\n        for: ").or_else(|| text.find("\n        labels:"))?;
        let (expr, rest) = text.split_at(end);
        Some(Self { name: name.into(), expr: expr.replace(LINE, "\n"), rest: rest.into() })
    }

    /// How soon somebody should look: a `warning` is for today, a `critical` alert for now.
    pub fn severity(&self) -> &str {
        let mut lines = self.rest.lines();
        lines.find_map(|line| line.trim_start().strip_prefix("severity: ")).unwrap_or_default()
    }

    /// Its place in `docs/runbooks.md`, and on the page of the watch.
    pub fn anchor(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// Rules that are true by the same cause: Alertmanager does not report them while this one fires.
    pub fn implies(&self) -> Vec<&'static str> {
        let source = format!("source_matchers: [alertname=\"{}\"]", self.name);
        let targets = ALERTMANAGER.split_once(&source).and_then(|(_, rest)| rest.split('"').nth(1));
        targets.map_or_else(Vec::new, |names| names.split('|').collect())
    }
}

/// The file for a profile. Alerts link to `runbooks`, a page that has a paragraph on each.
pub fn file(profile: &Profile, runbooks: &str) -> askama::Result<String> {
    Rules {
        profile: one_line(&profile.name),
        lines: Thresholds::of(profile),
        runbooks: runbooks.replace('\'', "''"),
    }
    .render()
}

/// Every rule. `pace` divides all durations: 1.0 for people.
pub fn rules(profile: &Profile, pace: f64) -> Vec<Rule> {
    // Proof: a template fails where a value in it cannot be written; numbers and texts can.
    let text = file(profile, RUNBOOKS).expect("numbers and texts");
    at_pace(&text, pace).split(BEGIN).skip(1).filter_map(Rule::read).collect()
}

/// Rules as a file for Prometheus.
pub fn to_yaml(rules: &[Rule]) -> String {
    let text = |rule: &Rule| {
        format!("{BEGIN}{}{EXPR}{}{}\n", rule.name, rule.expr.replace('\n', LINE), rule.rest.trim_end())
    };
    let head = "groups:\n  - name: forebay\n    rules:\n";
    rules.iter().fold(head.to_owned(), |file, rule| file + &text(rule))
}

/// A file with every window and every `for` divided by `pace`.
fn at_pace(text: &str, pace: f64) -> String {
    let windows =
        divided(text, ("[", "]"), |window| (window / pace).max(WINDOW_MIN.as_secs_f64().min(window)));
    divided(&windows, ("\n        for: ", "\n"), |hold| hold / pace)
}

/// A text in which what stands between two marks has become another duration. What is none stays as it is.
fn divided(text: &str, (open, close): (&str, &str), other: impl Fn(f64) -> f64) -> String {
    let mut parts = text.split(open);
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        made.push_str(open);
        let duration = part.split_once(close).and_then(|(duration, rest)| {
            Some((humantime::parse_duration(duration).ok()?.as_secs_f64(), rest))
        });
        match duration {
            Some((seconds, rest)) => made.extend([&*in_prometheus(other(seconds)), close, rest]),
            None => made.push_str(part),
        }
    }
    made
}

/// A duration as Prometheus reads it: `2m`, `1h30m`, `1s500ms`.
fn in_prometheus(seconds: f64) -> String {
    let whole = Duration::from_millis((seconds * 1e3) as u64);
    humantime::format_duration(whole).to_string().replace("days", "d").replace("day", "d").replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default() -> Profile {
        Profile::load(crate::profile::DEFAULT).unwrap()
    }

    #[test]
    fn the_pace_divides_durations_and_nothing_else() {
        let text = "a[10m] > 600 and b[1d] c[3d] [d]\n        for: 30m\n      for: 1m [";
        assert_eq!(at_pace(text, 1.0), text);
        assert_eq!(
            at_pace(text, 10.0),
            "a[1m] > 600 and b[2h24m] c[7h12m] [d]\n        for: 3m\n      for: 1m ["
        );
        assert_eq!(
            at_pace(text, 1_000.0),
            "a[15s] > 600 and b[1m26s400ms] c[4m19s200ms] [d]\n        for: 1s800ms\n      for: 1m ["
        );
        let (slow, fast) = (file(&default(), RUNBOOKS).unwrap(), to_yaml(&rules(&default(), 60.0)));
        // The same text but for durations, comment and all; and every duration is another one.
        let mut slow = slow.lines().skip(1);
        for fast in fast.lines() {
            let slow = slow.next().unwrap();
            let is_paced = slow.starts_with("        for: ") || slow.contains("m]") || slow.contains("d]");
            assert_eq!(slow != fast, is_paced, "{slow}, {fast}");
            let without = |line: &str| divided(&at_pace(line, 1.0), ("[", "]"), |_| 0.0);
            assert!(slow.starts_with("        for: ") || without(slow) == without(fast), "{slow}, {fast}");
        }
        assert_eq!(slow.next(), None);
    }

    #[test]
    fn what_a_proof_runs_at_the_pace_of_people_is_what_is_deployed() {
        let deployed = file(&default(), RUNBOOKS).unwrap();
        assert_eq!(
            deployed.split_once('\n').unwrap().1.trim_end(),
            to_yaml(&rules(&default(), 1.0)).trim_end()
        );
    }

    #[test]
    fn every_threshold_is_the_profiles() {
        let mut profile = default();
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
    }

    /// Labels that tell a rule's alerts apart, beside `job` and `instance`: those of its metrics.
    fn labels(rule: &Rule) -> Vec<&'static str> {
        let has = |part| rule.expr.contains(part);
        let lane = has("forebay_lane_") && !has("without (lane");
        let buffer = [
            "forebay_buffer_",
            "forebay_lane_",
            "forebay_group_",
            "forebay_drain_",
            "forebay_writer",
            "forebay_source_",
        ]
        .into_iter()
        .any(has);
        let group = has("forebay_group_") || has("forebay_drain_");
        let all = [("buffer", buffer), ("group", group), ("lane", lane)];
        all.into_iter().filter_map(|(label, has)| has.then_some(label)).collect()
    }

    #[test]
    fn summaries_name_labels_that_their_alerts_have() {
        for rule in rules(&default(), 1.0) {
            let summary = rule.rest.lines().find(|line| line.contains(" summary: ")).unwrap();
            let mut named = summary.split("$labels.").skip(1).map(|rest| rest.split(' ').next().unwrap());
            // `why` is given by the expression itself.
            let known = |label| ["instance", "why"].contains(&label) || labels(&rule).contains(&label);
            assert!(named.clone().count() > 0 && named.all(known), "{summary}");
        }
    }

    #[test]
    fn what_is_implied_is_a_rule_of_the_same_buffer_or_group() {
        let rules = rules(&default(), 1.0);
        let sources = rules.iter().filter(|rule| !rule.implies().is_empty());
        assert_eq!(
            sources.clone().count(),
            ALERTMANAGER.matches("source_matchers").count(),
            "each is a rule"
        );
        for rule in sources {
            let implied: Vec<&Rule> =
                rules.iter().filter(|other| rule.implies().contains(&&*other.name)).collect();
            assert_eq!(implied.len(), rule.implies().len(), "{} implies {:?}", rule.name, rule.implies());
            assert!(implied.iter().all(|other| other.name != rule.name), "{} implies itself", rule.name);
            let shared = |label: &&str| implied.iter().all(|other| labels(other).contains(label));
            let equal = ["job", "instance"].into_iter().chain(labels(rule).into_iter().filter(shared));
            let line = format!(
                "[alertname=\"{}\"]\n    target_matchers: [alertname=~\"{}\"]\n    equal: [{}]\n",
                rule.name,
                rule.implies().join("|"),
                equal.collect::<Vec<_>>().join(", ")
            );
            assert!(ALERTMANAGER.contains(&line), "{line}");
        }
    }
}
