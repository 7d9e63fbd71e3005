//! The buffer: all lanes under one name on one server.
//!
//! Constraints: only an acknowledged block is owed, and every one of those is; a block may be sent again after
//! any doubt; memory and every wait are bounded; a writer that was replaced can do no harm.
//!
//! Layout: [`keys`] lists everything that is kept on the server.
//!
//! Operation: [`writer`] cuts events into blocks ([`batch`]), compresses them on a thread of its own (`pack`) and hands
//! each to its lane's appender (`lane`), which keeps order and sends again. [`owner`] says who may write. [`overflow`] says what happens while the
//! server takes nothing; `spill` and `room` do it. [`reader`] reads blocks, checks
//! and acknowledges them, and lets go of what every group is done with. [`stat`] looks without touching,
//! and [`limit`] says when what it saw is full. Writers publish what became of their events ([`fates`]) for [`hear`].
//!
//! Nothing here knows of proofs, load, reports or the command line.

mod answer;
mod answers;
mod ask;
pub mod batch;
pub(crate) mod builder;
mod clock;
pub mod connect;
mod consumers;
pub(crate) mod counts;
mod cutter;
pub mod entry;
pub mod error;
pub mod fates;
pub mod feed;
pub(crate) mod found;
#[doc(hidden)]
pub mod fsync;
mod gate;
pub mod group_admin;
mod groups;
pub mod hear;
mod heard;
mod held;
pub mod keys;
mod lane;
pub mod limit;
#[doc(hidden)]
pub mod link;
mod losses;
pub mod measure;
mod missing;
pub(crate) mod open;
pub mod overflow;
#[doc(hidden)]
pub mod owner;
mod pack;
mod place;
pub mod position;
mod publish;
pub mod rate;
pub mod reader;
mod recover;
mod resume;
mod room;
mod scripts;
#[doc(hidden)]
pub mod secret;
pub mod server_stat;
mod shown;
mod spill;
pub mod stat;
mod take;
mod text;
mod there;
mod tls;
mod trim;
#[doc(hidden)]
pub mod trouble;
pub mod watching;
pub mod writer;

#[doc(hidden)]
pub use counts::lock;
