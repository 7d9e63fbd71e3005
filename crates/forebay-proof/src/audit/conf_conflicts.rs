//! Lines of a redis.conf that a server takes one by one, and not together.

use super::conf_fault::{ConfFault, ConfFaultKind, SourceLine};
use super::directives;
use super::settings::Settings;

/// What the lines of a file come to.
pub(super) struct Whole<'a> {
    /// What a server would have.
    pub settings: &'a Settings,
    /// The lines that make users.
    pub users: &'a [String],
    /// Every line.
    pub lines: &'a [SourceLine],
}

/// What is wrong with the file as a whole.
pub(super) fn troubles(file: &Whole<'_>) -> impl Iterator<Item = ConfFault> {
    [
        acl_twice(file),
        replica_in_a_cluster(file),
        nowhere(file),
        one_port_twice(file),
        no_certificate(file),
        no_module(file),
    ]
    .into_iter()
    .flatten()
}

/// The trouble, at the last line of that name.
fn at(file: &Whole<'_>, name: &str, kind: ConfFaultKind) -> Option<ConfFault> {
    let line = file.lines.iter().rev().find(|line| line.name == name)?;
    Some(ConfFault { file: line.file.clone(), line: line.line, kind })
}

fn text<'a>(file: &Whole<'a>, name: &str) -> &'a str {
    file.settings.get(name).unwrap_or_default()
}

fn is_yes(file: &Whole<'_>, name: &str) -> bool {
    text(file, name).eq_ignore_ascii_case("yes")
}

/// A port; 0 where it is none.
fn port(file: &Whole<'_>, name: &str) -> u16 {
    text(file, name).parse().unwrap_or(0)
}

fn acl_twice(file: &Whole<'_>) -> Option<ConfFault> {
    let is_twice = !text(file, "aclfile").is_empty() && !file.users.is_empty();
    let why = "aclfile and lines user in one file: a server takes users from one place alone";
    is_twice.then(|| at(file, "aclfile", ConfFaultKind::Together(why.into())))?
}

fn replica_in_a_cluster(file: &Whole<'_>) -> Option<ConfFault> {
    let master = text(file, "replicaof");
    let is_both =
        is_yes(file, "cluster-enabled") && !master.is_empty() && !master.eq_ignore_ascii_case("no one");
    let why = "replicaof and cluster-enabled yes: in a cluster a server refuses replicaof";
    is_both.then(|| at(file, "replicaof", ConfFaultKind::Together(why.into())))?
}

/// No port and no socket.
fn nowhere(file: &Whole<'_>) -> Option<ConfFault> {
    let has_port = port(file, "port") > 0 || port(file, "tls-port") > 0;
    let is_nowhere = (!has_port || text(file, "bind").is_empty()) && text(file, "unixsocket").is_empty();
    let name = if has_port { "bind" } else { "port" };
    let why = format!("{name}: nothing is left to listen on, no port and no unixsocket");
    is_nowhere.then(|| at(file, name, ConfFaultKind::Together(why)))?
}

fn one_port_twice(file: &Whole<'_>) -> Option<ConfFault> {
    let (plain, tls) = (port(file, "port"), port(file, "tls-port"));
    let why = format!("tls-port: {tls} is the plain port too");
    (plain > 0 && plain == tls).then(|| at(file, "tls-port", ConfFaultKind::Together(why)))?
}

/// TLS without what it needs.
fn no_certificate(file: &Whole<'_>) -> Option<ConfFault> {
    let asks = |name: &&&str| port(file, name) > 0 || is_yes(file, name);
    let name = ["tls-port", "tls-replication", "tls-cluster"].iter().find(asks)?;
    let has = |name: &str| !text(file, name).is_empty();
    let asks_clients = !text(file, "tls-auth-clients").eq_ignore_ascii_case("no");
    let needs_ca = asks_clients || is_yes(file, "tls-replication") || is_yes(file, "tls-cluster");
    let lacking = match () {
        () if !has("tls-cert-file") => "tls-cert-file",
        () if !has("tls-key-file") => "tls-key-file",
        () if needs_ca && !has("tls-ca-cert-file") && !has("tls-ca-cert-dir") => {
            "tls-ca-cert-file, or tls-auth-clients no"
        }
        () => return None,
    };
    at(file, name, ConfFaultKind::Together(format!("{name}: needs {lacking}")))
}

fn no_module(file: &Whole<'_>) -> Option<ConfFault> {
    if file.lines.iter().any(|line| line.name == "loadmodule") {
        return None;
    }
    let line =
        file.lines.iter().find(|line| line.words.len() > 1 && directives::is_of_module(&line.words[0]))?;
    Some(ConfFault { file: line.file.clone(), line: line.line, kind: ConfFaultKind::NoModule })
}
