//! From a buffer into Parquet files.
//!
//! | module | is responsible for |
//! |---|---|
//! | `walk` | a walk over a line's JSON |
//! | [`columns`] | what a line of Jetstream says, column by column |
//! | [`rebuild`] | the line, made again from its columns |
//! | [`pointer`] | what stands at a place in a line of any stream |
//! | [`moment`] | the time that a record says it was made at |
//! | [`schema`] | the columns of a stream's files: names and types |
//! | `encoding` | how each is encoded |
//! | `batch` | rows, gathered by column |
//! | [`footer`] | what a file says of itself |
//! | [`table`] | rows into a file |
//! | [`stored`] | rows out of a file, each checked |

mod batch;
pub mod columns;
mod encoding;
pub mod footer;
pub mod moment;
pub mod pointer;
pub mod rebuild;
pub mod schema;
pub mod stored;
pub mod table;
mod walk;
