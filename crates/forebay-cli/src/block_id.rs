//! A block's id on the command line: `likes/1795460789550-0`, as `read --frames` prints it and `ack` takes it.

use forebay::buffer::entry::Id;
use forebay::event::lane::Lane;

/// As text.
pub(super) fn shown(lane: Lane, id: Id) -> String {
    format!("{lane}/{id}")
}

/// Read again.
pub(super) fn parse(text: &str) -> Option<(Lane, Id)> {
    let (lane, id) = text.split_once('/')?;
    Some((lane.parse().ok()?, Id::parse(id)?))
}
