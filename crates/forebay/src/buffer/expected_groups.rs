//! Which groups a lane should have, where another server may take the place of its master: one that a failover has lost would not
//! hold what it still has to read, and the others would let go of it.

use redis::{RedisError, Script};

use super::connect::Facts;
use super::connection::Connection;
use super::fsync::replicas;
use super::keys::Name;
use super::scripts::EXPECT;
use crate::event::lane::Lane;

/// How long replicas have to say that they have a group that was made, in milliseconds.
const CONFIRM_MS: u64 = 1_000;

/// Writes down that a lane has a group, or not any more, and waits for the replicas; nothing where no other server takes the place
/// of this one.
pub(super) fn expect(
    connection: &mut Connection,
    name: &Name,
    lane: Lane,
    group: &[u8],
    is: bool,
) -> Result<(), RedisError> {
    if !connection.fails_over() {
        return Ok(());
    }
    let script = Script::new(EXPECT);
    script.key(name.writer(lane)).arg(group).arg(u8::from(is)).invoke::<u64>(connection)?;
    let info: String = redis::cmd("INFO").arg("replication").query(connection)?;
    let wanted = replicas(&Facts::of(&info));
    if wanted > 0 {
        let have: u64 = redis::cmd("WAIT").arg(wanted).arg(CONFIRM_MS).query(connection)?;
        if have < wanted {
            tracing::warn!(
                %lane,
                "{have} of {wanted} replicas say that they know of group {}: after a failover it may have to be made again",
                String::from_utf8_lossy(group)
            );
        }
    }
    Ok(())
}
