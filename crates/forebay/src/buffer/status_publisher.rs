//! Tells watchers once a second what became of a writer's events.
//!
//! Nothing is stored: a full server refuses every command that may take memory. PUBLISH it does not refuse, neither
//! then nor while it cannot save. What is said stands in [`writer_status`](super::writer_status).
//!
//! A thread and a connection of its own, so that no block waits for it. A server that is away, or that does not
//! permit it, changes nothing for the writer.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::connection::Connection;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::connect::{Address, CROWDED};
use super::error::Error;
use super::keys::{ALL_KEYS, Name};
use super::shared::{Monitor, Shared};
use super::writer_status::{FateCounts, Message, WriterState};
use crate::event::lane::Lane;

/// How often a writer is heard.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long until the next try where the server does not permit it: each try stands in its ACL log.
const REFUSED_INTERVAL: Duration = Duration::from_secs(60);

/// How long the server may take for each answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long a writer that ends waits until that is published.
const END_MAX: Duration = Duration::from_secs(1);

/// What is said at a moment: a state, and the reason for it.
type StateAndReason = (WriterState, Option<String>);

/// The thread that publishes, as its writer sees it.
pub(super) struct Publisher {
    end: Sender<StateAndReason>,
    over: Receiver<Infallible>,
}

impl Publisher {
    /// Publishes at once and from then on, until [`Self::end`].
    pub fn start(address: &Address, name: &Name, shared: &Arc<Shared>) -> Result<Self, Error> {
        let (end, ended) = bounded(1);
        let (alive, over) = bounded(0);
        let voice = PublisherThread {
            address: address.clone(),
            channel: name.status_channel(),
            id: shared.owner.id().to_owned(),
            began: Instant::now(),
            shared: Arc::clone(shared),
            connection: None,
            is_refused: false,
        };
        let run = move || {
            voice.run(&ended);
            drop(alive);
        };
        Builder::new()
            .name("forebay-fates".into())
            .spawn(run)
            .map_err(|error| Error::system("no thread could be started", error))?;
        Ok(Self { end, over })
    }

    /// Publishes how the writer ended, and waits for that no longer than [`END_MAX`]. The thread ends by itself: every
    /// wait of its own is bounded too.
    pub fn end(self, outcome: Result<(), &Error>) {
        let said = outcome.map_or_else(ended_with, |()| (WriterState::Closed, None));
        if self.end.send(said).is_ok() {
            let _ = self.over.recv_timeout(END_MAX);
        }
    }
}

fn ended_with(error: &Error) -> StateAndReason {
    let state = if matches!(error, Error::Fenced { .. }) { WriterState::Fenced } else { WriterState::Failed };
    (state, Some(error.to_string()))
}

/// The thread.
struct PublisherThread {
    address: Address,
    channel: String,
    id: String,
    began: Instant,
    shared: Arc<Shared>,
    connection: Option<Connection>,
    /// Whether the last try was not permitted.
    is_refused: bool,
}

impl PublisherThread {
    fn run(mut self, end: &Receiver<StateAndReason>) {
        // Whoever hears this one knows that nothing was before it.
        self.publish(&(WriterState::Writing, None), self.of_lanes(|_| FateCounts::default()));
        let mut has_failed = false;
        loop {
            // A writer that has failed is told at once, whenever its owner notices; what its other lanes came to
            // stands in the last message.
            let next = if has_failed {
                end.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                end.recv_timeout(if self.is_refused { REFUSED_INTERVAL } else { INTERVAL })
            };
            match next {
                Ok(last) => return self.publish_last(&last),
                Err(RecvTimeoutError::Timeout) => {
                    let said = self.standing();
                    has_failed = said.0.is_end();
                    self.publish(&said, self.counts());
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn counts(&self) -> BTreeMap<String, FateCounts> {
        let monitor = Monitor::of(&self.shared);
        self.of_lanes(|lane| FateCounts::of(&monitor.lane(lane)))
    }

    fn of_lanes(&self, of: impl Fn(Lane) -> FateCounts) -> BTreeMap<String, FateCounts> {
        self.shared.all.iter().map(|lane| (lane.name().to_owned(), of(lane))).collect()
    }

    fn standing(&self) -> StateAndReason {
        if let Some(error) = self.shared.failure() {
            return ended_with(&error);
        }
        let trouble = Monitor::of(&self.shared).trouble();
        (if trouble.is_some() { WriterState::HeldBack } else { WriterState::Writing }, trouble)
    }

    /// On another connection where this one is gone: nothing comes after it that would make up for it.
    fn publish_last(&mut self, said: &StateAndReason) {
        let had_connection = self.connection.is_some();
        self.publish(said, self.counts());
        if had_connection && self.connection.is_none() {
            self.publish(said, self.counts());
        }
    }

    fn publish(&mut self, (state, why): &StateAndReason, lanes: BTreeMap<String, FateCounts>) {
        // Lanes go first where the server takes no more clients.
        if *state == WriterState::HeldBack && why.as_ref().is_some_and(|why| why.contains(CROWDED)) {
            self.connection = None;
            return;
        }
        let message = Message {
            id: self.id.clone(),
            age: self.began.elapsed(),
            state: *state,
            why: why.clone(),
            lanes,
        };
        let line = message.line();
        if self.connection.is_none() {
            // One that is away is the lanes' to tell.
            self.connection = self.address.dial_within(ANSWER_MAX).ok();
        }
        let Some(connection) = &mut self.connection else { return };
        match redis::cmd("PUBLISH").arg(&self.channel).arg(line).query::<u64>(connection) {
            Ok(_) => self.is_refused = false,
            Err(error) if error.code() == Some("NOPERM") => {
                if !self.is_refused {
                    tracing::warn!(
                        "{} does not let this user publish (NOPERM): {error}; no watcher hears of this writer, and \
                         another one may take the buffer over; permit it by ACL SETUSER with +publish &{ALL_KEYS}",
                        self.address
                    );
                }
                self.is_refused = true;
            }
            Err(_) => self.connection = None,
        }
    }
}
