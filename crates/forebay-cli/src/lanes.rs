//! `forebay lanes`: lanes that a buffer gets after it was made.

use clap::{Args, Subcommand};
use forebay::Groups;
use forebay_watch::profile::Profile;
use serde_json::json;

use super::{exit, output};
use crate::arguments::{At, Global};

/// Add lanes to a buffer
#[derive(Args)]
#[command(after_help = "Examples:
  forebay lanes add --profile logs.toml --buffer logs

The profile's [stream] is what the buffer has, and more: lanes, or words that lead
to one. Groups that are on every lane get the new ones. Writers go on with the
lanes they know until they are started with the new profile; readers end, and
are to be started again.")]
pub(crate) struct Lanes {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Add those lanes of a profile's [stream] that the buffer does not have
    Add(Add),
}

#[derive(Args)]
struct Add {
    #[command(flatten)]
    at: At,
    /// The profile with the lanes that there are to be
    #[arg(long, value_name = "PROFILE")]
    profile: String,
}

impl Lanes {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let Verb::Add(Add { at, profile }) = &self.verb;
        let (stream, (address, name)) = (Profile::load(profile)?.stream, at.parse()?);
        let mut groups = Groups::open(&address, &name)?;
        let had = groups.events();
        let added = groups.add_lanes(stream)?;
        let names: Vec<&str> = added.iter().map(|lane| lane.name()).collect();
        let what = if names.is_empty() { "words that lead to its lanes".into() } else { names.join(", ") };
        let text = if had == stream {
            format!("buffer {name} at {address} has all of these lanes already")
        } else {
            format!(
                "added to buffer {name} at {address}: {what}; start its writers again with this profile, and its readers"
            )
        };
        output::told(global.json, &json!({ "added": names }), &text)?;
        Ok(exit::OK)
    }
}
