//! `forebay durability`: the durability proof alone.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::proof::On;
use super::proof_request::{Proof, ProofRequest};
use crate::arguments::Global;
use forebay_rig::server::external_server::Commands;

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
  forebay durability --url redis://127.0.0.1:6379 --allow-faults \\
    --kill-cmd 'docker kill redis' --start-cmd 'docker start redis'
                                         a kill under load of yours, as it is
                                         set

Servers are its own, and so is the disk whose power is cut: it is mounted
through FUSE, which needs root or fuse3. Without it those cells are untested,
and the rest is tested.")]
pub(crate) struct Durability {
    #[command(flatten)]
    on: On,
    /// How often each fault is tried [default: 1, full: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rounds: Option<u64>,
    /// With --url: permit killing the server and starting it again
    #[arg(long)]
    allow_faults: bool,
    /// With --url: shell command that ends the server as a crash would
    #[arg(long, value_name = "COMMAND")]
    kill_cmd: Option<String>,
    /// With --url: shell command that starts it again and leaves it running
    #[arg(long, value_name = "COMMAND")]
    start_cmd: Option<String>,
    /// Write report.json and report.html here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl Durability {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        anyhow::ensure!(
            !(self.allow_faults || self.kill_cmd.is_some() || self.start_cmd.is_some()) || self.on.is_given(),
            "--allow-faults, --kill-cmd and --start-cmd are about a server of yours: name it by --url; without them \
             servers of Forebay's own are killed"
        );
        let commands = self.kill_cmd.clone().zip(self.start_cmd.clone());
        let wanted = ProofRequest {
            rounds: self.rounds,
            allow_faults: self.allow_faults,
            commands: commands.map(|(kill, start)| Commands { kill, start }),
            ..ProofRequest::of(&[Proof::Durability], &[], self.out.as_deref())
        };
        self.on.conclude(&wanted, global)
    }
}
