//! Which profile and which server a verb is about, and whether it may write there.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::output;
use crate::arguments::Global;
use forebay::buffer::connect::Address;
use forebay_proof::target;
use forebay_rig::server::ServerBinary;
use forebay_watch::profile::{self, Profile};

/// Under which profile, and on which server.
#[derive(Args)]
pub(crate) struct ProfileTarget {
    /// What must hold: a built-in profile (bluesky-8h, met-001, full-network, bluesky-cluster) or a TOML file
    #[arg(long, default_value = profile::DEFAULT)]
    profile: String,
    /// A server of yours instead of one of Forebay's own; needs --allow-load (`pressure`,
    /// `durability`: --allow-faults)
    #[arg(long, env = "FOREBAY_URL", hide_env_values = true)]
    url: Option<String>,
    /// Permit writing to --url, under keys of Forebay's own, which are removed afterwards
    #[arg(long)]
    allow_load: bool,
    /// Server program to start; else `FOREBAY_SERVER`, else redis-server or valkey-server on the PATH
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    server_bin: Option<PathBuf>,
}

impl ProfileTarget {
    /// What must hold.
    pub(super) fn profile(&self) -> anyhow::Result<Profile> {
        Ok(Profile::load(&self.profile)?)
    }

    /// Whether a server was given.
    pub(super) fn is_given(&self) -> bool {
        self.url.is_some()
    }

    /// The server that was given, where one was. `writes` says what would be written to it, where anything would;
    /// `faults` permits that too, and `flag` is what to name to somebody who gave neither.
    pub(super) fn given(
        &self,
        writes: Option<&str>,
        faults: bool,
        flag: &str,
    ) -> anyhow::Result<Option<Address>> {
        let Some(url) = &self.url else { return Ok(None) };
        let address = Address::parse(url)?;
        if let Some(writes) = writes {
            anyhow::ensure!(
                self.allow_load || faults,
                "{address} is somebody's server: this would write {writes}, and remove them afterwards; \
                 {flag} permits that, and `forebay audit` only reads"
            );
        }
        Ok(Some(address))
    }

    /// Says what is about to be written to somebody's server.
    pub(super) fn announce(address: &Address, writes: &str, global: &Global) {
        if !global.quiet {
            output::tell(&format!("forebay: writing to {address} {writes}, removed afterwards"));
        }
    }

    /// The program to start servers with.
    pub(super) fn binary(&self) -> anyhow::Result<ServerBinary> {
        target::binary(self.server_bin.as_deref())
    }
}
