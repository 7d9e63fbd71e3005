//! What a buffer is run and watched with, made from a profile: alert rules, dashboards, and the files around them.

mod cluster;
pub mod dashboards;
pub mod files;
mod redis_conf;
pub mod rules;
pub mod write;

/// A text that may stand in a comment: in one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
