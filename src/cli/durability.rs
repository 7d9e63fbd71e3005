//! `forebay durability`: the durability proof alone.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Global;
use super::proof::{On, Proof, Wanted};

/// What survives a kill, a power cut, a full disk, a failing fsync?
#[derive(Args)]
#[command(after_help = "Examples:
  forebay durability                     every fault once, under each way to
                                         fsync and to acknowledge
  forebay durability --rounds 50 --out durable
                                         each 50 times, with seeds of its own,
                                         and a report
  forebay durability --server-bin ./valkey-server
                                         on another server

Servers are its own, and so is the disk whose power is cut: it is mounted
through FUSE, which needs root or fuse3. Without it those cells are not shown,
and the rest is.")]
pub(crate) struct Durability {
    #[command(flatten)]
    on: On,
    /// How often each fault is tried [default: 1, full: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rounds: Option<u64>,
    /// Write report.json and report.html here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl Durability {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let wanted =
            Wanted { rounds: self.rounds, ..Wanted::of(&[Proof::Durability], &[], self.out.as_deref()) };
        self.on.conclude(&wanted, global)
    }
}
