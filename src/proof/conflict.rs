//! Requirements of a profile that cannot hold together.

use crate::buffer::connect::Facts;
use crate::profile::Profile;
use crate::report::Conflict;

/// What the profile asks for that excludes something else it asks for; `after` is the server after the run.
pub fn of(profile: &Profile, after: &Facts) -> Vec<Conflict> {
    let policy = profile.setting("maxmemory-policy").unwrap_or_else(|| "noeviction".into());
    if policy == "noeviction" {
        return Vec::new();
    }
    let evicted = after.number("evicted_keys").map_or("unknown".into(), |keys| keys.to_string());
    vec![Conflict {
        id: "eviction.loss".into(),
        statement: format!(
            "maxmemory-policy {policy} and a buffer that loses nothing: once memory is full Redis makes room by \
             dropping whole keys, and a lane is one key with every event in it"
        ),
        evidence: format!(
            "keys evicted in this run: {evicted}. The claims here hold as long as memory does not fill up; what \
             happens when it does is for the pressure proof, which this version does not have"
        ),
        resolution:
            "maxmemory-policy noeviction: a full server refuses writes, and the writer holds the source \
                     back until there is room"
                .into(),
    }]
}
