//! `forebay files`: what a drain has written, looked at and put in order.

use clap::Args;

use self::compact::Compact;
use self::verify::Verify;
use crate::arguments::Global;

mod compact;
mod verify;

/// Look at files of a drain, or make fewer of them
#[derive(Args)]
pub(crate) struct Files {
    #[command(subcommand)]
    verb: FilesVerb,
}

#[derive(clap::Subcommand)]
enum FilesVerb {
    Verify(Verify),
    Compact(Compact),
}

impl Files {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        match &self.verb {
            FilesVerb::Verify(verify) => verify.run(global),
            FilesVerb::Compact(compact) => compact.run(global),
        }
    }
}
