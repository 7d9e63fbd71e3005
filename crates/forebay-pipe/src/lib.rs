//! From a source into a Forebay buffer.
//!
//! | module | is responsible for |
//! |---|---|
//! | [`drain`] | a buffer into Parquet files |
//! | `identity` | which event a line is, whoever sends it |
//! | [`ingest`] | a source's events into a buffer, each once, through whatever breaks |
//! | [`pipeline`] | `pipeline.toml`, as it is written |

pub mod drain;
mod identity;
pub mod ingest;
pub mod pipeline;
