//! Waiting for what a server does, with a limit and what was waited for.

use std::time::{Duration, Instant};

use forebay_rig::server;

/// How long the server has to come to where the fault meets it.
const SOON: Duration = Duration::from_secs(60);

/// Waits for a condition, as long as a server needs for what it does at once.
pub(super) fn wait(what: &str, condition: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    wait_for(SOON, what, condition)
}

/// Waits for a condition.
pub(super) fn wait_for(
    limit: Duration,
    what: &str,
    mut condition: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    while !condition()? {
        anyhow::ensure!(!server::ending(), "interrupted");
        anyhow::ensure!(started.elapsed() < limit, "waited {limit:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
