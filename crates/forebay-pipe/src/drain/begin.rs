//! The beginning of a drain. Whatever may refuse it is asked first, so that one that is refused takes no lane from the drain that
//! has it, and leaves nothing at its destination.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use forebay::buffer::sink::{FoundSink, Sink};

use super::archive::Archive;
use super::config::Config;
use super::counts::Counts;
use super::destination::{Destination, DestinationError, Drained};
use super::place::silence::Patience;
use super::refusals::Refusals;
use super::run::DrainError;
use super::schema::Rows;

/// A drain that has everything it needs.
pub(super) struct Begun {
    pub sink: Sink,
    pub destination: Destination,
    pub rows: Rows,
}

/// Finds buffer and destination, and takes both.
pub(super) fn begin(
    config: &Config,
    counts: &Counts,
    stop: &Arc<AtomicBool>,
    refusals: &mut Refusals<'_>,
) -> Result<Begun, DrainError> {
    let patience = Patience::new(config.patience, counts.silence().clone());
    let archive = Archive::at(&config.to, &patience)?;
    let mut found = Sink::find_existing(&config.address, &config.name, &config.group, config.patience)?;
    let texts = config.columns.clone();
    let rows = Rows::in_layout(config.layout, found.events(), texts, config.is_lean)?;
    let drained = Drained {
        version: 1,
        buffer: config.name.to_string(),
        layout: config.layout.name().into(),
        schema: rows.version().into(),
        columns: config.columns.iter().map(|column| (column.name.clone(), column.at.text().into())).collect(),
    };
    refusals.through(|| may_begin(config, &archive, &drained, &mut found))?;
    let destination =
        Destination::open(&config.to, archive, config.staging.as_deref(), config.steps.clone())?;
    // Again, now that nobody else changes it.
    refusals.through(|| may_begin(config, destination.archive(), &drained, &mut found))?;
    refusals.through(|| Ok(destination.claim(&drained)?))?;
    let mut sink = found.take()?;
    sink.stop_on(stop);
    Ok(Begun { sink, destination, rows })
}

/// An error where something else is drained to the destination, or its records cannot be read, or the server has commits that
/// they do not have.
fn may_begin(
    config: &Config,
    archive: &Archive,
    mine: &Drained,
    found: &mut FoundSink,
) -> Result<(), DrainError> {
    let path = || config.to.to_string();
    let theirs = archive.drained()?;
    if let Some(theirs) = theirs.as_ref().filter(|theirs| *theirs != mine) {
        let (theirs, mine) = (theirs.to_string(), mine.to_string());
        return Err(DestinationError::Other { path: path(), theirs, mine }.into());
    }
    for lane in found.lanes() {
        // The server first: a drain that runs there records each commit before it tells the server.
        let known = found.commit(lane)?;
        let last = archive.last(lane.name())?.map_or(0, |last| last.commit);
        archive.pending(lane.name())?;
        if known > last {
            return Err(found.passed(lane, known, last).into());
        }
    }
    // Before the first commit only what a drain says of itself tells where it is going. Where nobody can say, nobody is asked.
    let running = found.running().unwrap_or_default();
    if let Some(running) = running.filter(|running| theirs.is_none() && running.figures.to != path()) {
        let (group, theirs) = (config.group.clone(), running.figures.to);
        return Err(DestinationError::Elsewhere { group, theirs, mine: path() }.into());
    }
    Ok(())
}
