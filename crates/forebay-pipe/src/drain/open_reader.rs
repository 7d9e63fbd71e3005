//! A reader of one lane, opened while a drain runs: the server may be away then, as at any other moment.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay::Lane;
use forebay::buffer::error::Error;
use forebay::buffer::reader::{Options, Reader};

use super::run::{DrainError, Means};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// Opens it, and tries again as long as the drain is patient.
pub(super) fn open_reader(means: &mut Means<'_>, lane: Lane) -> Result<Reader, DrainError> {
    let since = Instant::now();
    loop {
        let options = Options {
            lanes: vec![lane.name().into()],
            group: None,
            ahead: true,
            claim_idle: means.config.patience,
            patience: means.config.patience,
        };
        match Reader::open_existing(&means.config.address, &means.config.name, options) {
            Err(why)
                if is_away(&why) && since.elapsed() < means.config.patience && !means.stop.load(Relaxed) =>
            {
                tracing::debug!("lane {lane}: {why}; opening its reader again");
                // The sink waits for a server that is away, and says what is of no use to wait for.
                means.sink.newest(lane)?;
                std::thread::sleep(PAUSE);
            }
            Err(why) => return Err(why.into()),
            Ok(mut reader) => {
                reader.stop_on(means.stop);
                return Ok(reader);
            }
        }
    }
}

/// Whether a server may come back, or let this client in later.
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
