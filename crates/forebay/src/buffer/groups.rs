//! The groups of a lane at one moment: what each still has to read, and what it has not acknowledged.

use std::collections::HashMap;

use redis::{RedisError, Value};

use super::clock::Clock;
use super::display_name::display_name;
use super::entry::Id;
use super::error_class::is_gone;
use super::keys::Name;
use super::losses::Losses;
use super::permitted_query::{Asker, Refused, Sought};
use super::sink_state::SinkState;
use crate::event::lane::Lane;

/// A group on a lane at one moment.
#[derive(Debug, Clone)]
pub struct GroupStat {
    /// Its lane.
    pub lane: Lane,
    /// Its name; of one that is no text, or long, its beginning and a hash.
    pub group: String,
    /// The last block that it was given, or the place from which it began to read.
    pub given: Option<Id>,
    /// Events it was not given yet; none where a block that would tell cannot be read.
    pub unread_events: Option<u64>,
    /// Milliseconds since the oldest block was stored that it was not given; 0 where it was given all. None where that block,
    /// or the server's clock, is not known, and while ids of the lane lie in the future.
    pub behind_ms: Option<u64>,
    /// Blocks given and not acknowledged; none where the server refuses XPENDING.
    pub pending_blocks: Option<u64>,
    /// Milliseconds since the oldest of those was given to a consumer, for the last time.
    pub pending_age_ms: Option<u64>,
    /// Consumers it has.
    pub consumers: u64,
    /// Of a group that a drain commits for, and nobody reads as: number of the last commit, 0 before the first. None of any
    /// other group, and where the server refuses to say.
    pub commits: Option<u64>,
}

/// A row of XINFO GROUPS, as far as it matters.
struct Row {
    name: Vec<u8>,
    delivered: String,
    consumers: u64,
    commits: Option<u64>,
}

/// The groups of a lane, at most so many by name, and how many more there are. None where the server refuses to say.
pub(super) fn look(
    asker: &mut Asker<'_>,
    lane: Lane,
    clock: &mut Clock,
    losses: Option<&Losses>,
    groups_max: usize,
) -> Result<Option<(Vec<GroupStat>, u64)>, RedisError> {
    let key = asker.name.stream(lane);
    let answer = asker.permitted("XINFO GROUPS", redis::cmd("XINFO").arg("GROUPS").arg(&key));
    let answer: Vec<Value> = match answer {
        Ok(Some(answer)) => answer,
        Ok(None) => return Ok(None),
        // Where nobody could say whether the stream is there, or it was deleted since.
        Err(error) if is_gone(&error) => Vec::new(),
        Err(error) => return Err(error),
    };
    if answer.is_empty() {
        return Ok(Some((Vec::new(), 0)));
    }
    let last = asker.block(lane, "XREVRANGE", "+", "-")?;
    let is_past = clock.newest_ahead_ms(asker, &last)? == Some(0);
    // None where the newest block cannot be read.
    let total = match last {
        Ok(None) => Some(0),
        Ok(Some((_, last))) => last.ok().map(|last| last.total),
        Err(Refused) => None,
    };
    let mut rows: Vec<Row> = answer.iter().filter_map(row).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let hidden = rows.len().saturating_sub(groups_max);
    rows.truncate(groups_max);
    look_for_commits(asker, lane, &mut rows)?;
    // Groups that stand at the same place have the same block before them.
    let mut next: HashMap<String, Sought> = HashMap::new();
    let mut groups = Vec::with_capacity(rows.len());
    for row in rows {
        if !next.contains_key(&row.delivered) {
            // Nothing can come after the last id there is, and the server refuses the question.
            let block = match Id::parse(&row.delivered) {
                Some(Id { ms: u64::MAX, seq: u64::MAX }) => Ok(None),
                _ => asker.block(lane, "XRANGE", &format!("({}", row.delivered), "+")?,
            };
            next.insert(row.delivered.clone(), block);
        }
        // Proof: it was put there just now, if it was not there before.
        let next = next.get(&row.delivered).unwrap_or(&Ok(None));
        let behind_ms = behind_ms(clock, asker, next, is_past)?;
        match group(asker, lane, behind_ms, (total, losses), next, &row) {
            Ok(group) => groups.push(group),
            // It was deleted since it was listed.
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some((groups, hidden as u64)))
}

fn group(
    asker: &mut Asker<'_>,
    lane: Lane,
    behind_ms: Option<u64>,
    (total, losses): (Option<u64>, Option<&Losses>),
    next: &Sought,
    row: &Row,
) -> Result<GroupStat, RedisError> {
    let key = asker.name.stream(lane);
    let pending: Option<(u64, Option<String>, Option<String>, Value)> =
        asker.permitted("XPENDING", redis::cmd("XPENDING").arg(&key).arg(&row.name))?;
    let pending = pending.map(|pending| pending.0);
    let mut pending_age_ms = None;
    if pending.is_some_and(|blocks| blocks > 0) {
        let mut oldest = redis::cmd("XPENDING");
        oldest.arg(&key).arg(&row.name).arg("-").arg("+").arg(1);
        let oldest: Option<Vec<(String, String, u64, u64)>> = asker.permitted("XPENDING", &oldest)?;
        pending_age_ms = oldest.and_then(|oldest| Some(oldest.first()?.2));
    }
    Ok(GroupStat {
        lane,
        given: Id::parse(&row.delivered),
        group: display_name(&row.name),
        unread_events: match next {
            Err(Refused) => None,
            Ok(None) => Some(0),
            Ok(Some((_, next))) => total
                .zip(losses)
                .zip(next.as_ref().ok())
                .map(|((total, losses), next)| losses.held_from(next, total)),
        },
        behind_ms,
        pending_blocks: pending,
        pending_age_ms,
        consumers: row.consumers,
        commits: row.commits,
    })
}

/// Finds the groups that are sinks.
fn look_for_commits(asker: &mut Asker<'_>, lane: Lane, rows: &mut [Row]) -> Result<(), RedisError> {
    let mut command = redis::cmd("HMGET");
    command.arg(asker.name.writer(lane));
    for row in &*rows {
        command.arg(Name::sink(&String::from_utf8_lossy(&row.name)));
    }
    let fields: Option<Vec<Option<String>>> = asker.permitted("HMGET", &command)?;
    for (row, field) in rows.iter_mut().zip(fields.unwrap_or_default()) {
        let state = field.and_then(|field| SinkState::parse(&field));
        // The field stays where readers have the group since.
        row.commits = state.filter(|_| row.consumers == 0).map(|state| state.commit);
    }
    Ok(())
}

/// How long the next block has waited. While ids of the lane lie in the future, nobody can tell.
fn behind_ms(
    clock: &mut Clock,
    asker: &mut Asker<'_>,
    next: &Sought,
    is_past: bool,
) -> Result<Option<u64>, RedisError> {
    match next {
        Ok(None) => Ok(Some(0)),
        Ok(Some((id, _))) if is_past => clock.age_ms(asker, *id),
        Err(Refused) | Ok(Some(_)) => Ok(None),
    }
}

fn row(row: &Value) -> Option<Row> {
    let Value::Array(fields) = row else { return None };
    let get = |name: &str| {
        let at = fields
            .iter()
            .step_by(2)
            .position(|field| matches!(field, Value::BulkString(bytes) if bytes == name.as_bytes()))?;
        fields.get(at * 2 + 1)
    };
    Some(Row {
        name: redis::from_redis_value_ref(get("name")?).ok()?,
        delivered: redis::from_redis_value_ref(get("last-delivered-id")?).ok()?,
        consumers: redis::from_redis_value_ref(get("consumers")?).ok()?,
        commits: None,
    })
}
