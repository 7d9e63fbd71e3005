//! What a report says: the type that every renderer draws from, and that `report.json` is.

use serde::{Deserialize, Serialize};

use crate::audit::outcome::Audit;
use crate::claim::{Claim, Verdict};

/// Everything a run has to say; `report.json` is this type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this shape. Fields may be added under the same number, never changed.
    pub schema: u32,
    /// Forebay's own version.
    pub forebay: String,
    /// Name of the profile.
    pub profile: String,
    /// The server the claims are about.
    pub target: Target,
    /// The machine it ran on.
    pub machine: Machine,
    /// The command line, without passwords.
    pub command: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it took.
    pub seconds: f64,
    /// What was tried.
    pub claims: Vec<Claim>,
    /// Requirements of the profile that cannot hold together.
    pub conflicts: Vec<Conflict>,
    /// Doubts about the run, each with what to try.
    pub warnings: Vec<Warning>,
    /// What the audit found, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
}

/// The server under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `redis` or `valkey`.
    pub server: String,
    /// Its real version.
    pub version: String,
    /// `jemalloc-5.3.0`, `libc`, ...
    pub allocator: String,
    /// `own` for a server Forebay started, else the URL without its password.
    pub origin: String,
    /// Settings it was started with, or that bear on a buffer, in order.
    pub settings: Vec<(String, String)>,
}

/// The machine of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Kernel and architecture.
    pub os: String,
    /// Processor model.
    pub cpu: String,
    /// Processors this process may use.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// Two requirements that exclude each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Stable name.
    pub id: String,
    /// What cannot hold together.
    pub statement: String,
    /// What was seen.
    pub evidence: String,
    /// What would resolve it.
    pub resolution: String,
}

/// A doubt with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable name.
    pub id: String,
    /// What is doubtful, and what to try.
    pub text: String,
}

impl Report {
    /// Claims with a verdict, counted.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.claims.iter().filter(|claim| claim.verdict() == verdict).count()
    }

    /// Whether any check let something pass that was broken on purpose.
    pub fn control_missed(&self) -> bool {
        self.claims.iter().any(Claim::missed_its_control)
    }
}
