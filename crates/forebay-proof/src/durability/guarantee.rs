//! What each configuration promises, said before anything is tried. A cell that keeps more is fine; one that keeps less is
//! refuted.
//!
//! | fault | `always`, or acknowledged after fsync | `everysec` | `no` |
//! |---|---|---|---|
//! | restart, kill, kill in a rewrite, no fsync being pending | nothing lost | nothing lost | nothing lost |
//! | kill in a slow fsync | nothing lost | at most what was acknowledged since that fsync began | - |
//! | power cut, also in a rewrite | nothing lost | at most 2 s | all of it, until the kernel has written it |
//! | full disk, failing fsync | nothing lost | nothing lost | nothing lost |
//! | pause, cut connections, end of a writer or reader | - | nothing lost | - |
//!
//! A write(2) has been made before the answer goes out, so what the kernel has survives the server's end. Under `everysec`
//! the server puts a write off for up to two seconds while an fsync is under way, and answers all the same (`aof.c`,
//! `flushAppendOnlyFile`); and what was written since the last fsync is not on the disk. After these two seconds it writes,
//! and where the disk lets no write through beside an fsync, it waits in that and answers nothing: so the oldest event that
//! a kill takes then was acknowledged as long ago as the fsync lasts, and two seconds of them are gone. A kill that shall meet no
//! fsync comes a moment after the server was asked whether one is pending; what it acknowledged in that moment is excused, told,
//! and never more than the last 2 s. Somebody's server is asked until the command has ended it (`alive`). Where nothing is
//! promised, readers must still be told of the place of each loss.

use std::time::Duration;

use super::approach::SLOW;
use super::cell::{Appendfsync, Cell, Fault};
use forebay::buffer::writer::Ack;

/// How old the oldest lost event may be, where the server fsyncs every second.
const SECONDS: Duration = Duration::from_secs(2);

/// What may be lost of the acknowledged events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guarantee {
    /// None.
    Nothing,
    /// Those acknowledged so shortly before the fault.
    Within(Duration),
    /// Nothing is promised.
    None,
}

/// What a cell promises, or why it makes no sense.
pub(super) fn guarantee(cell: Cell) -> Result<Guarantee, &'static str> {
    use Appendfsync::{Always, Everysec, No};
    match (cell.fault, cell.appendfsync, cell.ack) {
        (_, _, Ack::Replica | Ack::ReplicaFsync) => Err("the server has no replica here"),
        (fault, fsync, ack) if !fault.ends_server() => match (fsync, ack) {
            (Everysec, Ack::Reply) => Ok(Guarantee::Nothing),
            _ => Err("the server neither ends nor loses its disk: fsync has no part in it"),
        },
        (_, Always, Ack::Fsync) => {
            Err("under always every answer comes after the fsync: the same as by reply")
        }
        (_, No, Ack::Fsync) => {
            Err("the server never fsyncs by itself: such an acknowledgement makes it do so")
        }
        (Fault::KillInSlowFsync | Fault::FsyncFails, No, _) => Err("the server never fsyncs"),
        (_, Always, Ack::Reply) | (_, Everysec, Ack::Fsync) => Ok(Guarantee::Nothing),
        (fault, No, _) if fault.cuts_power() => Ok(Guarantee::None),
        (fault, Everysec, _) if fault.cuts_power() => Ok(Guarantee::Within(SECONDS)),
        (Fault::KillInSlowFsync, Everysec, _) => Ok(Guarantee::Within(SLOW)),
        (_, Everysec | No, _) => Ok(Guarantee::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is promised under `always`, `everysec` and `no` by the reply, and under `everysec` by the fsync. None where it is not
    /// tried.
    fn promises(fault: Fault) -> [Option<Guarantee>; 4] {
        let ways = [
            (Appendfsync::Always, Ack::Reply),
            (Appendfsync::Everysec, Ack::Reply),
            (Appendfsync::No, Ack::Reply),
            (Appendfsync::Everysec, Ack::Fsync),
        ];
        ways.map(|(appendfsync, ack)| guarantee(Cell { fault, appendfsync, ack }).ok())
    }

    #[test]
    fn each_fault_is_promised_what_its_fsync_can_keep() {
        let all = Some(Guarantee::Nothing);
        let young = |seconds: f64| Some(Guarantee::Within(Duration::from_secs_f64(seconds)));
        assert_eq!(promises(Fault::Kill), [all, all, all, all]);
        assert_eq!(promises(Fault::Restart), [all, all, all, all]);
        assert_eq!(promises(Fault::PowerCut), [all, young(2.0), Some(Guarantee::None), all]);
        assert_eq!(promises(Fault::KillInSlowFsync), [all, young(3.5), None, all]);
        assert_eq!(promises(Fault::ConnectionCut), [None, all, None, None]);
        for fault in Fault::ALL {
            for ack in [Ack::Reply, Ack::Fsync] {
                let cell = Cell { fault, appendfsync: Appendfsync::No, ack };
                let is_tried = guarantee(cell).is_ok();
                assert!(!is_tried || fault.ends_server() && ack == Ack::Reply, "{}", cell.id());
            }
        }
    }
}
