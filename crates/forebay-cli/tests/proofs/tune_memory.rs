//! What is claimed of the experiments on memory settings: every setting has its rows, each with figures or the reason why
//! there are none, and what was measured is in the tables.

use std::time::Duration;

use forebay_proof::claim::Evidence;
use forebay_proof::tune::memory::{Sizes, evidence, run_sized};

use super::settings::{assert_every_setting_has_its_rows, on_a_server};

const SMALL: Sizes =
    Sizes { events: 12_000, plain_events: 2_000, cycles: 2, settle: Duration::from_secs(1), tries: 1 };

/// Every setting that is tried, and how many values of it beside the default.
const TRIED: [(&str, usize); 7] = [
    ("activedefrag", 1),
    ("stream-node-max-bytes", 5),
    ("stream-node-max-entries", 2),
    ("lazyfree-lazy-user-del", 1),
    ("lazyfree-lazy-server-del", 1),
    ("lazyfree-lazy-expire", 1),
    ("lazyfree-lazy-eviction", 1),
];

#[test]
fn every_memory_setting_is_measured_against_the_default() {
    let outcome = on_a_server(|on| run_sized(on, SMALL).unwrap());
    let tables = evidence(&outcome);
    assert_every_setting_has_its_rows(&outcome, &TRIED, &tables, 3);
    assert!(outcome.claims.is_empty(), "they are figures: {:?}", outcome.claims);
    let titled = |start: &str| {
        tables.iter().any(|table| matches!(table, Evidence::Table { title, .. } if title.starts_with(start)))
    };
    for title in
        ["Memory settings, ", "Fragmentation over 2 cycles", "What an event weighs, ", "Giving up a lane of "]
    {
        assert!(titled(title), "{title}");
    }
}
