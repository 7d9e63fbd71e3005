//! Rewrites of a server's AOF: begun, and waited for.

use std::time::Duration;

use anyhow::Context as _;
use forebay::buffer::connect::Facts;
use forebay::buffer::connection::Connection;

use crate::target::facts_of;
use crate::wait::{wait, wait_for};

/// How long one may take.
pub(super) const REWRITE: Duration = Duration::from_secs(120);

/// Begins one; over before anybody looks, where there is little to write.
pub(super) fn begin(connection: &mut Connection) -> anyhow::Result<()> {
    match redis::cmd("BGREWRITEAOF").exec(connection) {
        // One has begun by itself.
        Err(error) if error.to_string().contains("already in progress") => Ok(()),
        begun => begun.context("BGREWRITEAOF"),
    }
}

/// Begins one, and waits until the server writes.
pub(super) fn begin_writing(connection: &mut Connection) -> anyhow::Result<()> {
    begin(connection)?;
    wait("a rewrite is under way", || Ok(is_writing(&persistence(connection)?)))
}

/// Whether the server writes its AOF anew at this moment.
pub(super) fn is_writing(facts: &Facts) -> bool {
    facts.number("aof_rewrite_in_progress") == Some(1)
}

/// Whether it does, or will as soon as it can.
pub(super) fn is_under_way(facts: &Facts) -> bool {
    is_writing(facts) || facts.number("aof_rewrite_scheduled") == Some(1)
}

/// Has the AOF written anew, and waits until it is.
pub(super) fn whole(connection: &mut Connection) -> anyhow::Result<()> {
    begin(connection)?;
    until_over(connection)
}

/// Waits until none is under way.
pub(super) fn until_over(connection: &mut Connection) -> anyhow::Result<()> {
    wait_for(REWRITE, "the rewrite of the AOF is over", || Ok(!is_under_way(&persistence(connection)?)))
}

/// What the server says of its log.
pub(super) fn persistence(connection: &mut Connection) -> anyhow::Result<Facts> {
    Ok(facts_of(connection, &["persistence"])?)
}
