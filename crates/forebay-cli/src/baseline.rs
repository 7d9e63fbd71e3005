//! `forebay baseline`: the baseline proof alone.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::proof::On;
use super::proof_request::{Proof, ProofRequest};
use crate::arguments::Global;

/// How fast is the server, and up to which rate?
#[derive(Args)]
#[command(after_help = "Examples:
  forebay baseline                       on a server of its own, about a minute
  forebay baseline --scale full --out base
  forebay baseline --url redis://10.0.0.5 --allow-load")]
pub(crate) struct Baseline {
    #[command(flatten)]
    on: On,
    /// Write report.json and report.html here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl Baseline {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        self.on.conclude(&ProofRequest::of(&[Proof::Baseline], &[], self.out.as_deref()), global)
    }
}
