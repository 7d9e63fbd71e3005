//! A run as it may have come out, for tests of what is made of it.

use forebay::event::jetstream;
use std::time::Instant;

use super::super::policy::EVICTIONS;
use super::*;

/// A run that was refused, and whose lanes came back so.
pub fn refused(back: [Option<u64>; 2]) -> PressureResult {
    let held = |(lane, back): (Lane, Option<u64>)| HeldLane { lane, back: back.map(Duration::from_millis) };
    PressureResult {
        policy: Policy::Wait,
        eviction: EVICTIONS[0].into(),
        limit: 1,
        empty: 0,
        met: Some(Met { at: Instant::now(), events: 100, how: REFUSED }),
        findings: Findings::default(),
        counts: Counts::default(),
        drained: Drained::default(),
        followed: Followed { events: 100, owed: 100, answers: 1, ..Followed::default() },
        watched: Watched::default(),
        evictions: Vec::new(),
        others: Vec::new(),
        latency: [None, None, None],
        held: jetstream::ALL.into_iter().zip(back).map(held).collect(),
        refused_for: None,
        left: (0.0, Duration::ZERO),
        failure: None,
    }
}
