//! Requirements of a profile that cannot hold together.

use crate::claim::{Claim, Verdict};
use crate::report::Conflict;
use forebay::buffer::connect::Facts;
use forebay_watch::profile::Profile;

/// What the profile asks for that excludes something else it asks for; `after` is the server after the run, where
/// there was one.
/// What the claims of this run showed of it stands as evidence.
pub fn of(profile: &Profile, after: Option<&Facts>, claims: &[Claim]) -> Vec<Conflict> {
    let setting = |name: &str| profile.setting(name).map(|value| value.to_ascii_lowercase());
    let is = |name: &str, value: &str| setting(name).as_deref() == Some(value);
    let mut conflicts = Vec::new();
    if let Some(policy) = setting("maxmemory-policy").filter(|policy| policy.starts_with("allkeys")) {
        conflicts.push(eviction(&policy, after, claims));
    }
    if is("appendonly", "no") && profile.setting("save").is_some_and(|save| save.is_empty()) {
        conflicts.push(Conflict {
            id: "persistence.loss".into(),
            statement: format!(
                "appendonly no with save \"\", and {} hours of events that outlive a restart: nothing is on the disk",
                profile.hold.hours
            ),
            evidence: "the profile's settings; Redis loads nothing at a start without AOF and snapshot".into(),
            resolution: "appendonly yes".into(),
        });
    }
    if is("appendfsync", "always") && is("no-appendfsync-on-rewrite", "yes") {
        conflicts.push(Conflict {
            id: "fsync.rewrite".into(),
            statement: "appendfsync always, and no-appendfsync-on-rewrite yes: while the AOF is rewritten nothing is \
                        fsynced, so it is not always"
                .into(),
            evidence: "the profile's settings; redis.conf on no-appendfsync-on-rewrite".into(),
            resolution: "no-appendfsync-on-rewrite no".into(),
        });
    }
    conflicts
}

fn eviction(policy: &str, after: Option<&Facts>, claims: &[Claim]) -> Conflict {
    let evicted = after.and_then(|facts| facts.number("evicted_keys"));
    let evicted = evicted.map_or("unknown".into(), |keys| keys.to_string());
    Conflict {
        id: "eviction.loss".into(),
        statement: format!(
            "maxmemory-policy {policy} and a buffer that loses nothing: once memory is full Redis makes room by \
             dropping whole keys, and a lane is one key with every event in it"
        ),
        evidence: under_pressure(claims).unwrap_or_else(|| {
            format!(
                "keys evicted so far: {evicted}. What is proven here holds as long as memory does not fill up; what \
                 happens when it does, `forebay pressure` shows"
            )
        }),
        resolution:
            "maxmemory-policy noeviction: a full server refuses writes, and the writer holds the source \
                     back until there is room"
                .into(),
    }
}

/// What the pressure proof saw of the policy, and of the way out.
fn under_pressure(claims: &[Claim]) -> Option<String> {
    let claim = |id: &str| claims.iter().find(|claim| claim.id == id && claim.verdict() != Verdict::Untested);
    let own = claim("pressure.eviction")?;
    let ways: Vec<String> = ["pressure.wait", "pressure.spill"]
        .into_iter()
        .filter_map(claim)
        .map(|claim| format!("{} is {} under noeviction ({})", claim.id, claim.verdict().word(), claim.why))
        .collect();
    Some(format!("{} is {}: {}. {}", own.id, own.verdict().word(), own.why, ways.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflicts(settings: &[(&str, &str)]) -> Vec<String> {
        let mut profile = Profile::load("bluesky-8h").unwrap();
        for (name, value) in settings {
            profile.settings.insert((*name).into(), toml::Value::String((*value).into()));
        }
        of(&profile, None, &[]).into_iter().map(|conflict| conflict.id).collect()
    }

    #[test]
    fn each_conflict_is_named_where_it_is_and_nowhere_else() {
        assert!(conflicts(&[]).is_empty());
        assert_eq!(conflicts(&[("maxmemory-policy", "allkeys-lru")]), ["eviction.loss"]);
        assert!(
            conflicts(&[("maxmemory-policy", "volatile-lru")]).is_empty(),
            "no key of a buffer has a TTL"
        );
        assert_eq!(conflicts(&[("appendonly", "no")]), ["persistence.loss"]);
        assert!(conflicts(&[("appendonly", "no"), ("save", "900 1")]).is_empty());
        let fsync = [("appendfsync", "always"), ("no-appendfsync-on-rewrite", "yes")];
        assert_eq!(conflicts(&fsync), ["fsync.rewrite"]);
        assert!(conflicts(&fsync[..1]).is_empty());
    }
}
