//! What goes wrong in a round: as a table, with what must be seen of it before the round counts.

use std::time::Duration;

use forebay_pipe::ingest::Sabotage;
use forebay_rig::jetstream::Fault;

use super::size::Size;
use super::way::Way;

/// What is done to source or server while events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing more than the host's own faults.
    None,
    /// Every connection is cut.
    Cut,
    /// The host becomes one of the other version, under its name.
    OtherVersion,
    /// The host counts anew.
    Anew,
    /// The host has another dictionary.
    Rotate,
    /// The host goes, and the next one is of the version by the round's turn.
    OtherHost,
    /// The server takes nothing for a while.
    Full,
    /// The server is killed, and what it had not fsynced is gone.
    Kill,
}

/// What goes wrong.
#[expect(clippy::struct_excessive_bools, reason = "a row of a table: each says something else")]
pub struct Scenario {
    /// Its claim is `ingest.<id>`.
    pub id: &'static str,
    /// What goes wrong, as the end of a sentence.
    pub what: &'static str,
    /// By which ways it can.
    pub ways: &'static [Way],
    /// The faults of the host.
    pub faults: fn(&Size, u64) -> Vec<Fault>,
    /// What is done meanwhile.
    pub action: Action,
    /// What must have acted in a round; and in its control.
    pub acts: &'static [&'static str],
    /// What must have acted in its control besides.
    pub control_acts: &'static [&'static str],
    /// Whether frames come compressed.
    pub compress: bool,
    /// Whether the source keeps the order within a lane.
    pub keeps_order: bool,
    /// Whether the source sends events that the network does not have.
    pub sends_strange: bool,
    /// What the engine is without in the control, and by which way.
    pub control: (Sabotage, Way),
    /// Too long for a quick run.
    pub is_long: bool,
}

const V2S: &[Way] = &[Way::V2, Way::Events];
const SECOND: Duration = Duration::from_secs(1);

/// Nothing but a connection that ends now and then.
const PLAIN: Scenario = Scenario {
    id: "",
    what: "",
    ways: &Way::ALL,
    faults: |_, _| Vec::new(),
    action: Action::None,
    acts: &[],
    control_acts: &[],
    compress: false,
    keeps_order: true,
    sends_strange: false,
    control: (Sabotage::Repeats, Way::V1),
    is_long: false,
};

/// Everything that can go wrong, in the order of the claims.
pub static ALL: &[Scenario] = &[
    Scenario { id: "no-fault", what: "nothing goes wrong", ..PLAIN },
    Scenario {
        id: "cut-over",
        what: "the host drops and reorders events where its replay meets the live end",
        ways: &[Way::V1],
        // It stays open afterwards: a replay from before would bring back what was swallowed.
        faults: |size, _| vec![Fault::CutOver { swallow: 20, reorder: 10, close_after: size.events() }],
        // Nobody meets it who ends the replay before. It acts on the one that does not.
        control_acts: &["cut-over"],
        control: (Sabotage::CutOver, Way::V1),
        ..PLAIN
    },
    Scenario {
        id: "reorder",
        what: "the host sends events before older ones",
        faults: |size, _| {
            vec![Fault::Reorder { every: 500, by: 5 }, Fault::Drop { every: size.drop_every() }]
        },
        acts: &["reorder", "drop"],
        keeps_order: false,
        ..PLAIN
    },
    Scenario {
        id: "segment-start",
        what: "the host begins thousands of events before the time it was asked for",
        faults: |_, _| vec![Fault::SegmentStart { events: 4_000 }],
        ways: &[Way::V1],
        action: Action::Anew,
        acts: &["segment-start", "in-stream"],
        ..PLAIN
    },
    Scenario {
        id: "other-version",
        what: "the host becomes one of the other version under its name",
        ways: &[Way::V1, Way::V2],
        action: Action::OtherVersion,
        acts: &["other-protocol", "in-stream"],
        keeps_order: false,
        ..PLAIN
    },
    Scenario {
        id: "seqs-anew",
        what: "the host numbers its events anew",
        ways: V2S,
        action: Action::Anew,
        acts: &["seq-restart", "cut", "in-stream"],
        control: (Sabotage::Repeats, Way::V2),
        ..PLAIN
    },
    Scenario {
        id: "other-host",
        what: "the host is gone and another one, of either version, is asked",
        action: Action::OtherHost,
        acts: &["other-host", "in-stream"],
        keeps_order: false,
        ..PLAIN
    },
    Scenario {
        id: "idle",
        what: "the host has nothing for a while, and still pings",
        faults: |size, _| vec![Fault::Idle { after: size.history / 2, for_: 2 * SECOND }],
        acts: &["idle"],
        ..PLAIN
    },
    Scenario {
        id: "stall",
        what: "the host says nothing for a while",
        faults: |size, _| vec![Fault::Stall { after: size.history / 2, for_: 2 * SECOND }],
        acts: &["stall"],
        ..PLAIN
    },
    Scenario {
        id: "half-open",
        what: "the host has forgotten the connection, and tells nobody",
        // A host of the first version is asked on two connections: neither gives all.
        faults: |size, _| vec![Fault::HalfOpen { after: size.live * 3 / 4, connections: 2 }],
        acts: &["half-open"],
        is_long: true,
        ..PLAIN
    },
    Scenario {
        id: "time-back",
        what: "times go back by up to 50 ms",
        faults: |size, _| {
            vec![Fault::TimeBack { jitter_us: 50_000 }, Fault::Drop { every: size.drop_every() }]
        },
        acts: &["time-back", "drop"],
        ..PLAIN
    },
    Scenario {
        id: "time-step",
        what: "the host's clock is set back by an hour",
        faults: |size, _| vec![Fault::TimeStep { at_index: size.middle(), back_us: 3_600_000_000 }],
        acts: &["time-step"],
        keeps_order: false,
        ..PLAIN
    },
    Scenario {
        id: "no-events",
        what: "messages come that are no events, or break careless parsers",
        faults: |size, _| vec![Fault::Evil { every: 500 }, Fault::Drop { every: size.drop_every() }],
        acts: &["evil", "drop", "refused"],
        sends_strange: true,
        ..PLAIN
    },
    Scenario {
        id: "bomb",
        what: "a frame of kilobytes decompresses to 300 MB",
        faults: |size, _| vec![Fault::Bomb { after: size.history / 2, bytes: 300 << 20 }],
        acts: &["bomb", "refused"],
        compress: true,
        ..PLAIN
    },
    Scenario {
        id: "wrong-dictionary",
        what: "a frame was compressed with a dictionary that nobody has",
        faults: |size, _| vec![Fault::WrongDictionary { after: size.history / 2 }],
        acts: &["wrong-dictionary"],
        compress: true,
        ..PLAIN
    },
    Scenario {
        id: "other-dictionary",
        what: "the host has another dictionary than before",
        ways: &[Way::Events],
        action: Action::Rotate,
        acts: &["rotated-dictionary", "in-stream"],
        compress: true,
        control: (Sabotage::Repeats, Way::Events),
        ..PLAIN
    },
    Scenario {
        id: "full-server",
        what: "the server takes nothing for longer than the host waits",
        faults: |_, _| vec![Fault::SlowConsumer { behind: 1_000, rate: 100.0, window: SECOND }],
        action: Action::Full,
        acts: &["held-back"],
        ..PLAIN
    },
    Scenario {
        id: "duplicates",
        what: "the host sends its last 500 events once more",
        faults: |size, _| vec![Fault::DuplicateLast { n: 500, at: size.middle() }],
        acts: &["duplicate-last"],
        ..PLAIN
    },
    Scenario {
        id: "relay-set-back",
        what: "a relay sends old account events again under other numbers",
        ways: V2S,
        faults: |size, _| {
            vec![
                Fault::Regress { by: size.history / 2, at: size.middle() },
                Fault::Drop { every: size.drop_every() },
            ]
        },
        acts: &["regress", "drop"],
        control: (Sabotage::Repeats, Way::V2),
        ..PLAIN
    },
    Scenario {
        id: "drop",
        what: "the host closes connections again and again",
        faults: |size, _| vec![Fault::Drop { every: size.drop_every() }],
        acts: &["drop"],
        control: (Sabotage::Repeats, Way::V2),
        ..PLAIN
    },
    Scenario {
        id: "reset",
        what: "connections are reset in the middle of a frame",
        faults: |size, _| vec![Fault::Reset { every: size.drop_every() }],
        acts: &["reset"],
        control: (Sabotage::Repeats, Way::Events),
        ..PLAIN
    },
    Scenario {
        id: "refused",
        what: "the host answers connections with 400, 429 or 503",
        faults: |_, seed| vec![Fault::Status { code: [400, 429, 503][(seed % 3) as usize], times: 2 }],
        acts: &["status"],
        ..PLAIN
    },
    Scenario {
        id: "slow-handshake",
        what: "the host takes a second to agree to a connection",
        faults: |_, _| vec![Fault::SlowHandshake { wait: SECOND }],
        acts: &["slow-handshake"],
        ..PLAIN
    },
    Scenario {
        id: "large-frame",
        what: "the host sends a frame of 64 MiB",
        faults: |size, _| vec![Fault::LargeFrame { bytes: 64 << 20, after: size.history / 2 }],
        acts: &["large-frame", "refused"],
        ..PLAIN
    },
    Scenario {
        id: "host-restart",
        what: "the host is started again",
        action: Action::Cut,
        acts: &["cut", "in-stream"],
        control: (Sabotage::Repeats, Way::V2),
        ..PLAIN
    },
    Scenario {
        id: "server-killed",
        what: "the server is killed three times, and comes back without what everysec had not fsynced",
        action: Action::Kill,
        acts: &["taken-back"],
        control: (Sabotage::LastCursor, Way::V1),
        ..PLAIN
    },
];
