//! Work on a buffer that is opened again where its server was lost.

use std::time::{Duration, Instant};

use forebay::buffer::error::Error;

use super::config::Config;
use super::counts::Counts;
use super::ending::Ending;
use super::error::IngestError;
use super::intake::Listener;

/// What is done with a buffer once it is open.
pub(super) trait Work {
    type Buffer;

    /// Opens it; none where it was told to stop meanwhile.
    fn open(&mut self) -> Result<Option<Self::Buffer>, Error>;

    fn work(&mut self, buffer: Self::Buffer, hear: &mut dyn Listener) -> Result<(), IngestError>;
}

/// Opens a buffer and works with it, again wherever its server was lost, until it is over. A server that cannot be opened any more
/// is waited for with `pause`s, as long as the ingest is patient.
pub(super) fn through_losses(
    work: &mut impl Work,
    (config, counts): (&Config, &Counts),
    (ending, pause): (Ending<'_>, Duration),
    hear: &mut dyn Listener,
) -> Result<(), IngestError> {
    let mut lost_at: Option<Instant> = None;
    while !ending.is_over() {
        let buffer = match work.open() {
            Ok(Some(buffer)) => buffer,
            Ok(None) => return Ok(()),
            // A server that is being started again refuses connections for a while.
            Err(error) if is_away(&error) && lost_at.is_some_and(|at| at.elapsed() < config.patience) => {
                ending.wait(pause);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match work.work(buffer, hear) {
            Err(IngestError::Buffer(error @ Error::Disconnected { .. })) => {
                hear.remark(&format!("{error}; opening the buffer again"));
                Counts::add(&counts.reopened);
                lost_at = Some(Instant::now());
            }
            ended => return ended,
        }
    }
    Ok(())
}

/// Whether a server may come back.
fn is_away(error: &Error) -> bool {
    matches!(
        error,
        Error::Connect { .. }
            | Error::NotNow { .. }
            | Error::Crowded { .. }
            | Error::Server { .. }
            | Error::Lost { .. }
    )
}
