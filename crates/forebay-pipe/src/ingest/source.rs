//! Who counts: the host and the version of its protocol, as it stands beside the buffer.

use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::host::Host;

/// Which numbers a host gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// The time of each event, in microseconds.
    V1,
    /// A number of its own for each event.
    V2,
}

impl Kind {
    /// How far before the low watermark this kind of host is asked again, in its own numbers: what comes a little out of order
    /// must not be lost.
    pub(super) fn back(self) -> u64 {
        match self {
            Self::V1 => 2_000_000,
            Self::V2 => 1_000,
        }
    }

    /// How far before the low watermark events are kept to tell repeats: also those of another host, asked by time.
    pub(super) fn margin(self) -> u64 {
        match self {
            Self::V1 => TIME_MARGIN_US + 5_000_000,
            // Ten seconds of ten times the network's rate.
            Self::V2 => 100_000,
        }
    }

    /// What its numbers are: microseconds since 1970, or the host's own.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::V1 => "us",
            Self::V2 => "seq",
        }
    }

    /// How long such a host keeps events, as it is documented.
    fn retention_hours(self) -> u64 {
        match self {
            Self::V1 => 24,
            Self::V2 => 36,
        }
    }
}

/// How far another host is asked back: the clocks of two hosts differ.
pub(super) const TIME_MARGIN_US: u64 = 10_000_000;

/// A source, as it stands beside the buffer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) host: String,
    pub(super) kind: Kind,
    /// What its numbers are, and how long it keeps events, for whoever looks at the buffer and knows nothing of hosts:
    /// [`forebay::buffer::stat::SourceStat`].
    #[serde(default)]
    unit: String,
    #[serde(default)]
    keeps_hours: u64,
    #[serde(default)]
    collections: Vec<String>,
    #[serde(default)]
    dids: Vec<String>,
}

impl Source {
    pub(super) fn new(host: &Host, kind: Kind, filter: &Filter) -> Self {
        let Filter { collections, dids } = filter.clone();
        let (unit, keeps_hours) = (kind.unit().into(), kind.retention_hours());
        Self { host: host.to_string(), kind, unit, keeps_hours, collections, dids }
    }

    /// Reads what stands beside the buffer; none where somebody else has written there.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn text(&self) -> String {
        // Proof: texts and lists of texts.
        serde_json::to_string(self).expect("a source is JSON")
    }

    pub(super) fn is_of(&self, host: &Host) -> bool {
        self.host == host.to_string()
    }

    /// Whether the same events were wanted: else an event that was stored need not come again.
    pub(super) fn wanted(&self, filter: &Filter) -> bool {
        self.collections == filter.collections && self.dids == filter.dids
    }
}
