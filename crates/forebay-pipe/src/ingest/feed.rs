//! What comes of a host: one subscription, or where the first version would cut over from replay to live by itself, two.
//!
//! At its cut-over a host of the first version drops events and sends some before others. So the live end is subscribed to first,
//! then a replay, which is read until it gives the event that the live end began with, and ended before it would cut over. A
//! replay of hours comes first alone, until it is near the live end: what waits of the live end is bounded.

use std::time::{Duration, Instant, SystemTime};

use super::host::Host;
use super::socket::{Ask, Came, Ended, Refused, Socket};
use super::tail::Tail;
use crate::identity::{Identified, Identifier, Identity};

/// How near the live end a replay is when that is subscribed to.
const NEAR_US: u64 = 30_000_000;

/// How long a replay that gives nothing may have come to the live end, and how long the live end may have nothing to begin with.
const IDLE: Duration = Duration::from_millis(1_500);

/// How far past its first event a replay is read that does not have it.
const PAST_US: u64 = 1_000_000;

/// How far before its last event a replay is begun again.
const AGAIN_US: u64 = 2_000_000;

/// What comes of a host.
pub(super) enum Feed {
    One(Socket),
    /// A long replay alone.
    Replay(Replay),
    /// A replay, and the live end beside it.
    Both {
        replay: Replay,
        tail: Tail,
        first: Option<Begun>,
    },
    /// The live end, once the replay has come to it.
    Tail(Tail),
}

/// With which event the live end began.
pub(super) struct Begun {
    identity: Identity,
    /// A replay that gives this time has passed it. None where times went back: then no time says how far a replay is.
    passed_us: Option<u64>,
}

/// A replay of the first version.
pub(super) struct Replay {
    socket: Socket,
    from_us: u64,
    /// When it last gave something.
    given: Instant,
    /// The time of the latest event that it gave, or what it was asked for.
    latest_us: u64,
}

impl Replay {
    fn open(host: &Host, ask: &Ask<'_>, from_us: u64) -> Result<Self, Refused> {
        let ask = Ask { cursor: Some(from_us), ..*ask };
        Ok(Self { socket: Socket::open(host, &ask)?, from_us, given: Instant::now(), latest_us: from_us })
    }
}

/// What to do next with a feed.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    /// The long replay is near: have the live end beside it.
    Near,
    /// The replay has come to the live end.
    Met,
}

pub(super) fn now_us() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

impl Feed {
    /// A subscription to a host that does not cut over, or from the live end on.
    pub(super) fn one(host: &Host, ask: &Ask<'_>) -> Result<Self, Refused> {
        Socket::open(host, ask).map(Self::One)
    }

    /// A replay of the first version from a time on.
    pub(super) fn replay(
        host: &Host,
        ask: &Ask<'_>,
        from_us: u64,
        identifier: &Identifier,
    ) -> Result<Self, Refused> {
        if from_us + NEAR_US < now_us() {
            return Replay::open(host, ask, from_us).map(Self::Replay);
        }
        Self::both(host, ask, from_us, identifier)
    }

    fn both(host: &Host, ask: &Ask<'_>, from_us: u64, identifier: &Identifier) -> Result<Self, Refused> {
        let mut tail = Tail::open(Socket::open(host, &Ask { cursor: None, ..*ask })?);
        // What a replay is asked for after the live end has given its first event has that event, but for a cut-over.
        let first = tail.first(IDLE, |line| begun(&identifier.of(line), from_us));
        let replay = Replay::open(host, ask, from_us)?;
        Ok(Self::Both { replay, tail, first })
    }

    /// The next message.
    pub(super) fn next(&mut self) -> Result<Came<'_>, Ended> {
        if let Self::Both { tail, first: None, .. } = self
            && let Some(ended) = tail.ended()
        {
            // The replay would cut over by itself.
            return Err(ended);
        }
        match self {
            Self::One(socket) => socket.next(),
            Self::Replay(replay) | Self::Both { replay, .. } => {
                let came = replay.socket.next()?;
                if came != Came::Nothing {
                    replay.given = Instant::now();
                }
                Ok(came)
            }
            Self::Tail(tail) => tail.next(),
        }
    }

    /// An event came of it, or nothing did: whether something else is to be done now.
    pub(super) fn turn(&mut self, came: Option<&Identified>, identifier: &Identifier) -> Option<Turn> {
        match self {
            Self::One(_) | Self::Tail(_) => None,
            Self::Replay(replay) => {
                replay.saw(came);
                let is_near = replay.latest_us + NEAR_US >= now_us() || replay.given.elapsed() >= IDLE;
                is_near.then_some(Turn::Near)
            }
            Self::Both { replay, tail, first } => {
                replay.saw(came);
                if first.is_none() {
                    *first = tail.first(Duration::ZERO, |line| begun(&identifier.of(line), replay.from_us));
                }
                // A replay that gives nothing may be slow: only what it gives says how far it is.
                let is_met = match (first, came) {
                    (Some(Begun { identity, passed_us }), Some(came)) => {
                        let is_past = passed_us.zip(reached(came)).is_some_and(|(passed, now)| now >= passed);
                        came.identity == *identity || is_past
                    }
                    _ => false,
                };
                is_met.then_some(Turn::Met)
            }
        }
    }

    /// Does it.
    pub(super) fn make(
        self,
        turn: Turn,
        (host, ask): (&Host, &Ask<'_>),
        identifier: &Identifier,
    ) -> Result<Self, Refused> {
        match (self, turn) {
            (Self::Replay(replay), Turn::Near) => {
                let from_us = replay.latest_us.saturating_sub(AGAIN_US);
                replay.socket.close();
                Self::both(host, ask, from_us, identifier)
            }
            (Self::Both { replay, tail, .. }, Turn::Met) => {
                replay.socket.close();
                Ok(Self::Tail(tail))
            }
            (feed, _) => Ok(feed),
        }
    }

    /// Whether it is a replay that is far from the live end.
    pub(super) fn is_far(&self) -> bool {
        matches!(self, Self::Replay(_))
    }

    pub(super) fn close(self) {
        match self {
            Self::One(socket) => socket.close(),
            Self::Replay(replay) => replay.socket.close(),
            Self::Both { replay, tail, .. } => {
                replay.socket.close();
                tail.close();
            }
            Self::Tail(tail) => tail.close(),
        }
    }
}

impl Replay {
    fn saw(&mut self, came: Option<&Identified>) {
        if let Some(time_us) = came.and_then(reached) {
            self.latest_us = self.latest_us.max(time_us);
        }
    }
}

/// How far a replay is that gives this; a time of the future does not say.
fn reached(came: &Identified) -> Option<u64> {
    came.time_us.filter(|time_us| *time_us <= now_us())
}

/// None of what has no time: whatever a replay gives would be past it.
fn begun(first: &Identified, from_us: u64) -> Option<Begun> {
    let time_us = first.time_us?;
    let passed_us =
        Some(time_us.saturating_add(PAST_US)).filter(|_| time_us >= from_us.saturating_add(AGAIN_US));
    Some(Begun { identity: first.identity, passed_us })
}
