//! Every rule, by section.

mod access;
mod buffers;
mod checks;
mod cluster;
mod cluster_nodes;
mod disk;
mod failover_faults;
mod file;
mod host;
mod memory;
mod network;
mod observability;
mod persistence;
mod replication;
mod usage;
mod version;

pub(crate) use super::rule::Rule;

/// Every rule, in the order of reports.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        file::RULES,
        memory::RULES,
        buffers::RULES,
        persistence::RULES,
        disk::RULES,
        access::RULES,
        network::RULES,
        host::RULES,
        observability::RULES,
        replication::RULES,
        cluster::RULES,
        cluster_nodes::RULES,
        version::RULES,
        failover_faults::RULES,
        usage::RULES,
    ]
    .into_iter()
    .flatten()
}

/// The rule of that name.
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}
