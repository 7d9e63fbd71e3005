//! From a buffer into Parquet files.
//!
//! | module | is responsible for |
//! |---|---|
//! | [`run`], `lane` | what is due, lane after lane, and the steps of a commit |
//! | [`config`], [`counts`] | what a drain is told, and what it has done |
//! | [`roll`], [`layout`] | when files are made, where they end, how they are called |
//! | `stage`, `known`, `doubt` | a range of blocks into staged files; blocks and events that come again after a loss |
//! | [`folder`], [`record`], [`step`] | the destination; what it says of each commit; the steps by name |
//! | [`replay`], [`verify`] | files back to lines; records, files and tree held against each other |
//! | [`columns`] | what a line of Jetstream says, column by column |
//! | `walk` | a walk over the JSON of a line |
//! | [`rebuild`] | the line, made again from its columns |
//! | [`mod@pointer`] | what stands at a place in a line of any stream |
//! | [`moment`] | the time that a record says it was made at |
//! | [`schema`] | the columns of a stream's files: names and types |
//! | `encoding` | how each is encoded |
//! | `batch` | rows, gathered by column |
//! | [`footer`] | what a file says of itself |
//! | [`table`] | rows into a file |
//! | [`stored`] | rows out of a file, each checked |

mod batch;
pub mod columns;
pub mod config;
pub mod counts;
mod doubt;
mod encoding;
pub mod folder;
pub mod footer;
mod known;
mod lane;
pub mod layout;
pub mod moment;
pub mod pointer;
pub mod rebuild;
pub mod record;
pub mod replay;
pub mod roll;
pub mod run;
pub mod schema;
mod stage;
pub mod step;
pub mod stored;
pub mod table;
pub mod verify;
mod walk;
