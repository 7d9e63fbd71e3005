//! How a block is put to the server, and what the server said of it: a small frame is an argument of the append script, a large
//! one goes behind it, in one transaction (`append.lua` says how), so that Lua does not hash it.

use redis::{RedisError, Value};

use super::appender::{Appender, Expected};
use super::compress::PendingBlock;
use super::connection::Connection;
use super::error_class::{ErrorClass, classify};
use super::resume_position::stored_position;
use super::round_failure::RoundFailure;

/// From so many bytes on a frame goes behind the script: full blocks of encoding 1. Both ways take the server as long at 4,000 bytes;
/// a transaction holds its frame in the server's memory until it is carried out, which a small full server feels.
const BEHIND_BYTES: usize = 40 << 10;

/// Answers to a transaction: to MULTI, the append script, XADD, the script that counts, and EXEC.
const ANSWERS: usize = 5;

impl Appender {
    /// Writes the commands that append a block of the window, and says which answers they have.
    pub(super) fn put(&self, index: usize, wire: &mut Vec<u8>) -> Expected {
        let (number, pending) = (self.acked + 1 + index as u64, &self.window[index]);
        // After trouble the script alone: a full server refuses a transaction, and says of a repeat that it is one.
        if !self.has_transactions || self.probing || pending.block.frame.len() < BEHIND_BYTES {
            wire.extend_from_slice(&self.command(number, pending));
            return Expected::Append;
        }
        let before: u64 = self.window.iter().take(index).map(|pending| pending.block.events).sum();
        let events = self.acked_events + before + pending.block.events;
        let low_watermark = self.low_watermark();
        let (stream, aside) =
            (self.settings.name.stream(self.settings.lane), self.settings.name.aside(self.settings.lane));
        wire.extend_from_slice(&redis::cmd("MULTI").get_packed_command());
        wire.extend_from_slice(&self.script(number, pending, &low_watermark, Some(events)));
        let block = &pending.block;
        let mut add = redis::cmd("XADD");
        add.arg(&aside).arg("NOMKSTREAM").arg("*").arg("f").arg(block.encoding).arg("s").arg(number);
        add.arg("n")
            .arg(block.events)
            .arg("e")
            .arg(events)
            .arg("a")
            .arg(block.time_min)
            .arg("z")
            .arg(block.time_max);
        add.arg("p")
            .arg(self.epoch())
            .arg("c")
            .arg(stored_position(block.cursor))
            .arg("w")
            .arg(&low_watermark);
        wire.extend_from_slice(&add.arg("d").arg(&block.frame).get_packed_command());
        let mut count = redis::cmd("EVALSHA");
        count
            .arg(self.count.get_hash())
            .arg(3)
            .arg(&stream)
            .arg(self.settings.name.writer(self.settings.lane));
        count.arg(&aside).arg(self.epoch()).arg(number).arg(events).arg(stored_position(block.cursor));
        count.arg(&low_watermark);
        if let Some((field, place)) = &pending.mark {
            count.arg(&**field).arg(place);
        }
        wire.extend_from_slice(&count.get_packed_command());
        wire.extend_from_slice(&redis::cmd("EXEC").get_packed_command());
        Expected::Transaction
    }

    /// The command that appends a block by the script alone.
    pub(super) fn command(&self, number: u64, pending: &PendingBlock) -> Vec<u8> {
        self.script(number, pending, &self.low_watermark(), None)
    }

    /// The script's call: with the frame, or where it follows, with the events that its entry says.
    fn script(
        &self,
        number: u64,
        pending: &PendingBlock,
        low_watermark: &str,
        behind: Option<u64>,
    ) -> Vec<u8> {
        let (block, name, lane) = (&pending.block, &self.settings.name, self.settings.lane);
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.append.get_hash()).arg(3);
        command.arg(name.stream(lane)).arg(name.writer(lane)).arg(name.aside(lane));
        command.arg(self.epoch()).arg(number).arg(block.events).arg(block.time_min).arg(block.time_max);
        command.arg(stored_position(block.cursor)).arg(low_watermark).arg(block.encoding);
        match behind {
            None => command.arg(&block.frame),
            Some(_) => command.arg(""),
        };
        command.arg(u8::from(self.fsync.is_asked())).arg(behind.unwrap_or(0));
        if let (Some((field, place)), None) = (&pending.mark, behind) {
            command.arg(&**field).arg(place);
        }
        command.get_packed_command()
    }

    /// Loads both scripts.
    pub(super) fn load_scripts(&self, connection: &mut Connection) -> Result<(), RedisError> {
        [&self.append, &self.count]
            .into_iter()
            .try_for_each(|script| script.prepare_invoke().load(connection).map(drop))
    }

    fn low_watermark(&self) -> String {
        stored_position(self.shared.low_watermark.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// The next answer, whichever of them was expected: of a transaction what became of its block, or why it was not carried out.
    pub(super) fn answer(&mut self, expected: Option<Expected>) -> Result<Value, RoundFailure> {
        let connection = self.open_connection()?;
        if expected != Some(Expected::Transaction) {
            return Ok(connection.recv_response()?);
        }
        let mut answers = Vec::with_capacity(ANSWERS);
        for _ in 0..ANSWERS {
            answers.push(connection.recv_response()?);
        }
        if matches!(answers[0], Value::ServerError(_)) {
            // Its commands were carried out one by one: what became of the block is known all the same.
            self.has_transactions = false;
        }
        of_transaction(answers)
    }

    /// From now on frames go through the script.
    pub(super) fn without_transactions(&mut self, why: &str) -> RoundFailure {
        tracing::debug!(lane = %self.settings.lane, why, "frames go through the script from now on");
        self.has_transactions = false;
        RoundFailure::refused(why)
    }
}

/// Whether the server takes a transaction: without MULTI, what should be one would be carried out in parts.
pub(super) fn takes_transactions(connection: &mut Connection) -> Result<bool, RedisError> {
    let request =
        [redis::cmd("MULTI").get_packed_command(), redis::cmd("EXEC").get_packed_command()].concat();
    connection.send_packed_command(&request)?;
    let (begun, done) = (connection.recv_response()?, connection.recv_response()?);
    Ok(begun == Value::Okay && matches!(done, Value::Array(_)))
}

/// Whether an error is one that the script alone may not have: nothing of the transaction was counted, and should it be another
/// trouble, the script meets it too. Servers say in many words that a user may not do something.
pub(super) fn is_no_transaction(error: &RedisError) -> bool {
    matches!(classify(error), ErrorClass::Fatal(_) | ErrorClass::Denied(_))
}

/// What became of the block: what the script that counts said, or where the append script refused, what that said; or of several
/// errors the first, which is why the others are.
fn of_transaction(answers: Vec<Value>) -> Result<Value, RoundFailure> {
    let odd =
        |what: &str| Err(RoundFailure::Server(ErrorClass::Fatal(format!("an answer to no append: {what}"))));
    let Ok([begun, said, added, counted, executed]) = <[Value; ANSWERS]>::try_from(answers) else {
        return odd("another number of answers");
    };
    let is_error = |answer: &Value| matches!(answer, Value::ServerError(_));
    if is_error(&begun) {
        let is_added = is(&said, "ok") && is(&counted, "ok");
        return Ok(if is_added || !is(&said, "ok") && !is_error(&said) {
            outcome(said, counted)
        } else {
            begun
        });
    }
    if let Some(error) = [said, added, counted].into_iter().find(is_error) {
        return Ok(error);
    }
    match executed {
        error @ Value::ServerError(_) => Ok(error),
        Value::Array(results) => match <[Value; 3]>::try_from(results) {
            Ok([said, added, counted]) if is(&said, "ok") && !is(&counted, "ok") => {
                // Nothing is counted, and it is sent again.
                Ok(if is_error(&added) { added } else { counted })
            }
            Ok([said, _, counted]) => Ok(outcome(said, counted)),
            Err(_) => odd("EXEC gave another list"),
        },
        _ => odd("EXEC gave no list"),
    }
}

/// Whether a script answered so.
fn is(answer: &Value, what: &str) -> bool {
    matches!(answer, Value::Array(words) if words.first() == Some(&Value::BulkString(what.into())))
}

fn outcome(said: Value, counted: Value) -> Value {
    if is(&said, "ok") { counted } else { said }
}
