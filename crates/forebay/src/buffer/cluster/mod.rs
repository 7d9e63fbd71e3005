//! A cluster of servers: which of them has a key, and a connection that asks each command of the one that has it.

mod ask;
mod connection;
mod request;
mod several;
mod slot;
mod slot_map;
pub(super) mod spread;
mod topology;
mod url;
mod view;

pub(super) use connection::ClusterConnection;
pub(super) use topology::Topology;
pub(super) use view::Place;
