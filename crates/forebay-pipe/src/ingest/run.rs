//! An ingest from its beginning to its end: the buffer's writer, opened again where its server was lost; the hosts, in turn.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use forebay::buffer::error::Error;
use forebay::buffer::lock;
use forebay::buffer::overflow::Overflow;
use forebay::buffer::writer::{Options, Writer};

use super::any_lines::any_lines;
use super::aside::aside;
use super::config::{Config, Sabotage};
use super::counts::{Counted, Counts};
use super::feed::now_us;
use super::follow::follow;
use super::host::{Endpoint, Host};
use super::intake::{Intake, Listener};
use super::plan::{Plan, Standing, TRIES_MAX};
use super::socket::{Refused, fetch_dictionary};
use super::source::Kind;
use super::subscription::{Over, Subscription};

/// The first wait before a host is asked again, and the longest.
pub(super) const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// How often a host may fail in a row before the next one is asked.
const TRIES: u32 = 3;

/// A subscription that lasts for so long need not be asked for less.
const WELL: Duration = Duration::from_secs(10);

/// How long what was taken may take to be settled before a host is asked again.
const SETTLE_MAX: Duration = Duration::from_secs(1);

/// How long a server may take to store what was read, once it was told to stop.
const CLOSE_MAX: Duration = Duration::from_secs(10);

/// How often waits look whether they are to end.
const LOOK: Duration = Duration::from_millis(50);

/// What ends an ingest before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The buffer's side.
    #[error(transparent)]
    Buffer(#[from] Error),
    /// The source's side.
    #[error("no source for {} s; {}", .waited.as_secs(), .tried.join("; "))]
    Source {
        /// How long nothing came.
        waited: Duration,
        /// What was tried, and what came of it.
        tried: Vec<String>,
    },
    /// A file that is a source.
    #[error("cannot read {path}: {why}")]
    File {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// The file with the dictionary.
    #[error("cannot read the dictionary {path}: {why}")]
    Dictionary {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
}

impl Config {
    /// The dictionary of `/subscribe`, where frames may come with it.
    pub(super) fn read_dictionary(&self) -> Result<Option<Vec<u8>>, IngestError> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|why| IngestError::Dictionary {
                path: path.display().to_string(),
                why: why.to_string(),
            })
        };
        self.dictionary.as_ref().filter(|_| self.compress).map(read).transpose()
    }
}

/// Brings a source's events into a buffer until it is told to stop, or has what it was told to bring. What became of them is in
/// `counts`, however it ends.
pub fn ingest(
    config: &Config,
    counts: &Arc<Counts>,
    stop: &AtomicBool,
    hear: &mut dyn Listener,
) -> Result<Counted, IngestError> {
    if let Some((path, follows)) = &config.file {
        return follow(config, (path, *follows), counts, stop, hear);
    }
    if config.is_lines {
        return any_lines(config, counts, stop, hear);
    }
    let ended = Ingest::new(config, counts, stop)?.run(hear);
    ended.map(|()| counts.look())
}

struct Ingest<'a> {
    config: &'a Config,
    counts: &'a Arc<Counts>,
    stop: &'a AtomicBool,
    ends_at: Option<Instant>,
    began_us: u64,
    /// Which host is asked, how often it failed in a row, and what each said last.
    at: usize,
    failed: u32,
    tried: Vec<Option<String>>,
    backoff: Duration,
    /// How many subscriptions gave only what was there, since one lasted.
    in_vain: u32,
    /// Since when nothing came.
    without: Instant,
    dictionary: Dictionary,
    /// The newest cursor that came, for a sabotage.
    newest: Option<u64>,
}

/// The dictionary of the host that is asked.
struct Dictionary {
    of_subscribe: Option<Vec<u8>>,
    of_events: Option<(usize, Vec<u8>)>,
    /// Hosts whose frames did not open.
    plain: Vec<bool>,
}

impl<'a> Ingest<'a> {
    fn new(config: &'a Config, counts: &'a Arc<Counts>, stop: &'a AtomicBool) -> Result<Self, IngestError> {
        let of_subscribe = config.read_dictionary()?;
        Ok(Self {
            config,
            counts,
            stop,
            ends_at: config.until.after.map(|after| Instant::now() + after),
            began_us: now_us(),
            at: 0,
            failed: 0,
            tried: config.hosts.iter().map(|_| None).collect(),
            backoff: BACKOFF.0,
            in_vain: 0,
            without: Instant::now(),
            newest: None,
            dictionary: Dictionary {
                of_subscribe,
                of_events: None,
                plain: config.hosts.iter().map(|_| false).collect(),
            },
        })
    }

    fn run(mut self, hear: &mut dyn Listener) -> Result<(), IngestError> {
        let mut lost_at: Option<Instant> = None;
        while !self.is_over() {
            let intake = match self.open() {
                Ok(Some(intake)) => intake,
                Ok(None) => return Ok(()),
                // A server that is being started again refuses connections for a while.
                Err(error)
                    if is_away(&error) && lost_at.is_some_and(|at| at.elapsed() < self.config.patience) =>
                {
                    self.wait(BACKOFF.0);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match self.with(intake, hear) {
                Ok(()) => return Ok(()),
                Err(IngestError::Buffer(error @ Error::Disconnected { .. })) => {
                    hear.remark(&format!("{error}; opening the buffer again"));
                    Counts::add(&self.counts.reopened);
                    lost_at = Some(Instant::now());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.stop.load(Relaxed) || self.ends_at.is_some_and(|ends_at| Instant::now() >= ends_at)
    }

    /// Opens the buffer; none where it was told to stop meanwhile.
    fn open(&self) -> Result<Option<Intake>, Error> {
        let Config { address, name, options, .. } = self.config;
        let options = Options {
            keep_back: Some(Kind::V1.margin()),
            // With a spill folder nothing is lost with the server; without, the source is asked again.
            reconnects: matches!(options.overflow, Overflow::Spill(_)),
            ..options.clone()
        };
        if matches!(options.overflow, Overflow::Spill(_)) && !self.bring_in_what_is_left(&options)? {
            return Ok(None);
        }
        let since = Instant::now();
        while let Some(writer) = Writer::open_patiently(address, name, &options, self.stop)? {
            self.counts.writer(writer.monitor());
            if writer.resume_position().events().is_some() {
                return Intake::open(writer, Arc::clone(self.counts), self.config).map(Some);
            }
            // With a spill folder a writer opens on a server that takes no writes, and cannot tell where the source stands: what
            // is read without that leaves a gap. One that is away is an error.
            writer.kept_back(|_, _, _| {})?;
            let why = writer.monitor().trouble().unwrap_or_else(|| "it takes no writes".into());
            writer.close()?;
            if since.elapsed() >= self.config.patience {
                return Err(Error::NotNow { url: address.to_string(), why });
            }
            self.wait(BACKOFF.0);
        }
        Ok(None)
    }

    /// What an earlier run has left in the spill folder goes to the server before the source is asked: where the source stands, and
    /// what it sends again, is told by what the server has. False where it was told to stop meanwhile.
    fn bring_in_what_is_left(&self, options: &Options) -> Result<bool, Error> {
        let Config { address, name, patience, .. } = self.config;
        let since = Instant::now();
        while let Some(writer) = Writer::open_patiently(address, name, options, self.stop)? {
            self.counts.writer(writer.monitor());
            let left = writer.close()?.earlier_bytes;
            if left == 0 {
                return Ok(true);
            }
            if since.elapsed() >= *patience {
                let why = format!(
                    "{left} bytes of earlier runs wait in the spill folder, and it takes none of them"
                );
                return Err(Error::NotNow { url: address.to_string(), why });
            }
            self.wait(BACKOFF.0);
        }
        Ok(false)
    }

    /// Subscribes again and again until it is over; what was taken is settled then.
    fn with(&mut self, mut intake: Intake, hear: &mut dyn Listener) -> Result<(), IngestError> {
        if let Some(source) = &intake.source {
            // Where it was before, as long as that is one of the hosts.
            self.at = self.config.hosts.iter().position(|host| source.is_of(host)).unwrap_or(self.at);
        }
        let outcome = self.subscribe(&mut intake, hear);
        let Intake { writer, .. } = intake;
        match outcome {
            Err(IngestError::Buffer(error)) => Err(error.into()),
            // What was taken is the buffer's, whatever became of the source.
            outcome => {
                let monitor = writer.monitor();
                self.close(writer, hear)?;
                if let Some(cursor) = monitor.low_watermark() {
                    tracing::debug!(cursor, "everything is settled");
                }
                outcome
            }
        }
    }

    /// Waits until what was taken is stored: once it was told to stop, no longer than [`CLOSE_MAX`]. The rest is the source's to
    /// send again.
    fn close(&self, writer: Writer, hear: &mut dyn Listener) -> Result<(), Error> {
        let (monitor, stop) = (writer.monitor(), self.stop);
        let (closing, closed) = mpsc::channel::<()>();
        let patience = move || {
            let mut stopped: Option<Instant> = None;
            while closed.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if stop.load(Relaxed) && stopped.get_or_insert_with(Instant::now).elapsed() >= CLOSE_MAX {
                    let why = monitor.trouble().unwrap_or_else(|| "it is slow".into());
                    monitor.give_up();
                    return Some(why);
                }
            }
            None
        };
        let monitor = writer.monitor();
        let (ended, given_up) = thread::scope(|scope| {
            let patience = scope.spawn(patience);
            let ended = writer.close();
            drop(closing);
            (ended, patience.join().unwrap_or_default())
        });
        let open = monitor.counts().open();
        match given_up.filter(|_| open > 0) {
            Some(why) => {
                self.counts.unstored.store(open, Relaxed);
                hear.remark(&format!(
                    "{open} events that were read are not stored, since the server takes none ({why}): the next run asks the \
                     source for them again"
                ));
                Ok(())
            }
            None => ended.map(|counts| {
                if counts.left == 0 {
                    // All of it is settled.
                    self.counts.settled_us.fetch_max(self.counts.event_us.load(Relaxed), Relaxed);
                }
            }),
        }
    }

    fn subscribe(&mut self, intake: &mut Intake, hear: &mut dyn Listener) -> Result<(), IngestError> {
        let mut before = None;
        while !self.is_over() {
            let plan = self.plan(intake, before.as_ref());
            let (received, pushed) =
                (intake.counts.received.load(Relaxed), intake.counts.pushed.load(Relaxed));
            let connections = intake.counts.connections.load(Relaxed);
            let since = Instant::now();
            let over = self.subscribe_once(plan, intake, hear);
            self.newest = intake.newest.or(self.newest);
            let over = over?;
            let mut was_in_vain = false;
            let has_lasted = intake.counts.connections.load(Relaxed) > connections && since.elapsed() >= WELL;
            if intake.counts.received.load(Relaxed) > received {
                self.without = Instant::now();
                self.tried[self.at] = None;
                was_in_vain = intake.counts.pushed.load(Relaxed) == pushed;
                self.gave(!was_in_vain, since.elapsed());
            } else if has_lasted && !matches!(over, Over::Silent(_)) {
                // A quiet one was there all the same, and answered.
                self.without = Instant::now();
                (self.failed, self.backoff) = (0, BACKOFF.0);
            }
            let host = &self.config.hosts[self.at];
            match &over {
                Over::Done => return Ok(()),
                Over::AsFirstVersion | Over::ByTime | Over::TooOld => {}
                Over::Plain(why) => {
                    hear.remark(&format!("{host}: {why}: without compression from now on"));
                    self.dictionary.plain[self.at] = true;
                }
                Over::Full => self.wait_for_room(intake, hear)?,
                Over::Lost(why) | Over::Silent(why) => {
                    intake.settle(SETTLE_MAX)?;
                    self.lost(why, was_in_vain, hear)?;
                }
            }
            before = Some(over);
        }
        Ok(())
    }

    /// What the host is asked for, by where the buffer stands and how the subscription before ended.
    fn plan(&self, intake: &mut Intake, before: Option<&Over>) -> Plan {
        let host = &self.config.hosts[self.at];
        let (mut low_watermark, time_us) = intake.settled();
        if self.config.sabotage == Some(Sabotage::LastCursor) {
            low_watermark = self.newest.or(low_watermark);
        }
        if let (Some(Over::TooOld), Some(known), Some(asked)) = (before, low_watermark, time_us) {
            return Plan::TooOld { asked, known };
        }
        let is_other = matches!(before, Some(Over::ByTime | Over::TooOld));
        let source = intake.source.as_ref().filter(|source| source.is_of(host) && !is_other);
        let same = source.map(|source| source.kind).zip(low_watermark);
        let disorder = intake.window.disorder();
        Plan::of(Standing { same, time_us, disorder }, self.config.since_us, self.in_vain)
    }

    /// One subscription to the host whose turn it is.
    fn subscribe_once(
        &mut self,
        plan: Plan,
        intake: &mut Intake,
        hear: &mut dyn Listener,
    ) -> Result<Over, Error> {
        let dictionary = self.dictionary(hear);
        let host = &self.config.hosts[self.at];
        let mut subscription = Subscription {
            config: self.config,
            host,
            plan,
            dictionary: dictionary.as_deref(),
            stop: self.stop,
            ends_at: self.ends_at,
            began_us: self.began_us,
            is_judged: false,
            is_first_version: false,
            not_before: None,
            given: Instant::now(),
        };
        match subscription.open(intake) {
            None => Ok(Over::Done),
            Some(Ok(feed)) => {
                Counts::add(&self.counts.connections);
                *lock(&self.counts.host) = host.to_string();
                let over = subscription.run(feed, intake, hear);
                self.counts.beat(0);
                over
            }
            Some(Err(why)) => Ok(self.refused(plan, &why)),
        }
    }

    /// What to make of a host that gives no subscription.
    fn refused(&mut self, plan: Plan, why: &Refused) -> Over {
        match why {
            // A time that it calls too old is as any other answer: waited for, and not for ever.
            Refused::Status { status: 400, name, .. }
                if name == "CursorTooOld" && matches!(plan, Plan::Same { .. }) =>
            {
                return Over::TooOld;
            }
            Refused::Status { status: 400, name, .. } if name == "UnknownZstdDictionary" => {
                self.dictionary.of_events = None;
            }
            Refused::Status { retry_after: Some(after), .. } => {
                self.backoff = self.backoff.max(*after).min(BACKOFF.1);
            }
            _ => {}
        }
        Over::Lost(why.to_string())
    }

    /// A subscription gave events, some of them new or none.
    fn gave(&mut self, is_new: bool, lasted: Duration) {
        if lasted >= WELL {
            self.in_vain = 0;
        }
        if is_new {
            (self.failed, self.backoff) = (0, BACKOFF.0);
        } else {
            self.in_vain += 1;
        }
    }

    /// Waits before a host is asked again, or turns to the next one; an error where none has given anything for too long.
    fn lost(&mut self, why: &str, was_in_vain: bool, hear: &mut dyn Listener) -> Result<(), IngestError> {
        let host = &self.config.hosts[self.at];
        self.tried[self.at] = Some(format!("{host}: {why}"));
        hear.remark(&format!("{host}: {why}"));
        self.failed += 1;
        if self.without.elapsed() >= self.config.patience {
            let tried = self.tried.iter().flatten().cloned().collect();
            return Err(IngestError::Source { waited: self.without.elapsed(), tried });
        }
        if self.failed >= TRIES && self.config.hosts.len() > 1 {
            self.failed = 0;
            self.at = (self.at + 1) % self.config.hosts.len();
        }
        // One that gives too little is asked for less at once.
        if !was_in_vain || self.in_vain > TRIES_MAX {
            self.wait(self.backoff);
            self.backoff = (self.backoff * 2).min(BACKOFF.1);
        }
        Ok(())
    }

    /// Waits until the server takes events again, without a host.
    fn wait_for_room(&mut self, intake: &mut Intake, hear: &mut dyn Listener) -> Result<(), IngestError> {
        Counts::add(&self.counts.held_back);
        let why = intake.writer.monitor().trouble().unwrap_or_else(|| "it is slow".into());
        hear.remark(&format!(
            "the server takes no events ({why}): the source is let go, and asked again from the cursor"
        ));
        while !self.is_over() && !intake.writer.has_room()? {
            intake.writer.check()?;
            self.wait(LOOK);
        }
        // It was not the source's fault.
        self.without = Instant::now();
        Ok(())
    }

    fn wait(&self, long: Duration) {
        let since = Instant::now();
        while since.elapsed() < long && !self.is_over() {
            thread::sleep(LOOK.min(long));
        }
    }

    /// The dictionary for the host that is asked next.
    fn dictionary(&mut self, hear: &mut dyn Listener) -> Option<Vec<u8>> {
        let host: &Host = &self.config.hosts[self.at];
        if !self.config.compress || self.dictionary.plain[self.at] {
            return None;
        }
        if host.endpoint == Endpoint::Subscribe {
            return self.dictionary.of_subscribe.clone();
        }
        if self.dictionary.of_events.as_ref().is_none_or(|(of, _)| *of != self.at) {
            let asked = host.clone();
            match aside(|| self.is_over(), move || fetch_dictionary(&asked))? {
                Ok(bytes) => self.dictionary.of_events = Some((self.at, bytes)),
                Err(why) => {
                    hear.remark(&format!("{host}: no dictionary ({why}): without compression for now"));
                    return None;
                }
            }
        }
        self.dictionary.of_events.as_ref().map(|(_, bytes)| bytes.clone())
    }
}

/// Whether a server may come back.
pub(super) fn is_away(error: &Error) -> bool {
    matches!(
        error,
        Error::Connect { .. }
            | Error::NotNow { .. }
            | Error::Crowded { .. }
            | Error::Server { .. }
            | Error::Lost { .. }
    )
}
