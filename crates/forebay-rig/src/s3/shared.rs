//! What the threads of a server share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::armed::ArmedFaults;
use super::request_log::RequestLog;
use super::room::Room;
use super::settings::Settings;
use super::store::Store;
use crate::http::Connections;

/// What the threads of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    settings: Mutex<Settings>,
    pub(super) store: Store,
    pub(super) room: Arc<Room>,
    pub(super) faults: ArmedFaults,
    pub(super) log: RequestLog,
    pub(super) connections: Arc<Connections>,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings: Mutex::new(settings),
            store: Store::default(),
            room: Arc::default(),
            faults: ArmedFaults::default(),
            log: RequestLog::default(),
            connections: Connections::new("s3"),
        }
    }

    /// The settings as they are for the next request.
    pub(super) fn settings(&self) -> Settings {
        self.lock().clone()
    }

    /// Changes the settings for the requests to come.
    pub(super) fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
