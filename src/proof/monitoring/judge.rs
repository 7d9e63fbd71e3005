//! From what came to claims.

use std::time::Duration;

use super::heard::{Came, Heard, Outcome};
use super::receive::Notice;
use crate::deploy::dashboards::Query;
use crate::deploy::rules::Rule;
use crate::proof::claim::{Axes, Bound, Claim, Control, Evidence, Judged, Series, Unit};

/// Steps of the brief: buffer monitoring, and dashboards and alerts.
const BUFFER: u8 = 9;
pub(super) const ALERTS: u8 = 10;

const FIRES: &str = "monitoring.fires";
const CLEARS: &str = "monitoring.clears";
const ALONE: &str = "monitoring.alone";
const HEALTHY: &str = "monitoring.healthy";
const QUERIES: &str = "monitoring.queries";
const FORECAST: &str = "monitoring.forecast";

/// From so long after the fill began on, the forecast must be right.
const FROM: Duration = Duration::from_secs(60);
/// Nearer to the end it counts for more than the forecast when the writer says that it is held back: once a second.
const UNTIL: Duration = Duration::from_secs(15);
/// By so much it may be wrong.
const WRONG_PERCENT_MAX: f64 = 10.0;

/// What came of the whole run.
pub(super) struct Played {
    pub causes: Vec<Heard>,
    /// Causes that could not be brought about here, and why.
    pub left_out: Vec<(&'static str, String)>,
    /// Queries of panels, and how many series each had.
    pub queries: Vec<(Query, usize)>,
    /// What came of the station to which nothing happened.
    pub calm: Vec<Notice>,
    /// What came about no station at all, but the rule of the control.
    pub of_none: Vec<Notice>,
    /// Whether the rule of the control fired.
    pub never: bool,
    pub rules: Vec<Rule>,
}

/// Every claim, where the programs are not there.
pub(super) fn untested(why: &str) -> Vec<Claim> {
    [fires(&[]), clears(&[]), alone(&[]), healthy(0), queries(&[]), forecast(&[]), super::hour::untested(why)]
        .map(|claim| claim.untested(why).without_control())
        .into()
}

/// Every claim, each with its control: controls are judged from what was heard, as the claims are.
pub(super) fn claims(played: &Played) -> Vec<Claim> {
    let rules = &played.rules;
    let outcomes = |heard: &mut dyn Iterator<Item = Heard>| -> Vec<Outcome> {
        heard.map(|heard| heard.outcome(rules)).collect()
    };
    let causes = &outcomes(&mut played.causes.iter().cloned());
    let mut fires = fires(causes);
    fires.evidence.push(table(causes));
    fires.evidence.extend(left_out(played, causes));
    let fires = fires.with(Control::of(
        "a rule on a metric that nobody exports, which must be found not to fire",
        &[self::fires(&[with_never(played.never)])],
        FIRES,
    ));
    let first = || played.causes.iter().take(1);
    let clears = clears(causes);
    let stuck = outcomes(&mut first().map(Heard::without_resolved));
    let clears = clears.with(Control::of(
        "the first cause, with what the webhook heard of resolved alerts left out",
        &[self::clears(&stuck)],
        CLEARS,
    ));
    let mut alone = alone(causes);
    if !played.of_none.is_empty() {
        let names: Vec<&str> = played.of_none.iter().map(|notice| notice.alert.as_str()).collect();
        let why = format!("{} about no watch at all; {}", names.join(", "), alone.why);
        alone = alone.refuted(why);
    }
    let another = outcomes(&mut first().map(|heard| heard.with_another(rules)));
    let alone = alone.with(Control::of(
        "the first cause, with an alert that it does not explain added to what the webhook heard",
        &[self::alone(&another)],
        ALONE,
    ));
    let fired = causes.iter().flat_map(|outcome| &outcome.came).filter(|came| came.after.is_some()).count();
    let healthy = healthy(played.calm.iter().filter(|notice| notice.is_firing).count());
    let healthy = healthy.with(Control::of(
        "the stations to which something happened",
        &[self::healthy(fired)],
        HEALTHY,
    ));
    let queries = queries(&played.queries);
    let nobody = Query {
        dashboard: "control",
        panel: "a metric that nobody exports",
        expr: "forebay_no_such_metric".into(),
        always: true,
    };
    let queries = queries.with(Control::of(
        "a panel on a metric that nobody exports",
        &[self::queries(&[(nobody, 0)])],
        QUERIES,
    ));
    vec![fires, clears, alone, healthy, queries, forecast_of(causes)]
}

fn with_never(has_fired: bool) -> Outcome {
    let after = has_fired.then_some(Duration::ZERO);
    let came = Came { alert: super::NOBODY, after, lasted: has_fired, cleared: after };
    Outcome { cause: "control", came: vec![came], others: Vec::new(), forecasts: Vec::new() }
}

fn none(id: &str, step: u8, statement: &str, measured: usize, why: String) -> Judged {
    Judged::of(id, step, statement, (Bound::Exactly, 0.0, Unit::Count), measured as f64, why)
}

fn named(names: &[String], if_none: String) -> String {
    if names.is_empty() { if_none } else { names.join("; ") }
}

fn fires(causes: &[Outcome]) -> Judged {
    let came =
        || causes.iter().flat_map(|outcome| outcome.came.iter().map(move |came| (outcome.cause, came)));
    let missing: Vec<String> = came()
        .filter(|(_, came)| came.after.is_none())
        .map(|(cause, came)| format!("{} did not fire when {cause}", came.alert))
        .collect();
    let slowest = came().filter_map(|(_, came)| Some((came.after?, came.alert))).max();
    let told = slowest.map_or(String::new(), |(after, alert)| {
        format!(
            "{} alerts by {} causes, the slowest, {alert}, after {:.0} s",
            came().count(),
            causes.len(),
            after.as_secs_f64()
        )
    });
    none(
        FIRES,
        ALERTS,
        "every alert fires by its cause: alerts that did not",
        missing.len(),
        named(&missing, told),
    )
}

fn clears(causes: &[Outcome]) -> Judged {
    let fired = || {
        let came =
            causes.iter().flat_map(|outcome| outcome.came.iter().map(move |came| (outcome.cause, came)));
        came.filter(|(_, came)| came.after.is_some())
    };
    let stuck: Vec<String> = fired()
        .filter_map(|(cause, came)| match came {
            Came { cleared: None, alert, .. } => Some(format!("{alert} still fires after {cause}")),
            Came { lasted: false, alert, .. } => {
                Some(format!("{alert} no longer fired when it was over that {cause}"))
            }
            _ => None,
        })
        .collect();
    let slowest = fired().filter_map(|(_, came)| Some((came.cleared?, came.alert))).max();
    let told = slowest.map_or(String::new(), |(after, alert)| {
        format!("the slowest, {alert}, was resolved {:.0} s after its cause", after.as_secs_f64())
    });
    none(
        CLEARS,
        ALERTS,
        "every alert lasts as long as its cause, and is then resolved: alerts that did or were not",
        stuck.len(),
        named(&stuck, told),
    )
}

fn alone(causes: &[Outcome]) -> Judged {
    let others: Vec<String> = causes
        .iter()
        .flat_map(|outcome| outcome.others.iter().map(move |other| format!("{other} when {}", outcome.cause)))
        .collect();
    let told = "each cause brought its alerts, and those that are true by it".to_owned();
    none(ALONE, ALERTS, "no alert fires without a cause: alerts that did", others.len(), named(&others, told))
}

fn healthy(firings: usize) -> Judged {
    let told = format!("{firings} alerts about a buffer that is written and read as it should be");
    none(HEALTHY, ALERTS, "a healthy buffer fires nothing: alerts that came", firings, told)
}

fn queries(queries: &[(Query, usize)]) -> Judged {
    let empty: Vec<String> = queries
        .iter()
        .filter(|(query, series)| query.always && *series == 0)
        .map(|(query, _)| format!("{}, {}: {}", query.dashboard, query.panel, query.expr))
        .collect();
    let with_data = queries.iter().filter(|(_, series)| *series > 0).count();
    let told = format!(
        "{with_data} of {} queries have data; the others are about what is not there, such as a fork",
        queries.len()
    );
    none(
        QUERIES,
        ALERTS,
        "every query of the dashboards that must have data has some: queries without",
        empty.len(),
        named(&empty, told),
    )
}

/// How far off the forecast was at the worst, in percent of what then happened.
fn forecast(forecasts: &[(Duration, f64, Duration)]) -> Judged {
    let judged = forecasts.iter().filter(|(after, _, left)| *after >= FROM && *left >= UNTIL);
    let wrong = judged.clone().map(|(_, says, left)| (says / left.as_secs_f64() - 1.0).abs() * 100.0);
    let worst = wrong.fold(0.0, f64::max);
    let (count, first) = (judged.clone().count(), judged.clone().next());
    let why = first.map_or("no forecast was judged".into(), |(after, says, left)| {
        format!(
            "{count} forecasts on a steady fill; {:.0} s after it began the buffer was said to be full in {says:.0} s, and was \
             in {:.0} s",
            after.as_secs_f64(),
            left.as_secs_f64()
        )
    });
    let claim = Judged::of(
        FORECAST,
        BUFFER,
        "seconds to full are right from a minute on: error at the worst",
        (Bound::AtMost, WRONG_PERCENT_MAX, Unit::Percent),
        worst,
        why,
    );
    if count == 0 {
        claim.untested("no buffer was filled for over a minute: `forebay monitoring` fills one")
    } else {
        claim
    }
}

fn forecast_of(causes: &[Outcome]) -> Claim {
    let all: Vec<_> = causes.iter().flat_map(|outcome| outcome.forecasts.clone()).collect();
    let mut claim = forecast(&all);
    if claim.measured().is_none() {
        return claim.without_control();
    }
    let half: Vec<_> = all.iter().map(|(after, says, left)| (*after, says / 2.0, *left)).collect();
    claim.evidence.push(chart(&all));
    claim.with(Control::of("the same, foreseen at twice the rate", &[forecast(&half)], FORECAST))
}

/// What was foreseen, and what then happened.
fn chart(all: &[(Duration, f64, Duration)]) -> Evidence {
    let line = |name: &str, dashed, of: &dyn Fn(&(Duration, f64, Duration)) -> f64| Series {
        name: name.into(),
        dashed,
        points: all.iter().map(|one| (one.0.as_secs_f64(), of(one))).filter(|(_, y)| y.is_finite()).collect(),
    };
    Evidence::Chart {
        title: "Seconds to full on a steady fill: what the watch said, and what then happened".into(),
        x: "since the reader went, in seconds".into(),
        y: "until full, in seconds".into(),
        axes: Axes::default(),
        series: vec![
            line("foreseen", true, &|(_, says, _)| *says),
            line("happened", false, &|(_, _, left)| left.as_secs_f64()),
        ],
    }
}

fn table(causes: &[Outcome]) -> Evidence {
    let seconds =
        |time: Option<Duration>| time.map_or("never".into(), |time| format!("{:.1}", time.as_secs_f64()));
    let rows = causes.iter().flat_map(|outcome| {
        outcome.came.iter().map(|came| {
            vec![outcome.cause.to_owned(), came.alert.to_owned(), seconds(came.after), seconds(came.cleared)]
        })
    });
    Evidence::Table {
        title: format!(
            "Alerts by cause: seconds until each came to the webhook, and was resolved; the rules' durations are divided by {:.0}",
            super::PACE
        ),
        columns: ["cause", "alert", "fired", "cleared"].map(str::to_owned).into(),
        rows: rows.collect(),
    }
}

/// What was not tried: causes that cannot be brought about here, and rules without a cause among those that were.
fn left_out(played: &Played, causes: &[Outcome]) -> Vec<Evidence> {
    let tried: Vec<&str> =
        causes.iter().flat_map(|outcome| outcome.came.iter().map(|came| came.alert)).collect();
    let rest: Vec<&str> = played
        .rules
        .iter()
        .map(|rule| rule.name)
        .filter(|name| !tried.contains(name) && *name != super::NOBODY)
        .collect();
    let mut notes: Vec<String> =
        played.left_out.iter().map(|(cause, why)| format!("not brought about: {cause}: {why}")).collect();
    if !rest.is_empty() {
        notes.push(format!("rules that were not tried: {}", rest.join(", ")));
    }
    notes.into_iter().map(|text| Evidence::Note { text }).collect()
}
