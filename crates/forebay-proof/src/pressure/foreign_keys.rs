//! Keys of others on somebody's server: what was left undone for their sake, and what befell them all the same.

use std::collections::BTreeMap;

use super::run_result::PressureResult;
use crate::claim::Evidence;
use crate::report::units::{counted, thousands};
use forebay::buffer::keys::Name;

/// Keys that are named.
const NAMED: usize = 5;

/// Keys that were evicted and are none of the buffer's, with how often each was.
pub(super) fn evicted(name: &Name, evicted: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let own = name.keys();
    let others = evicted.iter().filter(|(key, _)| !own.contains(key));
    others.map(|(key, times)| (key.clone(), *times)).collect()
}

/// `7 keys of others were evicted: a, b, c, d, e and 2 more`; none where none were.
pub(super) fn summary(runs: &[&PressureResult]) -> Option<String> {
    let all = || runs.iter().flat_map(|seen| &seen.others);
    let times: u64 = all().map(|(_, times)| times).sum();
    let names: std::collections::BTreeSet<&str> = all().map(|(key, _)| key.as_str()).collect();
    let named: Vec<&str> = names.iter().copied().take(NAMED).collect();
    let more = match names.len() - named.len() {
        0 => String::new(),
        more => format!(" and {} more", thousands(more as f64, 0)),
    };
    (times > 0).then(|| {
        let (keys, were) = (counted(times, "key", "keys"), if times == 1 { "was" } else { "were" });
        format!("{keys} of others {were} evicted: {}{more}", named.join(", "))
    })
}

/// What was told, as something to look at beside a claim.
pub(super) fn note(told: &str) -> Evidence {
    Evidence::Note { text: format!("Warning: {told}. They came after it was asked whether there were any.") }
}

/// Which eviction policies were not tried, and why.
pub(super) fn left_out(skipped: &[&str]) -> Option<Evidence> {
    let text = format!(
        "Not run: maxmemory-policy {}. The server held keys of others by then, which would be evicted.",
        skipped.join(", ")
    );
    (!skipped.is_empty()).then_some(Evidence::Note { text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pressure::run_result::tests::refused;
    use forebay::event::jetstream;

    #[test]
    fn keys_of_others_are_told_from_the_buffers_own_and_named() {
        let name: Name = "mine".parse().unwrap();
        let other: Name = "mine.not".parse().unwrap();
        let keys = [
            name.stream(jetstream::LIKES),
            name.writer(jetstream::POSTS),
            other.stream(jetstream::LIKES),
            "a".into(),
        ];
        let heard: BTreeMap<String, u64> = keys.into_iter().zip([1, 1, 1, 3]).collect();
        let found = evicted(&name, &heard);
        assert_eq!(found, [("a".to_owned(), 3), (other.stream(jetstream::LIKES), 1)]);

        let run = |others| PressureResult { others, ..refused([None, None]) };
        let (one, none) = (run(found), run(Vec::new()));
        assert_eq!(summary(&[&none]), None);
        let expected = format!("4 keys of others were evicted: a, {}", other.stream(jetstream::LIKES));
        assert_eq!(summary(&[&none, &one]), Some(expected));
        let many = run((0..8).map(|n| (format!("k{n}"), 1)).collect());
        assert_eq!(
            summary(&[&many]).as_deref(),
            Some("8 keys of others were evicted: k0, k1, k2, k3, k4 and 3 more")
        );
    }
}
