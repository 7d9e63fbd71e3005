//! What experiments on settings of the server share: servers that are filled, a row for each value that was tried, and what
//! follows from it. Each value is tried against the server's default, on servers of our own.

mod bench;
mod outcome;
mod row;

pub use bench::Bench;
pub use outcome::Outcome;
pub use row::{Advice, Row, mark_default};
