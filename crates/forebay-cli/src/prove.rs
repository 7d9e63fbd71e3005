//! `forebay prove`: every proof, one report.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::proof::On;
use super::proof_request::{Proof, ProofRequest};
use crate::arguments::Global;
use forebay_rig::load::pattern::Pattern;

/// Does a buffer hold? Every proof, each beside its control
#[derive(Args)]
#[command(after_help = "Examples:
  forebay prove                     on its own server, report in forebay-report/
  forebay prove --profile met-001   MET-001 to the letter
  forebay prove --only ingest       is each event of a source in the buffer
                                    once, whatever breaks?
  forebay prove --only drain,chain  and in the files?
  forebay prove --only failover     and when a master of a cluster dies?
  forebay prove --json | jq '.claims[] | {id, verdict}'

Exit codes: 0 no claim refuted, 1 one was, 3 no server, 4 a control was not
refuted.")]
pub(crate) struct Prove {
    #[command(flatten)]
    on: On,
    /// Only these proofs
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Proof>,
    /// How often each fault of durability, ingest, drain, chain and failover is tried [default: 1, full: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rounds: Option<u64>,
    /// Of ingest, drain, chain and failover only these faults, as the last part of their claims' names
    #[arg(long, value_name = "FAULT", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(Proof::all_faults()), hide_possible_values = true)]
    fault: Vec<String>,
    /// Write report.json and report.html here
    #[arg(long, value_name = "DIR", default_value = "forebay-report", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// With --url: permit the pressure proof there, which fills the server to a limit and changes
    /// maxmemory and maxmemory-policy meanwhile
    #[arg(long)]
    allow_faults: bool,
}

impl Prove {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let wanted = |proof: &Proof| self.only.is_empty() || self.only.contains(proof);
        let proofs: Vec<Proof> = Proof::ALL.into_iter().filter(wanted).collect();
        let patterns = Pattern::paced();
        let wanted = ProofRequest {
            allow_faults: self.allow_faults,
            rounds: self.rounds,
            faults: &self.fault,
            ..ProofRequest::of(&proofs, &patterns, Some(&self.out))
        };
        self.on.conclude(&wanted, global)
    }
}
