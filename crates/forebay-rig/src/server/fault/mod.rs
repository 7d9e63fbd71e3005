//! What can befall a server, as parts that can be started and stopped, and what shows that it did.

pub mod disk;
pub mod network;

/// What shows that a fault acted, counted where it acts: a fault that touched nothing shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acted {
    /// What is counted: "fsyncs that failed".
    pub what: &'static str,
    /// How many.
    pub count: u64,
}

impl Acted {
    /// So many of these.
    pub fn of(what: &'static str, count: u64) -> Self {
        Self { what, count }
    }
}
