//! Whole proofs, as they are run.

mod capacity;
mod drain;
mod durability;
mod failover;
mod ingest;
mod load;
mod monitoring;
mod pressure;
mod pressure_clients;
mod settings;
mod tune;
mod tune_memory;
mod undo;
