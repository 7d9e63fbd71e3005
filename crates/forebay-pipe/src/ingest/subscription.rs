//! One subscription, from what it is asked for to its end: its first event is judged, its events go in.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay::buffer::error::Error;

use super::aside::aside;
use super::config::{Config, Sabotage};
use super::counts::{Counts, Missed};
use super::feed::{Feed, now_us};
use super::host::Host;
use super::intake::{Intake, Listener, Took, stand_of, tell_missed};
use super::message::{self, Read};
use super::plan::{First, Judged, Plan, Wanted};
use super::socket::{Ask, Came, Ended, Refused, plain};
use super::source::{Kind, Source};
use crate::identity::{Identified, Identifier};

/// At the live end nothing comes for so long, or what comes is of the run's own time.
const LIVE_IDLE: Duration = Duration::from_secs(2);

/// How far before the time that it is asked for a host of the second version may begin, and as much again.
const SEGMENT_US: u64 = 2 * 3_600_000_000;

/// Why a subscription is over.
#[derive(Debug)]
pub(super) enum Over {
    /// It was told to stop, or what was asked for is there.
    Done,
    /// The host or the way to it: subscribe again.
    Lost(String),
    /// The same, and nothing came of it at the last, not even an answer to a ping.
    Silent(String),
    /// The server takes nothing: wait, then subscribe again.
    Full,
    /// The numbers are others: subscribe again by time.
    ByTime,
    /// The host no longer has the cursor: subscribe again by time.
    TooOld,
    /// The host cuts over by itself: subscribe again as to one of the first version.
    AsFirstVersion,
    /// Frames do not open: subscribe again without compression.
    Plain(String),
}

/// What a subscription stands on.
pub(super) struct Subscription<'a> {
    pub(super) config: &'a Config,
    pub(super) host: &'a Host,
    pub(super) plan: Plan,
    pub(super) dictionary: Option<&'a [u8]>,
    pub(super) stop: &'a AtomicBool,
    pub(super) ends_at: Option<Instant>,
    pub(super) began_us: u64,
    pub(super) is_judged: bool,
    /// Whether the replay is ended before the host would cut over.
    pub(super) is_first_version: bool,
    /// Events before this time are settled, until one comes that is not.
    pub(super) not_before: Option<u64>,
    /// When something came last.
    pub(super) given: Instant,
}

impl Subscription<'_> {
    /// Has something asked of the host; none where it is over before there is an answer.
    fn asked<T: Send + 'static>(
        &self,
        intake: &Intake,
        of: impl FnOnce((&Host, &Ask<'_>), &Identifier) -> T + Send + 'static,
    ) -> Option<T> {
        let (host, filter, identifier) =
            (self.host.clone(), self.config.filter.clone(), intake.identifier.clone());
        let (dictionary, cursor) = (self.dictionary.map(<[u8]>::to_vec), self.plan.cursor());
        let silence = self.config.silence;
        aside(
            || self.is_over(intake),
            move || {
                let ask = Ask { filter: &filter, cursor, dictionary: dictionary.as_deref(), silence };
                of((&host, &ask), &identifier)
            },
        )
    }

    /// Subscribes; none where it is over before that.
    pub(super) fn open(&mut self, intake: &Intake) -> Option<Result<Feed, Refused>> {
        self.is_first_version = match self.plan {
            Plan::Same { kind, .. } => kind == Kind::V1,
            Plan::Time { .. } => intake
                .source
                .as_ref()
                .is_some_and(|source| source.is_of(self.host) && source.kind == Kind::V1),
            Plan::TooOld { .. } | Plan::Live => false,
        };
        match (self.is_first_version, self.plan.cursor()) {
            (true, Some(from_us)) if self.config.sabotage != Some(Sabotage::CutOver) => self
                .asked(intake, move |(host, ask), identifier| Feed::replay(host, ask, from_us, identifier)),
            _ => self.asked(intake, |(host, ask), _| Feed::one(host, ask)),
        }
    }

    /// Takes what comes until it is over.
    pub(super) fn run(
        &mut self,
        mut feed: Feed,
        intake: &mut Intake,
        hear: &mut dyn Listener,
    ) -> Result<Over, Error> {
        let mut scratch = Vec::new();
        loop {
            intake.counts.beat(now_us());
            if self.is_over(intake) {
                feed.close();
                return Ok(Over::Done);
            }
            let mut came = None;
            let over = match feed.next() {
                Ok(Came::Nothing) => {
                    intake.writer.check()?;
                    intake.tidy();
                    None
                }
                Ok(Came::Odd(why)) => {
                    Counts::add(&intake.counts.refused);
                    hear.refused(&[], &why);
                    None
                }
                Ok(Came::Message(bytes)) => {
                    self.given = Instant::now();
                    match message::read(self.host.endpoint, bytes, &mut scratch) {
                        Read::Line(line) => {
                            let of = intake.identifier.of(line);
                            came = Some(of);
                            self.line(line, &of, intake, hear)?
                        }
                        Read::Outdated(why) => {
                            hear.remark(&format!("{}: {}", self.host, plain(&why)));
                            None
                        }
                        Read::Error { name, message } => {
                            Some(Over::Lost(plain(&format!("{name} {message}"))))
                        }
                        Read::Aside => None,
                        Read::Odd(why) => {
                            Counts::add(&intake.counts.refused);
                            hear.refused(bytes, &why);
                            None
                        }
                    }
                }
                Err(Ended::Dictionary(why)) => Some(Over::Plain(why)),
                Err(ended @ Ended::Silent(_)) => Some(Over::Silent(ended.to_string())),
                Err(ended) => Some(Over::Lost(ended.to_string())),
            };
            if let Some(over) = over {
                feed.close();
                return Ok(over);
            }
            if let Some(turn) = feed.turn(came.as_ref(), &intake.identifier) {
                let made = self.asked(intake, move |of, identifier| feed.make(turn, of, identifier));
                feed = match made {
                    Some(Ok(feed)) => feed,
                    Some(Err(why)) => return Ok(Over::Lost(why.to_string())),
                    None => return Ok(Over::Done),
                };
            }
            if self.config.until.is_live && self.is_live(&feed, came.as_ref()) {
                feed.close();
                return Ok(Over::Done);
            }
        }
    }

    fn is_over(&self, intake: &Intake) -> bool {
        let has_enough = |events| intake.counts.pushed.load(Relaxed) >= events;
        self.stop.load(Relaxed)
            || self.ends_at.is_some_and(|ends_at| Instant::now() >= ends_at)
            || self.config.until.events.is_some_and(has_enough)
    }

    fn is_live(&self, feed: &Feed, came: Option<&Identified>) -> bool {
        let is_of_now = came.and_then(|came| came.time_us).is_some_and(|time_us| time_us >= self.began_us);
        !feed.is_far() && (is_of_now || self.given.elapsed() >= LIVE_IDLE)
    }

    /// Takes one event.
    fn line(
        &mut self,
        line: &[u8],
        of: &Identified,
        intake: &mut Intake,
        hear: &mut dyn Listener,
    ) -> Result<Option<Over>, Error> {
        Counts::add(&intake.counts.received);
        if !self.is_judged
            && let Some(over) = self.first(of, intake, hear)?
        {
            return Ok(Some(over));
        }
        // Another event under the number of one that is stored: they count anew.
        if let Plan::Same { kind: Kind::V2, known, .. } = self.plan
            && of.cursor == Some(known)
            && !intake.window.has(of.identity)
            && intake.source.as_ref().is_some_and(|source| source.wanted(&self.config.filter))
        {
            return Ok(Some(Over::ByTime));
        }
        if let (Some(not_before), Some(time_us)) = (self.not_before, of.time_us) {
            // A segment begins an hour before, at the most.
            if time_us < not_before && time_us + SEGMENT_US > not_before {
                Counts::add(&intake.counts.repeats);
                return Ok(None);
            }
            self.not_before = None;
        }
        match intake.take(line, of, self.stop, hear)? {
            Took::Full => Ok(Some(if self.stop.load(Relaxed) { Over::Done } else { Over::Full })),
            _ => Ok(None),
        }
    }

    /// Judges the first event that says what it is.
    fn first(
        &mut self,
        of: &Identified,
        intake: &mut Intake,
        hear: &mut dyn Listener,
    ) -> Result<Option<Over>, Error> {
        let kind = if of.cursor.is_some() { Kind::V2 } else { Kind::V1 };
        let (Some(cursor), Some(time_us)) = (stand_of(kind, of), of.time_us) else { return Ok(None) };
        let is_known = intake.window.has(of.identity);
        let source = Source::new(self.host, kind, &self.config.filter);
        let as_before = intake.source.as_ref().is_some_and(|source| source.wanted(&self.config.filter));
        let wanted = Wanted { as_before, all: self.config.filter.is_all() };
        let judged = self.plan.judge(First { kind, cursor, time_us, is_known }, wanted);
        tracing::debug!(host = %self.host, plan = ?self.plan, cursor, time_us, ?judged, "the first event");
        match judged {
            Judged::Same => {}
            Judged::Missed { from, to, by } => {
                self.missed(intake, hear, (from, to), by)?;
            }
            Judged::ByTime => return Ok(Some(Over::ByTime)),
            Judged::Ahead { asked } => {
                self.missed(intake, hear, (asked, time_us), Kind::V1)?;
                if !intake.begin(source, cursor, self.stop)? {
                    return Ok(Some(Over::Done));
                }
            }
            Judged::Another { not_before, missed } => {
                if let Some(span) = missed {
                    self.missed(intake, hear, span, Kind::V1)?;
                }
                self.not_before = Some(not_before).filter(|from| *from > 0 && kind == Kind::V2);
                let is_same = intake.source.as_ref() == Some(&source) && intake.is_unbegun();
                if !is_same && !intake.begin(source, cursor, self.stop)? {
                    return Ok(Some(Over::Done));
                }
                // A replay of the first version is to be ended before it cuts over.
                if kind == Kind::V1 && self.plan != Plan::Live && !self.is_first_version {
                    return Ok(Some(Over::AsFirstVersion));
                }
            }
        }
        self.is_judged = true;
        Ok(None)
    }

    fn missed(
        &self,
        intake: &Intake,
        hear: &mut dyn Listener,
        span: (u64, u64),
        by: Kind,
    ) -> Result<(), Error> {
        let mut missed = Missed::new(self.host.to_string(), span, by, intake.window.rate());
        // What came after the low watermark and is stored is no part of it.
        let stored = intake.window.between(span, by == Kind::V1);
        missed.events = missed.events.map(|events| events.saturating_sub(stored));
        tell_missed(missed, (&intake.writer, &intake.counts), hear)
    }
}
