//! How many nodes a deployment has, where it is a cluster.

use serde::Deserialize;

/// Without one of three there is a majority of two; of two there is none.
const MASTERS: std::ops::RangeInclusive<u32> = 3..=100;
/// More of each than anybody runs.
const REPLICAS: std::ops::RangeInclusive<u32> = 1..=5;

/// A cluster. The settings of the profile are those of each node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Nodes that have slots.
    pub masters: u32,
    /// Replicas of each.
    pub replicas: u32,
}

impl Cluster {
    /// Masters and replicas together.
    pub fn nodes(self) -> u32 {
        self.masters * (1 + self.replicas)
    }

    pub(super) fn check(self) -> Result<(), String> {
        if !MASTERS.contains(&self.masters) {
            return Err(format!("cluster.masters must be from {} to {}", MASTERS.start(), MASTERS.end()));
        }
        if !REPLICAS.contains(&self.replicas) {
            return Err(format!("cluster.replicas must be from {} to {}", REPLICAS.start(), REPLICAS.end()));
        }
        Ok(())
    }
}
