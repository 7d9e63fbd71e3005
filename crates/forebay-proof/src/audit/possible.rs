//! Remedies that can be given where the server is, by a connection that is still there afterwards.

use super::conf_line::conf_line;
use super::rule::Fix;
use super::snapshot::AuditSnapshot;

/// Settings that may cut off the connection they come by, or every client that comes next.
const LOCKS: [&str; 14] = [
    "aclfile",
    "bind",
    "maxclients",
    "port",
    "protected-mode",
    "requirepass",
    "timeout",
    "tls-auth-clients",
    "tls-ca-cert-file",
    "tls-cert-file",
    "tls-key-file",
    "tls-port",
    "unixsocket",
    "unixsocketperm",
];

/// The remedy, where it can be given as it is; else what a person has to do.
pub(super) fn possible(seen: &AuditSnapshot, fix: Fix) -> Fix {
    match &fix {
        Fix::Set { directive, value } | Fix::SetAtStart { directive, value }
            if locks(seen, directive, value) =>
        {
            Fix::act(format!(
                "{}: by hand, since it may cut off the connection that it comes by. First see that every client reaches the \
                 server as it will be then (address, port, password), and keep a connection open; then put the line into \
                 redis.conf and restart",
                conf_line(directive, value)
            ))
        }
        Fix::Set { directive, value } if seen.file.is_none() => match seen.no_config() {
            Some(why) => Fix::act(without_config(why, directive, value)),
            None => fix,
        },
        Fix::Command { line } => {
            let command = line.split(' ').next().unwrap_or_default();
            match seen.no_config().filter(|_| command == "CONFIG") {
                Some(why) => Fix::act(format!("{why}: {}", in_place_of(line))),
                None if seen.lacks(command) => Fix::act(format!(
                    "{command} is disabled or renamed here: by its own name, or by who has it, {line}"
                )),
                None => fix,
            }
        }
        _ => fix,
    }
}

/// Whether setting it may cut somebody off. More clients, or an end to cutting off the idle ones, cuts off nobody.
fn locks(seen: &AuditSnapshot, directive: &str, value: &str) -> bool {
    let directive = directive.to_ascii_lowercase();
    let is_more = |value: &str| matches!((value.parse::<i64>(), seen.number(&directive)), (Ok(wanted), Ok(now)) if wanted >= now);
    match directive.as_str() {
        "maxclients" => !is_more(value),
        "timeout" => value != "0",
        name => LOCKS.contains(&name),
    }
}

/// What to do about a setting where CONFIG cannot be given.
fn without_config(why: &str, directive: &str, value: &str) -> String {
    let line = conf_line(directive, value).replace('\n', ", ");
    if directive.eq_ignore_ascii_case("appendonly") {
        return format!(
            "{why}, and a server that starts with {line} and no AOF yet is empty: give CONFIG back first (or use the console of \
             the service that runs it); else drain the buffer, then put the line into redis.conf and restart"
        );
    }
    format!("{why}: put `{line}` into redis.conf and restart, or use the console of the service that runs it")
}

/// What stands in the place of a command of CONFIG.
fn in_place_of(line: &str) -> &'static str {
    match line {
        "CONFIG RESETSTAT" => "the counters begin again at the next start",
        "CONFIG REWRITE" => "write what is set now into redis.conf by hand",
        _ => "see redis.conf",
    }
}
