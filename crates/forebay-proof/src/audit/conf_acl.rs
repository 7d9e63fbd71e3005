//! Lines of a redis.conf about users and commands: whether a server takes them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use forebay::buffer::secret::WHOLE_RULES;

/// Every command of Redis 6.2 to 8.2 and Valkey 8.1 and 9.1, as COMMAND names them.
static COMMANDS: LazyLock<BTreeSet<&'static str>> =
    LazyLock::new(|| include_str!("commands.txt").split_whitespace().collect());

/// Categories of commands.
const CATEGORIES: [&str; 22] = [
    "admin",
    "all",
    "bitmap",
    "blocking",
    "connection",
    "dangerous",
    "fast",
    "geo",
    "hash",
    "hyperloglog",
    "keyspace",
    "list",
    "pubsub",
    "read",
    "scripting",
    "set",
    "slow",
    "sortedset",
    "stream",
    "string",
    "transaction",
    "write",
];

/// Rules that are one word, beside [`WHOLE_RULES`].
const OTHER_WHOLE: [&str; 5] = ["clearselectors", "resetdbs", "alldatabases", "resetdatabases", "alldb"];

/// Length of a SHA-256 in hexadecimal digits.
const HASH: usize = 64;

/// What is wrong with the rules of a user, if anything is. No rule is in the answer: it may be a password.
pub(super) fn user(rules: &[String]) -> Result<(), String> {
    // What is within parentheses may come as several words.
    let mut is_within = false;
    for (at, word) in rules.iter().enumerate() {
        let wrong = |why: &str| Err(format!("rule {} of the user {why}", at + 1));
        let mut inner = word.as_str();
        if !is_within && let Some(rest) = inner.strip_prefix('(') {
            (is_within, inner) = (true, rest);
        }
        if is_within && let Some(rest) = inner.strip_suffix(')') {
            (is_within, inner) = (false, rest);
        }
        for rule in inner.split_whitespace() {
            if let Err(why) = one(rule) {
                return wrong(why);
            }
        }
    }
    if is_within { Err("a parenthesis of the user's rules is not closed".into()) } else { Ok(()) }
}

fn one(rule: &str) -> Result<(), &'static str> {
    let lower = rule.to_ascii_lowercase();
    let is_hash =
        |text: &str| text.len() == HASH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let fits = match rule.chars().next() {
        Some('>' | '<' | '~' | '&') => return Ok(()),
        Some('#' | '!') if is_hash(&rule[1..]) => return Ok(()),
        Some('#' | '!') => return Err("is no SHA-256: 64 digits from 0 to 9 and a to f"),
        Some('%') => {
            lower[1..].split_once('~').is_some_and(|(what, _)| matches!(what, "r" | "w" | "rw" | "wr"))
        }
        Some('+' | '-') => return command(&lower[1..]),
        _ => {
            let is_whole = |words: &[&str]| words.contains(&lower.as_str());
            is_whole(&WHOLE_RULES) || is_whole(&OTHER_WHOLE) || lower.starts_with("db=")
        }
    };
    if fits { Ok(()) } else { Err("is none that a server knows") }
}

fn command(name: &str) -> Result<(), &'static str> {
    if let Some(category) = name.strip_prefix('@') {
        let is_known = CATEGORIES.contains(&category);
        return if is_known { Ok(()) } else { Err("names a category that no server has") };
    }
    let base = name.split('|').next().unwrap_or(name);
    // A module brings commands, most of them with a dot in the name.
    if is_command(base) || base.contains('.') { Ok(()) } else { Err("names a command that no server has") }
}

/// Whether some server has a command of that name.
pub(super) fn is_command(name: &str) -> bool {
    COMMANDS.contains(name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<(), String> {
        user(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn rules_of_users_are_taken_as_a_server_takes_them() {
        let hash = format!("on #{0} !{0} ~* &* +@all -FLUSHALL +config|get", "0a".repeat(32));
        for text in [
            hash.as_str(),
            "off resetkeys resetchannels -@all",
            "ON >pw <pw %R~a* %RW~* allkeys",
            "on (+get ~x) (+set ~y)",
            "+ft.search",
        ] {
            assert_eq!(rules(text), Ok(()), "{text}");
        }
        for (text, says) in [
            ("on pw", "rule 2 of the user is none"),
            ("on #abc", "rule 2 of the user is no SHA-256"),
            ("+nosuch", "names a command"),
            ("on +@nosuch", "names a category"),
            ("on (+get ~x", "not closed"),
            ("%x~a", "is none"),
            ("on nopas", "is none"),
        ] {
            assert!(rules(text).unwrap_err().contains(says), "{text}: {:?}", rules(text));
        }
    }
}
