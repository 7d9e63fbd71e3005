//! Every test of the buffer that needs a server: a file for each kind of claim.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod atproto_damage;
mod atproto_golden;
mod atproto_odd;
mod atproto_round_trip;
mod atproto_shapes;
mod atproto_support;
mod block_frame;
mod buffer_ages;
mod buffer_append;
mod buffer_batch;
mod buffer_behind;
mod buffer_claims;
mod buffer_damage;
mod buffer_disconnects;
mod buffer_faults;
mod buffer_fsync;
mod buffer_keep_back;
mod buffer_losses;
mod buffer_overflow;
mod buffer_push;
mod buffer_read;
mod buffer_shed;
mod buffer_sink;
mod buffer_spill;
mod buffer_spill_damage;
mod buffer_spill_kills;
mod buffer_spill_left;
mod buffer_spill_power;
mod buffer_stat;
mod buffer_trim;
mod buffer_vanished;
mod dependencies;
mod embed_cursor;
mod embed_program;
mod embed_reader;
mod embed_source;
mod embed_stream;
mod embed_writer;
mod errors;
mod event_parse;
mod public_items;
mod readme;
mod support;
mod vectors;
