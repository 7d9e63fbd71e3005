//! Settings of somebody's server that a run changes: what they were is on disk before the first change, they are set back
//! however the run ends, and whoever ends the program in between is told what to set back by hand.

use crate::printable::error_chain;
use std::sync::Mutex;
use std::time::Duration;

use super::target::{set, setting};
pub use super::undo::Settings;
use super::undo::Undo;
use forebay::buffer::connect::Address;
use forebay::buffer::connection::Connection;
use forebay::buffer::lock;
use forebay_rig::server::quoted;

/// How often more a connection is tried to set something back, and the time between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// How to set back what is changed on somebody's server at this moment.
static CHANGED_NOW: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What somebody has to set back by hand, should this program end now.
pub fn changed_now() -> Vec<String> {
    lock(&CHANGED_NOW).clone()
}

/// Settings of somebody's server that may be changed: dropped, it has those again that it had.
pub struct SettingsGuard {
    address: Address,
    before: Settings,
    told: String,
    /// Until everything is as it was.
    undo: Option<Undo>,
}

impl SettingsGuard {
    /// Holds on to what these are, on disk too.
    pub fn of(address: &Address, before: Settings) -> anyhow::Result<Self> {
        let undo = Undo::write(address, &[], &before)?;
        let lines: Vec<String> =
            before.iter().map(|(name, value)| format!("CONFIG SET {name} {}", quoted(value))).collect();
        let told = format!("{address} may still have settings that were tried; it had: {}", lines.join(", "));
        lock(&CHANGED_NOW).push(told.clone());
        Ok(Self { address: address.clone(), before, told, undo: Some(undo) })
    }

    /// Leaves what is set now.
    pub fn leave(mut self) {
        self.before.clear();
    }

    /// Sets back what differs, whatever becomes of one of them, and says what could not be.
    pub fn put_back(&self) -> anyhow::Result<()> {
        if self.before.is_empty() {
            return Ok(());
        }
        let mut connection = self.dial()?;
        let mut failed = Vec::new();
        for (name, value) in &self.before {
            if setting(&mut connection, name).as_ref() != Some(value)
                && let Err(error) = set(&mut connection, name, value)
            {
                failed.push(error_chain(&error));
            }
        }
        anyhow::ensure!(
            failed.is_empty(),
            "settings could not be set back ({}): {}",
            failed.join("; "),
            self.told
        );
        Ok(())
    }

    /// A connection; more than one try, for one that is taken at this very moment.
    fn dial(&self) -> anyhow::Result<Connection> {
        let mut left = TRIES;
        loop {
            match self.address.dial() {
                Ok(connection) => return Ok(connection),
                Err(error) if left == 0 => {
                    return Err(anyhow::Error::from(error).context(self.told.clone()));
                }
                Err(_) => left -= 1,
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for SettingsGuard {
    fn drop(&mut self) {
        match self.put_back() {
            Ok(()) => {
                if let Some(undo) = self.undo.take() {
                    undo.done();
                }
            }
            // Its file stays, for the next run.
            Err(error) => tracing::error!("{}", error_chain(&error)),
        }
        lock(&CHANGED_NOW).retain(|other| *other != self.told);
    }
}
