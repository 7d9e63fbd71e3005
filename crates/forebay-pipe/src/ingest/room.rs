//! A push that waits for room, whichever source an event is of.

use std::time::{Duration, Instant};

use forebay::buffer::error::Error;
use forebay::buffer::writer::Writer;
use forebay::{Event, TryPushError};

/// How long there may be no room before a host is let go: hosts end a connection that takes nothing for 5 s.
pub(super) const ROOM_MAX: Duration = Duration::from_secs(2);

/// How often it is looked whether there is room.
pub(super) const ROOM_LOOK: Duration = Duration::from_millis(2);

/// What became of an event.
pub(super) enum Pushed {
    Taken,
    /// It is none that the buffer can take, and why.
    Refused(String),
    /// There was no room until it was given up.
    Full,
}

/// Pushes an event, and waits for room until the caller `gives_up`, who is told for how long there was none.
pub(super) fn push(
    writer: &mut Writer,
    event: &Event<'_>,
    gives_up: impl Fn(Duration) -> bool,
) -> Result<Pushed, Error> {
    let since = Instant::now();
    loop {
        match writer.try_push(event) {
            Ok(_) => return Ok(Pushed::Taken),
            Err(TryPushError::Failed(Error::NoEvent { why })) => return Ok(Pushed::Refused(why)),
            Err(TryPushError::Failed(error)) => return Err(error),
            Err(_) if gives_up(since.elapsed()) => return Ok(Pushed::Full),
            Err(_) => std::thread::sleep(ROOM_LOOK),
        }
    }
}
