//! What goes wrong in a round: as a table, with what must be seen of it before the round counts, and what is broken in its control.

use super::{buckets, damaged, disks, ends, losses, rivals};
use crate::exactly_once::{Broken, Scenario, Seen};

const NO_PLAN: Broken =
    Broken { what: "a drain of files named by time, without a recorded plan", does: Seen::twice };
const BY_THE_SERVER: Broken =
    Broken { what: "a drain that goes by the server's word, whatever the files have", does: Seen::twice };
const ACKNOWLEDGED_FIRST: Broken =
    Broken { what: "blocks that are acknowledged before files have them", does: Seen::lost };
const IN_PLACE: Broken = Broken { what: "a file that is written in the tree itself", does: Seen::torn };
const FORGETS: Broken = Broken { what: "a disk that forgets renames", does: Seen::lost };
const OBJECT_LOST: Broken =
    Broken { what: "a bucket that loses an object once it was committed", does: Seen::lost };
const TWO_GROUPS: Broken =
    Broken { what: "two drains that do not know of each other, read as one", does: Seen::twice };
const LEFT_OUT: Broken = Broken { what: "a block that is left out without a word", does: Seen::lost };

/// Everything that can go wrong, in the order of the claims.
pub(super) static ALL: &[Scenario] = &[
    Scenario {
        id: "ends",
        what: "the drain ends before each of its steps",
        acts: &ends::NAMES,
        play: ends::before_each_step,
        broken: NO_PLAN,
    },
    Scenario {
        id: "server-killed",
        what: "the server is killed after a file is published, and comes back without what everysec had not fsynced",
        acts: &[losses::LOST, losses::UNDER],
        play: losses::killed,
        broken: BY_THE_SERVER,
    },
    Scenario {
        id: "older-log",
        what: "an older log is restored while no drain runs",
        acts: &[losses::LOST],
        play: losses::restored,
        broken: BY_THE_SERVER,
    },
    Scenario {
        id: "older-log-under-drain",
        what: "an older log is restored while a drain runs",
        acts: &[losses::LOST, losses::UNDER],
        play: losses::restored_under,
        broken: BY_THE_SERVER,
    },
    Scenario {
        id: "failover",
        what: "a replica that has less takes the server's place",
        acts: &[losses::LOST],
        play: losses::failed_over,
        broken: BY_THE_SERVER,
    },
    Scenario {
        id: "disk-full",
        what: "the destination is full for a while",
        acts: &[disks::REFUSED],
        play: disks::full,
        broken: ACKNOWLEDGED_FIRST,
    },
    Scenario {
        id: "disk-fails",
        what: "the destination's fsync fails for a while",
        acts: &[disks::FAILED],
        play: disks::failing,
        broken: ACKNOWLEDGED_FIRST,
    },
    Scenario {
        id: "disk-slow",
        what: "the destination is slow, and somebody reads its tree before each step of a drain",
        acts: &[disks::SLOW, disks::LOOKED],
        play: disks::slow,
        broken: IN_PLACE,
    },
    Scenario {
        id: "power-cut",
        what: "the power of the destination is cut before any step, and its tree is read then",
        acts: &[disks::CUTS, disks::TAKEN],
        play: disks::power_cut,
        broken: FORGETS,
    },
    Scenario {
        id: "bucket-refuses",
        what: "a bucket refuses requests with 500, 503, 409, 412 or 403",
        acts: &[buckets::REFUSED],
        play: buckets::refuses,
        broken: OBJECT_LOST,
    },
    Scenario {
        id: "bucket-unsure",
        what: "a bucket's answers are lost, come late, or say that an object is there that is not, or half",
        acts: &[buckets::UNSURE],
        play: buckets::unsure,
        broken: OBJECT_LOST,
    },
    Scenario {
        id: "two-drains",
        what: "two drains run at once",
        acts: &[rivals::KEPT_OUT, rivals::FENCED],
        play: rivals::two_at_once,
        broken: TWO_GROUPS,
    },
    Scenario {
        id: "damaged-block",
        what: "a block is damaged in the buffer, and its commit record names it",
        acts: &[damaged::DAMAGED],
        play: damaged::damaged,
        broken: LEFT_OUT,
    },
];
