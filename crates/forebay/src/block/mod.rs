//! Blocks: consecutive events of a lane, compressed into what one stream entry holds.

pub mod frame;
