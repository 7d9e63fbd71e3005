//! `forebay monitoring`: the monitoring proof alone, with every cause.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::proof::On;
use super::proof_request::{Proof, ProofRequest};
use crate::arguments::Global;
use forebay_proof::monitoring;

/// Does each alert fire by its cause, and clear? With a real Prometheus
#[derive(Args)]
#[command(after_help = "Examples:
  forebay monitoring                     every cause, its alerts, seconds until
                                         each fired and cleared
  forebay monitoring --out monitored     with a report
  forebay monitoring --scale full        then an hour in which nothing may fire

Servers, writers, readers and watches are its own; Prometheus and Alertmanager
are those on the PATH, or in the folder that FOREBAY_PROMETHEUS names. The rules
are those of `forebay deploy`, on a clock that goes 240 times faster; in the
healthy hour they go at their own.")]
pub(crate) struct Monitoring {
    #[command(flatten)]
    on: On,
    /// How long a healthy buffer is watched at the rules' own pace, at least 15m [default: not, full: 1h]
    #[arg(long, value_name = "TIME")]
    healthy_for: Option<humantime::Duration>,
    /// Write report.json and report.html here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl Monitoring {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        anyhow::ensure!(
            !self.on.is_given(),
            "alerts are tried on servers of Forebay's own, which are filled, killed and paused: leave --url out. \
             `forebay watch --url` watches yours"
        );
        let healthy_for = self.healthy_for.map(Into::into);
        anyhow::ensure!(
            healthy_for.is_none_or(|time| time >= monitoring::HEALTHY_AT_LEAST),
            "--healthy-for {}: in less than {} min a rule that is deaf could not be told from one that is silent",
            humantime::format_duration(healthy_for.unwrap_or_default()),
            monitoring::HEALTHY_AT_LEAST.as_secs() / 60
        );
        let wanted =
            ProofRequest { healthy_for, ..ProofRequest::of(&[Proof::Monitoring], &[], self.out.as_deref()) };
        self.on.conclude(&wanted, global)
    }
}
