//! Remedies as text: lines of redis.conf, and commands for a shell. Printed, never applied.

/// A setting as a line of redis.conf.
pub fn conf_line(directive: &str, value: &str) -> String {
    let text = crate::server::Conf::from_iter([(directive, value)]).render();
    text.trim_end().to_owned()
}
