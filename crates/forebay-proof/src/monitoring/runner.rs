//! Causes brought about, all at once, each at its rig; what came of each.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::actions::shrink;
use super::alert_stack::AlertStack;
use super::causes::{FILL, SHRINKS};
use super::received_alerts::{ReceivedAlerts, first, is_calm};
use super::rig::Rig;
use super::scenario::Scenario;
use super::webhook::Notice;
use crate::progress::Progress;
use crate::wait::look_every;
use forebay::buffer::limit::Full;
use forebay::buffer::writer_status::WriterState;
use forebay_watch::deploy::dashboards::{Query, queries as panels};

/// How long alerts may take to come, and to be resolved.
const LIMIT: Duration = Duration::from_secs(240);
/// Between two looks at what came.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a query that must have an answer may have none.
const QUERY: Duration = Duration::from_secs(15);
/// What windows that Grafana would choose come to, over scrapes of a second.
const GRAFANA_WINDOW: &str = "15s";

/// When the room shrinks where it does, and how much of it is left then: after forecasts are judged, and long before the end.
const SHRINK_AFTER: Duration = Duration::from_secs(63);
const SHRUNK: f64 = 0.6;

/// What came of a cause.
pub(super) struct Both {
    /// As it is deployed.
    pub heard: ReceivedAlerts,
    /// What the broken one heard of the same.
    pub by_broken: ReceivedAlerts,
}

/// Plays them all.
pub(super) fn all(
    rigs: Vec<(&'static Scenario, Rig)>,
    (stack, broken): (&AlertStack, &AlertStack),
    progress: &dyn Progress,
) -> anyhow::Result<Vec<Both>> {
    let done = std::sync::atomic::AtomicU64::new(1);
    let all: Vec<anyhow::Result<Both>> = std::thread::scope(|scope| {
        let threads: Vec<_> = rigs
            .into_iter()
            .map(|(cause, rig)| {
                let done = &done;
                scope.spawn(move || {
                    let heard =
                        one(cause, rig, (stack, broken)).with_context(|| format!("cause: {}", cause.name));
                    progress.at(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
                    heard
                })
            })
            .collect();
        // Proof: what is played has nothing that panics; if it does, so may we.
        threads.into_iter().map(|thread| thread.join().expect("a thread that plays a cause")).collect()
    });
    all.into_iter().collect()
}

fn one(
    cause: &'static Scenario,
    mut rig: Rig,
    (stack, broken): (&AlertStack, &AlertStack),
) -> anyhow::Result<Both> {
    let instance = rig.instance();
    let before = [stack, broken].map(|stack| stack.receiver.of(&instance));
    let mut forecasts = Vec::new();
    let started = Instant::now();
    (cause.act)(&mut rig).context("bringing it about")?;
    let (is_fill, mut is_to_shrink) = ([FILL, SHRINKS].contains(&cause.name), cause.name == SHRINKS);
    let mut full_at = None;
    let mut shrunk = Ok(());
    // What did not come in time stands in the outcome.
    wait(|| {
        if is_fill {
            forecast(&rig, &mut forecasts, &mut full_at);
        }
        if is_to_shrink && started.elapsed() >= SHRINK_AFTER {
            is_to_shrink = false;
            shrunk = shrink(&rig, SHRUNK);
        }
        let notices = stack.receiver.of(&instance);
        cause.alerts.iter().all(|alert| first(&notices, alert, started).is_some())
    })?;
    shrunk.context("leaving less room")?;
    let undone = Instant::now();
    (cause.undo)(&mut rig).context("ending it")?;
    wait(|| is_calm(&stack.receiver.of(&instance)))?;
    let [of_deployed, of_broken] = [stack, broken].map(|stack| stack.receiver.of(&instance));
    let forecasts = full_at.map_or_else(Vec::new, |full: Instant| {
        let of = |(at, says): &(Instant, f64)| {
            (at.duration_since(started), *says, full.saturating_duration_since(*at))
        };
        forecasts.iter().map(of).collect()
    });
    let [before, before_broken] = before;
    let heard = |before: Vec<Notice>, mut all: Vec<Notice>, forecasts| {
        let notices = all.split_off(before.len());
        ReceivedAlerts { cause, started, undone, before, notices, forecasts }
    };
    Ok(Both {
        heard: heard(before, of_deployed, forecasts),
        by_broken: heard(before_broken, of_broken, Vec::new()),
    })
}

/// Waits until a condition holds, or for as long as alerts may take; whether it held.
fn wait(mut holds: impl FnMut() -> bool) -> anyhow::Result<bool> {
    Ok(look_every(PAUSE, LIMIT, || Ok(holds().then_some(())))?.is_some())
}

/// Notes what the watch says of when the buffer is full, and when it was.
fn forecast(rig: &Rig, forecasts: &mut Vec<(Instant, f64)>, full_at: &mut Option<Instant>) {
    let Ok(shown) = rig.shown() else { return };
    let now = Instant::now();
    let (says, is_held) = shown.with_view(|view| {
        let says = view.forecast.as_ref().map(|forecast| forecast.net.clone());
        (says, view.heard.writers.iter().any(|writer| writer.state == WriterState::HeldBack))
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
pub(super) fn queries(stack: &AlertStack) -> anyhow::Result<Vec<(Query, usize)>> {
    panels(GRAFANA_WINDOW)
        .into_iter()
        .map(|query| {
            let mut series = stack.series(&query.expr)?;
            let started = Instant::now();
            while query.always && series == 0 && started.elapsed() < QUERY {
                std::thread::sleep(PAUSE);
                series = stack.series(&query.expr)?;
            }
            Ok((query, series))
        })
        .collect()
}
