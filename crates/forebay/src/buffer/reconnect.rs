//! The connection of a lane: made anew where it was lost, or for a writer that may not go on with another, the end.

use std::sync::atomic::Ordering::Relaxed;

use super::append_command::takes_transactions;
use super::appender::Appender;
use super::connection::Connection;
use super::error::Error;
use super::fsync::Fsync;
use super::keep_back::KeepBack;
use super::lane_settings::claim_late;
use super::round_failure::RoundFailure;

/// What a server answers that has loaded its data again, or takes another's: it may come back with less on the same connection.
const IS_SET_BACK: [&str; 3] = ["loading", "readonly", "masterdown"];

impl Appender {
    /// Whether a writer that does not connect again ends with what the server says: before anything is appended to less.
    pub(super) fn may_be_set_back(&self, why: &str) -> bool {
        // The client library writes them in another case.
        let why = why.to_ascii_lowercase();
        !self.settings.reconnects && IS_SET_BACK.iter().any(|word| why.contains(word))
    }

    /// What ends a writer that does not connect again.
    pub(super) fn disconnected(&self, why: &str) -> Error {
        Error::Disconnected {
            url: self.settings.address.to_string(),
            why: why.into(),
            unacknowledged: self.shared.unacknowledged(),
        }
    }

    /// The connection, if need be a new one with the script loaded. A server that has become unfit (a
    /// replica after a failover) counts as away: it may be mended, and patience bounds the wait. One that can no longer
    /// acknowledge as was asked for ends the writer: nothing may count for more than it is.
    pub(super) fn open_connection(&mut self) -> Result<&mut Connection, RoundFailure> {
        if self.connection.is_none() {
            if self.claim.is_some() && !self.settings.reconnects {
                return Err(RoundFailure::Untaken(self.disconnected("the connection was lost")));
            }
            let away = |error: Error| RoundFailure::away(error.to_string());
            let stream = self.settings.name.stream(self.settings.lane);
            let (mut connection, facts) =
                self.settings.address.connect_for(Some(&stream), self.patience_left()).map_err(away)?;
            let (ack, address) = (self.settings.ack, &self.settings.address);
            self.fsync = match Fsync::of(ack, address, &mut connection, &facts) {
                Err(Error::NoFsync(why)) => return Err(RoundFailure::NoFsync(why)),
                Err(Error::NotNow { why, .. }) => return Err(RoundFailure::refused(why)),
                determined => determined.map_err(away)?,
            };
            self.tail.begin(address.replicas().max(connection.replicas()));
            self.scripts.load(&mut connection)?;
            self.has_transactions &= takes_transactions(&mut connection)?;
            if self.claim.is_none() {
                let claim = claim_late(&mut connection, &self.settings, &self.shared.owner)?;
                self.fsync.confirm(&mut connection, &self.settings.address)?;
                self.counts().lost_by_server.fetch_add(claim.lost, Relaxed);
                (self.acked, self.acked_events, self.claim) = (claim.last, claim.events, Some(claim));
                self.acked_cursor = claim.cursor;
                self.kept = KeepBack::new(self.settings.keep_back.is_some(), Some(&claim));
                // So that no block says less than those before it.
                self.shared.source.taken(claim.cursor, claim.low_watermark);
                self.shared.unproven.stand(self.settings.lane, claim.epoch, claim.last);
                self.shared.calm(self.settings.lane);
                self.trouble_since = None;
            }
            self.connection = Some(connection);
        }
        self.connection.as_mut().ok_or_else(|| RoundFailure::away("no connection"))
    }
}
