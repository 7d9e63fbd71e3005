//! The consumers of a group beside this one: what they left lying, whether they may have had a block, and those that nobody
//! uses any more.
//!
//! A consumer without a name of its own gets one that no other has. It is struck off when its reader leaves, or by another
//! reader once it has long been idle; never while it holds blocks: those are taken over first.

use std::time::{Duration, Instant};

use redis::{RedisError, Script, Value};

use super::consumer_group::field;
use super::consumer_name::OWN;
use super::entry::{Id, list};
use super::error_class::{ErrorClass, classify};
use super::keys::Name;
use super::pages::Pages;
use super::reader::{Phase, ReadItem, Reader};
use super::scripts::LEAVE;
use crate::event::lane::Lane;

/// A consumer of such a name that holds nothing is struck off after so long.
const IDLE: Duration = Duration::from_secs(3_600);

impl Reader {
    /// Takes over what other consumers left lying, now and then.
    pub(super) fn claim_idle(&mut self) -> Result<Option<Vec<ReadItem>>, RedisError> {
        let Some((group, consumer)) = self.options.group.clone() else { return Ok(None) };
        let idle = self.options.claim_idle;
        // What is taken over stands among our own blocks: an answer about those that is on its way would be another's.
        let is_busy = self.asked == Some(Phase::Own);
        if is_busy || self.claimed_at.is_some_and(|at| at.elapsed() < idle / 2) {
            return Ok(None);
        }
        let mut found = Vec::new();
        for at in 0..self.places.len() {
            let (mut from, mut pages) = ("0-0".to_owned(), Pages::of("XAUTOCLAIM"));
            while found.is_empty() {
                let mut command = redis::cmd("XAUTOCLAIM");
                command.arg(self.name.stream(self.places[at].lane)).arg(&group).arg(&consumer);
                command.arg(idle.as_millis() as u64).arg(&from).arg("COUNT").arg(self.count);
                // Where to go on, the entries, and from Redis 7 on the ids that are gone from the stream.
                let (next, entries, gone): (String, Vec<Value>, Vec<String>) =
                    match command.query(self.control()?)? {
                        Value::Array(parts) if parts.len() == 2 => {
                            let (next, entries) = redis::from_redis_value(Value::Array(parts))?;
                            (next, entries, Vec::new())
                        }
                        parts => redis::from_redis_value(parts)?,
                    };
                self.claimed(at, entries, &gone, &mut found)?;
                if next == "0-0" {
                    break;
                }
                pages.on_to(&next)?;
                from = next;
            }
        }
        self.held.add(&found);
        if found.is_empty() {
            self.claimed_at = Some(Instant::now());
            self.strike_off_idle()?;
            return Ok(None);
        }
        Ok(Some(found))
    }

    fn claimed(
        &mut self,
        at: usize,
        entries: Vec<Value>,
        gone: &[String],
        found: &mut Vec<ReadItem>,
    ) -> Result<(), RedisError> {
        let (nameless, entries): (Vec<Value>, Vec<Value>) =
            entries.into_iter().partition(|entry| matches!(entry, Value::Nil));
        if !nameless.is_empty() {
            // Redis 6 does not say which are gone from the stream: they stand among our own from now on.
            self.look_through_own();
        }
        for (id, fields) in list(Value::Array(entries)).unwrap_or_default() {
            self.sort(at, id, fields, false, found)?;
        }
        let lane = self.places[at].lane;
        found.extend(gone.iter().filter_map(|id| Id::parse(id)).map(|id| ReadItem::Gone { lane, id }));
        Ok(())
    }

    /// Other consumers of the group on a lane, as rows of XINFO.
    pub(super) fn others(&mut self, lane: Lane) -> Result<Vec<Value>, RedisError> {
        let Some((group, consumer)) = self.options.group.clone() else { return Ok(Vec::new()) };
        let key = self.name.stream(lane);
        let mut rows: Vec<Value> =
            redis::cmd("XINFO").arg("CONSUMERS").arg(&key).arg(group).query(self.control()?)?;
        rows.retain(|row| field::<Vec<u8>>(row, "name").as_deref() != Some(consumer.as_bytes()));
        if !rows.is_empty() {
            // For good: should somebody delete them, they have been given blocks all the same.
            self.places
                .iter_mut()
                .filter(|place| place.lane == lane)
                .for_each(|place| place.has_others = true);
        }
        Ok(rows)
    }

    /// Whether blocks between two ids may have gone to other consumers.
    pub(super) fn given_to_others(&mut self, at: usize, after: Id, before: Id) -> Result<bool, RedisError> {
        let lane = self.places[at].lane;
        let are_there = !self.others(lane)?.is_empty();
        if !are_there && !self.places[at].has_others && !self.have_left(lane, after)? {
            return Ok(false);
        }
        let key = self.name.stream(lane);
        let range = |from: String, to: String| {
            let mut command = redis::cmd("XRANGE");
            command.arg(&key).arg(from).arg(to).arg("COUNT").arg(1);
            command
        };
        let control = self.control()?;
        let between: Vec<Value> = range(format!("({after}"), format!("({before}")).query(control)?;
        let older: Vec<Value> = range("-".into(), after.to_string()).query(control)?;
        Ok(!between.is_empty() || older.is_empty())
    }

    /// Whether a consumer was struck off once blocks after this one had been given out.
    fn have_left(&mut self, lane: Lane, after: Id) -> Result<bool, RedisError> {
        let Some((group, _)) = self.options.group.clone() else { return Ok(false) };
        let mut command = redis::cmd("HGET");
        command.arg(self.name.writer(lane)).arg(Name::left(&group));
        let given: Option<String> = command.query(self.control()?)?;
        Ok(given.and_then(|id| Id::parse(&id)).is_some_and(|given| given > after))
    }

    /// Blocks that other consumers of the group were given and have not acknowledged; none where nobody says.
    pub fn held_by_others(&mut self) -> Option<u64> {
        let mut blocks = 0;
        for lane in self.lanes.clone() {
            let rows = self.others(lane).ok()?;
            blocks += rows.iter().map(|row| field::<u64>(row, "pending").unwrap_or(0)).sum::<u64>();
        }
        Some(blocks)
    }

    /// Strikes this consumer off where it holds nothing. A reader that leaves without having done so is struck off by another
    /// one, so it is no failure if that cannot be done.
    pub fn leave(&mut self) {
        let Some((_, consumer)) = self.options.group.clone() else { return };
        for lane in self.lanes.clone() {
            if let Err(error) = self.strike_off(lane, &[consumer.clone().into_bytes()]) {
                tracing::debug!("consumer {consumer} stays on lane {lane}: {error}");
            }
        }
    }

    /// Strikes off consumers without a name of their own that hold nothing and were not there for long.
    fn strike_off_idle(&mut self) -> Result<(), RedisError> {
        for lane in self.lanes.clone() {
            let is_left = |row: &Value| {
                let idle = field::<u64>(row, "idle").map_or(Duration::ZERO, Duration::from_millis);
                idle >= IDLE && field::<u64>(row, "pending") == Some(0)
            };
            let rows = self.others(lane)?;
            let mut names: Vec<Vec<u8>> =
                rows.iter().filter(|row| is_left(row)).filter_map(|row| field(row, "name")).collect();
            names.retain(|name| name.starts_with(OWN.as_bytes()));
            if names.is_empty() {
                continue;
            }
            match self.strike_off(lane, &names) {
                Err(error) if matches!(classify(&error), ErrorClass::Unknown(_)) => return Err(error),
                // A full server cannot write down that they have left. They stay.
                _ => {}
            }
        }
        Ok(())
    }

    fn strike_off(&mut self, lane: Lane, names: &[Vec<u8>]) -> Result<u64, RedisError> {
        let Some((group, _)) = self.options.group.clone() else { return Ok(0) };
        let (key, hash) = (self.name.stream(lane), self.name.writer(lane));
        let script = Script::new(LEAVE);
        let mut call = script.key(key);
        call.key(hash).arg(&group).arg(Name::left(&group)).arg(names);
        call.invoke(self.control()?)
    }
}
