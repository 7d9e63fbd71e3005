//! A server of our own: finding one, starting it, ending it, and never leaving it behind.
//!
//! This is the one place that starts and ends servers. Each runs as a plain process in a temporary folder that is closed to
//! other users, on loopback with a password of its own or on a socket in that folder, and ends with its owner however the
//! owner ends:
//!
//! | the owner | what ends the server |
//! |---|---|
//! | drops [`Server`], or unwinds | `Drop`: killed, folder removed |
//! | gets SIGINT, SIGTERM or SIGHUP | [`install_signal_handler`]: killed, folder removed |
//! | is killed with SIGKILL, or aborts (Linux) | the kernel kills the server; its folder is removed by the next run ([`clear_left`]) |
//! | is killed with SIGKILL (elsewhere) | nothing: such a server must be ended by hand |

mod binary;
mod cluster_fault;
mod cluster_set;
mod cluster_view;
mod conf;
mod error;
pub mod external_server;
pub mod fault;
mod folder;
mod helper;
mod mark;
mod private_address;
mod process;
mod process_registry;
mod ready;
mod replication;
mod scratch;
mod sentinel_set;
mod trial;
mod wait;

pub use binary::{ServerBinary, ServerKind, Version, identify};
pub use cluster_set::ClusterSet;
pub use conf::{Conf, quoted};
pub use error::ServerError;
pub use folder::{Folder, Purpose};
pub use helper::Helper;
pub use process::Server;
pub use process_registry::{end_all, ending, install_signal_handler};
pub use scratch::Scratch;
pub use sentinel_set::SentinelSet;
pub use trial::{Start, Trial};

/// Removes what a killed run of this user has left behind, mounts and folders.
pub fn clear_left() {
    let disks = fault::disk::clear_left();
    for path in disks.into_iter().chain(folder::clear_left(&fault::disk::mounted())) {
        tracing::info!(path = %path.display(), "removed what a killed run had left");
    }
}
