//! What a server is asked of itself: which start of it this is, and whether an fsync is pending.

use std::time::Instant;

use anyhow::Context as _;

use crate::target::facts_of;
use crate::wait::wait;
use forebay::buffer::connect::{Address, Facts};

/// What a server calls this start of it; an error while it loads.
pub(super) fn run_id(address: &Address) -> anyhow::Result<String> {
    let (_, facts) = address.connect()?;
    anyhow::ensure!(
        facts.get("loading").is_none_or(|loading| loading == "0"),
        "{address} is loading its data"
    );
    facts.get("run_id").map(str::to_owned).with_context(|| format!("{address} does not tell its run_id"))
}

/// Without an AOF there is no such field.
pub(super) fn has_no_fsync(facts: &Facts) -> bool {
    facts.number("aof_pending_bio_fsync").unwrap_or(0) == 0
}

/// Until the server has no fsync pending, during which it would put its writes off: also a fast disk is slow where the
/// machine is busy, and that is the cell of the slow fsync. When it was asked that: what it had answered by then, it has
/// written; by the time of the kill another fsync may have begun.
pub(super) fn until_no_fsync(address: &Address) -> anyhow::Result<Instant> {
    let (mut connection, mut asked) = (address.dial()?, Instant::now());
    wait("no fsync is pending", || {
        asked = Instant::now();
        Ok(has_no_fsync(&facts_of(&mut connection, &["persistence"])?))
    })?;
    Ok(asked)
}
