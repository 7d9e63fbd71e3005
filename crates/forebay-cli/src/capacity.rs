//! `forebay capacity`: the capacity proof alone.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::proof::On;
use super::proof_request::{Proof, ProofRequest};
use crate::arguments::Global;

/// Do the profile's events fit, and come back the same?
#[derive(Args)]
#[command(after_help = "Examples:
  forebay capacity                           bluesky-8h on a server of its own
  forebay capacity --profile full-network --seed 7
  forebay capacity --url redis://10.0.0.5 --allow-load")]
pub(crate) struct Capacity {
    #[command(flatten)]
    on: On,
    /// Write report.json and report.html here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl Capacity {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        self.on.conclude(&ProofRequest::of(&[Proof::Capacity], &[], self.out.as_deref()), global)
    }
}
