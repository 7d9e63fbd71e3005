//! Whether a candidate loses a proof: those of the durability and the pressure in short, on servers of our own that have its
//! settings. What loses one is rejected, however fast it is.

use super::catalogue::{Candidate, Change, Guard};
use super::client::Client;
use crate::profile::Profile;
use crate::proof::claim::{Claim, Verdict};
use crate::proof::{Subject, durability, pressure};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guarded {
    /// It has no part in what is kept.
    NotNeeded,
    /// All that is promised was kept.
    Kept(String),
    /// Something was lost, or did not go on.
    Lost(String),
    /// It could not be tried here.
    NotShown(String),
}

impl Guarded {
    /// For a table.
    pub fn words(&self) -> String {
        match self {
            Self::NotNeeded => "none needed".into(),
            Self::Kept(what) => format!("kept: {what}"),
            Self::Lost(what) => format!("LOST: {what}"),
            Self::NotShown(why) => format!("not shown: {why}"),
        }
    }
}

/// The guards of each candidate, in their order.
pub fn guards(on: &Subject<'_>, candidates: &[&Candidate], today: &Client) -> anyhow::Result<Vec<Guarded>> {
    let settings = |candidate: &Candidate| match candidate.change {
        Change::Server { settings, .. } => {
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        }
        Change::Client { .. } => Vec::new(),
    };
    let of = |guard| candidates.iter().copied().filter(move |candidate| candidate.guard == guard);
    let sets: Vec<Vec<(String, String)>> = of(Guard::Durability).map(settings).collect();
    let mut durable = if sets.is_empty() { Vec::new() } else { durability::guard(on, &sets)? }.into_iter();
    let profiles: Vec<Profile> = of(Guard::Pressure).map(|candidate| profile(on, candidate, today)).collect();
    let mut full = pressure::guard(on, &profiles)?.into_iter();
    Ok(candidates
        .iter()
        .map(|candidate| match candidate.guard {
            Guard::None => Guarded::NotNeeded,
            Guard::Durability => judge("kills and power cuts", &durable.next().unwrap_or_default()),
            Guard::Pressure => judge("a full server", &full.next().into_iter().collect::<Vec<_>>()),
        })
        .collect())
}

/// The profile with a candidate in it.
fn profile(on: &Subject<'_>, candidate: &Candidate, today: &Client) -> Profile {
    match candidate.change {
        Change::Server { settings, .. } => on.profile.with_settings(settings.iter().copied()),
        Change::Client { change, .. } => {
            let mut client = today.clone();
            change(&mut client);
            client.profile(on.profile)
        }
    }
}

fn judge(what: &str, claims: &[Claim]) -> Guarded {
    let says = |verdict| claims.iter().find(|claim| claim.verdict == verdict);
    if let Some(lost) = says(Verdict::Refuted) {
        return Guarded::Lost(format!("{}: {}", lost.id, lost.why));
    }
    if let Some(absent) = says(Verdict::NotShown) {
        return Guarded::NotShown(format!("{}: {}", absent.id, absent.why));
    }
    if claims.is_empty() { Guarded::NotShown("nothing was tried".into()) } else { Guarded::Kept(what.into()) }
}
