//! Tells whoever listens what became of a writer's events: once a second, and a last time when it ends.
//!
//! It has a thread and a connection of its own, so that it speaks while every lane waits. A server that is away hears
//! nothing, and one that refuses is told so once; the writer goes on either way.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redis::Connection;

use super::connect::Address;
use super::counts::{Monitor, Shared};
use super::error::Error;
use super::fates::{Fates, Message, State, VERSION};
use super::keys::Name;
use crate::event::lane::Lane;

/// How often it speaks.
const EVERY: Duration = Duration::from_secs(1);

/// How long the server may take to hear it; a writer that ends waits no longer for its last word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Characters of a reason at the most.
const WHY_MAX: usize = 500;

/// Speaks until its writer ends.
pub(super) struct Publisher {
    is_closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Speaker {
    address: Address,
    channel: String,
    shared: Arc<Shared>,
    id: String,
    started: Instant,
    connection: Option<Connection>,
    /// The writer has ended, and everything is acknowledged.
    is_closed: Arc<AtomicBool>,
}

/// The server does not let this user speak.
struct Refused;

impl Publisher {
    pub fn start(address: &Address, name: &Name, shared: &Arc<Shared>) -> std::io::Result<Self> {
        let is_closed = Arc::new(AtomicBool::new(false));
        let speaker = Speaker {
            address: address.clone(),
            channel: name.fates(),
            shared: Arc::clone(shared),
            // At random: nobody else's.
            id: format!("{:012x}", RandomState::new().hash_one(()) >> 16),
            started: Instant::now(),
            connection: None,
            is_closed: Arc::clone(&is_closed),
        };
        let thread = std::thread::Builder::new().name("forebay-fates".into()).spawn(move || speaker.run())?;
        Ok(Self { is_closed, thread: Some(thread) })
    }

    /// The writer has ended, and everything is acknowledged.
    pub fn close(&self) {
        self.is_closed.store(true, Relaxed);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Speaker {
    fn run(mut self) {
        loop {
            let next = Instant::now() + EVERY;
            let message = self.message();
            // One that is dropped in the middle says nothing more, as one that is killed.
            if self.shared.stopped.load(Relaxed) && !message.state.is_end() {
                return;
            }
            if self.say(&message).is_err() {
                tracing::warn!(
                    "the server does not let this user PUBLISH: nobody hears what becomes of the events"
                );
                return;
            }
            if message.state.is_end() {
                return;
            }
            while Instant::now() < next && !self.is_over() {
                std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
            }
        }
    }

    fn is_over(&self) -> bool {
        self.is_closed.load(Relaxed) || self.shared.stopped.load(Relaxed)
    }

    fn message(&self) -> Message {
        let monitor = Monitor::of(&self.shared);
        let (state, why) = match self.shared.failure() {
            Some(error @ Error::Fenced { .. }) => (State::Fenced, Some(error.to_string())),
            Some(error) => (State::Failed, Some(error.to_string())),
            None if self.is_closed.load(Relaxed) => (State::Closed, None),
            None => match monitor.trouble() {
                Some(why) => (State::HeldBack, Some(why)),
                None => (State::Writing, None),
            },
        };
        let of_lane = |lane: Lane| (lane.name().to_owned(), Fates::of(&monitor.lane(lane)));
        Message {
            v: VERSION,
            id: self.id.clone(),
            age_ms: self.started.elapsed().as_millis() as u64,
            state,
            why: why.map(|why| why.chars().take(WHY_MAX).collect()),
            lanes: Lane::ALL.into_iter().map(of_lane).collect(),
        }
    }

    fn say(&mut self, message: &Message) -> Result<(), Refused> {
        // A message of numbers and texts can always be written.
        let Ok(line) = serde_json::to_string(message) else { return Ok(()) };
        if self.connection.is_none() {
            self.connection = self.address.dial_within(PATIENCE).ok();
        }
        let Some(connection) = &mut self.connection else { return Ok(()) };
        match redis::cmd("PUBLISH").arg(&self.channel).arg(line).exec(connection) {
            Ok(()) => Ok(()),
            Err(error) if error.code() == Some("NOPERM") => Err(Refused),
            Err(_) => {
                self.connection = None;
                Ok(())
            }
        }
    }
}
