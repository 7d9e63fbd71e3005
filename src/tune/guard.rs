//! Whether a candidate loses a proof: those of the durability and the pressure in short, on servers of our own that have its
//! settings. What loses one is rejected, however fast it is.

use super::catalogue::{Candidate, Change, Guard};
use super::client::Client;
use crate::profile::Profile;
use crate::proof::claim::{Judged, Judgement};
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
    Untested(String),
}

impl Guarded {
    /// For a table.
    pub fn words(&self) -> String {
        match self {
            Self::NotNeeded => "none needed".into(),
            Self::Kept(what) => format!("kept: {what}"),
            Self::Lost(what) => format!("LOST: {what}"),
            Self::Untested(why) => format!("untested: {why}"),
        }
    }
}

/// The guards of each candidate, in their order; and before them those of today's settings: what they lose is no
/// candidate's fault.
pub fn guards(on: &Subject<'_>, candidates: &[&Candidate], today: &Client) -> anyhow::Result<Vec<Guarded>> {
    let settings = |candidate: &Candidate| match candidate.change {
        Change::Server { settings, .. } => {
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        }
        Change::Client { .. } => Vec::new(),
    };
    let of = |guard| candidates.iter().copied().filter(move |candidate| candidate.guard == guard);
    let mut durable = Vec::new().into_iter();
    if of(Guard::Durability).next().is_some() {
        let sets: Vec<_> = [Vec::new()].into_iter().chain(of(Guard::Durability).map(settings)).collect();
        let what = "kills and power cuts";
        durable = beyond(durability::guard(on, &sets)?.iter().map(|claims| judge(what, claims)).collect());
    }
    let mut full = Vec::new().into_iter();
    if of(Guard::Pressure).next().is_some() {
        let with = of(Guard::Pressure).map(|candidate| profile(on, candidate, today));
        let profiles: Vec<Profile> = [on.profile.clone()].into_iter().chain(with).collect();
        let claims = pressure::guard(on, &profiles)?;
        full = beyond(claims.into_iter().map(|claim| judge("a full server", &[claim])).collect());
    }
    let missing = || Guarded::Untested("nothing was tried".into());
    Ok(candidates
        .iter()
        .map(|candidate| match candidate.guard {
            Guard::None => Guarded::NotNeeded,
            Guard::Durability => durable.next().unwrap_or_else(missing),
            Guard::Pressure => full.next().unwrap_or_else(missing),
        })
        .collect())
}

/// What is left to say of candidates once it is known how today's settings, the first of all, fare.
fn beyond(mut all: Vec<Guarded>) -> std::vec::IntoIter<Guarded> {
    let today = if all.is_empty() { Guarded::NotNeeded } else { all.remove(0) };
    if let Guarded::Lost(what) | Guarded::Untested(what) = today {
        let told = |_| Guarded::Untested(format!("today's settings do not keep it either: {what}"));
        return all.into_iter().map(told).collect::<Vec<_>>().into_iter();
    }
    all.into_iter()
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

fn judge(what: &str, claims: &[Judged]) -> Guarded {
    let says = |judgement| claims.iter().find(|claim| claim.judgement() == judgement);
    if let Some(lost) = says(Judgement::Refuted) {
        return Guarded::Lost(format!("{}: {}", lost.id, lost.why));
    }
    if let Some(absent) = says(Judgement::Untested) {
        return Guarded::Untested(format!("{}: {}", absent.id, absent.why));
    }
    if claims.is_empty() { Guarded::Untested("nothing was tried".into()) } else { Guarded::Kept(what.into()) }
}
