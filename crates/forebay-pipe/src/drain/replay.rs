//! Files back to lines: lane after lane, commit after commit, in the order in which the buffer had them.

use super::archive::Archive;
use super::commit_rows::CommitRows;
use super::run::DrainError;

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// From this time on, in microseconds since 1970.
    pub from_us: Option<u64>,
    /// Up to this time, which is not among them.
    pub to_us: Option<u64>,
    /// Of these lanes, or partitions; of all where none is named.
    pub lanes: Vec<String>,
}

impl Wanted {
    fn has_lane(&self, lane: &str) -> bool {
        self.lanes.is_empty() || self.lanes.iter().any(|wanted| is_of(lane, wanted))
    }

    /// An error where a lane is named that nothing was drained of.
    fn must_be_among(&self, lanes: &[String]) -> Result<(), DrainError> {
        let is_there = |wanted: &&String| lanes.iter().any(|lane| is_of(lane, wanted));
        match self.lanes.iter().find(|wanted| !is_there(wanted)) {
            Some(lane) => Err(DrainError::NoLane { lane: lane.clone(), lanes: lanes.to_vec() }),
            None => Ok(()),
        }
    }

    fn has_time(&self, time_us: u64) -> bool {
        self.from_us.is_none_or(|from| from <= time_us) && self.to_us.is_none_or(|to| time_us < to)
    }

    fn meets(&self, (first, last): (u64, u64)) -> bool {
        self.from_us.is_none_or(|from| from <= last) && self.to_us.is_none_or(|to| first < to)
    }
}

/// Whether a lane is the one that is wanted, or a partition of it.
fn is_of(lane: &str, wanted: &str) -> bool {
    lane.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Hands out every event that is wanted, with its lane; how many. It ends early where `hear` says so.
pub fn replay<E: From<DrainError>>(
    archive: &Archive,
    wanted: &Wanted,
    mut hear: impl FnMut(&str, &[u8]) -> Result<bool, E>,
) -> Result<u64, E> {
    let (lanes, mut events) = (archive.lanes().map_err(DrainError::from)?, 0);
    wanted.must_be_among(&lanes)?;
    for lane in lanes {
        if !wanted.has_lane(&lane) {
            continue;
        }
        for commit in 1..=archive.last_commit(&lane).map_err(DrainError::from)? {
            let record = archive.record(&lane, commit).map_err(DrainError::from)?;
            let record = record.ok_or_else(|| DrainError::NoRecord { lane: lane.clone(), commit })?;
            let mut rows = CommitRows::open(archive, &record, |times| wanted.meets(times))?;
            while let Some(row) = rows.next()? {
                if wanted.has_time(row.time_us) {
                    events += 1;
                    if !hear(&lane, &row.line)? {
                        return Ok(events);
                    }
                }
            }
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_and_times_are_wanted_as_they_are_said() {
        let wanted =
            Wanted { from_us: Some(5), to_us: Some(9), lanes: vec!["likes".into(), "posts.1".into()] };
        let lanes = ["likes", "likes.0", "likes.3", "likesx", "posts", "posts.1", "posts.11"];
        assert_eq!(lanes.map(|lane| wanted.has_lane(lane)), [true, true, true, false, false, true, false]);
        assert_eq!([4, 5, 8, 9].map(|time| wanted.has_time(time)), [false, true, true, false]);
        assert!(
            wanted.meets((0, 5)) && wanted.meets((8, 20)) && !wanted.meets((0, 4)) && !wanted.meets((9, 9))
        );
        let lanes = ["likes".to_owned(), "posts.0".into()];
        let why = wanted.must_be_among(&lanes).unwrap_err().to_string();
        assert_eq!(why, "nothing was drained of lane \"posts.1\": there are likes, posts.0");
        assert!(Wanted { lanes: vec!["posts".into()], ..Wanted::default() }.must_be_among(&lanes).is_ok());
        assert!(Wanted::default().has_lane("x") && Wanted::default().has_time(0));
    }
}
