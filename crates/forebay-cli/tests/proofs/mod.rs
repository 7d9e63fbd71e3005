//! Whole proofs, as they are run.

mod capacity;
mod durability;
mod load;
mod monitoring;
mod pressure;
mod pressure_settings;
mod tune;
mod undo;
