//! Whether two values of a setting mean the same to a server, however they are written.

use std::collections::{BTreeMap, BTreeSet};

use super::directives::{ValueKind, kind};
use forebay_watch::profile::redis_bytes;

/// Letters that `A` stands for in `notify-keyspace-events`.
const ALL_EVENTS: &str = "g$lshzxetd";

/// Whether both mean the same. Of `client-output-buffer-limit` only the classes are compared that both name: one that
/// is not named stays as it is.
pub fn same(name: &str, one: &str, other: &str) -> bool {
    let (one, other) = (unquoted(one), unquoted(other));
    let same_by = |meaning: fn(&str) -> Option<String>| match (meaning(one), meaning(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    };
    match kind(name) {
        ValueKind::Bool | ValueKind::Word(_) | ValueKind::SomeOf(_) => one.eq_ignore_ascii_case(other),
        ValueKind::Bytes(..) | ValueKind::BytesOrPercent => {
            same_by(|text| redis_bytes(text).map(|bytes| bytes.to_string()))
        }
        ValueKind::Integer(..) | ValueKind::Octal(_) => {
            same_by(|text| text.parse::<i64>().ok().map(|number| number.to_string()))
        }
        ValueKind::Addresses => words(one) == words(other),
        ValueKind::Save => same_by(save_points),
        ValueKind::OutputBuffer => same_classes(one, other),
        ValueKind::Flags => flags(one) == flags(other),
        ValueKind::Scores
        | ValueKind::Percentiles
        | ValueKind::Master
        | ValueKind::File
        | ValueKind::Title
        | ValueKind::Text => one == other,
    }
}

/// Whether what was found keeps what is required: it means the same, or is stricter where that is plain.
pub fn keeps(name: &str, required: &str, found: &str) -> bool {
    let is_stricter = name == "appendfsync"
        && unquoted(found).eq_ignore_ascii_case("always")
        && unquoted(required).eq_ignore_ascii_case("everysec");
    // By which address clients come, only who runs the server knows: asked is that it does not listen everywhere.
    let is_elsewhere = name == "bind" && !unquoted(found).is_empty() && !listens_everywhere(found);
    is_stricter || is_elsewhere || same(name, required, found)
}

fn listens_everywhere(bind: &str) -> bool {
    words(unquoted(bind)).iter().any(|address| is_any(address))
}

/// Whether an address of `bind` is every one there is.
pub(super) fn is_any(address: &str) -> bool {
    matches!(address.trim_start_matches('-'), "*" | "::*" | "0.0.0.0" | "::")
}

/// The value without quotes around the whole of it.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inner = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).map_or(text, str::trim)
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_ascii_lowercase).collect()
}

/// Save points in ascending order.
fn save_points(text: &str) -> Option<String> {
    let numbers: Option<Vec<u64>> = text.split_whitespace().map(|word| word.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.len() % 2 == 0)?;
    let points: BTreeSet<&[u64]> = numbers.chunks(2).collect();
    Some(format!("{points:?}"))
}

fn same_classes(one: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (classes(one), classes(other)) else { return one == other };
    let mut both = one.iter().filter(|(class, _)| other.contains_key(*class)).peekable();
    let none = both.peek().is_none();
    if none { one == other } else { both.all(|(class, limits)| other.get(class) == Some(limits)) }
}

/// Hard limit, soft limit and seconds by class.
pub(super) fn classes(text: &str) -> Option<BTreeMap<String, [u64; 3]>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let class = |group: &[&str]| -> Option<(String, [u64; 3])> {
        let [class, hard, soft, seconds] = group else { return None };
        let class = class.to_ascii_lowercase();
        let class = if class == "replica" { "slave".into() } else { class };
        Some((class, [redis_bytes(hard)?, redis_bytes(soft)?, seconds.parse().ok()?]))
    };
    words.chunks(4).map(class).collect()
}

fn flags(text: &str) -> BTreeSet<char> {
    text.replace('A', ALL_EVENTS).chars().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_compared_by_what_they_mean() {
        for (name, one, other) in [
            ("maxmemory", "2gb", "2147483648"),
            ("maxmemory", " 2GB ", "\"2048mb\""),
            ("appendonly", "YES", "yes"),
            ("maxmemory-policy", "NoEviction", "noeviction"),
            ("save", "\"\"", ""),
            ("save", "3600 1 300 100", "300 100 3600 1"),
            ("bind", "127.0.0.1 -::1", "-::1 127.0.0.1"),
            (
                "client-output-buffer-limit",
                "replica 256mb 64mb 60",
                "normal 0 0 0 slave 268435456 67108864 60",
            ),
            ("notify-keyspace-events", "AK", "Kg$lshzxetd"),
            ("maxmemory-clients", "5%", "5%"),
        ] {
            assert!(same(name, one, other) && same(name, other, one), "{name}: {one:?} {other:?}");
        }
        for (name, one, other) in [
            ("maxmemory", "2gb", "2g"),
            ("maxmemory", "2gb", "2147483649"),
            ("maxmemory-clients", "5%", "5"),
            ("appendonly", "yes", "no"),
            ("save", "", "900 1"),
            ("save", "900 1 300", "900 1 300 10"),
            ("bind", "127.0.0.1", "127.0.0.1 -::1"),
            ("client-output-buffer-limit", "normal 0 0 0", "normal 1mb 0 0"),
            ("client-output-buffer-limit", "normal 0 0 0", "pubsub 0 0 0"),
            ("notify-keyspace-events", "AK", "AKE"),
            ("dir", "/A", "/a"),
        ] {
            assert!(!same(name, one, other) && !same(name, other, one), "{name}: {one:?} {other:?}");
        }
    }

    #[test]
    fn stricter_keeps_what_is_required_and_laxer_does_not() {
        assert!(keeps("appendfsync", "everysec", "always") && keeps("maxmemory", "1gb", "1024mb"));
        assert!(!keeps("appendfsync", "always", "everysec") && !keeps("appendfsync", "everysec", "no"));
        assert!(!keeps("appendonly", "everysec", "always"));
    }

    proptest! {
        #[test]
        fn a_value_means_the_same_as_itself_in_quotes(name in "[a-z-]{1,20}|maxmemory|save|bind", value in "[a-z0-9 ]{0,20}") {
            let quoted = format!("\"{value}\"");
            prop_assert!(same(&name, &value, &quoted));
        }

        #[test]
        fn sizes_are_the_same_if_their_bytes_are(bytes in 0_u64..1 << 40, other in 0_u64..1 << 40) {
            let kib = format!("{bytes}kb");
            prop_assert!(same("maxmemory", &kib, &(bytes * 1_024).to_string()));
            prop_assert_eq!(same("maxmemory", &bytes.to_string(), &other.to_string()), bytes == other);
        }
    }
}
