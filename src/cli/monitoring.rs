//! `forebay monitoring`: the monitoring proof alone, with every cause.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Global;
use super::proof::{On, Proof, Wanted};

/// Does each alert fire by its cause, and clear? With a real Prometheus
#[derive(Args)]
#[command(after_help = "Examples:
  forebay monitoring                     every cause, its alerts, seconds until
                                         each fired and cleared
  forebay monitoring --out monitored     with a report

Servers, writers, readers and watches are its own; Prometheus and Alertmanager
are those on the PATH, or in the folder that FOREBAY_PROMETHEUS names. The rules
are those of `forebay deploy`, on a clock that goes 240 times faster.")]
pub(crate) struct Monitoring {
    #[command(flatten)]
    on: On,
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
        self.on.conclude(&Wanted::of(&[Proof::Monitoring], &[], self.out.as_deref()), global)
    }
}
