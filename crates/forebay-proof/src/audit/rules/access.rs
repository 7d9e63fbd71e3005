//! Rules on access: who can connect, what they may do, and who can listen on the way.

use super::checks::{no, yes};
use crate::audit::meaning::is_any;
use crate::audit::rule::{Checked, Fix, Rule, Severity, State, Unread};
use crate::audit::snapshot::AuditSnapshot;
use crate::audit::version::Versions;
use forebay::buffer::connect::is_loopback;
use forebay::buffer::keys::{ACL_COMMANDS, ALL_KEYS};
use forebay::buffer::secret;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "network.open",
        severity: Severity::Danger,
        must: "Nobody from elsewhere gets in without a password",
        why: "Whoever reaches the port can read every event and delete all of them. Open servers are found by \
              scanners within hours.",
        remedy: "requirepass <a long password>, and protected-mode yes",
        source: "redis.conf: protected-mode, requirepass; Redis documentation, security",
        versions: Versions::All,
        check: |seen| {
            let (reach, is_open) = (reach(seen)?, seen.users()?.is_open());
            let is_guarded = seen.yes("protected-mode")? && guards(seen)?;
            let read = format!(
                "bind {}, protected-mode {}, default user {}",
                shown(&reach),
                seen.text("protected-mode")?,
                if is_open { "without a password" } else { "closed or with a password" }
            );
            Ok(State::of(reach.is_empty() || !is_open || is_guarded, read, || {
                let mut fixes = vec![with_password()];
                if guards(seen).unwrap_or(false) {
                    fixes.insert(0, Fix::set("protected-mode", "yes"));
                }
                fixes
            }))
        },
    },
    Rule {
        id: "network.protected-mode",
        severity: Severity::Warn,
        must: "A server without a password is protected from other machines",
        why: "Without protected mode one change of bind opens the buffer to everybody.",
        remedy: "protected-mode yes",
        source: "redis.conf: protected-mode",
        versions: Versions::All,
        check: |seen| {
            if !seen.users()?.is_open() {
                return Ok(State::Kept("the default user is closed or has a password".into()));
            }
            yes(seen, "protected-mode")
        },
    },
    Rule {
        id: "network.password",
        severity: Severity::Note,
        must: "The default user has a password",
        why: "Any process on the machine can read and delete the events.",
        remedy: "requirepass <a long password>, or users of their own in an ACL file",
        source: "redis.conf: requirepass, user; Redis documentation, ACL",
        versions: Versions::All,
        check: |seen| {
            let is_open = seen.users()?.is_open();
            let read =
                if is_open { "default user: on, nopass" } else { "default user: closed or with a password" };
            Ok(State::of(!is_open, read, || vec![with_password()]))
        },
    },
    Rule {
        id: "network.bind",
        severity: Severity::Warn,
        must: "The server listens where it is asked to, not everywhere",
        why: "On every interface it is reachable from networks that nobody thought of.",
        remedy: "bind 127.0.0.1, or the address that its clients use",
        source: "redis.conf: bind",
        versions: Versions::All,
        check: |seen| {
            let everywhere = reach(seen)?.into_iter().any(is_any);
            Ok(State::of(!everywhere, seen.said("bind")?, || {
                // What the profile asks for, unless that is everywhere too.
                let asked = seen.profile.setting("bind").filter(|bind| !bind.split_whitespace().any(is_any));
                vec![Fix::set("bind", asked.unwrap_or_else(|| "127.0.0.1 -::1".into()))]
            }))
        },
    },
    Rule {
        id: "network.tls",
        severity: Severity::Warn,
        must: "What goes over a network is encrypted",
        why: "Events and passwords can be read, and changed, by whoever is on the way.",
        remedy: "tls-port 6379, port 0, tls-cert-file, tls-key-file, tls-ca-cert-file; clients use rediss://",
        source: "redis.conf: tls-port; Redis documentation, TLS",
        versions: Versions::All,
        check: |seen| {
            let reach = reach(seen)?;
            // A build without TLS names no tls-port.
            let has_tls = seen.number("tls-port").is_ok_and(|port| port > 0);
            let is_plain = seen.number("port")? > 0;
            let read = format!(
                "bind {}, port {}, tls-port {}",
                shown(&reach),
                seen.text("port")?,
                seen.text("tls-port").unwrap_or("unknown to this build")
            );
            Ok(State::of(reach.is_empty() || !is_plain, read, || {
                if has_tls {
                    return vec![Fix::act(
                        "the plain port is open beside TLS: once every client uses rediss://, port 0 in redis.conf, and a restart",
                    )];
                }
                vec![Fix::act(
                    "set tls-port, tls-cert-file, tls-key-file and tls-ca-cert-file, and use rediss://; or a tunnel",
                )]
            }))
        },
    },
    Rule {
        id: "network.default-user",
        severity: Severity::Note,
        must: "Writers and readers have users of their own",
        why: "A default user that may do everything with every key lets a bug in any program delete the buffer.",
        remedy: "a user for the buffer's keys and the commands it takes (the audit prints the line), and a default user \
                 without the dangerous ones",
        source: "Redis documentation, ACL",
        versions: Versions::All,
        check: |seen| {
            let users = seen.users()?;
            let read = format!("user default {}, and {} others", users.default_rules, users.others);
            Ok(State::of(!users.default_may_all(), read, || {
                // An older server knows no WAITAOF, and refuses the whole line for it.
                let has_waitaof = seen.info().is_ok_and(|facts| Versions::From((7, 2, 0)).have(facts));
                let waitaof = if has_waitaof { " +waitaof" } else { "" };
                vec![
                    Fix::act(format!(
                        "a user for the buffer: ACL SETUSER forebay on >PASSWORD ~{ALL_KEYS} {ACL_COMMANDS}{waitaof}"
                    )),
                    Fix::act("then give the default user a password, and: ACL SETUSER default -@dangerous"),
                ]
            }))
        },
    },
    Rule {
        id: "network.dangerous-commands",
        severity: Severity::Note,
        must: "Commands that empty or stop a server are closed to the default user",
        why: "One FLUSHALL by mistake, and every event is gone; with the AOF on, from there too. KEYS stops the \
              server for as long as it takes.",
        remedy: "ACL SETUSER default -flushall -flushdb -keys -debug -shutdown",
        source: "Redis documentation, ACL; redis.conf: rename-command",
        versions: Versions::All,
        check: |seen| {
            let open = seen.users()?.dangerous();
            let read =
                if open.is_empty() { "none is open".into() } else { format!("open: {}", open.join(", ")) };
            Ok(State::of(open.is_empty(), read, || {
                let minus: Vec<String> = open.iter().map(|name| format!("-{name}")).collect();
                vec![Fix::act(format!(
                    "first a user who may: ACL SETUSER admin on >PASSWORD ~* &* +@all; then, as that user: \
                     ACL SETUSER default {}",
                    minus.join(" ")
                ))]
            }))
        },
    },
    Rule {
        id: "network.debug-command",
        severity: Severity::Warn,
        must: "DEBUG is off",
        why: "DEBUG can stop, crash and fill a server; only tests need it.",
        remedy: "enable-debug-command no",
        source: "redis.conf: enable-debug-command",
        versions: Versions::From((7, 0, 0)),
        check: |seen| off_at_start(seen, "enable-debug-command"),
    },
    Rule {
        id: "network.protected-configs",
        severity: Severity::Warn,
        must: "Clients cannot move the server's files",
        why: "Whoever may set dir and dbfilename while the server runs can write files anywhere it may, and move the \
              AOF away from its disk.",
        remedy: "enable-protected-configs no",
        source: "redis.conf: enable-protected-configs",
        versions: Versions::From((7, 0, 0)),
        check: |seen| off_at_start(seen, "enable-protected-configs"),
    },
    Rule {
        id: "network.commands",
        severity: Severity::Danger,
        must: "The server knows every command that a buffer needs",
        why: "A renamed or disabled command stops writers or readers at the first block.",
        remedy: "take the lines rename-command for these commands out of redis.conf; close them by ACL instead",
        source: "redis.conf: rename-command; COMMAND INFO",
        versions: Versions::All,
        check: |seen| {
            let missing = seen.users()?.missing();
            let read = if missing.is_empty() {
                "all are known".into()
            } else {
                format!("unknown: {}", missing.join(", "))
            };
            Ok(State::of(missing.is_empty(), read, || {
                vec![Fix::act(format!(
                    "take `rename-command` for {} out of redis.conf, and restart",
                    missing.join(", ")
                ))]
            }))
        },
    },
];

/// Whether protected mode does anything here: before 7.0 any bind of one's own turned it off.
fn guards(seen: &AuditSnapshot) -> Result<bool, Unread> {
    let is_new = seen.info().map_or(true, |facts| Versions::From((7, 0, 0)).have(facts));
    Ok(is_new || seen.text("bind")?.trim().is_empty())
}

/// Addresses that the server listens on and that other machines may reach. Before 7.0 none meant all.
fn reach(seen: &AuditSnapshot) -> Result<Vec<&str>, Unread> {
    if seen.number("port")? == 0 && seen.number("tls-port").unwrap_or(0) == 0 {
        return Ok(Vec::new());
    }
    let bind = seen.text("bind")?;
    if bind.trim().is_empty() && seen.info().is_ok_and(|facts| !Versions::From((7, 0, 0)).have(facts)) {
        return Ok(vec!["*"]);
    }
    let addresses = bind.split_whitespace().map(|address| address.trim_start_matches('-'));
    Ok(addresses.filter(|address| !is_loopback(address)).collect())
}

fn shown(reach: &[&str]) -> String {
    if reach.is_empty() { "loopback only".into() } else { secret::text(&reach.join(" ")) }
}

fn with_password() -> Fix {
    Fix::act(
        "requirepass with a long password, in redis.conf; then give it to clients: redis://:PASSWORD@host",
    )
}

/// A setting of three words (`no`, `local`, `yes`) that is read at the start.
fn off_at_start(seen: &AuditSnapshot, name: &str) -> Checked {
    match seen.text(name)?.to_ascii_lowercase().as_str() {
        "local" => Ok(State::Kept(seen.said(name)?)),
        _ => no(seen, name).map(|state| match state {
            State::Broken(read, _) => State::Broken(read, vec![Fix::at_start(name, "no")]),
            state => state,
        }),
    }
}
