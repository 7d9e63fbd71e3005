//! How much a round has: events, and how long is waited for what should come.

use std::time::Duration;

use super::scenario::Action;

/// How much.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Events that are there when it begins.
    pub history: u64,
    /// Events that come while it runs.
    pub live: u64,
    /// Of those so many a second.
    pub rate: f64,
    /// An ingest that has the last event and has done nothing for so long has all that it will have.
    pub quiet: Duration,
    /// The same of one that does not have the last event: a writer whose server was killed waits for seconds before it opens
    /// the buffer again, and a host that says nothing is let go after 30 s. Only failures take as long.
    pub stuck: Duration,
}

impl Size {
    /// As small as shows something: two seconds.
    pub const SMALL: Self = Self {
        history: 2_000,
        live: 2_000,
        rate: 2_000.0,
        quiet: Duration::from_secs(4),
        stuck: Duration::from_secs(90),
    };
    /// Of a quick run.
    pub const QUICK: Self = Self { history: 4_000, ..Self::SMALL };
    /// Of a full run.
    pub const FULL: Self = Self { history: 6_000, live: 6_000, ..Self::SMALL };

    /// The same for what needs more: a server is full once what waits in the writer is, and a replay must be long enough to lose
    /// more of it than an ingest asks for again.
    #[must_use]
    pub fn with(self, action: Action) -> Self {
        match action {
            Action::Full => Self { history: 50_000, ..self },
            Action::Kill => Self { history: 24_000, live: self.live.max(3_000), rate: 1_000.0, ..self },
            _ => self,
        }
    }

    /// All events.
    pub fn events(&self) -> u64 {
        self.history + self.live
    }

    /// The event in the middle of what comes live.
    pub fn middle(&self) -> u64 {
        self.history + self.live / 2
    }

    /// How often a host that drops connections does.
    pub fn drop_every(&self) -> u64 {
        (self.events() / 4).max(1_200)
    }
}
