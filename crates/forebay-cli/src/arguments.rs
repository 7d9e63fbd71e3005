//! Arguments that verbs have in common: how they speak, where a buffer is, and what it is of.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};

use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::event::stream::Stream;
use forebay_watch::profile::Profile;

/// Options of every verb.
#[derive(Args)]
#[command(next_help_heading = "Options of every verb")]
pub(crate) struct Global {
    /// Results as JSON on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress, no remarks: results and errors only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Say more on stderr (-v, -vv)
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
    /// What is asked for stands in a pipeline.toml: remedies name its keys, not flags.
    #[arg(skip)]
    pub(crate) is_of_file: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

impl Global {
    /// Whether stdout gets colours.
    pub(crate) fn colour(&self) -> bool {
        match self.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// Whether to show progress on stderr.
    pub(crate) fn progress(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }
}

/// Where a buffer is.
#[derive(Args)]
pub(crate) struct At {
    /// Server: redis://[user:password@]host[:port][/db], rediss:// for TLS, `redis+sentinel://host,host/name`, `redis+cluster://host,host`
    #[arg(long, env = "FOREBAY_URL", hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    pub(crate) url: String,
    /// Buffer on that server
    #[arg(long, default_value = "events")]
    pub(crate) buffer: String,
}

impl At {
    /// Both, parsed.
    pub(crate) fn parse(&self) -> anyhow::Result<(Address, Name)> {
        Ok((Address::parse(&self.url)?, self.buffer.parse()?))
    }
}

/// What the events of a buffer are that may have to be made.
#[derive(Args)]
pub(crate) struct Events {
    /// What the events are, by a profile's [stream]: where the time and the lane stand in a line; else Jetstream's
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
}

impl Events {
    /// Them, where they are said.
    pub(crate) fn stream(&self) -> anyhow::Result<Option<Stream>> {
        self.profile.as_deref().map(|profile| Ok(Profile::load(profile)?.stream)).transpose()
    }
}
