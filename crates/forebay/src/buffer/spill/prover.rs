//! Proves that what a server has acknowledged is on its own disk, on every server: by what it says of itself, while spill files
//! wait to be deleted.
//!
//! Under `appendfsync everysec` three looks prove it, while neither its settings, its process nor its log are changed:
//!
//! 1. No fsync is pending. What was acknowledged before this look is then written to the log before the look is answered.
//! 2. By the server's clock 2 seconds later. As none was pending, and the second has changed, the server has begun an fsync
//!    after the first look, at the latest before it answers this one.
//! 3. No fsync is pending: that one is done, and the log has no write error.
//!
//! Under `always` a write of our own makes the server fsync its log, whatever it was set to before. Where there is no log,
//! or nobody can say when it is synced (`appendfsync no`, CONFIG refused), the server's acknowledgement is all there is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{RedisError, Script};

use crate::buffer::connect::{Address, Facts};
use crate::buffer::connection::Connection;
use crate::buffer::fsync::Settings;
use crate::buffer::keys::Name;
use crate::buffer::scripts;
use crate::buffer::shared::Shared;

/// How often the thread looks whether a proof is waited for.
const TICK: Duration = Duration::from_millis(5);

/// How long between two looks at the server.
const LOOK: Duration = Duration::from_millis(100);

/// How much later by the server's clock the second look must be: more than a second, and what its clock may lag behind.
const LATER_US: u64 = 2_000_000;

/// Seconds and microseconds, as TIME answers.
type Time = (u64, u64);

/// What must not change between the looks of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Same {
    run_id: String,
    forks: String,
    settings: Settings,
}

/// A look at a server.
struct Look {
    same: Same,
    /// The server's clock before and after, in microseconds.
    time: (u64, u64),
    /// Whether an fsync is pending.
    is_pending: bool,
}

/// What a look comes to.
enum ProofLook {
    /// This, and a proof may rest on it.
    Good(Look),
    /// Nothing can be proven now.
    Unclear,
    /// No proof will ever be there, and why.
    Never(&'static str),
}

/// How far a proof is.
enum Step {
    /// Nothing was seen.
    None,
    /// What was acknowledged before that moment is written.
    Written(Instant, Look),
    /// An fsync of it has begun.
    Begun(Instant, Same),
}

/// The thread.
pub(in crate::buffer) struct Prover {
    address: Address,
    name: Name,
    shared: Arc<Shared>,
    connection: Option<Connection>,
    step: Step,
    /// The latest time that the server's clock was seen to show: set back, it syncs nothing until it is there again.
    latest_us: u64,
    is_told: bool,
}

impl Prover {
    pub fn new(address: &Address, name: &Name, shared: &Arc<Shared>) -> Self {
        Self {
            address: address.clone(),
            name: name.clone(),
            shared: Arc::clone(shared),
            connection: None,
            step: Step::None,
            latest_us: 0,
            is_told: false,
        }
    }

    /// Until every lane has ended.
    pub fn run(mut self) {
        let mut due = Instant::now();
        while !self.name.lanes().iter().all(|lane| self.shared.is_over(lane)) {
            std::thread::sleep(TICK);
            if !self.shared.unproven.is_waited_for() {
                (self.connection, self.step) = (None, Step::None);
                // The first look is not put off.
                due = Instant::now();
            } else if Instant::now() >= due {
                due = Instant::now() + LOOK;
                if let Err(error) = self.look() {
                    tracing::debug!("the server cannot be asked whether it has synced: {error}");
                    (self.connection, self.step) = (None, Step::None);
                }
            }
        }
    }

    fn look(&mut self) -> Result<(), RedisError> {
        let asked = Instant::now();
        let look = match self.see()? {
            ProofLook::Good(look) => look,
            ProofLook::Unclear => {
                self.step = Step::None;
                return Ok(());
            }
            ProofLook::Never(why) => {
                if !std::mem::replace(&mut self.is_told, true) {
                    tracing::warn!(
                        "{why}: spill files are deleted once the server has acknowledged what is in them"
                    );
                }
                self.shared.unproven.prove(asked);
                return Ok(());
            }
        };
        let is_set_back = look.time.0 < self.latest_us;
        self.latest_us = self.latest_us.max(look.time.1);
        let is_always = look.same.settings.appendfsync() == "always";
        self.step = match std::mem::replace(&mut self.step, Step::None) {
            _ if is_set_back => Step::None,
            Step::Written(since, first) if first.same == look.same => {
                // Under `always` the write of the first look was synced before it was answered.
                if is_always {
                    self.shared.unproven.prove(since);
                    Step::None
                } else if look.time.0 >= first.time.1 + LATER_US {
                    Step::Begun(since, look.same)
                } else {
                    Step::Written(since, first)
                }
            }
            Step::Begun(since, same) if same == look.same && !look.is_pending => {
                self.shared.unproven.prove(since);
                Step::None
            }
            Step::Begun(since, same) if same == look.same => Step::Begun(since, same),
            _ if !look.is_pending && (!is_always || self.write()?) => Step::Written(asked, look),
            _ => Step::None,
        };
        Ok(())
    }

    fn see(&mut self) -> Result<ProofLook, RedisError> {
        let standing = self.name.lanes().map(|lane| self.shared.unproven.standing(lane));
        let connection = self.connection()?;
        let (before, info, after): (Time, String, Time) =
            redis::pipe().cmd("TIME").cmd("INFO").cmd("TIME").query(connection)?;
        let facts = Facts::of(&info);
        if facts.get("loading") == Some("1") {
            return Ok(ProofLook::Unclear);
        }
        if facts.is_of_cluster() {
            return Ok(ProofLook::Never(
                "a cluster has a disk for each of its nodes, and they are not asked",
            ));
        }
        if facts.get("aof_enabled") != Some("1") {
            return Ok(ProofLook::Never("the server has no append-only log"));
        }
        let settings = match Settings::read(self.connection()?) {
            Err(error) if error.code().is_some() => {
                return Ok(ProofLook::Never(
                    "the server does not say when it syncs its log (CONFIG GET is refused)",
                ));
            }
            settings => settings?,
        };
        if settings.appendfsync() == "no" {
            return Ok(ProofLook::Never(
                "the server leaves it to its system when its log is synced (appendfsync no)",
            ));
        }
        if !self.has_all(standing)? {
            return Ok(ProofLook::Unclear);
        }
        let is = |name: &str, value: &str| facts.get(name) == Some(value);
        // A rewrite begins a new file; what becomes of the old one's last fsync is not told before it is done.
        let is_quiet = is("aof_rewrite_in_progress", "0")
            && is("aof_rewrite_scheduled", "0")
            && is("aof_last_bgrewrite_status", "ok")
            && (settings.refuse().is_ok() || is("rdb_bgsave_in_progress", "0"));
        if !is_quiet || !is("aof_last_write_status", "ok") {
            return Ok(ProofLook::Unclear);
        }
        let text = |name: &str| facts.get(name).unwrap_or_default().to_owned();
        let micros = |(seconds, micros): Time| seconds * 1_000_000 + micros;
        Ok(ProofLook::Good(Look {
            same: Same { run_id: text("run_id"), forks: text("total_forks"), settings },
            time: (micros(before), micros(after)),
            is_pending: facts.number("aof_pending_bio_fsync") != Some(0),
        }))
    }

    /// Whether the server still has what it acknowledged. A lane of which it has less is taken up again.
    fn has_all(&mut self, standing: Vec<(u64, u64)>) -> Result<bool, RedisError> {
        let mut has_all = true;
        for (lane, (epoch, number)) in
            self.name.lanes().into_iter().zip(standing).filter(|(_, (epoch, _))| *epoch > 0)
        {
            let key = self.name.writer(lane);
            let found: (Option<u64>, Option<u64>) =
                redis::cmd("HMGET").arg(key).arg("epoch").arg("s").query(self.connection()?)?;
            let (theirs, stored) = (found.0.unwrap_or(0), found.1.unwrap_or(0));
            if theirs < epoch || (theirs == epoch && stored < number) {
                self.shared.unproven.set_back(lane);
            }
            has_all &= theirs == epoch && stored >= number;
        }
        Ok(has_all)
    }

    /// Writes what changes nothing to a lane of ours: the last block again, which is a repeat. False where none was written.
    fn write(&mut self) -> Result<bool, RedisError> {
        let ours = self.name.lanes().into_iter().map(|lane| (lane, self.shared.unproven.standing(lane)));
        let Some((lane, (epoch, number))) = ours.into_iter().find(|(_, (_, number))| *number > 0) else {
            return Ok(false);
        };
        let (stream, hash) = (self.name.stream(lane), self.name.writer(lane));
        let append = Script::new(scripts::APPEND);
        let mut append = append.key(stream);
        append
            .key(hash)
            .key(self.name.aside(lane))
            .arg(epoch)
            .arg(number)
            .arg(0)
            .arg(0)
            .arg(0)
            .arg("")
            .arg("")
            .arg(1);
        let (what, ..): (String, u64, u64) = append.invoke(self.connection()?)?;
        Ok(what == "repeat")
    }

    fn connection(&mut self) -> Result<&mut Connection, RedisError> {
        if self.connection.is_none() {
            let away = |error: crate::buffer::error::Error| {
                RedisError::from((redis::ErrorKind::Io, "no connection", error.to_string()))
            };
            self.connection = Some(self.address.dial().map_err(away)?);
        }
        self.connection.as_mut().ok_or_else(|| RedisError::from((redis::ErrorKind::Io, "no connection")))
    }
}
