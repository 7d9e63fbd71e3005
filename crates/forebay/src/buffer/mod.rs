//! The buffer: all lanes under one name on one server, or on a cluster of them.
//!
//! Constraints: only an acknowledged block is owed, and every one of those is; a block may be sent again after
//! any doubt; memory and every wait are bounded; a writer that was replaced can do no harm.
//!
//! Layout: [`keys`] lists everything that is kept on the server.
//!
//! Operation: [`writer`] cuts events into blocks ([`batch`]), compresses them on a thread of its own (`compress`) and
//! hands each to its lane's `appender`, which keeps order and sends again. [`owner`] says who may write. [`overflow`] says
//! what happens while the server takes nothing; `spill` and `evict_oldest` do it. [`reader`] reads blocks, checks and
//! acknowledges them, and lets go of what every group is done with. [`look`] looks without touching, [`stat`] is what it
//! saw, and [`limit`] says when that is full. Writers publish what became of their events ([`writer_status`]) for
//! [`status_subscriber`].
//!
//! Nothing here knows of proofs, load, reports or the command line.

mod add_lanes;
mod answer;
mod answers;
mod append_command;
mod appender;
pub mod batch;
pub mod buffer_exists;
pub(crate) mod builder;
mod claim;
mod clock;
mod cluster;
mod compress;
pub mod connect;
#[doc(hidden)]
pub mod connection;
mod consumer_group;
mod consumer_name;
mod consumers;
pub(crate) mod counts;
mod cutter;
mod display_name;
pub mod entry;
pub mod error;
#[doc(hidden)]
pub mod error_class;
mod evict_oldest;
mod eviction_state;
mod facts;
#[doc(hidden)]
pub mod fsync;
mod gap_detection;
mod gate;
pub mod group_admin;
mod groups;
mod hold_limit;
mod keep_back;
pub(crate) mod kept_back;
pub mod keys;
mod lane_settings;
pub mod limit;
pub mod line_source;
pub mod look;
mod losses;
pub mod measure;
pub mod meta;
mod mutex;
mod node_connection;
pub(crate) mod options;
mod outage;
pub mod overflow;
#[doc(hidden)]
pub mod owner;
mod pages;
mod permitted_query;
pub mod position;
mod random;
pub mod rate;
mod read_answer;
pub(crate) mod read_item;
pub mod reader;
mod reader_open;
mod reader_place;
mod reconnect;
mod repeats;
mod resume;
pub(crate) mod resume_position;
mod retry;
mod round_failure;
pub mod scripts;
#[doc(hidden)]
pub mod secret;
mod sentinel;
mod server_info;
pub mod server_stat;
pub(crate) mod shared;
#[doc(hidden)]
pub mod sink;
mod sink_figures;
mod sink_look;
mod sink_open;
mod sink_peek;
mod sink_state;
mod socket;
pub(crate) mod source_cursor;
mod source_stat;
mod source_state;
mod spill;
pub mod stat;
mod stat_nodes;
mod status_publisher;
pub mod status_subscriber;
mod tail;
mod text;
mod threads;
mod tls;
mod unacknowledged;
pub mod watching;
pub mod writer;
mod writer_open;
mod writer_registry;
mod writer_source;
pub mod writer_status;

#[doc(hidden)]
pub use mutex::lock;
