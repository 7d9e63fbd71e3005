//! The atomic steps as the server gets them: what they share, then each.

/// Makes a buffer.
pub const META: &str = include_str!("meta.lua");

/// Says something of a buffer's source.
pub const NOTE: &str = include_str!("note.lua");

/// Adds lanes to a buffer.
pub const LANES: &str = include_str!("lanes.lua");

/// Looks at a lane, or takes it.
pub const CLAIM: &str =
    concat!(include_str!("entry.lua"), include_str!("state.lua"), include_str!("claim.lua"));

/// Appends a block.
pub const APPEND: &str =
    concat!(include_str!("entry.lua"), include_str!("state.lua"), include_str!("append.lua"));

/// Counts a block that was added behind the append script.
pub const COUNT: &str = include_str!("count.lua");

/// Takes a lane up again after a loss.
pub const RESUME: &str =
    concat!(include_str!("entry.lua"), include_str!("state.lua"), include_str!("resume.lua"));

/// Says that a lane's writer has ended.
pub const RELEASE: &str = include_str!("release.lua");

/// Drops a lane's oldest blocks.
pub const ROOM: &str = concat!(include_str!("entry.lua"), include_str!("ids.lua"), include_str!("room.lua"));

/// Trims a lane of what every group is done with.
pub const TRIM: &str = concat!(include_str!("entry.lua"), include_str!("ids.lua"), include_str!("trim.lua"));

/// Strikes consumers off that have left.
pub const LEAVE: &str = include_str!("leave.lua");

/// Says how old a lane is.
pub const OLDEST: &str = concat!(include_str!("entry.lua"), include_str!("oldest.lua"));

/// Takes a lane for a sink.
pub const SINK_CLAIM: &str = concat!(include_str!("sink.lua"), include_str!("sink_claim.lua"));

/// Writes down what a sink commits next.
pub const SINK_PLAN: &str = concat!(include_str!("sink.lua"), include_str!("sink_plan.lua"));

/// Writes down what a sink says of itself.
pub const SINK_FIGURES: &str = include_str!("sink_figures.lua");

/// Writes down what a sink has.
pub const SINK_COMMIT: &str =
    concat!(include_str!("ids.lua"), include_str!("sink.lua"), include_str!("sink_commit.lua"));
