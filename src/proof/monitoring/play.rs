//! Causes brought about, all at once, each at its station; what came of each.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::cause::{Cause, FILL};
use super::judge::{Came, Outcome};
use super::receive::Notice;
use super::station::Station;
use super::tower::Tower;
use crate::buffer::fates::State;
use crate::buffer::limit::Full;
use crate::deploy::dashboards::{Query, queries as panels};
use crate::deploy::rules::Rule;
use crate::proof::progress::Progress;
use crate::server;

/// How long alerts may take to come, and to be resolved.
const LIMIT: Duration = Duration::from_secs(240);
/// Between two looks at what came.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a query that must have an answer may have none.
const QUERY: Duration = Duration::from_secs(15);
/// What windows that Grafana would choose come to, over scrapes of a second.
const GRAFANA_WINDOW: &str = "15s";

/// Plays them all.
pub(super) fn all(
    stations: Vec<(&'static Cause, Station)>,
    tower: &Tower,
    rules: &[Rule],
    progress: &dyn Progress,
) -> anyhow::Result<Vec<Outcome>> {
    let done = std::sync::atomic::AtomicU64::new(1);
    let outcomes: Vec<anyhow::Result<Outcome>> = std::thread::scope(|scope| {
        let threads: Vec<_> = stations
            .into_iter()
            .map(|(cause, station)| {
                let done = &done;
                scope.spawn(move || {
                    let outcome =
                        one(cause, station, tower, rules).with_context(|| format!("cause: {}", cause.name));
                    progress.at(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
                    outcome
                })
            })
            .collect();
        // Proof: what is played has nothing that panics; if it does, so may we.
        threads.into_iter().map(|thread| thread.join().expect("a thread that plays a cause")).collect()
    });
    outcomes.into_iter().collect()
}

fn one(
    cause: &'static Cause,
    mut station: Station,
    tower: &Tower,
    rules: &[Rule],
) -> anyhow::Result<Outcome> {
    let instance = station.instance();
    let before = tower.receiver.of(&instance);
    let mut forecasts = Vec::new();
    let started = Instant::now();
    (cause.act)(&mut station).context("bringing it about")?;
    let is_fill = cause.name == FILL;
    let mut full_at = None;
    // What did not come in time stands in the outcome.
    wait(|| {
        if is_fill {
            forecast(&station, &mut forecasts, &mut full_at);
        }
        let notices = tower.receiver.of(&instance);
        cause.alerts.iter().all(|alert| first(&notices, alert, started).is_some())
    })?;
    let undone = Instant::now();
    (cause.undo)(&mut station).context("ending it")?;
    wait(|| is_calm(&tower.receiver.of(&instance)))?;
    let notices: Vec<Notice> = tower.receiver.of(&instance).split_off(before.len());
    let came = cause.alerts.iter().map(|alert| Came {
        alert,
        after: first(&notices, alert, started),
        cleared: last_resolved(&notices, alert).map(|at| at.saturating_duration_since(undone)),
    });
    Ok(Outcome {
        cause: cause.name,
        came: came.collect(),
        others: others(cause, rules, &before, &notices),
        forecasts: full_at.map_or_else(Vec::new, |full: Instant| {
            let of = |(at, says): &(Instant, f64)| {
                (at.duration_since(started), *says, full.saturating_duration_since(*at))
            };
            forecasts.iter().map(of).collect()
        }),
    })
}

/// Waits until a condition holds, or for as long as alerts may take; whether it held.
fn wait(mut holds: impl FnMut() -> bool) -> anyhow::Result<bool> {
    let started = Instant::now();
    loop {
        anyhow::ensure!(!server::ending(), "interrupted");
        if holds() {
            return Ok(true);
        }
        if started.elapsed() >= LIMIT {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
    }
}

/// How long after `since` an alert first came.
fn first(notices: &[Notice], alert: &str, since: Instant) -> Option<Duration> {
    let came =
        notices.iter().find(|notice| notice.is_firing && notice.alert == alert && notice.at >= since)?;
    Some(came.at.duration_since(since))
}

/// When an alert was resolved for good.
fn last_resolved(notices: &[Notice], alert: &str) -> Option<Instant> {
    let last = notices.iter().rev().find(|notice| notice.alert == alert)?;
    (!last.is_firing).then_some(last.at)
}

/// Whether everything that came is resolved.
fn is_calm(notices: &[Notice]) -> bool {
    notices
        .iter()
        .filter(|notice| notice.is_firing)
        .all(|notice| last_resolved(notices, &notice.alert).is_some())
}

/// Alerts that came before the cause, or that it does not explain.
fn others(cause: &Cause, rules: &[Rule], before: &[Notice], notices: &[Notice]) -> Vec<String> {
    let implied = rules.iter().filter(|rule| cause.alerts.contains(&rule.name)).flat_map(|rule| rule.implies);
    let may: Vec<&str> = cause.alerts.iter().chain(cause.also).chain(implied).copied().collect();
    let mut others: Vec<String> = before.iter().map(|notice| format!("{} before it", notice.alert)).collect();
    let of_none = notices.iter().filter(|notice| !may.contains(&notice.alert.as_str()));
    others.extend(of_none.map(|notice| notice.alert.clone()));
    others.sort();
    others.dedup();
    others
}

/// Notes what the watch says of when the buffer is full, and when it was.
fn forecast(station: &Station, forecasts: &mut Vec<(Instant, f64)>, full_at: &mut Option<Instant>) {
    let Ok(shown) = station.shown() else { return };
    let now = Instant::now();
    let (says, is_held) = shown.with_view(|view| {
        let says = view.forecast.as_ref().map(|forecast| forecast.net.clone());
        (says, view.heard.writers.iter().any(|writer| writer.state == State::HeldBack))
    });
    if is_held {
        full_at.get_or_insert(now);
    }
    let is_due = forecasts.last().is_none_or(|(at, _)| now.duration_since(*at) >= Duration::from_secs(1));
    // Whatever is no time is wrong while the buffer fills.
    let seconds = says.map_or(f64::INFINITY, |says| match says {
        Full::In(seconds) => seconds,
        Full::Now | Full::NotFilling | Full::Unknown(_) => f64::INFINITY,
    });
    if full_at.is_none() && is_due {
        forecasts.push((now, seconds));
    }
}

/// Every query of every panel, and how many series it has. One that must have an answer is given time: a buffer that has
/// just been read empty has no oldest event.
pub(super) fn queries(tower: &Tower) -> anyhow::Result<Vec<(Query, usize)>> {
    panels(GRAFANA_WINDOW)
        .into_iter()
        .map(|query| {
            let mut series = tower.series(&query.expr)?;
            let started = Instant::now();
            while query.always && series == 0 && started.elapsed() < QUERY {
                std::thread::sleep(PAUSE);
                series = tower.series(&query.expr)?;
            }
            Ok((query, series))
        })
        .collect()
}

/// Whether a rule has fired at a station.
pub(super) fn has_fired(tower: &Tower, station: &Station, alert: &str) -> bool {
    let all = tower.receiver.of(&station.instance()).into_iter().chain(tower.receiver.of_none());
    all.into_iter().any(|notice| notice.alert == alert)
}
