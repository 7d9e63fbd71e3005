//! Hears what writers say of their events ([`fates`](super::fates)), for whoever watches.
//!
//! Sums count from when it began to listen: a writer whose run began later counts from its first event, of one that was
//! there before only what comes from now on. A server that is away is tried again every second.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redis::{PubSub, RedisError, Value};

use super::connect::Address;
use super::fates::{BYTES_MAX, Message, VERSION};
pub use super::fates::{Fates, State};
use super::keys::Name;
use super::lock;
use crate::event::lane::Lane;

/// A writer that says nothing for so long is gone: it speaks every second.
pub const GONE: Duration = Duration::from_secs(5);

/// Writers that are remembered.
const WRITERS_MAX: usize = 64;

/// How long one wait for a message may take: so soon it ends when it is dropped.
const WAIT: Duration = Duration::from_millis(250);

/// How long the server may take to let it listen.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long it waits after it could not.
const PAUSE: Duration = Duration::from_secs(1);

/// After that much silence it asks whether anybody is there: a connection may be dead without a word.
const SILENCE: Duration = Duration::from_secs(10);

/// A writer, as last heard.
#[derive(Debug, Clone)]
pub struct WriterHeard {
    /// Its name for itself, of this run.
    pub id: String,
    /// How long ago.
    pub heard_ago: Duration,
    /// How old its run was then.
    pub age: Duration,
    /// How it stood.
    pub state: State,
    /// Why it does not write, where it does not.
    pub why: Option<String>,
    /// What became of its events, of all lanes.
    pub fates: Fates,
}

/// Writers that said they ended, since it began to listen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ends {
    /// With everything acknowledged.
    pub closed: u64,
    /// Because another has taken a lane.
    pub fenced: u64,
    /// With another error.
    pub failed: u64,
}

/// What was heard.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Whether it listens now.
    pub is_subscribed: bool,
    /// Why not, where it does not.
    pub why_not: Option<String>,
    /// Every writer that is remembered, the last heard first.
    pub writers: Vec<WriterHeard>,
    /// What became of events, by lane.
    pub sums: [Fates; Lane::ALL.len()],
    /// Writers that ended.
    pub ends: Ends,
    /// Messages that were none.
    pub not_understood: u64,
}

/// A message, and when it was heard.
type Last = (Message, Instant);

#[derive(Default)]
struct Ear {
    /// By the writer's id.
    writers: BTreeMap<String, Last>,
    sums: [Fates; Lane::ALL.len()],
    ends: Ends,
    not_understood: u64,
    is_subscribed: bool,
    why_not: Option<String>,
}

/// Listens until it is dropped.
pub struct Hearing {
    ear: Arc<Mutex<Ear>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hearing {
    /// Begins to listen.
    pub fn start(address: &Address, name: &Name) -> std::io::Result<Self> {
        let ear =
            Arc::new(Mutex::new(Ear { why_not: Some("nobody was asked yet".into()), ..Ear::default() }));
        let is_over = Arc::new(AtomicBool::new(false));
        let (address, channel, began) = (address.clone(), name.fates(), Instant::now());
        let (mine, flag) = (Arc::clone(&ear), Arc::clone(&is_over));
        let run = move || {
            while !flag.load(Relaxed) {
                let why =
                    listen(&address, &channel, began, &mine, &flag).err().map(|error| error.to_string());
                {
                    let mut ear = lock(&mine);
                    (ear.is_subscribed, ear.why_not) = (false, why);
                }
                let next = Instant::now() + PAUSE;
                while !flag.load(Relaxed) && Instant::now() < next {
                    std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
                }
            }
        };
        let thread = std::thread::Builder::new().name("forebay-hear".into()).spawn(run)?;
        Ok(Self { ear, is_over, thread: Some(thread) })
    }

    /// What was heard so far.
    pub fn look(&self) -> Heard {
        let ear = lock(&self.ear);
        let mut writers: Vec<WriterHeard> = ear.writers.values().map(heard).collect();
        writers.sort_by_key(|writer| writer.heard_ago);
        Heard {
            is_subscribed: ear.is_subscribed,
            why_not: ear.why_not.clone(),
            writers,
            sums: ear.sums,
            ends: ear.ends,
            not_understood: ear.not_understood,
        }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn heard((message, at): &Last) -> WriterHeard {
    WriterHeard {
        id: message.id.clone(),
        heard_ago: at.elapsed(),
        age: Duration::from_millis(message.age_ms),
        state: message.state,
        why: message.why.clone(),
        fates: message.lanes.values().copied().fold(Fates::default(), Fates::and),
    }
}

/// Listens until the connection is lost, or it is over.
fn listen(
    address: &Address,
    channel: &str,
    began: Instant,
    ear: &Mutex<Ear>,
    is_over: &AtomicBool,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut connection = address.dial_within(PATIENCE)?;
    let mut pubsub = connection.as_pubsub();
    pubsub.subscribe(channel)?;
    check(&mut pubsub, channel)?;
    pubsub.set_read_timeout(Some(WAIT))?;
    {
        let mut ear = lock(ear);
        (ear.is_subscribed, ear.why_not) = (true, None);
    }
    let mut last = Instant::now();
    while !is_over.load(Relaxed) {
        match pubsub.get_message() {
            Ok(message) => {
                last = Instant::now();
                lock(ear).take(message.get_payload_bytes(), began.elapsed());
            }
            Err(error) if is_quiet(&error) => {
                if last.elapsed() >= SILENCE {
                    pubsub.set_read_timeout(Some(PATIENCE))?;
                    check(&mut pubsub, channel)?;
                    pubsub.set_read_timeout(Some(WAIT))?;
                    last = Instant::now();
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether the server is there and lets us listen. The client library takes its refusal for an answer like any other; but only
/// to those who listen does a server answer a PING with a list.
fn check(pubsub: &mut PubSub<'_>, channel: &str) -> Result<(), Box<dyn std::error::Error>> {
    match pubsub.ping_message("forebay")? {
        Value::Array(_) => Ok(()),
        _ => Err(format!("the server refuses SUBSCRIBE {channel} to this user").into()),
    }
}

/// Nobody spoke within one wait.
fn is_quiet(error: &RedisError) -> bool {
    error.is_timeout()
}

impl Ear {
    /// Takes a message; `listening` is for how long it has listened.
    fn take(&mut self, bytes: &[u8], listening: Duration) {
        let message =
            (bytes.len() <= BYTES_MAX).then(|| serde_json::from_slice::<Message>(bytes).ok()).flatten();
        let is_known = |name: &String| Lane::ALL.iter().any(|lane| lane.name() == name);
        let message = message.filter(|message| message.v == VERSION && message.lanes.keys().all(is_known));
        let Some(message) = message else {
            self.not_understood += 1;
            return;
        };
        let before = self.writers.get(&message.id).map(|(before, _)| before);
        let is_new = before.is_none();
        let is_younger = Duration::from_millis(message.age_ms) <= listening;
        for lane in Lane::ALL {
            let now = message.lanes.get(lane.name()).copied().unwrap_or_default();
            let from = match before {
                Some(before) => before.lanes.get(lane.name()).copied().unwrap_or_default(),
                None if is_younger => Fates::default(),
                None => now,
            };
            let sum = &mut self.sums[lane.index()];
            *sum = sum.and(now.since(from));
        }
        let has_ended = before.is_some_and(|before| before.state.is_end());
        if !has_ended && (!is_new || is_younger) {
            self.ends.count(message.state);
        }
        self.writers.insert(message.id.clone(), (message, Instant::now()));
        if self.writers.len() > WRITERS_MAX {
            let oldest = self.writers.iter().min_by_key(|(_, (_, at))| *at).map(|(id, _)| id.clone());
            oldest.map(|id| self.writers.remove(&id));
        }
    }
}

impl Ends {
    fn count(&mut self, state: State) {
        match state {
            State::Closed => self.closed += 1,
            State::Fenced => self.fenced += 1,
            State::Failed => self.failed += 1,
            State::Writing | State::HeldBack => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(id: &str, age_ms: u64, state: State, likes: u64) -> Vec<u8> {
        let fates = Fates { shed: likes, ..Fates::default() };
        let lanes = [("likes".to_owned(), fates)].into();
        let message = Message { v: 1, id: id.into(), age_ms, state, why: None, lanes };
        serde_json::to_vec(&message).unwrap()
    }

    fn shed(ear: &Ear) -> u64 {
        ear.sums.iter().map(|fates| fates.shed).sum()
    }

    #[test]
    fn what_was_before_it_listened_does_not_count() {
        let mut ear = Ear::default();
        let second = Duration::from_secs(1);
        ear.take(&says("old", 5_000, State::Writing, 100), second);
        assert_eq!(shed(&ear), 0);
        ear.take(&says("old", 6_000, State::Writing, 130), second * 2);
        ear.take(&says("new", 500, State::Writing, 7), second * 2);
        assert_eq!(shed(&ear), 37);
        ear.take(&says("new", 1_500, State::Closed, 7), second * 3);
        ear.take(&says("gone before", 90_000, State::Fenced, 9), second * 3);
        assert_eq!((shed(&ear), ear.ends), (37, Ends { closed: 1, ..Ends::default() }));
    }

    #[test]
    fn what_is_no_message_is_counted_and_changes_nothing() {
        let mut ear = Ear::default();
        let other = String::from_utf8(says("x", 0, State::Writing, 5)).unwrap();
        for bytes in [
            b"hello".to_vec(),
            vec![b'{'; BYTES_MAX + 1],
            other.replace("\"v\":1", "\"v\":2").into_bytes(),
            other.replace("likes", "loves").into_bytes(),
            other.replace("writing", "sleeping").into_bytes(),
        ] {
            ear.take(&bytes, Duration::ZERO);
        }
        assert_eq!((ear.not_understood, shed(&ear), ear.writers.len()), (5, 0, 0));
    }

    #[test]
    fn no_more_writers_are_remembered_than_that() {
        let mut ear = Ear::default();
        for at in 0..100 {
            ear.take(&says(&format!("{at:03}"), 0, State::Writing, 1), Duration::from_secs(1));
        }
        assert_eq!((ear.writers.len(), shed(&ear)), (WRITERS_MAX, 100));
        assert!(ear.writers.contains_key("099") && !ear.writers.contains_key("000"));
    }
}
