//! The atomic steps as the server gets them: what they share, then each.

/// Looks at a lane, or takes it.
pub(super) const CLAIM: &str = concat!(include_str!("state.lua"), include_str!("claim.lua"));

/// Appends a block.
pub(super) const APPEND: &str = concat!(include_str!("state.lua"), include_str!("append.lua"));

/// Takes a lane up again after a loss.
pub(super) const RESUME: &str = concat!(include_str!("state.lua"), include_str!("resume.lua"));

/// Says that a lane's writer has ended.
pub(super) const RELEASE: &str = include_str!("release.lua");

/// Drops a lane's oldest blocks.
pub(super) const ROOM: &str = concat!(include_str!("ids.lua"), include_str!("room.lua"));

/// Trims a lane of what every group is done with.
pub(super) const TRIM: &str = concat!(include_str!("ids.lua"), include_str!("trim.lua"));

/// Strikes consumers off that have left.
pub(super) const LEAVE: &str = include_str!("leave.lua");

/// Says how old a lane is.
pub(super) const OLDEST: &str = include_str!("oldest.lua");
