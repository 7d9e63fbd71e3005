//! An ingest from its beginning to its end: subscriptions to its hosts, one after the other, into the buffer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay::buffer::error::Error;
use forebay::buffer::lock;

use super::any_lines::any_lines;
use super::config::{Config, Sabotage};
use super::counts::{Counted, Counts};
use super::dictionary::Dictionary;
use super::ending::{Ending, LOOK};
use super::error::IngestError;
use super::feed::now_us;
use super::follow::follow;
use super::intake::{Intake, Listener};
use super::plan::{Plan, Standing};
use super::reopen::{Work, through_losses};
use super::session::Session;
use super::socket::Refused;
use super::subscription::{Over, Subscription};
use super::turns::{BACKOFF, Turns, WELL};

/// How long what was taken may take to be settled before a host is asked again.
const SETTLE_MAX: Duration = Duration::from_secs(1);

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
    let ending = Ending::new(stop, config.until);
    let mut ingest = Ingest {
        config,
        counts,
        ending,
        began_us: now_us(),
        turns: Turns::new(config, ending),
        dictionary: Dictionary::new(config)?,
        newest: None,
    };
    let ended = through_losses(&mut ingest, (config, counts), (ending, BACKOFF.0), hear);
    ended.map(|()| counts.look())
}

struct Ingest<'a> {
    config: &'a Config,
    counts: &'a Arc<Counts>,
    ending: Ending<'a>,
    began_us: u64,
    turns: Turns<'a>,
    dictionary: Dictionary<'a>,
    /// The newest cursor that came, for a sabotage.
    newest: Option<u64>,
}

impl Work for Ingest<'_> {
    type Buffer = Intake;

    fn open(&mut self) -> Result<Option<Intake>, Error> {
        self.session().open()
    }

    /// Subscribes again and again until it is over; what was taken is settled then.
    fn work(&mut self, mut intake: Intake, hear: &mut dyn Listener) -> Result<(), IngestError> {
        if let Some(source) = &intake.source {
            self.turns.turn_to(source);
        }
        let outcome = self.subscribe(&mut intake, hear);
        let Intake { writer, .. } = intake;
        match outcome {
            Err(IngestError::Buffer(error)) => Err(error.into()),
            // What was taken is the buffer's, whatever became of the source.
            outcome => {
                let monitor = writer.monitor();
                self.session().close(writer, hear)?;
                if let Some(cursor) = monitor.low_watermark() {
                    tracing::debug!(cursor, "everything is settled");
                }
                outcome
            }
        }
    }
}

impl<'a> Ingest<'a> {
    fn session(&self) -> Session<'a> {
        Session { config: self.config, counts: self.counts, ending: self.ending }
    }

    fn subscribe(&mut self, intake: &mut Intake, hear: &mut dyn Listener) -> Result<(), IngestError> {
        let mut before = None;
        while !self.ending.is_over() {
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
                was_in_vain = intake.counts.pushed.load(Relaxed) == pushed;
                self.turns.gave(!was_in_vain, since.elapsed());
            } else if has_lasted && !matches!(over, Over::Silent(_)) {
                self.turns.was_there();
            }
            match &over {
                Over::Done => return Ok(()),
                Over::AsFirstVersion | Over::ByTime | Over::TooOld => {}
                Over::Plain(why) => {
                    let host = self.turns.host();
                    hear.remark(&format!("{host}: {why}: without compression from now on"));
                    self.dictionary.leave_out(self.turns.at);
                }
                Over::Full => self.wait_for_room(intake, hear)?,
                Over::Lost(why) | Over::Silent(why) => {
                    intake.settle(SETTLE_MAX)?;
                    self.turns.lost(why, was_in_vain, hear)?;
                }
            }
            before = Some(over);
        }
        Ok(())
    }

    /// What the host is asked for, by where the buffer stands and how the subscription before ended.
    fn plan(&self, intake: &mut Intake, before: Option<&Over>) -> Plan {
        let host = self.turns.host();
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
        Plan::of(Standing { same, time_us, disorder }, self.config.since_us, self.turns.in_vain)
    }

    /// One subscription to the host whose turn it is.
    fn subscribe_once(
        &mut self,
        plan: Plan,
        intake: &mut Intake,
        hear: &mut dyn Listener,
    ) -> Result<Over, Error> {
        let dictionary = self.dictionary.of(self.turns.at, self.ending, hear);
        let host = self.turns.host();
        let mut subscription = Subscription {
            config: self.config,
            host,
            plan,
            dictionary: dictionary.as_deref(),
            stop: self.ending.stop,
            ends_at: self.ending.at,
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
                self.dictionary.forget();
            }
            Refused::Status { retry_after: Some(after), .. } => self.turns.not_before(*after),
            _ => {}
        }
        Over::Lost(why.to_string())
    }

    /// Waits until the server takes events again, without a host.
    fn wait_for_room(&mut self, intake: &mut Intake, hear: &mut dyn Listener) -> Result<(), IngestError> {
        Counts::add(&self.counts.held_back);
        let why = intake.writer.monitor().trouble().unwrap_or_else(|| "it is slow".into());
        hear.remark(&format!(
            "the server takes no events ({why}): the source is let go, and asked again from the cursor"
        ));
        while !self.ending.is_over() && !intake.writer.has_room()? {
            intake.writer.check()?;
            self.ending.wait(LOOK);
        }
        self.turns.was_not_asked();
        Ok(())
    }
}
