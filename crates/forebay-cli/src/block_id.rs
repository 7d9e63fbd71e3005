//! A block's id on the command line: `likes/1795460789550-0`, as `read --frames` prints it and `ack` takes it.

use forebay::buffer::entry::Id;
use forebay::event::lane::Lane;

/// As text.
pub(super) fn block_id_text(lane: Lane, id: Id) -> String {
    format!("{lane}/{id}")
}

/// Read again: the name of a lane, and the block.
pub(super) fn parse(text: &str) -> Option<(&str, Id)> {
    let (lane, id) = text.split_once('/')?;
    Some((lane, Id::parse(id)?))
}
