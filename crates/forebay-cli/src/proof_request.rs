//! What a verb wants of its proofs.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use forebay_proof::claim::Claim;
use forebay_proof::{Subject, chain, drain, failover, ingest};
use forebay_rig::load::pattern::Pattern;
use forebay_rig::server::external_server::Commands;

/// A proof that `prove` can run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proof {
    Audit,
    Baseline,
    Capacity,
    Pressure,
    Durability,
    Throughput,
    Monitoring,
    Ingest,
    Drain,
    Chain,
    Failover,
    /// Not one that is part of `prove`: it asks what could be better.
    #[value(skip)]
    Tuning,
}

impl Proof {
    /// Every proof, in the order in which they run.
    pub(crate) const ALL: [Self; 11] = [
        Self::Audit,
        Self::Baseline,
        Self::Capacity,
        Self::Pressure,
        Self::Durability,
        Self::Throughput,
        Self::Monitoring,
        Self::Ingest,
        Self::Drain,
        Self::Chain,
        Self::Failover,
    ];

    /// Whether it writes to the server. What ingest, drain, chain and failover write goes to servers of
    /// their own alone.
    pub(crate) fn writes(self) -> bool {
        !matches!(self, Self::Audit | Self::Ingest | Self::Drain | Self::Chain | Self::Failover)
    }

    /// The names of its faults, where some of them can be asked for.
    pub(crate) fn faults(self) -> Vec<&'static str> {
        match self {
            Self::Ingest => ingest::faults().collect(),
            Self::Drain => drain::faults().collect(),
            Self::Chain => chain::faults().collect(),
            Self::Failover => failover::faults().collect(),
            _ => Vec::new(),
        }
    }

    /// Those of all proofs, each once.
    pub(crate) fn all_faults() -> BTreeSet<&'static str> {
        Self::ALL.into_iter().flat_map(Self::faults).collect()
    }
}

/// Runs the experiments of a tuning.
pub(crate) type Tuning<'a> = dyn Fn(&Subject<'_>) -> anyhow::Result<Vec<Claim>> + 'a;

/// What a verb wants of its proofs.
pub(crate) struct ProofRequest<'a> {
    /// In this order.
    pub(crate) proofs: &'a [Proof],
    /// Under which patterns the rate must be held.
    pub(crate) patterns: &'a [Pattern],
    /// Where the report goes, and what long proofs write as they go.
    pub(crate) out: Option<&'a Path>,
    /// Whether somebody's server may be filled to a limit.
    pub(crate) allow_faults: bool,
    /// How long a full server is pushed on.
    pub(crate) beyond: Option<Duration>,
    /// How long a healthy buffer is watched.
    pub(crate) healthy_for: Option<Duration>,
    /// How often each fault is tried.
    pub(crate) rounds: Option<u64>,
    /// Of the proofs whose faults can be asked for these alone, where any is named.
    pub(crate) faults: &'a [String],
    /// How somebody's server is killed and started.
    pub(crate) commands: Option<Commands>,
    /// What to run where settings are to be tried.
    pub(crate) tuning: Option<&'a Tuning<'a>>,
}

impl<'a> ProofRequest<'a> {
    /// The faults of a proof that were asked for: all, as an empty list, where none was named; nothing where those that were are
    /// of other proofs.
    pub(crate) fn faults_of(&self, proof: Proof) -> Option<Vec<String>> {
        let own = proof.faults();
        let only: Vec<String> =
            self.faults.iter().filter(|fault| own.contains(&fault.as_str())).cloned().collect();
        (self.faults.is_empty() || !only.is_empty()).then_some(only)
    }

    /// These proofs, as they are by default.
    pub(crate) fn of(proofs: &'a [Proof], patterns: &'a [Pattern], out: Option<&'a Path>) -> Self {
        Self {
            proofs,
            patterns,
            out,
            allow_faults: false,
            beyond: None,
            healthy_for: None,
            rounds: None,
            faults: &[],
            commands: None,
            tuning: None,
        }
    }
}
