//! Everything that a buffer keeps on the server: names, layout, life, writer, deleter.
//!
//! | key | type | layout | written by | life |
//! |---|---|---|---|---|
//! | `forebay:{<buffer>}` | hash | `layout`, 2; `incarnation`, a random id; `created`, the server's milliseconds; `lanes`, what its events are, as JSON; `streams`, lane, partition and key of each stream, as JSON; `dict:<id>`, a dictionary that frames of encoding 2 need; `source:<numbering>`, which host counts so; `missed:<µs>`, what the source no longer had; of each group that is a sink's `drain:<group>`, epoch and, as JSON, what the sink says of itself | `meta.lua`, once, and again where the server lost it under a writer; `note.lua`; `sink_figures.lua` | for ever; a sink's field until its group is dropped |
//! | `forebay:{<buffer>.<lane>.<partition>}`, on a cluster `forebay:{<buffer>.<lane>.<partition>~<salt>}` | stream | an entry a block, fields `f s n e a z p c w d` in this order | `append.lua` | entries go by `XTRIM MINID` once every group is done with them and no writer keeps them back; the key stays |
//! | `forebay:<buffer>:load:…` | strings, lists, one stream | as requests make them | the load generator | removed when its run ends |
//! | `forebay:{<buffer>.<lane>.<partition>}:writer` | hash | `epoch` of the newest writer (the server's milliseconds when it took the lane, or one more than the last), `s` and `e` of the last block, `c` the source's cursor after it, `w` its low watermark; `writer`, id of the run that has the lane, while it has not said that it ended; after each loss of the server's, and where the stream is gone, `lost:<last number lost>`, with number and events of the last block kept, and events up to the last one lost; `done`, number and events of the last block that every group was done with, trimmed or kept back, or where the hash was deleted, of what stood before the first block; `trimmed`, number of the last block dropped to make room, and events ever dropped so; `trimmed:id`, its id; `trimmed:e`, the lane's events up to it; `open`, number and length of the stream before the last block that was added behind the append script; `k`, id of the first block that is kept back to tell repeats of the source; of each group that consumers have left `left:<group>`, the id up to which it had been given blocks by then; of each session of a writer that spills `spill:<session>`, how far its blocks are stored; of each group that is a sink's `sink:<group>`, its epoch, up to where it has the lane, and what it commits next | `claim.lua`, `append.lua`, `resume.lua`, `room.lua`, `release.lua`, `trim.lua`, `leave.lua`, `sink_claim.lua`, `sink_plan.lua`, `sink_commit.lua`; a session's field is deleted by the next writer with the same folder | for ever: it outlives a lane trimmed empty |
//!
//! Within the transaction that adds a large block, a stream has the name `…:append`; nobody sees it there.
//!
//! | channel | message | published by | life |
//! |---|---|---|---|
//! | `forebay:<buffer>:fates` | what became of a writer's events, see `writer_status.rs` | `status_publisher.rs`, once a second | nothing is kept: whoever listens hears it |
//!
//! The braces keep a stream and its hash in one cluster slot. On a cluster the salt, a number, has streams lie evenly over the
//! slots (`cluster/spread.rs`); the key of each stands in `streams`. Nothing else is written, and nothing is ever
//! deleted but by `XTRIM MINID` (never `XDEL`: mixed with `MINID` it can leave a node that no longer loads).
//! A proof that wrote a buffer of its own on somebody's server removes it by [`Name::keys`].
//!
//! Must stay: key names, field names and their order, what the numbers count. `epoch`, `s` and `e` are digits alone, up to
//! 2^53 - 1: whatever else stands there stops every writer, and the readers tell of it.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use super::cluster::spread;
use crate::event::lane::{Lane, Lanes, is_name as is_lane_name};
use crate::event::stream::Stream;

/// A buffer's name: 1 to 64 of `A-Z a-z 0-9 . _ -`, so that keys need no escaping anywhere. It does not end as the key of a
/// stream does (`.likes.0`): a buffer called so would have its hash where another has a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    buffer: String,
    stream: Stream,
    /// Of a buffer whose streams are spread over a cluster what stands behind each lane's partition, by [`Lane::index`].
    salts: Option<Arc<[u32]>>,
}

/// A name that cannot be a buffer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "buffer name {0:?} is not valid: use 1 to 64 of A-Z a-z 0-9 . _ - that do not end in a lane and a number, as .likes.0 does"
)]
pub struct BadName(pub String);

/// Every key and channel of every buffer, and no other: a pattern for ACL rules.
pub const ALL_KEYS: &str = "forebay:*";

/// What keys begin with that proofs write on somebody's server, and remove afterwards.
pub const PROOF_KEYS: [&str; 2] = ["forebay:proof-", "forebay:{proof-"];

/// What a user needs to write, read and watch buffers, as ACL rules beside the keys. All channels are taken away first:
/// Redis 6.2 gives them to every new user, and then refuses a pattern.
pub const ACL_COMMANDS: &str = "-@all +@read +@stream +@hash +@scripting +@connection +info +time +memory|usage +rename \
                                +multi +exec +config|get +cluster|nodes +publish +subscribe resetchannels &forebay:*";

impl Name {
    /// The same buffer with events of this stream.
    #[must_use]
    pub fn of(self, stream: Stream) -> Self {
        let name = Self { stream, ..self };
        if name.salts.is_some() { name.spread() } else { name }
    }

    /// The same buffer with streams whose keys are made so that they lie evenly over a cluster's slots.
    #[must_use]
    pub(super) fn spread(self) -> Self {
        let salts = spread::salts(self.lanes(), |lane, salt| self.key(lane, Some(salt)));
        Self { salts: Some(salts.into()), ..self }
    }

    /// The same buffer with its streams where they are said to be; none where that is nowhere that is known here.
    pub(super) fn at(self, streams: &str) -> Option<Self> {
        let plain = Self { salts: None, ..self };
        if plain.streams() == streams {
            return Some(plain);
        }
        Some(plain.spread()).filter(|spread| spread.streams() == streams)
    }

    /// What its events are, as far as is known: without [`Self::of`] those of Jetstream.
    pub fn events(&self) -> Stream {
        self.stream
    }

    /// Its lanes.
    pub fn lanes(&self) -> Lanes {
        self.stream.lanes()
    }

    /// The hash that says what the buffer is.
    pub fn meta(&self) -> String {
        format!("forebay:{{{}}}", self.buffer)
    }

    /// The stream of a lane, or of one partition of it.
    pub fn stream(&self, lane: Lane) -> String {
        self.key(lane, self.salts.as_ref().and_then(|salts| salts.get(lane.index()).copied()))
    }

    fn key(&self, lane: Lane, salt: Option<u32>) -> String {
        let (name, partition) = (lane.lane_name(), lane.partition());
        match salt {
            Some(salt) => format!("forebay:{{{}.{name}.{partition}~{salt}}}", self.buffer),
            None => format!("forebay:{{{}.{name}.{partition}}}", self.buffer),
        }
    }

    /// The hash beside a lane's stream.
    pub fn writer(&self, lane: Lane) -> String {
        format!("{}:writer", self.stream(lane))
    }

    /// The name of a lane's stream while a block is added behind the append script. No other client sees it: it comes and goes
    /// in one transaction.
    pub(super) fn aside(&self, lane: Lane) -> String {
        format!("{}{}", self.stream(lane), Self::ASIDE)
    }

    /// What that name ends with.
    pub const ASIDE: &str = ":append";

    /// The channel that writers say on what became of their events.
    pub fn status_channel(&self) -> String {
        format!("forebay:{}:fates", self.buffer)
    }

    /// The field of that hash that tells of a loss right before a block.
    pub fn lost_before(number: u64) -> String {
        format!("{}{}", Self::LOST, number.saturating_sub(1))
    }

    /// The field of that hash that says how far the blocks of a writer's session are stored.
    pub fn spilled(session: &str) -> String {
        format!("spill:{session}")
    }

    /// Lane, partition and key of each stream, as JSON: a reader in any language finds them so.
    pub fn streams(&self) -> String {
        let of = |lane: Lane| json!({ "lane": lane.lane_name(), "partition": lane.partition(), "key": self.stream(lane) });
        Value::from(self.lanes().map(of)).to_string()
    }

    /// The field of the buffer's own hash that has a dictionary.
    pub fn dictionary(id: u32) -> String {
        format!("dict:{id}")
    }

    /// What the fields of that hash begin with that tell of losses.
    pub const LOST: &str = "lost:";

    /// The field of that hash that says up to where blocks of a group may have gone to consumers that have left it.
    pub fn left(group: &str) -> String {
        format!("left:{group}")
    }

    /// The field of that hash that says up to where a sink has the lane.
    pub fn sink(group: &str) -> String {
        format!("sink:{group}")
    }

    /// The field of the buffer's own hash that has what a sink says of itself.
    pub fn sink_figures(group: &str) -> String {
        format!("{}{group}", Self::SINK_FIGURES)
    }

    /// What the names of those fields begin with.
    pub const SINK_FIGURES: &str = "drain:";

    /// The field of that hash that says up to where blocks were dropped to make room.
    pub const TRIMMED: &str = "trimmed";

    /// The field of that hash with the id of the last block dropped so.
    pub const TRIMMED_ID: &str = "trimmed:id";

    /// The field of that hash with the lane's events up to and with that block.
    pub const TRIMMED_TOTAL: &str = "trimmed:e";

    /// The field of that hash with number and total of the last block that its groups were done with.
    pub const DONE: &str = "done";

    /// The field of that hash with the id of the first block that the writer keeps back.
    pub const KEPT: &str = "k";

    /// The field of that hash with the id of the run that has the lane, until that run says that it ended.
    pub const RUN: &str = "writer";

    /// The field of the buffer's own hash that names the source that counts in a numbering.
    pub fn source(numbering: u32) -> String {
        format!("source:{numbering}")
    }

    /// What the names of the fields begin with that say what the source no longer had.
    pub const MISSED: &str = "missed:";

    /// The field of the buffer's own hash that says what the source no longer had, by when that was found, in microseconds.
    pub fn missed(at_us: u64) -> String {
        format!("{}{at_us:016}", Self::MISSED)
    }

    /// A value that one connection of the load generator sets, gets and deletes.
    pub fn load_value(&self, connection: usize, slot: usize) -> String {
        format!("forebay:{}:load:value:{connection}:{slot}", self.buffer)
    }

    /// A list that one connection of the load generator pushes to and pops from.
    pub fn load_list(&self, connection: usize) -> String {
        format!("forebay:{}:load:list:{connection}", self.buffer)
    }

    /// The stream that all connections of the load generator append to and read.
    pub fn load_stream(&self) -> String {
        format!("forebay:{}:load:stream", self.buffer)
    }

    /// The buffer that a key belongs to, where it is a stream's, or the one that says what the buffer is.
    pub fn of_key(key: &str) -> Option<Self> {
        let key = key.strip_prefix("forebay:{")?;
        let tag = key.strip_suffix(":writer").unwrap_or(key).strip_suffix('}')?;
        match of_stream(tag) {
            Some(buffer) => buffer.parse().ok(),
            None => tag.parse().ok().filter(|_| !key.ends_with(":writer")),
        }
    }

    /// Every key the buffer may have.
    pub fn keys(&self) -> Vec<String> {
        let lanes = self.lanes().into_iter().flat_map(|lane| [self.stream(lane), self.writer(lane)]);
        lanes.chain([self.meta()]).collect()
    }
}

/// The buffer of what stands between the braces of a stream's key: a buffer's name, a lane's, and the partition's number.
fn of_stream(tag: &str) -> Option<&str> {
    let tag = match tag.rsplit_once('~') {
        Some((tag, salt)) if is_number(salt) => tag,
        _ => tag,
    };
    let (rest, partition) = tag.rsplit_once('.')?;
    let (buffer, lane) = rest.rsplit_once('.')?;
    (is_number(partition) && is_lane_name(lane) && !buffer.is_empty()).then_some(buffer)
}

fn is_number(text: &str) -> bool {
    (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl std::str::FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(good) && of_stream(text).is_none() {
            Ok(Self { buffer: text.into(), stream: Stream::jetstream(), salts: None })
        } else {
            Err(BadName(text.into()))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.buffer)
    }
}
