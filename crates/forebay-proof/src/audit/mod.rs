//! The audit: does this server's configuration hold a buffer? Reads only.

pub mod claims;
pub mod cluster;
mod conf_acl;
mod conf_conflicts;
mod conf_fault;
pub mod conf_file;
pub mod conf_line;
mod conf_value;
pub mod directives;
pub mod from_file;
pub mod fsync;
pub mod judge;
pub mod look;
pub mod meaning;
pub mod negative_controls;
pub mod outcome;
mod possible;
pub mod remedy;
pub mod rule;
pub mod rules;
pub mod settings;
pub mod snapshot;
pub mod trial;
pub mod usage;
pub mod users;
pub mod version;
