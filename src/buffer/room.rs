//! `trim-oldest`: a full server gets room by dropping the buffer's oldest blocks, whichever lane they are in, and every
//! event of them is counted.

use std::sync::atomic::Ordering::Relaxed;

use redis::Script;

use super::counts::lock;
use super::entry::Id;
use super::lane::Appender;
use super::overflow::Fate;
use super::recover::Setback;
use super::scripts;
use crate::event::lane::Lane;

/// Blocks dropped in one step.
const BLOCKS: usize = 16;

/// Steps at the most before the append is tried again.
const STEPS: usize = 64;

/// Bytes of room beyond what is about to be sent: other lanes append too.
const SPARE: usize = 64 << 10;

impl Appender {
    /// Drops the oldest blocks, at least as many bytes as wait to be appended. False where there are none.
    pub(super) fn make_room(&mut self) -> Result<bool, Setback> {
        let shared = self.shared.clone();
        // One lane at a time: what one drops is room for all.
        let mut known = lock(&shared.room);
        let enough = SPARE + self.window.iter().map(|parcel| parcel.block.frame.len()).sum::<usize>();
        let mut freed = 0;
        for _ in 0..STEPS {
            let lanes = self.oldest()?;
            for (lane, _, ever) in &lanes {
                known[lane.index()].get_or_insert(*ever);
            }
            let Some((lane, _, _)) = lanes.first() else { break };
            let upto = lanes.get(1).map_or("+".to_owned(), |(_, id, _)| id.to_string());
            let (bytes, before, events, ever) = self.drop_oldest(*lane, enough - freed, &upto)?;
            // The answer to an earlier step may have been lost with its connection.
            let counted = known[lane.index()].replace(ever).unwrap_or(ever);
            shared.lanes[lane.index()].trimmed.fetch_add(ever.saturating_sub(counted), Relaxed);
            shared.tell(*lane, Fate::Trimmed, before, events);
            freed += bytes;
            if freed >= enough {
                break;
            }
        }
        Ok(freed > 0)
    }

    /// The lanes that hold blocks, the oldest first: its oldest block, and what was ever dropped of it so.
    fn oldest(&mut self) -> Result<Vec<(Lane, Id, u64)>, Setback> {
        let name = self.lease.name.clone();
        let script = Script::new(scripts::OLDEST);
        let mut lanes = Vec::new();
        for lane in Lane::ALL {
            let connection = self.open_connection()?;
            let (id, ever): (String, u64) =
                script.key(name.stream(lane)).key(name.writer(lane)).invoke(connection)?;
            lanes.extend(Id::parse(&id).map(|id| (lane, id, ever)));
        }
        lanes.sort_by_key(|(_, id, _)| *id);
        Ok(lanes)
    }

    /// Drops blocks of a lane up to an id: bytes of frames, events of the lane before them, events, and those ever
    /// dropped so.
    fn drop_oldest(
        &mut self,
        lane: Lane,
        enough: usize,
        upto: &str,
    ) -> Result<(usize, u64, u64, u64), Setback> {
        let name = self.lease.name.clone();
        Ok(Script::new(scripts::ROOM)
            .key(name.stream(lane))
            .key(name.writer(lane))
            .arg(BLOCKS)
            .arg(enough)
            .arg(upto)
            .invoke(self.open_connection()?)?)
    }
}
