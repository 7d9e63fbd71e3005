//! Blocks: consecutive events of a lane, compressed into what one stream entry holds.

#[doc(hidden)]
pub mod atproto;
mod budget;
pub mod damage;
pub mod decode;
pub mod encode;
pub mod frame;
