//! Waiting for what a server does, with a limit and what was waited for.

use std::time::{Duration, Instant};

use forebay_rig::server;

/// How long a server has for what it does at once.
const SOON: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// An error where this program was told to end.
pub(super) fn go_on() -> anyhow::Result<()> {
    anyhow::ensure!(!server::ending(), "interrupted");
    Ok(())
}

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
    let seen = look_for(limit, || Ok(condition()?.then_some(())))?;
    anyhow::ensure!(seen.is_some(), "waited {limit:?} in vain until {what}");
    Ok(())
}

/// Looks until there is something to see; none once `limit` has passed.
pub(super) fn look_for<T>(
    limit: Duration,
    look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    look_every(PAUSE, limit, look)
}

/// The same with so long between two looks.
pub(super) fn look_every<T>(
    pause: Duration,
    limit: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    let started = Instant::now();
    loop {
        go_on()?;
        if let Some(seen) = look()? {
            return Ok(Some(seen));
        }
        if started.elapsed() >= limit {
            return Ok(None);
        }
        std::thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_ends_the_wait_and_is_named() {
        let mut looks = 0;
        let seen = look_for(Duration::from_millis(5), || {
            looks += 1;
            Ok(None::<()>)
        });
        assert!(seen.unwrap().is_none() && looks > 1);
        assert_eq!(look_for(SOON, || Ok(Some(7))).unwrap(), Some(7));
        let error = wait_for(Duration::from_millis(5), "it is there", || Ok(false)).unwrap_err();
        assert_eq!(error.to_string(), "waited 5ms in vain until it is there");
    }

    #[test]
    fn what_fails_ends_the_wait_with_its_own_words() {
        let error = wait("it is there", || anyhow::bail!("it is gone")).unwrap_err();
        assert_eq!(error.to_string(), "it is gone");
    }
}
