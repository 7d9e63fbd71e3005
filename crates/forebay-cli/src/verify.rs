//! `forebay verify`: what a copied AOF folder holds.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueHint};

use super::conclude::width;
use super::output;
use super::progress::Bars;
use crate::arguments::Global;
use crate::exit;
use forebay::buffer::keys::Name;
use forebay_proof::report::terminal;
use forebay_proof::verify::{self, Question, State};
use forebay_rig::server::{self, ServerBinary};

/// Say which events of a buffer a copied AOF folder holds
#[derive(Args)]
#[command(after_help = "Examples:
  cp -a /var/lib/redis/appendonlydir copy
  forebay verify --aof copy
  forebay verify --aof copy --json | jq '.lanes[] | {lane, events, gaps}'
  forebay verify --aof copy --server-bin ./valkey-server

DIR is an appendonlydir, a server's dir that has one, or a folder with a single
appendonly.aof (Redis 6.2) or dump.rdb. It is only read, and links in it are not
followed: what a server loads is copied to the temporary folder (TMPDIR), loaded
into a server of Forebay's own there, and every block is opened and checked.

An AOF from elsewhere is a program: a server obeys every command in it. Here
nothing is obeyed but data. A file with MODULE LOAD, REPLICAOF, CONFIG and the
like is refused, and the command named; the server that loads the copy has no
such commands and no port. Functions in a snapshot are compiled in its sandbox.

An AOF cannot tell of what it never held: a block that was acknowledged and had
not reached the disk leaves no gap. `first` and `last` are block numbers; what
is missing before the first was read and let go, or deleted by somebody.

Exit codes: 0 all blocks there and sound, 1 a gap, damage, a tail that was cut,
a file of the AOF that is empty or not in its manifest, a snapshot beside an AOF
that began empty, no such buffer, or a folder that no server may load, 2 no AOF
there, 3 no server program, or one too old for this AOF.")]
pub(crate) struct Verify {
    /// Folder with the AOF; a copy, or that of a server that is down
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    aof: PathBuf,
    /// Buffer in it
    #[arg(long, default_value = "events")]
    buffer: String,
    /// Database that the buffer is in
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..1_024))]
    db: u64,
    /// Server program to start; else `FOREBAY_SERVER`, else redis-server or valkey-server on the PATH
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    server_bin: Option<PathBuf>,
}

impl Verify {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let name: Name = self.buffer.parse()?;
        let quiet = global.quiet;
        server::install_signal_handler(
            exit::INTERRUPTED,
            || false,
            move || {
                if !quiet {
                    output::tell("forebay: interrupted, nothing is known");
                }
            },
        )?;
        server::clear_left();
        let binary = ServerBinary::find(self.server_bin.as_deref())?;
        let bars = Bars::new(global);
        let question = Question {
            folder: &self.aof,
            buffer: &name,
            database: self.db,
            binary: &binary,
            progress: &bars,
        };
        let outcome = verify::verify(&question);
        bars.clear();
        let outcome = outcome?;
        if global.json {
            output::document(&(serde_json::to_string_pretty(&outcome)? + "\n"))
        } else {
            output::result(&terminal::verify::render(&outcome, width()))
        }
        .context(output::STDOUT)?;
        Ok(if outcome.state == State::Sound { exit::OK } else { exit::REFUTED })
    }
}
