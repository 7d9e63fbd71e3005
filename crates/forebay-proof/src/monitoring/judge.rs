//! From what came to claims.

use std::collections::BTreeSet;
use std::time::Duration;

use super::control_stack::{DEAF, NOBODY, NOISE, is_deaf_alone};
use super::quiet_hours::{self, ALERTS};
use super::received_alerts::{ExpectedAlert, Outcome};
use super::runner::Both;
use super::times::PACE;
use super::webhook::Notice;
use crate::claim::{Axes, Bound, Claim, Control, Evidence, Judged, Series, Unit};
use forebay_watch::deploy::dashboards::Query;
use forebay_watch::deploy::rules::Rule;

/// The step of the brief that is about buffer monitoring.
const BUFFER: u8 = 9;

const FIRES: &str = "monitoring.fires";
const THE_REST: &str = "monitoring.rest";
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
    pub causes: Vec<Both>,
    /// The control of the forecast, where there is one to judge.
    pub shrinking: Option<Both>,
    /// Causes that could not be brought about here, and why.
    pub left_out: Vec<(&'static str, String)>,
    /// Queries of panels, and how many series each had.
    pub queries: Vec<(Query, usize)>,
    /// How many series a metric that nobody exports has.
    pub nobody: usize,
    /// What came of the rig to which nothing happened: as it is deployed, and by what is broken.
    pub calm: [QuietRig; 2],
    /// What came about no rig at all.
    pub of_none: Vec<Notice>,
    pub rules: Vec<Rule>,
}

/// A rig to which nothing happened.
pub(super) struct QuietRig {
    /// For how long, and how many events were written meanwhile.
    pub seconds: f64,
    pub events: f64,
    pub notices: Vec<Notice>,
}

/// Every claim, where nothing can be tried.
pub(super) fn untested(why: &str) -> Vec<Claim> {
    let calm = QuietRig { seconds: 0.0, events: 0.0, notices: Vec::new() };
    [
        fires(&[], 0),
        clears(&[], 0),
        alone(&[], &[]),
        healthy(&calm),
        queries(&[]),
        forecast(&[]),
        quiet_hours::untested(why),
    ]
    .map(|claim| claim.untested(why).without_control())
    .into()
}

/// Every claim, each with its control: what a broken Prometheus and Alertmanager told of the same is judged as the rest is.
pub(super) fn claims(played: &Played) -> Vec<Claim> {
    let (rules, total) = (&played.rules, played.rules.len());
    let causes: Vec<Outcome> = played.causes.iter().map(|both| both.heard.outcome(rules)).collect();
    let broken: Vec<Outcome> = played.causes.iter().map(|both| both.by_broken.outcome(rules)).collect();
    let mut fires = fires(&causes, total);
    fires.evidence.push(table(&causes));
    let fires = fires.with(
        Control::of(
            format!("the same causes, where the rule of {DEAF} is on a metric that nobody exports"),
            &[self::fires(&broken, total)],
            FIRES,
        )
        .and(is_deaf_alone(&broken)),
    );
    let clears = clears(&causes, total).with(Control::of(
        "the same causes, where Alertmanager sends nothing that is resolved",
        &[clears(&broken, total)],
        CLEARS,
    ));
    let is_heard = broken.iter().any(|outcome| outcome.others.iter().any(|other| other.contains(NOISE)));
    let alone = alone(&causes, &played.of_none).with(
        Control::of("the same causes, with a rule that fires for none", &[alone(&broken, &[])], ALONE)
            .and(is_heard),
    );
    let [calm, noisy] = &played.calm;
    let healthy = healthy(calm).with(Control::of(
        "the same station, with a rule that fires for no cause",
        &[healthy(noisy)],
        HEALTHY,
    ));
    let nobody = Query {
        dashboard: "control",
        panel: "a metric that nobody exports",
        expr: NOBODY.into(),
        always: true,
    };
    let queries = queries(&played.queries).with(Control::of(
        "a panel on a metric that nobody exports, asked of the same Prometheus",
        &[queries(&[(nobody, played.nobody)])],
        QUERIES,
    ));
    let mut claims = vec![fires, clears, alone, healthy, queries];
    claims.push(forecast_of(&played.causes, played.shrinking.as_ref()));
    claims.extend(the_rest(played, &causes));
    claims
}

/// Alerts of which there were tries, each once.
fn tried(causes: &[Outcome]) -> usize {
    let names: BTreeSet<&str> =
        causes.iter().flat_map(|outcome| &outcome.came).map(|came| came.alert).collect();
    names.len()
}

/// `11 of 28 alerts`; where none was tried: `alerts`.
fn alerts(causes: &[Outcome], total: usize) -> String {
    match tried(causes) {
        0 => "alerts".into(),
        tried => format!("{tried} of {total} alerts"),
    }
}

/// A claim that there is none of something; untested where nothing was there to have any.
fn none(id: &str, statement: &str, found: usize, why: String, tried: usize) -> Judged {
    let claim = Judged::of(id, ALERTS, statement, (Bound::Exactly, 0.0, Unit::Count), found as f64, why);
    if tried == 0 { claim.untested("nothing of it was tried") } else { claim }
}

fn named(names: &[String], if_none: String) -> String {
    if names.is_empty() { if_none } else { names.join("; ") }
}

fn fires(causes: &[Outcome], total: usize) -> Judged {
    let came =
        || causes.iter().flat_map(|outcome| outcome.came.iter().map(move |came| (outcome.cause, came)));
    let missing: Vec<String> = came()
        .filter(|(_, came)| came.after.is_none())
        .map(|(cause, came)| format!("{} did not fire when {cause}", came.alert))
        .collect();
    let slowest = came().filter_map(|(_, came)| Some((came.after?, came.alert))).max();
    let told = slowest.map_or(String::new(), |(after, alert)| {
        format!(
            "{} tries by {} causes, the slowest, {alert}, after {:.0} s",
            came().count(),
            causes.len(),
            after.as_secs_f64()
        )
    });
    let statement = format!("{} fire by their causes: those that did not", alerts(causes, total));
    none(FIRES, &statement, missing.len(), named(&missing, told), came().count())
}

fn clears(causes: &[Outcome], total: usize) -> Judged {
    let fired = || {
        let came =
            causes.iter().flat_map(|outcome| outcome.came.iter().map(move |came| (outcome.cause, came)));
        came.filter(|(_, came)| came.after.is_some())
    };
    let stuck: Vec<String> = fired()
        .filter_map(|(cause, came)| match came {
            ExpectedAlert { cleared: None, alert, .. } => Some(format!("{alert} still fires after {cause}")),
            ExpectedAlert { lasted: false, alert, .. } => {
                Some(format!("{alert} no longer fired when it was over that {cause}"))
            }
            _ => None,
        })
        .collect();
    let slowest = fired().filter_map(|(_, came)| Some((came.cleared?, came.alert))).max();
    let told = slowest.map_or(String::new(), |(after, alert)| {
        format!("the slowest, {alert}, was resolved {:.0} s after its cause", after.as_secs_f64())
    });
    let statement = format!(
        "{} last as long as their causes, and are then resolved: those that did or were not",
        alerts(causes, total)
    );
    none(CLEARS, &statement, stuck.len(), named(&stuck, told), fired().count())
}

/// `of_none`: what came about no rig at all.
fn alone(causes: &[Outcome], of_none: &[Notice]) -> Judged {
    let others = causes.iter().flat_map(|outcome| {
        outcome.others.iter().map(move |other| format!("{other} when {}", outcome.cause))
    });
    let of_none = of_none.iter().map(|notice| format!("{} about no watch at all", notice.alert));
    let others: Vec<String> = others.chain(of_none).collect();
    let told = "each cause brought its alerts, and those that are true by it".to_owned();
    let statement = match causes.len() {
        0 => "no alert fires without a cause: alerts that did".into(),
        tried => {
            format!("while {tried} causes are brought about, no alert fires without one: alerts that did")
        }
    };
    none(ALONE, &statement, others.len(), named(&others, told), causes.len())
}

fn healthy(calm: &QuietRig) -> Judged {
    let firings = calm.notices.iter().filter(|notice| notice.is_firing).count();
    let told = format!(
        "{firings} alerts in {:.0} s, in which {:.0} events were written and read as they should be",
        calm.seconds, calm.events
    );
    let statement = "a healthy buffer fires nothing as long as the others are tried: alerts that came";
    // What fires says enough; that nothing does says something of a buffer in use alone.
    none(HEALTHY, statement, firings, told, firings.max(calm.events as usize))
}

fn queries(queries: &[(Query, usize)]) -> Judged {
    let must = queries.iter().filter(|(query, _)| query.always);
    let empty: Vec<String> = must
        .clone()
        .filter(|(_, series)| *series == 0)
        .map(|(query, _)| format!("{}, {}: {}", query.dashboard, query.panel, query.expr))
        .collect();
    let with_data = queries.iter().filter(|(_, series)| *series > 0).count();
    let told = format!(
        "{with_data} of {} queries have data; the others are about what is not there, such as a fork",
        queries.len()
    );
    let statement = match must.clone().count() {
        0 => "queries of the dashboards that must have data have some: queries without".into(),
        count => format!("{count} queries of the dashboards that must have data have some: queries without"),
    };
    none(QUERIES, &statement, empty.len(), named(&empty, told), must.count())
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
        format!(
            "on a steady fill, from {} s after it began until {} s before its end, seconds to full are right: error at the \
             worst",
            FROM.as_secs(),
            UNTIL.as_secs()
        ),
        (Bound::AtMost, WRONG_PERCENT_MAX, Unit::Percent),
        worst,
        why,
    );
    if count == 0 { claim.untested("no buffer was filled for over a minute") } else { claim }
}

fn forecast_of(causes: &[Both], shrinking: Option<&Both>) -> Claim {
    let all: Vec<_> = causes.iter().flat_map(|both| both.heard.forecasts.clone()).collect();
    let mut claim = forecast(&all);
    let Some(shrinking) = shrinking else { return claim.without_control() };
    if claim.measured().is_some() {
        claim.evidence.push(chart(&all));
    }
    claim.with(Control::of(
        "the same fill, where a part of the room is taken away on the way",
        &[forecast(&shrinking.heard.forecasts)],
        FORECAST,
    ))
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
            "Alerts by cause: seconds until each came to the webhook, and was resolved; the rules' durations are divided by {PACE:.0}"
        ),
        columns: ["cause", "alert", "fired", "cleared"].map(str::to_owned).into(),
        rows: rows.collect(),
    }
}

/// The alerts that were not tried, and why.
fn the_rest(played: &Played, causes: &[Outcome]) -> Option<Claim> {
    let tried: Vec<&str> =
        causes.iter().flat_map(|outcome| outcome.came.iter().map(|came| came.alert)).collect();
    let rest: Vec<&str> =
        played.rules.iter().map(|rule| &*rule.name).filter(|name| !tried.contains(name)).collect();
    let statement = format!("the other {} alerts fire by their causes, last, and are resolved", rest.len());
    let claim = Judged::blank(THE_REST, ALERTS, statement, (Bound::Exactly, 0.0, Unit::Count));
    let mut why = format!("not tried: {}", rest.join(", "));
    for (cause, reason) in &played.left_out {
        why = format!("{why}; {cause}: {reason}");
    }
    let with = if played.left_out.is_empty() {
        "forebay monitoring"
    } else {
        "forebay monitoring, by root or with fuse3"
    };
    (!rest.is_empty()).then(|| claim.untested(why).test_with(with).without_control())
}

#[cfg(test)]
mod tests;
