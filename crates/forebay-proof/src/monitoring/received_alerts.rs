//! What the webhook heard in the course of one cause, and what follows from it: when each alert came, whether it lasted, when
//! it was resolved, and what nothing explains.

use std::time::{Duration, Instant};

use super::scenario::Scenario;
use super::webhook::Notice;
use forebay_watch::deploy::rules::Rule;

/// What was heard.
pub(super) struct ReceivedAlerts {
    pub cause: &'static Scenario,
    /// When it was brought about.
    pub started: Instant,
    /// When it was ended.
    pub undone: Instant,
    /// What came before it.
    pub before: Vec<Notice>,
    /// What came from then on, in order.
    pub notices: Vec<Notice>,
    /// What the watch said of when the buffer is full: how long after the cause, in how many seconds, and in how many it was.
    pub forecasts: Vec<(Duration, f64, Duration)>,
}

/// An alert that a cause must bring.
#[derive(Debug, Clone)]
pub(super) struct ExpectedAlert {
    pub alert: &'static str,
    /// How long after the cause it came to the webhook.
    pub after: Option<Duration>,
    /// Whether it was firing when the cause ended, or one that implies it was.
    pub lasted: bool,
    /// How long after the cause's end it was resolved for good.
    pub cleared: Option<Duration>,
}

/// What came of a cause.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub cause: &'static str,
    pub came: Vec<ExpectedAlert>,
    /// Alerts that nothing explains.
    pub others: Vec<String>,
}

impl ReceivedAlerts {
    /// What follows.
    pub fn outcome(&self, rules: &[Rule]) -> Outcome {
        let came = self.cause.alerts.iter().map(|alert| ExpectedAlert {
            alert,
            after: first(&self.notices, alert, self.started),
            lasted: self.lasted(alert, rules),
            cleared: last_resolved(&self.notices, alert).map(|at| at.saturating_duration_since(self.undone)),
        });
        Outcome { cause: self.cause.name, came: came.collect(), others: self.others(rules) }
    }

    fn lasted(&self, alert: &str, rules: &[Rule]) -> bool {
        let was_firing = |alert: &str| {
            let mut until = self.notices.iter().filter(|notice| notice.at <= self.undone);
            until.rfind(|notice| notice.alert == alert).is_some_and(|last| last.is_firing)
        };
        let implies =
            |rule: &&Rule| self.cause.alerts.contains(&&*rule.name) && rule.implies().contains(&alert);
        was_firing(alert) || rules.iter().filter(implies).any(|rule| was_firing(&rule.name))
    }

    /// Alerts that the cause explains.
    fn may(&self, rules: &[Rule]) -> Vec<&'static str> {
        let Scenario { alerts, also, .. } = self.cause;
        let implied = rules.iter().filter(|rule| alerts.contains(&&*rule.name)).flat_map(Rule::implies);
        alerts.iter().chain(*also).copied().chain(implied).collect()
    }

    /// Alerts that came before the cause, or that it does not explain.
    fn others(&self, rules: &[Rule]) -> Vec<String> {
        let may = self.may(rules);
        let mut others: Vec<String> =
            self.before.iter().map(|notice| format!("{} before it", notice.alert)).collect();
        let of_none = self.notices.iter().filter(|notice| !may.contains(&notice.alert.as_str()));
        others.extend(of_none.map(|notice| notice.alert.clone()));
        others.sort();
        others.dedup();
        others
    }
}

/// How long after `since` an alert first came.
pub(super) fn first(notices: &[Notice], alert: &str, since: Instant) -> Option<Duration> {
    let came =
        notices.iter().find(|notice| notice.is_firing && notice.alert == alert && notice.at >= since)?;
    Some(came.at.duration_since(since))
}

/// Whether everything that came is resolved.
pub(super) fn is_calm(notices: &[Notice]) -> bool {
    notices
        .iter()
        .filter(|notice| notice.is_firing)
        .all(|notice| last_resolved(notices, &notice.alert).is_some())
}

/// When an alert was resolved for good.
fn last_resolved(notices: &[Notice], alert: &str) -> Option<Instant> {
    let last = notices.iter().rev().find(|notice| notice.alert == alert)?;
    (!last.is_firing).then_some(last.at)
}

/// For tests: what was heard of a cause that lasted 20 seconds: alerts, each so many seconds after it began, and whether firing.
#[cfg(test)]
pub(super) fn heard(cause: &str, notices: &[(u64, &str, bool)]) -> ReceivedAlerts {
    let started = Instant::now();
    let at = |seconds: u64| started + Duration::from_secs(seconds);
    let notice = |(seconds, alert, is_firing): &(u64, &str, bool)| Notice {
        at: at(*seconds),
        alert: (*alert).into(),
        instance: "w".into(),
        is_firing: *is_firing,
    };
    ReceivedAlerts {
        cause: super::causes::CAUSES.iter().find(|known| known.name == cause).unwrap(),
        started,
        undone: at(20),
        before: Vec::new(),
        notices: notices.iter().map(notice).collect(),
        forecasts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::causes::FILL;
    use super::*;
    use forebay_watch::deploy::rules::rules;
    use forebay_watch::profile::{self, Profile};

    fn all_rules() -> Vec<Rule> {
        rules(&Profile::load(profile::DEFAULT).unwrap(), 240.0)
    }

    const STOPS: &str = "the writer stops";
    const ALERT: &str = "ForebayWriterStopped";

    #[test]
    fn an_alert_comes_lasts_and_is_resolved() {
        let outcome = heard(STOPS, &[(5, ALERT, true), (22, ALERT, false)]).outcome(&all_rules());
        let [came] = &outcome.came[..] else { panic!("{outcome:?}") };
        assert_eq!((came.after, came.lasted), (Some(Duration::from_secs(5)), true));
        assert_eq!(came.cleared, Some(Duration::from_secs(2)));
        assert!(outcome.others.is_empty(), "{outcome:?}");
    }

    #[test]
    fn an_alert_that_ends_before_its_cause_does_not_last() {
        let outcome = heard(STOPS, &[(5, ALERT, true), (12, ALERT, false)]).outcome(&all_rules());
        assert!(!outcome.came[0].lasted && outcome.came[0].cleared.is_some(), "{outcome:?}");
        let again = [(5, ALERT, true), (12, ALERT, false), (19, ALERT, true)];
        assert!(heard(STOPS, &again).outcome(&all_rules()).came[0].lasted);
    }

    #[test]
    fn an_alert_lasts_in_one_that_implies_it() {
        let (tonight, soon) = ("ForebayBufferFullTonight", "ForebayBufferFullSoon");
        let notices = [(3, tonight, true), (9, soon, true), (9, tonight, false)];
        let outcome = heard(FILL, &notices).outcome(&all_rules());
        let came = |alert| outcome.came.iter().find(|came| came.alert == alert).unwrap();
        assert!(came(tonight).lasted && came(soon).lasted, "{outcome:?}");
        let outcome = heard(FILL, &notices[..1]).outcome(&all_rules());
        assert!(outcome.came.iter().all(|came| came.cleared.is_none()), "{outcome:?}");
    }

    #[test]
    fn an_alert_that_nothing_explains_or_that_came_before_is_named() {
        let mut heard =
            heard(STOPS, &[(5, ALERT, true), (6, "ForebayKeysEvicted", true), (22, ALERT, false)]);
        assert_eq!(heard.outcome(&all_rules()).others, ["ForebayKeysEvicted"]);
        heard.before.push(heard.notices[0].clone());
        assert_eq!(
            heard.outcome(&all_rules()).others,
            ["ForebayKeysEvicted", "ForebayWriterStopped before it"]
        );
    }
}
