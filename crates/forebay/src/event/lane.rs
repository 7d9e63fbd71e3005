//! Lanes: the streams that a buffer's events are kept apart in. Their names and their order are the buffer's own.
//!
//! A lane may be kept in several streams, its partitions. Each is a [`Lane`] of its own here: it has its own numbers, order,
//! connection and place, and only its name tells that it belongs with others.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lanes that a buffer may have, partitions counted: each has a thread and a connection of its own in a writer.
pub const LANES_MAX: usize = 64;

/// Longest name, in bytes.
const NAME_MAX: usize = 64;

/// Different names that one process may come to know: they are kept for as long as it runs.
const NAMES_MAX: usize = 4_096;

/// The stream that an event belongs to: a lane, or one partition of a lane that has several, and its place among those of its
/// buffer. As large as a pointer: it stands beside every block that is held.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(&'static Named);

/// What a lane is.
#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Named {
    index: usize,
    /// No other of the buffer has it: `likes`, or `likes.1`.
    name: &'static str,
    lane_name: &'static str,
    partition: u32,
}

impl Named {
    /// A lane that has one stream.
    pub const fn whole(index: usize, name: &'static str) -> Self {
        Self { index, name, lane_name: name, partition: 0 }
    }
}

impl Lane {
    /// Its name in options and output: `likes`, or `likes.1` where the lane has several partitions.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The name of the lane, whichever partition of it this is.
    pub fn lane_name(self) -> &'static str {
        self.0.lane_name
    }

    /// Which partition of the lane it is, from 0.
    pub fn partition(self) -> u32 {
        self.0.partition
    }

    /// Its place among the lanes of its buffer, partitions counted, from 0.
    pub fn index(self) -> usize {
        self.0.index
    }

    /// One whose name is written in the source.
    pub(super) const fn known(named: &'static Named) -> Self {
        Self(named)
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The lanes of a buffer, in the order of every table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lanes(&'static [Lane]);

/// Names that cannot be those of a buffer's lanes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadLanes {
    /// There must be one at least.
    #[error("there is no lane: a buffer has 1 to {LANES_MAX}")]
    None,
    /// More than [`LANES_MAX`].
    #[error("there are {0} lanes, partitions counted: a buffer has 1 to {LANES_MAX}")]
    TooMany(usize),
    /// Partitions of a lane that is not there.
    #[error("partitions of lane {0:?} are wanted, and there is no such lane")]
    Missing(String),
    /// A lane without a partition.
    #[error("lane {0:?} has no partition: a lane has 1 at least")]
    NoPartition(String),
    /// One that keys cannot have.
    #[error("lane name {0:?} will not do: use 1 to {NAME_MAX} of A-Z a-z 0-9 _ -")]
    Name(String),
    /// Two lanes with one name.
    #[error("two lanes are called {0:?}")]
    Twice(String),
    /// The process has come to know too many.
    #[error("this process knows {NAMES_MAX} names of lanes, and keeps no more")]
    Known,
}

/// Names and lists that were asked for, once each: a lane is copied everywhere, and its name is not.
static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
static LISTS: Mutex<Vec<&'static [Lane]>> = Mutex::new(Vec::new());

impl Lanes {
    /// Lanes of these names, in this order.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Self, BadLanes> {
        Self::partitioned(names.into_iter().map(|name| (name, 1)))
    }

    /// Lanes of these names, in this order, each with so many partitions.
    pub(super) fn partitioned<N: AsRef<str>>(
        lanes: impl IntoIterator<Item = (N, u32)>,
    ) -> Result<Self, BadLanes> {
        let lanes: Vec<(N, u32)> = lanes.into_iter().collect();
        let lanes: Vec<(&str, u32)> = lanes.iter().map(|(name, count)| (name.as_ref(), *count)).collect();
        check(&lanes)?;
        let parts: Vec<(&str, u32, String)> = lanes.iter().flat_map(|lane| names(*lane)).collect();
        let mut lists = lock(&LISTS);
        let is_it =
            |list: &&&[Lane]| list.iter().map(|lane| lane.name()).eq(parts.iter().map(|(.., name)| &**name));
        if let Some(list) = lists.iter().find(is_it) {
            return Ok(Self(list));
        }
        if lists.len() >= NAMES_MAX {
            return Err(BadLanes::Known);
        }
        let named = |(index, (lane, partition, name)): (usize, &(&str, u32, String))| {
            Ok(Named { index, name: known(name)?, lane_name: known(lane)?, partition: *partition })
        };
        let named = parts.iter().enumerate().map(named).collect::<Result<Vec<_>, _>>()?;
        let lanes: Vec<Lane> = named.leak().iter().map(Lane::known).collect();
        let list: &'static [Lane] = lanes.leak();
        lists.push(list);
        Ok(Self(list))
    }

    /// Lanes whose names are written in the source.
    pub(super) const fn known(lanes: &'static [Lane]) -> Self {
        Self(lanes)
    }

    /// How many.
    #[expect(clippy::len_without_is_empty, reason = "there is one at least")]
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// The first of them.
    pub fn first(self) -> Lane {
        self.0[0]
    }

    /// The lane, or the partition, of that name.
    pub fn find(self, name: &str) -> Option<Lane> {
        self.iter().find(|lane| lane.name() == name)
    }

    /// All partitions of the lane of that name, or the one that is called so.
    pub fn all_of(self, name: &str) -> impl Iterator<Item = Lane> {
        self.iter().filter(move |lane| lane.lane_name() == name || lane.name() == name)
    }

    /// Whether a lane is one of them.
    pub fn has(self, lane: Lane) -> bool {
        self.0.get(lane.index()) == Some(&lane)
    }

    /// One by one.
    pub fn iter(self) -> std::iter::Copied<std::slice::Iter<'static, Lane>> {
        self.0.iter().copied()
    }

    /// Something of each, by [`Lane::index`].
    pub fn map<T>(self, of: impl FnMut(Lane) -> T) -> Vec<T> {
        self.iter().map(of).collect()
    }

    /// A default of each, by [`Lane::index`].
    pub fn defaults<T: Default>(self) -> Vec<T> {
        self.map(|_| T::default())
    }
}

impl IntoIterator for Lanes {
    type Item = Lane;
    type IntoIter = std::iter::Copied<std::slice::Iter<'static, Lane>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0).finish()
    }
}

/// Their names, as a person lists them.
impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, lane) in self.iter().enumerate() {
            write!(f, "{}{lane}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a lane may be called so.
pub(crate) fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(good)
}

/// Each partition of a lane with its name. Names of lanes have no dot, so one of a partition is no lane's.
fn names((lane, count): (&str, u32)) -> impl Iterator<Item = (&str, u32, String)> {
    let name = move |number| if count == 1 { lane.to_owned() } else { format!("{lane}.{number}") };
    (0..count).map(move |number| (lane, number, name(number)))
}

fn check(lanes: &[(&str, u32)]) -> Result<(), BadLanes> {
    if lanes.is_empty() {
        return Err(BadLanes::None);
    }
    let all: usize = lanes.iter().map(|(_, count)| *count as usize).sum();
    if all > LANES_MAX {
        return Err(BadLanes::TooMany(all));
    }
    for (index, (name, count)) in lanes.iter().enumerate() {
        if !is_name(name) {
            return Err(BadLanes::Name((*name).into()));
        }
        if lanes[..index].iter().any(|(other, _)| other == name) {
            return Err(BadLanes::Twice((*name).into()));
        }
        if *count == 0 {
            return Err(BadLanes::NoPartition((*name).into()));
        }
    }
    Ok(())
}

fn known(name: &str) -> Result<&'static str, BadLanes> {
    let mut names = lock(&NAMES);
    if let Some(known) = names.get(name) {
        return Ok(known);
    }
    if names.len() >= NAMES_MAX {
        return Err(BadLanes::Known);
    }
    let known: &'static str = String::from(name).leak();
    names.insert(known);
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_of_the_same_names_are_the_same_and_those_in_another_order_are_not() {
        let (one, two) = (Lanes::new(["a", "b"]).unwrap(), Lanes::new(["a".to_owned(), "b".into()]).unwrap());
        assert_eq!(one, two);
        assert_eq!(one.find("b").map(Lane::index), Some(1));
        assert_ne!(one, Lanes::new(["b", "a"]).unwrap());
        assert_eq!(one.to_string(), "a, b");
    }

    #[test]
    fn a_lane_takes_no_more_than_a_pointer() {
        assert_eq!(size_of::<Lane>(), size_of::<usize>());
    }

    #[test]
    fn names_that_keys_cannot_have_are_refused() {
        assert_eq!(Lanes::new::<&str>([]), Err(BadLanes::None));
        for name in ["", "a b", "a.b", "a}", "ä", &"x".repeat(65)] {
            assert_eq!(Lanes::new([name]), Err(BadLanes::Name(name.into())));
        }
        assert_eq!(Lanes::new(["a", "a"]), Err(BadLanes::Twice("a".into())));
        let many = (0..65).map(|number| number.to_string());
        assert_eq!(Lanes::new(many), Err(BadLanes::TooMany(65)));
    }
}
