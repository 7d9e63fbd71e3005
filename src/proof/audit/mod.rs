//! The audit: does this server's configuration hold a buffer? Reads only.

pub mod host;
pub mod outcome;
pub mod remedy;
pub mod rule;
pub mod rules;
pub mod seen;
pub mod settings;
pub mod usage;
pub mod users;
pub mod version;
