//! Reads one answer of a server, never more of it than it may take.
//!
//! A server that is not what it says, or somebody between, may announce gigabytes, send a line without an end, or nest
//! arrays until the stack is used up. So an answer has a budget: every byte and every item of it counts, before memory is
//! taken for it. Answers are of RESP2, which is what a connection asks for.

use std::io::{BufRead, Error as IoError, ErrorKind as IoKind, Read};

use redis::{ErrorKind, RedisError, Value};

use super::text;

/// Longest line: errors and states are a sentence, and a number is shorter.
const LINE_BYTES_MAX: usize = 64 << 10;

/// How deep arrays may nest: the deepest that is asked for, XINFO STREAM FULL, has six levels.
const DEPTH_MAX: usize = 8;

/// What an item takes beside its bytes.
const ITEM_BYTES: usize = size_of::<Value>();

/// Memory that is taken at once for something that was announced and has not come.
const AHEAD_BYTES: usize = 256 << 10;

/// What an answer may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Bytes of memory, all together.
    pub bytes_max: usize,
    /// Bytes of a single text in it: an answer of another kind than was asked for stands whole in the error's words.
    pub text_bytes_max: usize,
}

impl Budget {
    /// Unless more is asked for. XINFO GROUPS of 50,000 groups takes half of it, and INFO is the longest text.
    pub const QUESTION: Self = Self { bytes_max: 48 << 20, text_bytes_max: 1 << 20 };

    /// A whole lane at once, of a server that a proof has filled.
    pub const LANE: Self = Self { bytes_max: 1 << 30, text_bytes_max: 66 << 20 };

    /// Where blocks are asked for. The longest frame is that of one event of 64 MiB that cannot be compressed.
    pub const BLOCKS: Self = Self { bytes_max: 80 << 20, text_bytes_max: 66 << 20 };
}

/// Reads one answer that keeps to a budget.
pub(super) fn read(from: &mut impl BufRead, budget: Budget) -> Result<Value, RedisError> {
    Answer { from, left: budget.bytes_max, budget }.value(0)
}

/// The beginning of an item.
enum Head {
    Done(Value),
    Bulk(usize),
    Array(usize),
}

/// An answer that is being read.
struct Answer<'a, R> {
    from: &'a mut R,
    /// Bytes that it may still take.
    left: usize,
    budget: Budget,
}

impl<R: BufRead> Answer<'_, R> {
    fn value(&mut self, depth: usize) -> Result<Value, RedisError> {
        self.take(ITEM_BYTES)?;
        match self.head()? {
            Head::Done(value) => Ok(value),
            // Frames lie in arrays. A text alone that is so long answers nothing that is ever asked.
            Head::Bulk(bytes) if depth == 0 => {
                let alone = Budget::QUESTION.text_bytes_max;
                self.bulk(bytes, alone.min(self.budget.text_bytes_max))
            }
            Head::Bulk(bytes) => self.bulk(bytes, self.budget.text_bytes_max),
            Head::Array(_) if depth == DEPTH_MAX => Err(garbled("arrays are nested too deep")),
            Head::Array(items) => {
                self.fits(items.saturating_mul(ITEM_BYTES))?;
                let mut array = Vec::with_capacity(items.min(AHEAD_BYTES / ITEM_BYTES));
                for _ in 0..items {
                    array.push(self.value(depth + 1)?);
                }
                Ok(Value::Array(array))
            }
        }
    }

    /// Counts bytes that are about to be taken.
    fn take(&mut self, bytes: usize) -> Result<(), RedisError> {
        self.fits(bytes)?;
        self.left -= bytes;
        Ok(())
    }

    fn fits(&self, bytes: usize) -> Result<(), RedisError> {
        if bytes <= self.left {
            return Ok(());
        }
        Err(too_long("an answer", self.budget.bytes_max))
    }

    /// The first line of an item, without copying it where it has come whole.
    fn head(&mut self) -> Result<Head, RedisError> {
        let come = self.from.fill_buf()?;
        if let Some(end) = memchr::memchr(b'\n', come) {
            let parsed = head_of(&come[..end]);
            self.from.consume(end + 1);
            self.take(end)?;
            return parsed;
        }
        let mut line = Vec::new();
        self.from.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        self.take(line.len())?;
        match line.split_last() {
            Some((b'\n', line)) => head_of(line),
            _ if line.len() == LINE_BYTES_MAX => Err(garbled("a line has no end")),
            _ => Err(cut_off()),
        }
    }

    fn bulk(&mut self, bytes: usize, bytes_max: usize) -> Result<Value, RedisError> {
        if bytes > bytes_max {
            return Err(too_long("a text", bytes_max));
        }
        self.take(bytes)?;
        let mut body = Vec::with_capacity(bytes.min(AHEAD_BYTES));
        self.from.by_ref().take(bytes as u64).read_to_end(&mut body)?;
        let mut end = [0; 2];
        if body.len() < bytes {
            return Err(cut_off());
        }
        self.from.read_exact(&mut end)?;
        if &end != b"\r\n" {
            return Err(garbled("a text is longer than announced"));
        }
        Ok(Value::BulkString(body))
    }
}

fn head_of(line: &[u8]) -> Result<Head, RedisError> {
    let line = line.strip_suffix(b"\r").ok_or_else(|| garbled("a line ends without a carriage return"))?;
    let (kind, rest) = line.split_first().ok_or_else(|| garbled("an empty line"))?;
    let length = || -> Result<Option<usize>, RedisError> {
        match integer(rest)? {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| garbled("a length is less than nothing")),
        }
    };
    Ok(match kind {
        b'+' if rest == b"OK" => Head::Done(Value::Okay),
        b'+' => Head::Done(Value::SimpleString(String::from_utf8_lossy(rest).into_owned())),
        // Which kind of error it is, the client library knows.
        b'-' => {
            let text = String::from_utf8_lossy(line).replace(['\r', '\n'], " ");
            Head::Done(redis::parse_redis_value(format!("{text}\r\n").as_bytes())?)
        }
        b':' => Head::Done(Value::Int(integer(rest)?)),
        b'$' => length()?.map_or(Head::Done(Value::Nil), Head::Bulk),
        b'*' => length()?.map_or(Head::Done(Value::Nil), Head::Array),
        _ => return Err(garbled("an answer begins with none of + - : $ *")),
    })
}

fn integer(text: &[u8]) -> Result<i64, RedisError> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| garbled("a number was expected"))
}

fn too_long(what: &str, max: usize) -> RedisError {
    let max = text::bytes(max as u64);
    IoError::other(format!("the server sends {what} of more than {max}")).into()
}

fn garbled(why: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Parse, "not an answer of Redis or Valkey", why.into()))
}

fn cut_off() -> RedisError {
    IoError::new(IoKind::UnexpectedEof, "the connection ended in the middle of an answer").into()
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use proptest::prelude::*;

    use super::*;

    const MAX: Budget = Budget { bytes_max: 1 << 20, text_bytes_max: 1 << 20 };

    /// What is read of these bytes, as few at a time as can be.
    fn read_slowly(bytes: &[u8]) -> Result<Value, RedisError> {
        read(&mut BufReader::with_capacity(1, Cursor::new(bytes)), MAX)
    }

    fn written(value: &Value, to: &mut Vec<u8>) {
        match value {
            Value::Nil => to.extend(b"$-1\r\n"),
            Value::Int(number) => to.extend(format!(":{number}\r\n").as_bytes()),
            Value::BulkString(bytes) => {
                to.extend(format!("${}\r\n", bytes.len()).as_bytes());
                to.extend(bytes);
                to.extend(b"\r\n");
            }
            Value::Array(items) => {
                to.extend(format!("*{}\r\n", items.len()).as_bytes());
                for item in items {
                    written(item, to);
                }
            }
            Value::SimpleString(text) => to.extend(format!("+{text}\r\n").as_bytes()),
            _ => to.extend(b"+OK\r\n"),
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            Just(Value::Okay),
            any::<i64>().prop_map(Value::Int),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::BulkString),
            "[a-zP-Z ]{0,20}".prop_map(Value::SimpleString),
        ];
        leaf.prop_recursive(4, 60, 6, |inner| proptest::collection::vec(inner, 0..6).prop_map(Value::Array))
    }

    proptest! {
        #[test]
        fn an_answer_is_read_as_the_client_library_reads_it(value in values()) {
            let mut bytes = Vec::new();
            written(&value, &mut bytes);
            let theirs = redis::parse_redis_value(&bytes).unwrap();
            prop_assert_eq!(read_slowly(&bytes).unwrap(), theirs.clone());
            prop_assert_eq!(read(&mut bytes.as_slice(), MAX).unwrap(), theirs);
            for cut in 0..bytes.len() {
                prop_assert!(read(&mut &bytes[..cut], MAX).is_err());
            }
        }

        #[test]
        fn anything_at_all_ends_in_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_slowly(&bytes);
        }
    }

    #[test]
    fn an_error_has_the_code_that_the_client_library_gives_it() {
        for line in ["-OOM command not allowed\r\n", "-NOSCRIPT no\r\n", "-ERR\r\n", "-MOVED 1 h:2\r\n"] {
            let theirs = redis::parse_redis_value(line.as_bytes()).unwrap();
            assert_eq!(read_slowly(line.as_bytes()).unwrap(), theirs);
        }
    }

    #[test]
    fn nothing_is_taken_for_what_was_only_announced() {
        let long = [b"+".as_slice(), &vec![b'a'; LINE_BYTES_MAX + 1]].concat();
        let deep = b"*1\r\n".repeat(10_000);
        let wide = [b"*1000\r\n".as_slice(), &b"*1000\r\n".repeat(1_000)].concat();
        for bytes in [
            b"$4000000000\r\n".as_slice(),
            b"$9223372036854775807\r\n",
            b"*4000000000\r\n",
            b"*9223372036854775807\r\n:1\r\n",
            b"$-2\r\n",
            &long,
            &deep,
            &wide,
            b"%1\r\n+a\r\n+b\r\n",
            b">2\r\n+a\r\n+b\r\n",
            b"$3\r\nabcd\r\n",
            b":1\n",
            b"HTTP/1.1 400 Bad Request\r\n",
        ] {
            let read = read_slowly(bytes);
            assert!(read.is_err(), "{read:?}");
        }
        let bulk = [b"$1000\r\n".as_slice(), &[b'a'; 1_000], b"\r\n"].concat();
        let read =
            |bytes_max, text_bytes_max| read(&mut bulk.as_slice(), Budget { bytes_max, text_bytes_max });
        let fits = 1_000 + ITEM_BYTES + 6;
        assert!(read(fits, 1_000).is_ok());
        assert!(read(fits - 1, 1_000).is_err() && read(fits, 999).is_err());
    }
}
