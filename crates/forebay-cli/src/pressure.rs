//! `forebay pressure`: the pressure proof alone.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::proof::On;
use super::proof_request::{Proof, ProofRequest};
use crate::arguments::Global;

/// What happens when the buffer is full, under each overflow and eviction policy?
#[derive(Args)]
#[command(after_help = "Examples:
  forebay pressure                       every overflow policy, then every
                                         eviction policy, on servers of its own
  forebay pressure --profile met-001     what allkeys-lru does to the buffer
  forebay pressure --scale full --out full
                                         each policy with each, at the profile's
                                         maxmemory
  forebay pressure --url redis://127.0.0.1:6380 --allow-faults
                                         on yours: filled to 144 MiB more than
                                         it holds, or to its own maxmemory;
                                         its settings set back

Quick runs have 144 MiB. On a server that holds other keys only noeviction is
tried: any other policy would evict them too.")]
pub(crate) struct Pressure {
    #[command(flatten)]
    on: On,
    /// With --url: permit filling the server to a limit, and changing maxmemory and
    /// maxmemory-policy meanwhile
    #[arg(long)]
    allow_faults: bool,
    /// How long each run pushes on once the limit is met [default: 1s, full: 1m]
    #[arg(long, value_name = "TIME")]
    beyond: Option<humantime::Duration>,
    /// Write report.json and report.html here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl Pressure {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let wanted = ProofRequest {
            allow_faults: self.allow_faults,
            beyond: self.beyond.map(Into::into),
            ..ProofRequest::of(&[Proof::Pressure], &[], self.out.as_deref())
        };
        self.on.conclude(&wanted, global)
    }
}
