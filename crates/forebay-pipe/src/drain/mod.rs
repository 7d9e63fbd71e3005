//! From a buffer into Parquet files.
//!
//! | module | is responsible for |
//! |---|---|
//! | [`run`], `lane` | what is due, lane after lane, and the steps of a commit |
//! | `begin` | what may refuse a drain, asked before it takes anything |
//! | `refusals` | a destination that refuses, and for how long it is asked again |
//! | [`config`], [`counts`], `hourly`, `figures` | what a drain is told, what it has done, and how it tells that beside the buffer |
//! | [`roll`], [`layout`] | when files are made, where they end, how they are called |
//! | `open_reader` | a lane's reader, also while its server is away for a moment |
//! | `stage`, `staged` | a range of blocks into staged files, and what its record will say |
//! | `behind`, `known`, `doubt` | a server that came back with less; blocks and events that come again |
//! | [`destination`], `staging`, [`step`] | the steps of a commit, by name; files that are not yet in the tree |
//! | [`archive`], [`record`] | what was committed, for whoever reads it; what is said of each commit |
//! | [`place`] | a folder or a bucket |
//! | [`compact`], `gather`, `merge`, `swap` | many small files become few: which, their rows, and the one step in which they do |
//! | [`compaction`], [`successors`] | what is said of each compaction; where the rows of a commit's file are by now |
//! | [`replay`], `commit_rows` | files back to lines |
//! | [`verify`], `verify_rows`, `verify_compactions`, [`verify_buffer`] | records, files and tree held against each other, and against what the buffer still has |
//! | [`columns`] | what a line of Jetstream says, column by column |
//! | [`met`] | the same in the columns of `bluesky-research`, for layout `met` |
//! | `walk` | a walk over the JSON of a line |
//! | [`rebuild`] | the line, made again from its columns |
//! | `lean`, `record_text` | lean files: what follows from the rest of a row; a record's JSON, written from columns |
//! | [`mod@pointer`] | what stands at a place in a line of any stream |
//! | [`moment`] | the time that a record says it was made at |
//! | [`schema`] | the columns of a stream's files: names and types |
//! | `encoding`, `met_encoding` | how each is encoded |
//! | `batch` | rows, gathered by column |
//! | [`footer`] | what a file says of itself |
//! | [`table`] | rows into a file |
//! | [`stored`], `stored_line` | rows out of a file, each checked |

pub mod archive;
mod batch;
mod begin;
mod behind;
pub mod columns;
mod commit_rows;
pub mod compact;
pub mod compaction;
pub mod config;
pub mod counts;
pub mod destination;
mod doubt;
mod encoding;
mod figures;
pub mod footer;
mod gather;
mod hourly;
mod known;
mod lane;
pub mod layout;
mod lean;
mod merge;
pub mod met;
mod met_encoding;
pub mod moment;
mod open_reader;
pub mod place;
pub mod pointer;
pub mod rebuild;
pub mod record;
mod record_text;
mod refusals;
pub mod replay;
pub mod roll;
pub mod run;
#[doc(hidden)]
pub mod running;
pub mod schema;
mod stage;
mod staged;
mod staging;
pub mod step;
pub mod stored;
mod stored_line;
pub mod successors;
mod swap;
pub mod table;
pub mod verify;
pub mod verify_buffer;
mod verify_compactions;
mod verify_rows;
mod walk;
