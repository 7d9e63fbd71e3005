//! Whether words are a value that a directive takes, as servers of 7.0 and newer read it.

use std::net::IpAddr;

use super::directives::ValueKind;
use super::meaning;
use forebay::buffer::secret;
use forebay_watch::profile::redis_bytes;

/// Most addresses that a server listens on.
const ADDRESSES_MAX: usize = 16;
/// Letters of `notify-keyspace-events` of all servers.
const EVENTS: &str = "AKEg$lshzxetdmnoc";
/// What a process title has places for.
const PLACES: [&str; 7] =
    ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];
/// Bounds of `oom-score-adj-values`.
const SCORES: std::ops::RangeInclusive<i128> = -2_000..=2_000;

/// Whether words are a value of that kind; the error says what would be.
pub fn check(kind: ValueKind, words: &[String]) -> Result<(), String> {
    let text = words.join(" ");
    let single = words.len() == 1;
    let is_one_of = |known: &str, word: &str| known.split('|').any(|known| known.eq_ignore_ascii_case(word));
    let fits = match kind {
        ValueKind::Bool => single && is_one_of("yes|no", &text),
        ValueKind::Bytes(least, most) => {
            single && redis_bytes(&text).is_some_and(|bytes| (least..=most).contains(&bytes))
        }
        ValueKind::BytesOrPercent => single && (redis_bytes(&text).is_some() || is_percent(&text)),
        ValueKind::Integer(least, most) => {
            single && integer(&text).is_some_and(|number| (least..=most).contains(&number))
        }
        ValueKind::Octal(most) => {
            single && i128::from_str_radix(&text, 8).is_ok_and(|number| (0..=most).contains(&number))
        }
        ValueKind::Word(known) => single && is_one_of(known, &text),
        ValueKind::SomeOf(known) => {
            let has = |word: &str| words.iter().any(|other| other.eq_ignore_ascii_case(word));
            !words.is_empty()
                && words.iter().all(|word| is_one_of(known, word))
                && !(has("save") && has("nosave"))
        }
        ValueKind::Addresses => return addresses(words),
        ValueKind::Save => {
            let is_point = |pair: &[String]| {
                integer(&pair[0]).is_some_and(|seconds| seconds >= 1)
                    && integer(&pair[1]).is_some_and(|changes| changes >= 0)
            };
            text.is_empty() && single
                || words.len().is_multiple_of(2) && !words.is_empty() && words.chunks(2).all(is_point)
        }
        ValueKind::OutputBuffer => {
            let is_class = |group: &[String]| is_one_of("normal|slave|replica|pubsub", &group[0]);
            !words.is_empty() && meaning::classes(&text).is_some() && words.chunks(4).all(is_class)
        }
        ValueKind::Flags => single && text.chars().all(|letter| EVENTS.contains(letter)),
        ValueKind::Scores => {
            words.len() == 3
                && words.iter().all(|word| integer(word).is_some_and(|score| SCORES.contains(&score)))
        }
        ValueKind::Percentiles => {
            let is_percentile =
                |word: &String| word.parse::<f64>().is_ok_and(|number| (0.0..=100.0).contains(&number));
            text.is_empty() && single || !words.is_empty() && words.iter().all(is_percentile)
        }
        ValueKind::Master => {
            let is_port = |word: &str| integer(word).is_some_and(|port| (0..=65_535).contains(&port));
            words.len() == 2 && (is_port(&words[1]) || text.eq_ignore_ascii_case("no one"))
        }
        ValueKind::File => single && !text.is_empty() && !text.contains('/'),
        ValueKind::Title => single && is_title(&text),
        ValueKind::Text => single,
    };
    match kind {
        _ if fits => Ok(()),
        // Not quoted: it may be a password.
        ValueKind::Text | ValueKind::Title | ValueKind::File | ValueKind::Master => {
            Err(format!("takes {}", wanted(kind)))
        }
        _ => Err(format!("{} is not {}", shown(words), wanted(kind))),
    }
}

/// Addresses to listen on. A name may be that of a host, which a server looks up; what is neither cannot be one.
fn addresses(words: &[String]) -> Result<(), String> {
    if words.is_empty() || words.len() > ADDRESSES_MAX {
        return Err(format!("takes from 1 to {ADDRESSES_MAX} addresses"));
    }
    if words.iter().any(|word| word.starts_with('#')) {
        return Err("a server tries to listen on the words of the comment; it needs a line of its own".into());
    }
    match words.iter().position(|word| !is_address(word)) {
        Some(0) if words.len() == 1 && words[0].is_empty() => Ok(()),
        Some(at) => Err(format!("word {} is no address: 127.0.0.1, -::1, * and the like are", at + 1)),
        None => Ok(()),
    }
}

fn is_address(word: &str) -> bool {
    let bare = word.strip_prefix('-').unwrap_or(word);
    let host = bare.split('%').next().unwrap_or(bare);
    if matches!(bare, "*" | "::*") || host.parse::<IpAddr>().is_ok() {
        return true;
    }
    let labels: Vec<&str> = bare.split('.').collect();
    if labels.iter().all(|label| label.chars().all(|c| c.is_ascii_digit())) {
        // As inet_aton reads it: the last of fewer than four numbers fills the rest.
        return labels.len() < 4 && labels.iter().all(|label| label.parse::<u8>().is_ok());
    }
    let is_label = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    labels.iter().all(is_label)
}

/// Whether every place of a title is one that is known, and closed.
fn is_title(text: &str) -> bool {
    let mut parts = text.split('{');
    let head = parts.next().unwrap_or_default();
    !head.contains('}')
        && parts.all(|part| {
            part.split_once('}').is_some_and(|(place, rest)| PLACES.contains(&place) && !rest.contains('}'))
        })
}

/// A wrong value as it may be shown: only a plain word alone, since behind it may be anything, a password too.
pub(super) fn shown(words: &[String]) -> String {
    let is_plain = |word: &str| {
        word.len() <= 24
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-%.:_".contains(c))
    };
    match words {
        [] => "no value".into(),
        [word] if word.is_empty() => "\"\"".into(),
        [word] if is_plain(&word.to_ascii_lowercase()) && !secret::is_name(word) => format!("{word:?}"),
        [_] => "what is there".into(),
        [_, ..] => format!("a value of {} words (a comment needs a line of its own)", words.len()),
    }
}

/// A whole number as a server reads it: no plus, no leading zero.
fn integer(text: &str) -> Option<i128> {
    text.parse::<i128>().ok().filter(|number| number.to_string() == text)
}

fn is_percent(text: &str) -> bool {
    text.strip_suffix('%').is_some_and(|number| number.parse::<u8>().is_ok_and(|number| number <= 100))
}

fn wanted(kind: ValueKind) -> String {
    match kind {
        ValueKind::Bool => "yes or no".into(),
        ValueKind::Bytes(0, u64::MAX) | ValueKind::BytesOrPercent => "a size like 2gb".into(),
        ValueKind::Bytes(least, most) => format!("a size from {least} to {most} bytes"),
        ValueKind::Integer(least, most) => format!("a whole number from {least} to {most}"),
        ValueKind::Octal(most) => format!("a number of octal digits up to {most:o}"),
        ValueKind::Word(known) | ValueKind::SomeOf(known) => format!("of {}", known.replace('|', ", ")),
        ValueKind::Save => "pairs of seconds and changes, or \"\"".into(),
        ValueKind::OutputBuffer => "a class (normal, replica, pubsub), two sizes and seconds".into(),
        ValueKind::Flags => format!("made of the letters {EVENTS}"),
        ValueKind::Scores => format!("three numbers from {} to {}", SCORES.start(), SCORES.end()),
        ValueKind::Percentiles => "numbers from 0 to 100".into(),
        ValueKind::Master => "a host and a port, or no one".into(),
        ValueKind::File => "the name of a file, without a folder".into(),
        ValueKind::Title => "one word with places of a title, as {title}".into(),
        ValueKind::Text => "one word; quotes keep several together".into(),
        ValueKind::Addresses => "addresses".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::conf_line::{Line, split};
    use super::super::directives::kind;
    use super::*;

    fn checked(line: &str) -> Result<(), String> {
        let Line::Words(words) = split(line) else { panic!("{line:?}") };
        check(kind(&words[0]), &words[1..])
    }

    #[test]
    fn a_value_that_a_directive_takes_is_taken() {
        for line in [
            "maxmemory 2gb",
            "maxmemory-clients 5%",
            "save \"\"",
            "save 900 1 300 10",
            "tls-auth-clients optional",
            "events-per-io-thread 2",
            "bind * -::*",
            "bind 127.0.0.1 ::1 -fe80::1%eth0",
            "bind redis.internal",
            "bind 127.1",
            "unixsocketperm 0770",
            "shutdown-on-sigterm nosave now",
            "notify-keyspace-events AKE",
            "replicaof no one",
            "replicaof 10.0.0.1 6379",
            "oom-score-adj-values 0 200 800",
            "latency-tracking-info-percentiles 50 99.9",
            "proc-title-template \"{title} {port}\"",
            "appendfilename a.aof",
            "hz 500",
            "repl-diskless-load on-empty-db",
            "client-output-buffer-limit normal 0 0 0 replica 1gb 64mb 60",
        ] {
            assert_eq!(checked(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn a_value_that_a_directive_does_not_take_is_told_with_what_it_takes() {
        for (line, says) in [
            ("maxmemory 2 gb", "size"),
            ("maxmemory 5%", "size"),
            ("repl-backlog-size 0", "from 1"),
            ("maxclients -1", "from 1 to"),
            ("databases 0", "from 1"),
            ("port 66379", "to 65535"),
            ("timeout -1", "from 0"),
            ("io-threads 200", "to 128"),
            ("hz -1", "from 0"),
            ("maxmemory-samples five", "whole number"),
            ("tcp-keepalive 0300", "whole number"),
            ("unixsocketperm 999", "octal"),
            ("requirepass a # b", "one word"),
            ("appendonly on", "yes or no"),
            ("supervised true", "systemd"),
            ("appendfsync never", "always"),
            ("save 900", "pairs"),
            ("save 0 1", "pairs"),
            ("client-output-buffer-limit normal 0 0", "class"),
            ("client-output-buffer-limit master 0 0 0", "class"),
            ("notify-keyspace-events Q", "letters"),
            ("proc-title-template \"{bogus}\"", "title"),
            ("oom-score-adj-values 0 200", "three numbers"),
            ("latency-tracking-info-percentiles 50 101", "0 to 100"),
            ("appendfilename sub/a.aof", "without a folder"),
            ("bind 127.0.0.1 # only this", "a line of its own"),
            ("bind ${POD_IP} 127.0.0.1", "word 1 is no address"),
            ("bind 127.0.0.1:6379", "word 1"),
            ("bind 127.0.0.1,10.0.0.5", "word 1"),
            ("bind 256.1.1.1", "word 1"),
            ("bind 10.0.0.0/8", "word 1"),
            ("bind", "from 1 to 16"),
            ("replicaof 10.0.0.1", "a host and a port"),
            ("shutdown-on-sigint save nosave", "default"),
            ("tls-auth-clients maybe", "optional"),
            ("syslog-facility daemon", "local0"),
            ("acl-pubsub-default deny", "allchannels"),
            ("repl-timeout 60s", "whole number"),
        ] {
            assert!(checked(line).unwrap_err().contains(says), "{line}: {:?}", checked(line));
        }
    }
}
