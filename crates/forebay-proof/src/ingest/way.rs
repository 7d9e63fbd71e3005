//! By which of a host's ways events come.

use forebay_rig::jetstream::{Protocol, Simulator};

/// By which of a host's ways events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `/subscribe` of the first version: times are its cursors.
    V1,
    /// `/subscribe` of the second version, whose events have a number.
    V2,
    /// The second version's own stream.
    Events,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V1, Self::V2, Self::Events];

    /// The words for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2 /subscribe",
            Self::Events => "v2 stream",
        }
    }

    /// Which version its host is of.
    pub fn protocol(self) -> Protocol {
        if self == Self::V1 { Protocol::V1 } else { Protocol::V2 }
    }

    /// Where a simulated host gives them.
    pub fn url(self, simulator: &Simulator) -> String {
        let path = match self {
            Self::Events => "/xrpc/network.bsky.jetstream.subscribeEvents",
            Self::V1 | Self::V2 => "/subscribe",
        };
        format!("{}{path}", simulator.url())
    }
}
