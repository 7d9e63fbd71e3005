//! Names for consumers that were not given one.

use super::random::random;

/// What names begin with that a consumer was not given by anybody.
pub(super) const OWN: &str = "auto:";

/// A name for a consumer that no other has: machine, process, and a number for what may share both.
pub fn own_consumer() -> String {
    let host = rustix::system::uname();
    format!("{OWN}{}:{}:{:04x}", host.nodename().to_string_lossy(), std::process::id(), random() as u16)
}
