//! What the HTTP servers of the rig share.
//!
//! | file | is responsible for |
//! |---|---|
//! | `connections` | the thread that listens, a thread for each connection, and their end |
//! | `act` | how often each fault acted |
//! | `percent` | percent-encoding, both ways |

mod act;
mod connections;
mod percent;

pub(crate) use act::Acts;
pub use act::FaultName;
pub(crate) use connections::Connections;
pub(crate) use percent::{decode_path, decode_query, encode};
