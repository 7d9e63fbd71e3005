//! Whether a candidate loses a proof: those of the durability and the pressure in short, on servers of our own that have its
//! settings. What loses one is rejected, however fast it is.

use super::catalogue::{Candidate, Change, Guard};
use super::client::Client;
use crate::claim::{Judged, Judgement};
use crate::{Subject, durability, pressure};
use forebay_watch::profile::Profile;

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
        let with = of(Guard::Pressure).map(|candidate| with_candidate(on.profile, candidate, today));
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
fn with_candidate(profile: &Profile, candidate: &Candidate, today: &Client) -> Profile {
    match candidate.change {
        Change::Server { settings, .. } => profile.with_settings(settings.iter().copied()),
        Change::Client { change, .. } => {
            let mut client = today.clone();
            change(&mut client);
            client.profile(profile)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::{Bound, Unit};

    fn found(events: f64) -> Judged {
        Judged::of("durability.kill", 7, "s", (Bound::Exactly, 0.0, Unit::Events), events, "why")
    }

    #[test]
    fn what_loses_outweighs_what_could_not_be_tried_and_that_what_was_kept() {
        let (kept, lost, untried) = (found(0.0), found(1.0), found(0.0).untested("no disk"));
        assert_eq!(judge("w", &[kept.clone(), kept.clone()]), Guarded::Kept("w".into()));
        assert_eq!(
            judge("w", &[kept.clone(), untried.clone()]),
            Guarded::Untested("durability.kill: no disk".into())
        );
        assert_eq!(judge("w", &[untried, lost, kept]), Guarded::Lost("durability.kill: why".into()));
        assert_eq!(judge("w", &[]), Guarded::Untested("nothing was tried".into()));
    }

    #[test]
    fn what_today_loses_is_no_candidates_fault() {
        let kept = || Guarded::Kept("w".into());
        let of = |today| beyond(vec![today, kept(), Guarded::NotNeeded]).collect::<Vec<_>>();
        assert_eq!(of(kept()), [kept(), Guarded::NotNeeded]);
        for today in [Guarded::Lost("x".into()), Guarded::Untested("x".into())] {
            let told = Guarded::Untested("today's settings do not keep it either: x".into());
            assert_eq!(of(today), [told.clone(), told]);
        }
        assert_eq!(beyond(Vec::new()).count(), 0);
    }

    #[test]
    fn a_profile_with_a_candidate_in_it_has_its_settings() {
        let profile = Profile::load("bluesky-8h").unwrap();
        let today = Client::of(&profile).unwrap();
        let candidate = super::super::catalogue::all().find(|one| one.id == "allkeys-lru").unwrap();
        let with = with_candidate(&profile, candidate, &today);
        assert_eq!(with.setting("maxmemory-policy").as_deref(), Some("allkeys-lru"));
        let candidate = super::super::catalogue::all().find(|one| one.id == "linger-1s").unwrap();
        let with = with_candidate(&profile, candidate, &today);
        assert_ne!(with.limits().unwrap().linger, profile.limits().unwrap().linger);
    }

    #[test]
    fn a_guard_says_what_it_came_to() {
        assert_eq!(Guarded::NotNeeded.words(), "none needed");
        assert_eq!(Guarded::Kept("w".into()).words(), "kept: w");
        assert_eq!(Guarded::Lost("w".into()).words(), "LOST: w");
        assert_eq!(Guarded::Untested("w".into()).words(), "untested: w");
    }
}
