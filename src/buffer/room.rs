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

/// Events of each lane that were ever dropped to make room, where it was asked.
pub(super) type Ever = [Option<u64>; Lane::ALL.len()];

impl Appender {
    /// Drops the oldest blocks, at least as many bytes as wait to be appended. False where there are none.
    pub(super) fn make_room(&mut self) -> Result<bool, Setback> {
        let shared = self.shared.clone();
        // One lane at a time: what one drops is room for all.
        let mut known = lock(&shared.room);
        let enough = SPARE + self.window.iter().map(|parcel| parcel.block.frame.len()).sum::<usize>();
        let mut freed = 0;
        for _ in 0..STEPS {
            let lanes = self.oldest(&mut known)?;
            let Some((lane, _)) = lanes.first() else { break };
            let upto = lanes.get(1).map_or("+".to_owned(), |(_, id)| id.to_string());
            // Should the answer get lost, what was dropped is not.
            self.is_room_in_doubt = true;
            let (bytes, before, events, ever) = self.drop_oldest(*lane, enough - freed, &upto)?;
            self.is_room_in_doubt = false;
            self.count_trimmed(*lane, before + events, ever, &mut known);
            freed += bytes;
            if freed >= enough {
                break;
            }
        }
        Ok(freed > 0)
    }

    /// Counts what a step dropped whose answer got lost.
    pub(super) fn count_room(&mut self) -> Result<(), Setback> {
        let shared = self.shared.clone();
        self.oldest(&mut lock(&shared.room))?;
        self.is_room_in_doubt = false;
        Ok(())
    }

    /// The lanes that hold blocks, the oldest first, and its oldest block.
    fn oldest(&mut self, known: &mut Ever) -> Result<Vec<(Lane, Id)>, Setback> {
        let name = self.lease.name.clone();
        let script = Script::new(scripts::OLDEST);
        let mut lanes = Vec::new();
        for lane in Lane::ALL {
            let connection = self.open_connection()?;
            let (id, before, ever): (String, u64, u64) =
                script.key(name.stream(lane)).key(name.writer(lane)).invoke(connection)?;
            self.count_trimmed(lane, before, ever, known);
            lanes.extend(Id::parse(&id).map(|id| (lane, id)));
        }
        lanes.sort_by_key(|(_, id)| *id);
        Ok(lanes)
    }

    /// Counts what is new of the events of a lane that were ever dropped to make room; it ends after so many events of
    /// the lane.
    fn count_trimmed(&self, lane: Lane, upto: u64, ever: u64, known: &mut Ever) {
        let counted = known[lane.index()].replace(ever).unwrap_or(ever);
        let events = ever.saturating_sub(counted);
        if events > 0 {
            self.shared.lanes[lane.index()].trimmed.fetch_add(events, Relaxed);
            self.shared.tell(lane, Fate::Trimmed, upto.saturating_sub(events), events);
        }
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
