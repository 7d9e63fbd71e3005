//! Any WebSocket whose messages are lines, as a source. It has no cursor: what it sends while nobody listens is gone, and is told
//! by how long that was. The cursor that is stored is when an event came.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use forebay::buffer::error::Error;
use forebay::buffer::lock;
use forebay::buffer::writer::Writer;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::counts::{Counted, Counts, Missed};
use super::ending::{Ending, LOOK};
use super::error::IngestError;
use super::feed::now_us;
use super::filter::Filter;
use super::intake::{Listener, tell_missed};
use super::room::{Pushed, ROOM_MAX, push};
use super::socket::{Ask, Came, Socket};
use super::turns::BACKOFF;

/// The source, as it stands beside the buffer.
#[derive(Serialize, Deserialize)]
struct Mark {
    host: String,
    unit: String,
}

/// Brings what a host sends into a buffer until it is told to stop.
pub(super) fn any_lines(
    config: &Config,
    counts: &Arc<Counts>,
    stop: &AtomicBool,
    hear: &mut dyn Listener,
) -> Result<Counted, IngestError> {
    let ending = Ending::new(stop, config.until);
    // Nothing can be asked for again: the writer goes on by itself where its server was lost.
    let Some(writer) = Writer::open_patiently(&config.address, &config.name, &config.options, stop)? else {
        return Ok(counts.look());
    };
    counts.writer(writer.monitor());
    let mut lines = AnyLines { config, writer, counts, ending, heard_us: None, at: 0 };
    lines.resume()?;
    lines.run(hear)?;
    lines.writer.close()?;
    Ok(counts.look())
}

struct AnyLines<'a> {
    config: &'a Config,
    writer: Writer,
    counts: &'a Counts,
    ending: Ending<'a>,
    /// When the last event came.
    heard_us: Option<u64>,
    /// Which host is asked.
    at: usize,
}

impl AnyLines<'_> {
    fn mark(&self) -> String {
        let mark = Mark { host: self.config.hosts[self.at].to_string(), unit: "us".into() };
        // Proof: two texts.
        serde_json::to_string(&mark).expect("a source is JSON")
    }

    fn resume(&mut self) -> Result<(), Error> {
        let was: Option<Mark> = self.writer.source().and_then(|text| serde_json::from_str(text).ok());
        match was {
            Some(was) if self.config.hosts.iter().any(|host| host.to_string() == was.host) => {
                self.heard_us = self.writer.resume_position().low_watermark();
                Ok(())
            }
            _ => self.writer.begin_numbering(&self.mark()),
        }
    }

    fn run(&mut self, hear: &mut dyn Listener) -> Result<(), IngestError> {
        let (mut backoff, mut without) = (BACKOFF.0, Instant::now());
        let mut tried = Vec::new();
        while !self.ending.is_over() {
            let host = &self.config.hosts[self.at];
            let ask = Ask {
                filter: &Filter::default(),
                cursor: None,
                dictionary: None,
                silence: self.config.silence,
            };
            let why = match Socket::open(host, &ask) {
                Ok(socket) => {
                    Counts::add(&self.counts.connections);
                    *lock(&self.counts.host) = host.to_string();
                    let before = self.counts.pushed.load(Relaxed);
                    let why = self.listen(socket, hear)?;
                    if self.counts.pushed.load(Relaxed) > before {
                        (backoff, without) = (BACKOFF.0, Instant::now());
                        tried.clear();
                    }
                    why
                }
                Err(why) => why.to_string(),
            };
            if self.ending.is_over() {
                break;
            }
            let host = &self.config.hosts[self.at];
            hear.remark(&format!("{host}: {why}"));
            tried.push(format!("{host}: {why}"));
            if without.elapsed() >= self.config.patience {
                let newest = tried.split_off(tried.len().saturating_sub(self.config.hosts.len()));
                return Err(IngestError::Source { waited: without.elapsed(), tried: newest });
            }
            self.at = (self.at + 1) % self.config.hosts.len();
            let since = Instant::now();
            while since.elapsed() < backoff && !self.ending.is_over() {
                self.writer.check()?;
                std::thread::sleep(LOOK);
            }
            backoff = (backoff * 2).min(BACKOFF.1);
        }
        Ok(())
    }

    /// Takes what comes until the subscription ends; why it did.
    fn listen(&mut self, mut socket: Socket, hear: &mut dyn Listener) -> Result<String, Error> {
        let mut is_first = true;
        while !self.ending.is_over() {
            let line = match socket.next() {
                Ok(Came::Nothing) => {
                    self.writer.check()?;
                    continue;
                }
                Ok(Came::Odd(why)) => {
                    self.refuse(&[], &why, hear);
                    continue;
                }
                Ok(Came::Message(line)) => line,
                Err(ended) => return Ok(ended.to_string()),
            };
            let now = now_us().max(self.heard_us.map_or(0, |heard| heard + 1));
            if std::mem::take(&mut is_first)
                && let Some(from) = self.heard_us
            {
                self.missed(from, now, hear)?;
            }
            Counts::add(&self.counts.received);
            if !self.take(line, now, hear)? {
                socket.close();
                return Ok("the server takes no events: what comes meanwhile is lost".into());
            }
            self.heard_us = Some(now);
        }
        socket.close();
        Ok("told to stop".into())
    }

    /// Takes a message; false where the server has no room for it for too long.
    fn take(&mut self, line: &[u8], now: u64, hear: &mut dyn Listener) -> Result<bool, Error> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.len() > self.config.event_bytes_max || line.contains(&b'\n') {
            self.refuse(line, "it is too large, or has a line end in it, and an event is one line", hear);
            return Ok(true);
        }
        let mut event = match self.writer.events().parse(line) {
            Ok(event) => event,
            Err(why) => {
                self.refuse(line, &why.to_string(), hear);
                return Ok(true);
            }
        };
        event.cursor = now;
        let ending = self.ending;
        match push(&mut self.writer, &event, |waited| waited >= ROOM_MAX || ending.is_over())? {
            Pushed::Taken => {}
            Pushed::Refused(why) => {
                self.refuse(line, &why, hear);
                return Ok(true);
            }
            Pushed::Full => return Ok(false),
        }
        Counts::add(&self.counts.pushed);
        self.counts.event_us.store(now, Relaxed);
        Ok(true)
    }

    fn refuse(&self, line: &[u8], why: &str, hear: &mut dyn Listener) {
        Counts::add(&self.counts.refused);
        hear.refused(line, why);
    }

    fn missed(&self, from: u64, to: u64, hear: &mut dyn Listener) -> Result<(), Error> {
        let missed = Missed::unheard(self.config.hosts[self.at].to_string(), from, to);
        tell_missed(missed, (&self.writer, self.counts), hear)
    }
}
