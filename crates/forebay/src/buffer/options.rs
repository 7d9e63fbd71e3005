//! What a writer may be told, and the defaults.

use std::str::FromStr;
use std::time::Duration;

use super::batch::Limits;
use super::overflow::{Listener, Overflow};
use super::tail::TAIL_BYTES;
use crate::block::encode::Encoding;

/// When a block counts as acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// The server answered.
    Reply,
    /// The server answered and the block is on its disk.
    Fsync,
    /// The server answered, and every replica that it had when the connection was made has the block, one at least: what a
    /// failover takes as its new master has it.
    Replica,
    /// The same, and the block is on the server's disk and on each replica's: it outlives a power cut of all of them.
    ReplicaFsync,
}

impl Ack {
    /// Whether every replica must have a block before it counts.
    pub fn is_by_replicas(self) -> bool {
        matches!(self, Self::Replica | Self::ReplicaFsync)
    }
}

impl FromStr for Ack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "reply" => Ok(Self::Reply),
            "fsync" => Ok(Self::Fsync),
            "replica" => Ok(Self::Replica),
            "replica-fsync" => Ok(Self::ReplicaFsync),
            _ => Err("reply, fsync, replica or replica-fsync".into()),
        }
    }
}

/// How to write. A program makes it by [`Writer::builder`](crate::Writer::builder).
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Options {
    /// When a block is cut.
    pub limits: Limits,
    /// How its frame is made.
    pub encoding: Encoding,
    /// When it counts.
    pub ack: Ack,
    /// Blocks of a lane under way at once.
    pub in_flight: usize,
    /// How long to go on without an acknowledgement before giving up. Where the policy lets the source go on, only the
    /// time counts in which it is held back all the same.
    pub patience: Duration,
    /// What becomes of events while the server takes none.
    pub overflow: Overflow,
    /// Hears of every event's fate.
    pub listener: Option<Listener>,
    /// Whether to take the buffer from a writer that is there; that one is fenced. Else opening fails where a writer is
    /// heard, and waits [`SILENCE`](super::owner::SILENCE) where one did not say that it ended.
    pub takes_over: bool,
    /// Where its source may send events again: how far before the low watermark blocks are kept, so that the next writer can tell,
    /// in the source's own numbers.
    pub keep_back: Option<u64>,
    /// Whether a lost connection is made again. Else it ends the writer, before anything is appended to a server that may have
    /// come back with less: for a source that can be asked again from the low watermark that the server has then.
    pub reconnects: bool,
    /// Bytes of acknowledged blocks to keep until every replica has them, under Sentinel and on a cluster.
    pub tail_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            encoding: Encoding::default(),
            ack: Ack::Reply,
            in_flight: 16,
            patience: Duration::from_secs(600),
            overflow: Overflow::Wait,
            listener: None,
            takes_over: false,
            keep_back: None,
            reconnects: true,
            tail_bytes: TAIL_BYTES,
        }
    }
}
