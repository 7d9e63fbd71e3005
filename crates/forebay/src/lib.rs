//! A dense, durable buffer for an event stream in Redis or Valkey, for a program of your own.
//!
//! Events go in one by one and are stored in compressed blocks: one of 490 bytes takes 145 to 193 bytes of the server's memory,
//! and one of Bluesky's Jetstream 75 to 89.
//! Consumer groups read them and acknowledge them, and a block that every group has acknowledged is trimmed. Events that
//! were acknowledged to the writer come out again byte for byte and in the order of their lane, through restarts, lost
//! connections and a full server, unless the server itself loses them; what is missing or damaged is reported by its place.
//!
//! An event is a line. When it was, and which lane it goes to, is said by a [`Stream`]: Jetstream's unless another is given to
//! [`WriterBuilder::events`], of any JSON by pointers, or of any lines by when each came.
//!
//! ```no_run
#![doc = include_str!("../examples/front.rs")]
//! ```
//!
//! # What is acknowledged
//!
//! [`Writer::push`] gives each event a number, and [`Writer::acked_through`] says up to which number everything is settled: a
//! source that is asked again for what comes after it loses nothing. [`Writer::resume_position`] says after a restart how many
//! events of each lane are stored. [`Ack::Fsync`] waits for the server's disk. What happens while the
//! server takes nothing is decided by [`Overflow`]: wait, spill to files, drop new events, or drop the oldest.
//!
//! A reader acknowledges when its caller says so: call [`Batch::ack`] after your own fsync.
//!
//! # Features
//!
//! `tls` (on by default) accepts `rediss://` addresses. No TLS provider is set for the process.
//!
//! # Examples
//!
//! `append` (from a file into a buffer), `consume` (out of it, acknowledged after an fsync), `spill` (through a server that
//! takes nothing): `cargo run --example append -- redis://127.0.0.1:6379 demo < events.ndjson`.

#[doc(hidden)]
pub mod block;
#[doc(hidden)]
pub mod buffer;
#[doc(hidden)]
pub mod event;
mod read;

pub use block::damage::Damage;
pub use buffer::builder::WriterBuilder;
pub use buffer::counts::Counts as Summary;
pub use buffer::entry::{Entry, Id};
pub use buffer::error::{Cause, Error};
pub use buffer::group_admin::{Groups, Skipped, Skips};
pub use buffer::keys::BadName;
pub use buffer::options::Ack;
pub use buffer::overflow::{Fate, FateReport, Overflow, Spill};
pub use buffer::position::Seq;
pub use buffer::read_item::ReadItem;
pub use buffer::resume_position::{LanePosition, ResumePosition};
pub use buffer::shared::Monitor;
pub use buffer::source_cursor::SourceCursor;
pub use buffer::writer::{TryPushError, Writer};
pub use event::json_stream::JsonStream;
pub use event::lane::{BadLanes, Lane, Lanes};
pub use event::parse::{Event, Reject};
pub use event::stream::{BadStream, Stream};
pub use event::unit::Unit;
pub use read::{Batch, Batches, Events, Item, Reader, ReaderBuilder};
