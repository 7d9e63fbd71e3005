//! `forebay failover`: the failover proof alone.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::proof::On;
use super::proof_request::{Proof, ProofRequest};
use crate::arguments::Global;

/// What survives a master of a cluster that is killed, stopped, cut off, replaced, and slots that move?
#[derive(Args)]
#[command(after_help = "Examples:
  forebay failover                       every fault once, with --ack replica
                                         and with --ack reply
  forebay failover --fault killed,cut-off --rounds 20
                                         two of them, 20 times each
  forebay failover --scale full --out failed-over
                                         each 50 times, and a report
  forebay failover --server-bin ./valkey-server
                                         on another server

Faults: killed, stopped, handed-over, cut-off, moved, moved-at-once (Valkey 9
and newer); epoch is two writers over a failover, spread is where keys lie,
sentinel is a master that continues after Sentinel has replaced it.

Clusters are its own: three masters with a replica each, on loopback. No server
of yours is touched.")]
pub(crate) struct Failover {
    #[command(flatten)]
    on: On,
    /// How often each fault is tried; epoch and sentinel a fifth as often [default: 1, full: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rounds: Option<u64>,
    /// Only these faults
    #[arg(long, value_name = "FAULT", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(Proof::Failover.faults()), hide_possible_values = true)]
    fault: Vec<String>,
    /// Write report.json and report.html here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl Failover {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        anyhow::ensure!(
            !self.on.is_given(),
            "masters are killed, stopped and cut off on clusters of Forebay's own: leave --url and FOREBAY_URL out"
        );
        let wanted = ProofRequest {
            rounds: self.rounds,
            faults: &self.fault,
            ..ProofRequest::of(&[Proof::Failover], &[], self.out.as_deref())
        };
        self.on.conclude(&wanted, global)
    }
}
