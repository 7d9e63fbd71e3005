//! `forebay throughput`: the throughput proof alone.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::proof::On;
use super::proof_request::{Proof, ProofRequest};
use crate::arguments::Global;
use forebay_rig::load::pattern::Pattern;

/// Is the rate held for the time, under every pattern?
#[derive(Args)]
#[command(after_help = "Examples:
  forebay throughput                     a minute: what it saw of an hour is
                                         reported, and is untested
  forebay throughput --scale full --pattern constant --out hour
                                         the profile's hour at an even rate
  forebay throughput --scale full --out day
                                         the same under each pattern in turn
  forebay throughput --url redis://10.0.0.5 --allow-load

Operations, the buffer's writer and a reading group run together. With --out,
every second is written as it ends (throughput-PATTERN.csv), and the report
after each pattern. The first Ctrl-C ends the run with a report of what was
seen, a second one ends at once.")]
pub(crate) struct Throughput {
    #[command(flatten)]
    on: On,
    /// Only these patterns: constant, poisson, ramp, steps, spike, sine, burst; see forebay load --help
    #[arg(long, value_name = "PATTERN", value_parser = paced)]
    pattern: Vec<Pattern>,
    /// Write report.json, report.html and every second here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

/// A pattern that has a rate to hold.
fn paced(text: &str) -> Result<Pattern, String> {
    match text.parse()? {
        Pattern::Saturate => Err("saturate has no rate to hold; see forebay load".into()),
        pattern => Ok(pattern),
    }
}

impl Throughput {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let all = Pattern::paced();
        for (at, pattern) in self.pattern.iter().enumerate() {
            anyhow::ensure!(
                self.pattern[..at].iter().all(|other| other.name() != pattern.name()),
                "--pattern {} is given twice: claims and files are named after it",
                pattern.name()
            );
        }
        let patterns = if self.pattern.is_empty() { &all[..] } else { &self.pattern };
        self.on.conclude(&ProofRequest::of(&[Proof::Throughput], patterns, self.out.as_deref()), global)
    }
}
