//! A source's events into a buffer, each once, through whatever breaks.
//!
//! Constraints: the cursor of an event goes into the buffer with its block, in one step, and with it the low watermark: up to where
//! everything is settled. A source is asked again from there, a margin before it, and what the buffer has already is dropped by
//! identity, as far as it was kept back. What the source no longer has is told, and written down beside the buffer. Nothing is
//! kept anywhere else.
//!
//! Operation: [`run`] subscribes to the hosts in turn (`turns`), into a buffer that is opened and closed (`session`), and opened
//! again where its server was lost (`reopen`); a `subscription` is planned and its first event judged (`plan`),
//! its messages read (`socket`, `message`), and its events taken (`intake`) where they are not known (`identity`, `window`). A
//! host of the first version is asked twice at a time, so that its cut-over loses nothing (`feed`, `tail`).

mod any_lines;
mod aside;
pub mod check;
pub mod config;
pub mod counts;
mod dial;
mod dictionary;
mod ending;
mod error;
mod feed;
pub mod filter;
mod follow;
mod growing;
pub mod host;
mod intake;
mod message;
mod plan;
mod probe;
mod reopen;
mod room;
pub mod run;
#[doc(hidden)]
pub mod running;
mod session;
mod socket;
mod source;
mod subscription;
mod tail;
mod turns;
mod untext;
mod window;

pub use config::{Config, EVENT_BYTES_MAX, SILENCE, Sabotage, Until};
pub use counts::{Counted, Counts, Missed};
pub use error::IngestError;
pub use filter::Filter;
pub use host::{BadHost, Host};
pub use intake::Listener;
pub use run::ingest;
