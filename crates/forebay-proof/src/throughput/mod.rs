//! The throughput proof: is the profile's rate held for the profile's time, whatever the pattern?
//!
//! Three things run together on one server: single operations at the profile's rate, the real writer with as many
//! events, and a reading group that acknowledges and trims. The ledger knows every event. What a run was too short to
//! show is untested; what failed in a short run is refuted all the same. The controls are a server held below the rate
//! by somebody else's scripts, and one that is paused, with answers and blocks changed behind the proof's back.

mod combined_load;
mod judge;
mod log;
mod negative_controls;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::claim::{Claim, Judged};
use crate::{Scale, Subject};
use forebay_rig::load::pattern::Pattern;

use combined_load::{CombinedPlan, CombinedResult, GRACE, hold};
use log::Log;

/// How long a quick run takes, all patterns together.
const QUICK: Duration = Duration::from_secs(10);

/// The proof of a subject.
pub struct ThroughputRun<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Under which patterns.
    pub patterns: &'a [Pattern],
    /// Where every second is written as it ends, a file a pattern.
    pub log: Option<&'a Path>,
    /// Ends the run with what was seen.
    pub stop: &'a AtomicBool,
}

impl ThroughputRun<'_> {
    /// Runs the proof and its controls. `each` hears of the claims so far after each pattern.
    pub fn run(&self, each: &mut dyn FnMut(&[Claim])) -> anyhow::Result<Vec<Claim>> {
        let wanted = self.on.profile.load.duration;
        let duration = match self.on.scale {
            Scale::Smallest | Scale::Quick => wanted.min(QUICK / self.patterns.len().max(1) as u32),
            Scale::Full => wanted,
        };
        let log = Log::in_folder(self.log)?;
        let mut held: Vec<CombinedResult> = Vec::new();
        for pattern in self.patterns {
            if self.stop.load(Relaxed) {
                break;
            }
            let keys = self.on.target.keys(self.on.name);
            held.push(hold(&self.plan(pattern, duration), &log, self.stop)?);
            drop(keys);
            each(&without_controls(judge::claims(&held, self.on.profile)));
        }
        let claims = judge::claims(&held, self.on.profile);
        if self.stop.load(Relaxed) {
            Ok(without_controls(claims))
        } else {
            negative_controls::attach(&self.on, self.stop, claims)
        }
    }

    fn plan<'a>(&'a self, pattern: &'a Pattern, duration: Duration) -> CombinedPlan<'a> {
        CombinedPlan {
            address: self.on.target.address(),
            name: self.on.name,
            profile: self.on.profile,
            pattern,
            duration,
            grace: GRACE,
            seed: self.on.seed,
            progress: self.on.progress,
        }
    }
}

/// As long as no control was run, nothing is proven.
fn without_controls(claims: Vec<Judged>) -> Vec<Claim> {
    claims.into_iter().map(Judged::without_control).collect()
}
