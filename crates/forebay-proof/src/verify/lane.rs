//! What is said of one lane: its blocks and events, its gaps and damage, and where it ends beside the writer's hash.

use serde::{Serialize, Serializer};

use forebay::event::lane::Lane;

/// Gaps, and damaged entries, that are listed of a lane; all are counted.
const LISTED_MAX: usize = 1_000;

/// A lane of a buffer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneReport {
    /// Which.
    #[serde(serialize_with = "name")]
    pub lane: Lane,
    /// Events in sound blocks.
    pub events: u64,
    /// Sound blocks.
    pub blocks: u64,
    /// Number of the first block held.
    pub first_block: Option<u64>,
    /// Number of the last block held.
    pub last_block: Option<u64>,
    /// Smallest `time_us` of a sound block.
    pub time_us_min: Option<u64>,
    /// Largest `time_us` of a sound block.
    pub time_us_max: Option<u64>,
    /// Blocks before the first one held that are not there: read and let go, or dropped to make room, or deleted by
    /// somebody; which of them, an AOF does not tell. None where the first entry cannot be read.
    pub blocks_before: Option<u64>,
    /// Events of those.
    pub events_before: Option<u64>,
    /// Places where blocks are missing.
    pub gap_count: u64,
    /// Blocks missing there.
    pub missing_blocks: u64,
    /// Events of those.
    pub missing_events: u64,
    /// The first of the gaps.
    pub gaps: Vec<Gap>,
    /// Entries that are damaged or out of place.
    pub damage_count: u64,
    /// The first of those.
    pub damage: Vec<Damaged>,
    /// What the writer's hash says.
    pub writer: Option<WriterSays>,
    /// Where the stream ends beside it.
    pub end: End,
    /// The newest entry that somebody deleted with XDEL, which Forebay never does (Redis 7 and newer, Valkey).
    pub deleted_upto: Option<String>,
}

/// Blocks that should stand before another and do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Number of the first one.
    pub from: u64,
    /// Number of the last one.
    pub to: u64,
    /// Events they held.
    pub events: u64,
    /// Id of the entry they should stand before.
    pub before: String,
}

/// An entry that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damaged {
    /// Its id.
    pub id: String,
    /// What is wrong.
    pub why: String,
}

/// Fields of the hash beside a lane's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WriterSays {
    /// The newest writer's epoch.
    pub epoch: u64,
    /// Number of the last block.
    pub s: u64,
    /// Events of the lane up to and with it.
    pub e: u64,
}

/// Where a stream ends beside its writer's hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum End {
    /// With the last block of the hash.
    WithWriter,
    /// The stream is empty: everything was let go, or deleted by somebody. Or nothing was ever appended.
    Empty,
    /// Blocks at the end are missing.
    BeforeWriter {
        /// How many.
        blocks: u64,
        /// Events of those.
        events: u64,
    },
    /// There is no block, and the stream's key or its newest entry was deleted (DEL, an eviction, XDEL): the buffer
    /// does neither.
    Deleted,
    /// The stream has more than the hash knows of, or counts otherwise.
    Disagrees {
        /// Number of the stream's last block.
        s: u64,
        /// Events of the lane up to and with it, by its account.
        e: u64,
    },
    /// The last entry cannot be read, so where the stream ends is unknown.
    Unknown,
    /// There is no hash, or its fields are not numbers: what should be there is unknown.
    NoWriter,
}

impl LaneReport {
    /// A lane of which nothing is known yet.
    pub(super) fn new(lane: Lane) -> Self {
        Self {
            lane,
            events: 0,
            blocks: 0,
            first_block: None,
            last_block: None,
            time_us_min: None,
            time_us_max: None,
            blocks_before: None,
            events_before: None,
            gap_count: 0,
            missing_blocks: 0,
            missing_events: 0,
            gaps: Vec::new(),
            damage_count: 0,
            damage: Vec::new(),
            writer: None,
            end: End::Empty,
            deleted_upto: None,
        }
    }

    /// Whether nothing is missing or damaged, as far as an AOF can tell.
    pub fn is_sound(&self) -> bool {
        let ends_well = matches!(self.end, End::WithWriter | End::Empty);
        self.gap_count == 0 && self.damage_count == 0 && ends_well
    }

    pub(super) fn add_gap(&mut self, gap: Gap) {
        self.gap_count += 1;
        self.missing_blocks += (gap.to + 1).saturating_sub(gap.from);
        self.missing_events += gap.events;
        if self.gaps.len() < LISTED_MAX {
            self.gaps.push(gap);
        }
    }

    pub(super) fn add_damage(&mut self, id: String, why: String) {
        self.damage_count += 1;
        if self.damage.len() < LISTED_MAX {
            self.damage.push(Damaged { id, why });
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn name<S: Serializer>(lane: &Lane, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(lane.name())
}
