//! What can go wrong between a buffer and its server: each names the thing and the way out.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::add_lanes;
use super::error_class::words;
use super::keys::BadName;
use super::text;
use crate::event::lane::{Lane, Lanes};
use crate::event::stream::Stream;

/// The system's number for a call that a signal broke off.
const EINTR: i32 = rustix::io::Errno::INTR.raw_os_error();

/// How long the handler of a signal may take to set its flag.
const HANDLER_MAX: Duration = Duration::from_secs(1);

/// What an error comes of, as the system or the client library gave it.
#[derive(Debug, Clone)]
pub struct Cause(Arc<dyn StdError + Send + Sync>);

impl Cause {
    /// Keeps an error beside its text.
    pub fn new(error: impl StdError + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

/// So that an error's source is the cause itself.
impl std::ops::Deref for Cause {
    type Target = dyn StdError + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// An error that a writer, a reader or a look at a buffer can end with.
///
/// Its text is whole: it has what its [`source`](StdError::source) says, where there is one, without any password.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL is none.
    #[error(
        "{url:?} is not a Redis URL ({why}); write it as redis://[user:password@]host[:port][/db] or rediss://…"
    )]
    Url {
        /// The URL without its password.
        url: String,
        /// What the client library said.
        why: String,
    },
    /// No buffer can have that name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Nobody answers, or the connection broke before anything was done.
    #[error("no server at {url}: {why}; is it running, and is this its host and port?")]
    Connect {
        /// The URL without its password.
        url: String,
        /// What the system said.
        why: String,
        /// What it comes of, where there is more to it.
        source: Option<Cause>,
    },
    /// The server, or this machine, does not accept the other's certificate.
    #[error("no TLS with {url}: {why}")]
    Certificate {
        /// The URL without its password.
        url: String,
        /// What was said, and what to do.
        why: String,
        /// What it comes of, where there is more to it.
        source: Option<Cause>,
    },
    /// The server has as many clients as it takes.
    #[error(
        "{url} takes no more clients: {why}; raise its maxclients, or end connections that nobody needs (CLIENT LIST \
         names them)"
    )]
    Crowded {
        /// The URL without its password.
        url: String,
        /// What the server said.
        why: String,
    },
    /// The server wants another user or password.
    #[error("{url} refuses the login: {why}; put user and password into the URL")]
    Login {
        /// The URL without its password.
        url: String,
        /// What the server said.
        why: String,
        /// What it comes of, where there is more to it.
        source: Option<Cause>,
    },
    /// A server that cannot hold a buffer.
    #[error("{url} cannot hold a buffer: {why}")]
    Unfit {
        /// The URL without its password.
        url: String,
        /// What it is, and what to do.
        why: String,
    },
    /// The buffer has no such lane.
    #[error("buffer {buffer} has no lane {lane:?}; its lanes are {lanes}")]
    NoLane {
        /// The buffer.
        buffer: String,
        /// What was asked for.
        lane: String,
        /// Those it has.
        lanes: Lanes,
    },
    /// The buffer was made for other events.
    #[error(
        "buffer {buffer} was made for other events than are expected here: for {theirs}, not for {mine}; {}",
        add_lanes::way_out(*theirs, *mine)
    )]
    OtherStream {
        /// The buffer.
        buffer: String,
        /// What it was made for.
        theirs: Stream,
        /// What was to be appended.
        mine: Stream,
    },
    /// The lanes that a buffer is to have are not those that it has and more.
    #[error(
        "lanes can only be added to buffer {buffer}, which has {theirs}: {mine} would change or leave out what is there; name what \
         it has first, in its order"
    )]
    NotMore {
        /// The buffer.
        buffer: String,
        /// What it has.
        theirs: Stream,
        /// What it was to have.
        mine: Stream,
    },
    /// A key of the buffer's holds something else.
    #[error(
        "key {key:?} holds something that is not the buffer's ({why}); use another buffer, or move that key away"
    )]
    WrongType {
        /// The key.
        key: String,
        /// What the server said.
        why: String,
    },
    /// The buffer has a writer that is there, and nothing was taken from it.
    #[error(
        "buffer {buffer} at {url} has a writer already: {why}; nothing was taken from it, and only one writer may append \
         to a buffer"
    )]
    Taken {
        /// The buffer.
        buffer: String,
        /// The URL without its password.
        url: String,
        /// How that is known.
        why: String,
    },
    /// Whether the buffer's last writer is there cannot be found out.
    #[error(
        "the last writer of buffer {buffer} did not say that it ended, and whether it is still there cannot be heard: \
         {why}; nothing was taken"
    )]
    Unheard {
        /// The buffer.
        buffer: String,
        /// The URL without its password.
        url: String,
        /// Why not.
        why: String,
    },
    /// What was pushed would make its block unreadable.
    #[error("an event was refused, since its block could not be read again: {why}")]
    NoEvent {
        /// What is wrong with it.
        why: String,
    },
    /// Another writer has taken the lane.
    #[error(
        "lane {lane}: fenced, another writer has taken it (its epoch is {theirs}, ours {mine}); \
             {unacknowledged} events here are not acknowledged; only one writer may append to a buffer"
    )]
    Fenced {
        /// The lane.
        lane: Lane,
        /// Our epoch.
        mine: u64,
        /// The other one.
        theirs: u64,
        /// Events taken from the source that the server does not have from us.
        unacknowledged: u64,
    },
    /// The server has a block under a number that this writer has not given out yet.
    #[error(
        "lane {lane}: the server says that it has block {number}, which was never sent: something else writes to \
             {key:?}; {unacknowledged} events here are not acknowledged; only one writer may append to a buffer"
    )]
    Foreign {
        /// The lane.
        lane: Lane,
        /// The hash beside its stream.
        key: String,
        /// The block's number.
        number: u64,
        /// Events taken from the source that the server does not have from us.
        unacknowledged: u64,
    },
    /// The server is there and takes no writes now: full, loading, or unable to save.
    #[error("{url} takes no writes now: {why}")]
    NotNow {
        /// The URL without its password.
        url: String,
        /// What the server said.
        why: String,
    },
    /// The buffer is of another layout: an earlier or a later Forebay wrote it.
    #[error(
        "key {key:?} says layout {found:?}, and this build knows layout {known}: use the forebay that wrote the buffer, or \
         another buffer"
    )]
    Layout {
        /// The buffer's own key.
        key: String,
        /// What it says.
        found: String,
        /// What this build reads and writes.
        known: &'static str,
    },
    /// The lane's state on the server is not what a writer writes: which block comes next cannot be told.
    #[error(
        "{why}, where a writer writes whole numbers; which block comes next cannot be told, so nothing is appended: \
             append to another buffer (this one can still be read), or put right what is there"
    )]
    Damaged {
        /// The key, the entry and the field, and what is there.
        why: String,
    },
    /// The server was away, or took no writes, for longer than the writer was told to wait.
    #[error("gave up on {url} after {}: {why}{}", text::duration(*.waited), open(*.unacknowledged))]
    Lost {
        /// The URL without its password.
        url: String,
        /// How long nothing was acknowledged.
        waited: Duration,
        /// The last thing that went wrong.
        why: String,
        /// Events taken from the source that the server did not acknowledge.
        unacknowledged: u64,
    },
    /// The connection was lost, or the server came back with less, and the writer was told not to go on then.
    #[error("{url} was lost: {why}{}", open(*.unacknowledged))]
    Disconnected {
        /// The URL without its password.
        url: String,
        /// What went wrong.
        why: String,
        /// Events taken from the source that the server did not acknowledge.
        unacknowledged: u64,
    },
    /// `fsync` acknowledgement was asked for where the server cannot give it.
    #[error("this server cannot acknowledge after fsync: {0}")]
    NoFsync(String),
    /// There is no such buffer.
    #[error("there is no buffer {name} at {url}; a writer makes one{}", list("buffers there", .others))]
    NoBuffer {
        /// The buffer.
        name: String,
        /// The URL without its password.
        url: String,
        /// Buffers that were found there.
        others: Vec<String>,
    },
    /// The buffer has no such group.
    #[error("buffer {name} has no group {group}{}", list("its groups", .others))]
    NoGroup {
        /// The buffer.
        name: String,
        /// The group.
        group: String,
        /// Groups that it has.
        others: Vec<String>,
    },
    /// Somebody reads as the group.
    #[error(
        "group {group} is being read: its consumer {consumer} was there {} ago; stop it first, or it makes the group \
         again and reads everything from the start",
        text::duration(*.idle)
    )]
    InUse {
        /// The group.
        group: String,
        /// The consumer that was last there.
        consumer: String,
        /// How long ago.
        idle: Duration,
    },
    /// A sink commits for the group.
    #[error(
        "group {group} is being drained: its drain was heard of {} ago; stop that first, or it makes the group again. One \
         that was killed is taken to be gone after 30 seconds",
        text::duration(*.ago)
    )]
    Drained {
        /// The group.
        group: String,
        /// How long ago the sink was heard of.
        ago: Duration,
    },
    /// Another run of the sink has taken its group.
    #[error(
        "lane {lane}: another drain has taken over group {group} (its epoch is {theirs}, ours {mine}); only one may drain a \
         buffer as a group"
    )]
    TakenOver {
        /// The lane.
        lane: Lane,
        /// The group.
        group: String,
        /// Our epoch.
        mine: u64,
        /// The other one.
        theirs: u64,
    },
    /// A group that no sink can be.
    #[error("group {group} of buffer {buffer} cannot be drained: {why}")]
    NoSink {
        /// The buffer.
        buffer: String,
        /// The group.
        group: String,
        /// What it is, and what to do.
        why: String,
    },
    /// A consumer has been given more blocks than a reader keeps track of, and acknowledges none.
    #[error(
        "consumer {consumer} of group {group} holds {blocks} blocks that it has not acknowledged: acknowledge what is \
         done, or read without a group"
    )]
    Unacknowledged {
        /// The group.
        group: String,
        /// The consumer.
        consumer: String,
        /// How many.
        blocks: usize,
    },
    /// A group was to be made on a server that is full.
    #[error(
        "making a group on {key}, which takes memory. Raise maxmemory for a moment, or read without a group; a group made \
         before the buffer is full drains it: the server answered the server is full (maxmemory)"
    )]
    GroupFull {
        /// The stream.
        key: String,
        /// What it comes of, where there is more to it.
        source: Option<Cause>,
    },
    /// The server answered something that a buffer does not expect.
    #[error("{doing}: the server answered {why}")]
    Server {
        /// What was asked.
        doing: String,
        /// The answer.
        why: String,
        /// What it comes of, where there is more to it.
        source: Option<Cause>,
    },
    /// The folder for blocks that the server does not take cannot be used.
    #[error("spill folder {}: {why}", folder.display())]
    Spill {
        /// The folder.
        folder: std::path::PathBuf,
        /// What is wrong with it.
        why: String,
        /// What it comes of, where there is more to it.
        source: Option<Cause>,
    },
    /// The machine refused a thread or memory.
    #[error("{0}")]
    System(String, #[source] Option<Cause>),
}

/// What a writer owes, as the end of a message; nothing where there is no writer.
fn open(unacknowledged: u64) -> String {
    match unacknowledged {
        0 => String::new(),
        count => format!("; {count} events are not acknowledged"),
    }
}

/// What there is instead, as the end of a message; nothing where there is nothing.
fn list(what: &str, names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({what}: {})", names.join(", ")) }
}

impl Error {
    /// How many events are not acknowledged, where the error tells.
    pub fn unacknowledged(&mut self) -> Option<&mut u64> {
        match self {
            Self::Fenced { unacknowledged, .. }
            | Self::Foreign { unacknowledged, .. }
            | Self::Disconnected { unacknowledged, .. }
            | Self::Lost { unacknowledged, .. } => Some(unacknowledged),
            _ => None,
        }
    }

    /// Whether a signal that sets `stop` broke off what failed so. Its handler runs on a thread of its own, so that whoever
    /// was broken off may be here first: the flag is waited for, for a second at the most.
    pub fn is_by_signal(&self, stop: &AtomicBool) -> bool {
        let is_broken_off = self.to_string().contains(&std::io::Error::from_raw_os_error(EINTR).to_string());
        let started = Instant::now();
        while is_broken_off && !stop.load(Relaxed) && started.elapsed() < HANDLER_MAX {
            std::thread::sleep(Duration::from_millis(1));
        }
        stop.load(Relaxed)
    }

    /// What the machine refused, by what it said.
    pub(crate) fn system(what: &str, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::System(format!("{what}: {cause}"), Some(Cause::new(cause)))
    }

    /// A folder that cannot be used, by what the system said.
    pub(super) fn spill(folder: impl Into<std::path::PathBuf>, cause: std::io::Error) -> Self {
        let why = cause.to_string();
        Self::Spill { folder: folder.into(), why, source: Some(Cause::new(cause)) }
    }

    /// An answer that was not expected while `doing` something. For the crates of this workspace: no promise is kept about
    /// what it takes.
    #[doc(hidden)]
    pub fn server(doing: impl Into<String>, error: &redis::RedisError) -> Self {
        Self::Server { doing: doing.into(), why: words(error), source: Some(Cause::new(error.clone())) }
    }
}
