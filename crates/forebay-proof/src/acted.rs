//! How often each fault of a round acted: one in which nothing did shows nothing.

use crate::report::units::thousands;

/// How often each fault acted, by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Acted(Vec<(&'static str, u64)>);

impl Acted {
    /// A fault acted so many times more.
    pub fn add(&mut self, name: &'static str, times: u64) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, all)) => *all += times,
            None => self.0.push((name, times)),
        }
    }

    /// How often this one did.
    pub fn times(&self, name: &str) -> u64 {
        self.0.iter().find(|(known, _)| *known == name).map_or(0, |(_, times)| *times)
    }

    /// Whether all of these did.
    pub fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.times(name) > 0)
    }

    /// For people: these, each with how often it acted.
    pub fn words(&self, names: &[&str]) -> String {
        let word = |name: &&str| format!("{name} {}", thousands(self.times(name) as f64, 0));
        names.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    /// Those of another round as well.
    pub fn and(&mut self, other: &Self) {
        other.0.iter().for_each(|(name, times)| self.add(name, *times));
    }
}
