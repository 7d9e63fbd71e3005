//! What is watched.

use std::time::Duration;

use crate::profile::Profile;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;

/// What to watch.
#[derive(Clone)]
pub struct Subject {
    /// The server.
    pub address: Address,
    /// The buffer on it.
    pub name: Name,
    /// What it must hold.
    pub profile: Profile,
    /// Whether somebody chose that profile: else nobody asked for its hours.
    pub is_profile_chosen: bool,
    /// How often to look.
    pub every: Duration,
}
