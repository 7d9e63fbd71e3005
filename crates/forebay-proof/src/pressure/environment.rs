//! Where a run takes place: a server of its own, or the one that was given, with a small `maxmemory` for the time of
//! the run.

use crate::Subject;
use crate::memory_probe::MemoryProbe;
use crate::settings_guard::{Settings, SettingsGuard};
use crate::target::{facts, set, setting, start};
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::Options;
use forebay_rig::server::Server;

/// Settings that a run changes.
const CHANGED: [&str; 3] = ["maxmemory", "maxmemory-policy", "notify-keyspace-events"];

/// Tells of every evicted key.
const EVICTED: &str = "Ee";

/// A server at a limit. Dropped, a server of our own ends, and one that was given has its settings back.
pub(super) struct PressureEnvironment {
    pub address: Address,
    /// `maxmemory` in bytes.
    pub limit: u64,
    /// `used_memory` before the run.
    pub empty: u64,
    /// Ends with the run, where it is ours.
    _server: Option<Server>,
    /// What it had, where it is somebody's.
    _held: Option<SettingsGuard>,
}

impl PressureEnvironment {
    /// A fresh server of our own with the profile's settings but for the limit and the eviction policy.
    pub fn own(on: &Subject<'_>, limit: u64, eviction: &str) -> anyhow::Result<Self> {
        let changed = [limit.to_string(), eviction.into(), EVICTED.into()];
        let over: Vec<(&str, String)> = CHANGED.into_iter().zip(changed).collect();
        let (server, address) = start(on.binary, on.profile, &over)?;
        let empty = empty_bytes(&address, on.name)?;
        Ok(Self { address, limit, empty, _server: Some(server), _held: None })
    }

    /// Somebody's server, with room for `budget` bytes beside what is there, and never more than its own limit.
    pub fn given(on: &Subject<'_>, address: &Address, budget: u64, eviction: &str) -> anyhow::Result<Self> {
        let empty = empty_bytes(address, on.name)?;
        let (mut connection, seen) = address.connect()?;
        let own = seen.number("maxmemory").filter(|limit| *limit > 0).unwrap_or(u64::MAX);
        let limit = own.min(empty.saturating_add(budget));
        let of = |name: &str| Some((name.to_owned(), setting(&mut connection, name)?));
        let before: Settings = CHANGED.into_iter().filter_map(of).collect();
        anyhow::ensure!(
            before.len() == CHANGED.len(),
            "{address} does not let CONFIG GET read {}: the pressure proof sets them for its runs and must know what to \
             set back; allow CONFIG, or run it without --url on a server of its own",
            CHANGED.join(", ")
        );
        let held = SettingsGuard::of(address, before)?;
        let environment = Self { address: address.clone(), limit, empty, _server: None, _held: Some(held) };
        let now = [limit.to_string(), eviction.to_owned(), EVICTED.to_owned()];
        for (name, value) in CHANGED.into_iter().zip(now) {
            set(&mut connection, name, &value)?;
        }
        Ok(environment)
    }
}

/// `used_memory` with an empty buffer.
fn empty_bytes(address: &Address, name: &Name) -> anyhow::Result<u64> {
    let empty = MemoryProbe::open(address)?.empty_buffer(address, name, &Options::default())?;
    Ok(empty.used_bytes)
}

/// Whether a server holds keys, which are not ours.
pub(super) fn holds_keys(address: &Address) -> anyhow::Result<bool> {
    let mut connection = address.dial()?;
    Ok(facts(&mut connection)?.databases().any(|(_, keys)| keys > 0))
}
