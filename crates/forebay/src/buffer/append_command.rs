//! How a block is put to the server, and what the server said of it: a small frame is an argument of the append script, a large
//! one goes behind it, in one transaction (`append.lua` says how), so that Lua does not hash it.

use redis::{Cmd, RedisError, Script, Value};

use super::appender::{Appender, Expected};
use super::compress::PendingBlock;
use super::connection::Connection;
use super::error_class::{ErrorClass, classify};
use super::round_failure::RoundFailure;
use super::scripts;
use super::source_cursor::SourceCursor;

/// From so many bytes on a frame goes behind the script: full blocks of encoding 1. Both ways take the server as long at 4,000 bytes;
/// a transaction holds its frame in the server's memory until it is carried out, which a small full server feels.
const BEHIND_BYTES: usize = 40 << 10;

/// Answers to a transaction: to MULTI, the append script, XADD, the script that counts, and EXEC.
const ANSWERS: usize = 5;

/// What a block is appended with.
#[derive(Clone)]
pub(super) struct AppendScripts {
    append: Script,
    count: Script,
}

impl AppendScripts {
    pub(super) fn new() -> Self {
        Self { append: Script::new(scripts::APPEND), count: Script::new(scripts::COUNT) }
    }

    /// Loads them.
    pub(super) fn load(&self, connection: &mut Connection) -> Result<(), RedisError> {
        [&self.append, &self.count]
            .into_iter()
            .try_for_each(|script| script.prepare_invoke().load(connection).map(drop))
    }
}

impl Appender {
    /// Writes the commands that append a block of the window, and says which answers they have.
    pub(super) fn put(&mut self, index: usize, wire: &mut Vec<u8>) -> Expected {
        let number = self.acked + 1 + index as u64;
        // After trouble the script alone: a full server refuses a transaction, and says of a repeat that it is one.
        if !self.has_transactions || self.probing || self.window[index].block.frame.len() < BEHIND_BYTES {
            let kept = self.kept_from();
            self.command(number, &self.window[index], kept.as_deref()).write_packed_command(wire);
            return Expected::Append;
        }
        let kept = self.kept_from();
        let pending = &self.window[index];
        let (block, name, lane) = (&pending.block, &self.settings.name, self.settings.lane);
        let before: u64 = self.window.iter().take(index).map(|pending| pending.block.events).sum();
        let events = self.acked_events + before + block.events;
        let (cursor, low_watermark) = (SourceCursor::text(self.cursor_of(pending)), self.low_watermark());
        let mut add = redis::cmd("XADD");
        add.arg(name.aside(lane)).arg("NOMKSTREAM").arg("*");
        add.arg("f").arg(block.encoding).arg("s").arg(number).arg("n").arg(block.events).arg("e").arg(events);
        add.arg("a").arg(block.time_min).arg("z").arg(block.time_max).arg("p").arg(self.epoch());
        add.arg("c").arg(&cursor).arg("w").arg(&low_watermark).arg("d").arg(&block.frame);
        let mut count = self.call(&self.scripts.count);
        count.arg(self.epoch()).arg(number).arg(events).arg(cursor).arg(&low_watermark);
        add_mark(&mut count, pending, kept.as_deref());
        let check = self.append(number, pending, (&low_watermark, None), Some(events));
        for command in [&redis::cmd("MULTI"), &check, &add, &count, &redis::cmd("EXEC")] {
            command.write_packed_command(wire);
        }
        Expected::Transaction
    }

    /// The command that appends a block by the script alone.
    pub(super) fn command(&self, number: u64, pending: &PendingBlock, kept: Option<&str>) -> Cmd {
        self.append(number, pending, (&self.low_watermark(), kept), None)
    }

    /// The same of a block that was acknowledged before. Not with the low watermark of now: others may still be missing.
    pub(super) fn command_again(&self, number: u64, pending: &PendingBlock) -> Cmd {
        self.append(number, pending, ("", None), None)
    }

    /// The id of the first block that must stay, as it is sent; none where blocks are not kept back.
    fn kept_from(&mut self) -> Option<String> {
        let low_watermark = self.shared.source.low_watermark();
        self.kept.is_asked().then(|| self.kept.from(low_watermark, self.shared.source.margin()).to_owned())
    }

    /// Where the source stood after a block.
    pub(super) fn cursor_of(&self, pending: &PendingBlock) -> Option<SourceCursor> {
        let source = &self.shared.source;
        if pending.first.is_some() {
            source.at(pending.block.cursor)
        } else {
            source.left(pending.block.cursor)
        }
    }

    /// The append script's call: with the frame, or where it follows, with the events that its entry says.
    fn append(
        &self,
        number: u64,
        pending: &PendingBlock,
        (low_watermark, kept): (&str, Option<&str>),
        behind: Option<u64>,
    ) -> Cmd {
        let block = &pending.block;
        let mut command = self.call(&self.scripts.append);
        command.arg(self.epoch()).arg(number).arg(block.events).arg(block.time_min).arg(block.time_max);
        command.arg(SourceCursor::text(self.cursor_of(pending))).arg(low_watermark).arg(block.encoding);
        let frame = if behind.is_some() { &[][..] } else { &block.frame };
        command.arg(frame).arg(u8::from(self.fsync.is_asked())).arg(behind.unwrap_or(0));
        if behind.is_none() {
            add_mark(&mut command, pending, kept);
        }
        command
    }

    /// A call of a script on the lane's keys.
    fn call(&self, script: &Script) -> Cmd {
        let (name, lane) = (&self.settings.name, self.settings.lane);
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(3);
        command.arg(name.stream(lane)).arg(name.writer(lane)).arg(name.aside(lane));
        command
    }

    fn low_watermark(&self) -> String {
        SourceCursor::text(self.shared.source.low_watermark())
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
        if is_error(&answers[0]) {
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
    if is_error(&begun) {
        return Ok(outcome([said, added, counted]).unwrap_or(begun));
    }
    if let Some(error) = [said, added, counted].into_iter().find(is_error) {
        return Ok(error);
    }
    match executed {
        error @ Value::ServerError(_) => Ok(error),
        Value::Array(results) => match <[Value; 3]>::try_from(results) {
            // Where it was not added, nothing is counted, and it is sent again.
            Ok(results) => Ok(outcome(results).unwrap_or_else(|why| why)),
            Err(_) => odd("EXEC gave another list"),
        },
        _ => odd("EXEC gave no list"),
    }
}

/// Whether a script answered so.
fn is(answer: &Value, what: &str) -> bool {
    matches!(answer, Value::Array(words) if words.first() == Some(&Value::BulkString(what.into())))
}

/// What the three commands came to; why the block was not added, where the append script did not refuse it.
fn outcome([said, added, counted]: [Value; 3]) -> Result<Value, Value> {
    if !is(&said, "ok") {
        return if is_error(&said) { Err(said) } else { Ok(said) };
    }
    if is(&counted, "ok") {
        return Ok(match (counted, added) {
            (Value::Array(mut words), id @ Value::BulkString(_)) => {
                words.push(id);
                Value::Array(words)
            }
            (counted, _) => counted,
        });
    }
    Err(if is_error(&added) { added } else { counted })
}

fn is_error(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(_))
}

/// Adds where a writer that spills writes down that the block is stored, and which block is the first to stay.
fn add_mark(command: &mut Cmd, pending: &PendingBlock, kept: Option<&str>) {
    match &pending.mark {
        Some((field, place)) => command.arg(&**field).arg(place),
        None if kept.is_some() => command.arg("").arg(""),
        None => return,
    };
    command.arg(kept);
}

/// What was said of a block.
pub(super) struct Said {
    pub(super) what: String,
    /// The last number that the lane has, and its epoch.
    pub(super) last: u64,
    pub(super) epoch: u64,
    /// The id of the block's entry, where it was asked for.
    pub(super) id: Option<String>,
}

impl Said {
    pub(super) fn of(answer: &Value) -> Result<Self, RoundFailure> {
        let words = match answer {
            Value::Array(words) if words.len() > 3 => words.split_at(3),
            Value::Array(words) => (&words[..], &[][..]),
            _ => (std::slice::from_ref(answer), &[][..]),
        };
        let read = redis::from_redis_value::<(String, u64, u64)>(Value::Array(words.0.to_vec()));
        let (what, last, epoch) = read.map_err(|error| RoundFailure::garbled(&error))?;
        let id = words.1.first().and_then(|id| redis::from_redis_value_ref(id).ok());
        Ok(Self { what, last, epoch, id: id.filter(|id: &String| !id.is_empty()) })
    }
}
