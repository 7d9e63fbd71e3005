//! How a proof tells what it is doing, without knowing who listens.

/// Listens to a proof.
pub trait Progress: Sync {
    /// Something long begins: what, and how many events it takes.
    fn begin(&self, what: &str, total: u64);
    /// So many are done.
    fn at(&self, done: u64);
}

/// Nobody listens.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn at(&self, _: u64) {}
}
