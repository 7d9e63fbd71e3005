//! The buffer's writer, from its opening until what was taken is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use forebay::buffer::error::Error;
use forebay::buffer::overflow::Overflow;
use forebay::buffer::writer::{Options, Writer};

use super::config::Config;
use super::counts::Counts;
use super::ending::{Ending, LOOK};
use super::intake::{Intake, Listener};
use super::source::Kind;
use super::turns::BACKOFF;

/// How long a server may take to store what was read, once it was told to stop.
const CLOSE_MAX: Duration = Duration::from_secs(10);

/// What opens and closes a buffer.
#[derive(Clone, Copy)]
pub(super) struct Session<'a> {
    pub config: &'a Config,
    pub counts: &'a Arc<Counts>,
    pub ending: Ending<'a>,
}

impl Session<'_> {
    /// Opens the buffer; none where it was told to stop meanwhile.
    pub fn open(&self) -> Result<Option<Intake>, Error> {
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
        while let Some(writer) = Writer::open_patiently(address, name, &options, self.ending.stop)? {
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
            self.ending.wait(BACKOFF.0);
        }
        Ok(None)
    }

    /// What an earlier run has left in the spill folder goes to the server before the source is asked: where the source stands, and
    /// what it sends again, is told by what the server has. False where it was told to stop meanwhile.
    fn bring_in_what_is_left(&self, options: &Options) -> Result<bool, Error> {
        let Config { address, name, patience, .. } = self.config;
        let since = Instant::now();
        while let Some(writer) = Writer::open_patiently(address, name, options, self.ending.stop)? {
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
            self.ending.wait(BACKOFF.0);
        }
        Ok(false)
    }

    /// Waits until what was taken is stored: once it was told to stop, no longer than [`CLOSE_MAX`]. The rest is the source's to
    /// send again.
    pub fn close(&self, writer: Writer, hear: &mut dyn Listener) -> Result<(), Error> {
        let (monitor, stop) = (writer.monitor(), self.ending.stop);
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
}
