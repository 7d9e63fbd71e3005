//! The proofs: what can be claimed of a server, how it is tried, and the control that must fail.

mod acted;
mod aof;
pub mod audit;
pub mod baseline;
pub mod capacity;
pub mod chain;
pub mod claim;
pub mod conflict;
pub mod drain;
pub mod durability;
mod exactly_once;
pub mod failover;
mod findings;
pub mod ingest;
mod ingest_config;
pub mod ledger;
pub mod memory_probe;
pub mod monitoring;
pub mod own_server;
mod parallel;
pub mod pressure;
pub mod printable;
pub mod progress;
mod proof_reader;
mod push;
pub mod report;
mod rewrite;
pub mod sabotage;
mod server_loss;
pub mod server_setting;
pub mod settings_guard;
pub mod target;
pub mod throughput;
pub mod tune;
pub mod undo;
pub mod verify;
mod wait;
mod workload;

use forebay::buffer::keys::Name;
use forebay_rig::server::ServerBinary;
use forebay_watch::profile::Profile;
use progress::Progress;
use target::Target;

/// What every proof needs.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What must hold.
    pub profile: &'a Profile,
    /// The server that the claims are about.
    pub target: &'a Target,
    /// For samples and controls, which never run on somebody's server.
    pub binary: &'a ServerBinary,
    /// The buffer to fill, and whose keys are written; [`target::own_name`] gives one that nobody uses.
    pub name: &'a Name,
    /// Seed of events, payloads and whatever else is drawn.
    pub seed: u64,
    /// How much.
    pub scale: Scale,
    /// Who listens.
    pub progress: &'a dyn Progress,
}

/// What tests do with a subject on a server of their own, which ends with it.
#[cfg(test)]
fn on_own_server<T>(profile: &Profile, test: impl FnOnce(Subject<'_>) -> T) -> T {
    let binary = ServerBinary::find(None).unwrap();
    let (target, name) = (Target::own(&binary, profile).unwrap(), target::own_name("control").unwrap());
    test(Subject {
        profile,
        target: &target,
        binary: &binary,
        name: &name,
        seed: 7,
        scale: Scale::Quick,
        progress: &progress::Silent,
    })
}

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// As little as shows something, for tests of whole proofs.
    #[doc(hidden)]
    Smallest,
    /// What a minute or two can show.
    Quick,
    /// Samples and times as long as the profile says.
    Full,
}
