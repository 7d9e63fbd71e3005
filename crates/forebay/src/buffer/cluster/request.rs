//! What a request asks, as far as it must be known to send it to the right node: its commands, and their keys.

use redis::{ErrorKind, RedisError};

/// Commands that no key says where to send.
const WITHOUT_KEYS: [&str; 27] = [
    "PING",
    "ECHO",
    "INFO",
    "TIME",
    "CONFIG",
    "WAIT",
    "WAITAOF",
    "SCRIPT",
    "MULTI",
    "EXEC",
    "DISCARD",
    "PUBLISH",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "CLIENT",
    "COMMAND",
    "ACL",
    "AUTH",
    "HELLO",
    "ROLE",
    "SCAN",
    "DBSIZE",
    "LATENCY",
    "SLOWLOG",
    "LASTSAVE",
    "CLUSTER",
    "DEBUG",
];

/// Commands whose second word is one of many that they have, and whose key is the third.
const WITH_SUBCOMMANDS: [&str; 4] = ["XINFO", "XGROUP", "MEMORY", "OBJECT"];

/// Commands whose keys may lie apart, and which are then asked of each key: their numbers are added up.
const COUNTS: [&str; 3] = ["EXISTS", "DEL", "UNLINK"];

/// Words of a command that are read.
const WORDS_MAX: usize = 4_096;

/// A command of a request.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    /// As it is sent.
    pub bytes: &'a [u8],
}

/// Who is asked a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Any node, or the one that the last command went to.
    Any,
    /// The node that has this key.
    Key(&'a [u8]),
    /// Each key's node, and the answers are added up.
    Count(Vec<&'a [u8]>),
    /// Each stream's node, and what they find is one answer.
    Streams {
        /// What stands before the streams, without BLOCK.
        head: Vec<&'a [u8]>,
        /// Keys, and from where on each is read.
        streams: Vec<(&'a [u8], &'a [u8])>,
        /// Milliseconds that it may wait.
        block_ms: u64,
    },
}

/// The commands of a request.
pub fn commands(mut request: &[u8]) -> Result<Vec<Command<'_>>, RedisError> {
    let mut found = Vec::new();
    while !request.is_empty() {
        let end = words(request, 0)?.1;
        let (bytes, rest) = request.split_at(end);
        found.push(Command { bytes });
        request = rest;
    }
    Ok(found)
}

impl<'a> Command<'a> {
    /// Its name.
    pub fn is(&self, name: &str) -> bool {
        words(self.bytes, 1).is_ok_and(|(words, _)| words.first().is_some_and(|word| is(word, name)))
    }

    /// Who is asked.
    pub fn target(&self) -> Result<Target<'a>, RedisError> {
        let (words, _) = words(self.bytes, WORDS_MAX)?;
        let word =
            |at: usize| words.get(at).copied().ok_or_else(|| odd("a command without the key that it needs"));
        let name = word(0)?;
        let is_one_of = |known: &[&str]| known.iter().any(|known| is(name, known));
        if is_one_of(&WITHOUT_KEYS) {
            return Ok(Target::Any);
        }
        if is_one_of(&["EVAL", "EVALSHA"]) {
            return Ok(if word(2)? == b"0" { Target::Any } else { Target::Key(word(3)?) });
        }
        if is_one_of(&["XREAD", "XREADGROUP"]) {
            return streams(&words);
        }
        if is_one_of(&COUNTS) && words.len() > 2 {
            return Ok(Target::Count(words[1..].to_vec()));
        }
        Ok(Target::Key(word(if is_one_of(&WITH_SUBCOMMANDS) { 2 } else { 1 })?))
    }
}

fn streams<'a>(words: &[&'a [u8]]) -> Result<Target<'a>, RedisError> {
    let at = words.iter().position(|word| is(word, "STREAMS")).ok_or_else(|| odd("a read of no stream"))?;
    let (keys, from) = words[at + 1..].split_at((words.len() - at - 1) / 2);
    if let ([key], [_]) = (keys, from) {
        return Ok(Target::Key(key));
    }
    let (mut head, mut block_ms, mut index) = (Vec::new(), 0, 0);
    while index < at {
        if is(words[index], "BLOCK") {
            let given = words.get(index + 1).and_then(|word| std::str::from_utf8(word).ok());
            block_ms = given.and_then(|given| given.parse().ok()).unwrap_or(0);
            index += 2;
        } else {
            head.push(words[index]);
            index += 1;
        }
    }
    Ok(Target::Streams { head, streams: keys.iter().copied().zip(from.iter().copied()).collect(), block_ms })
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

/// The words of the first command, `most` of them, and how many bytes it has.
fn words(request: &[u8], most: usize) -> Result<(Vec<&[u8]>, usize), RedisError> {
    let (count, mut at) = header(request, 0, b'*')?;
    let mut words = Vec::with_capacity(count.min(most));
    for index in 0..count {
        let (length, start) = header(request, at, b'$')?;
        let end = start.saturating_add(length);
        at = end.saturating_add(2);
        let word = request.get(start..end).filter(|_| request.len() >= at);
        let word = word.ok_or_else(|| odd("a request that breaks off"))?;
        if index < most {
            words.push(word);
        }
    }
    Ok((words, at))
}

/// The number of a line that begins so, and where the next one begins.
fn header(request: &[u8], at: usize, kind: u8) -> Result<(usize, usize), RedisError> {
    let line = request.get(at..).unwrap_or_default();
    let end = memchr::memchr(b'\n', line).ok_or_else(|| odd("a request that breaks off"))?;
    let number = line[..end].strip_suffix(b"\r").and_then(|line| line.strip_prefix(&[kind]));
    let number = number.and_then(|number| std::str::from_utf8(number).ok()?.parse().ok());
    Ok((number.ok_or_else(|| odd("a request that is none"))?, at + end + 1))
}

fn odd(what: &'static str) -> RedisError {
    (ErrorKind::Client, "cannot be sent to a cluster", what.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(words: &[&str]) -> Vec<u8> {
        let mut command = redis::Cmd::new();
        command.arg(words);
        command.get_packed_command()
    }

    #[test]
    fn each_command_is_asked_of_the_node_that_has_its_key() {
        for (words, key) in [
            (&["HGET", "k", "f"][..], Some("k")),
            (&["EVALSHA", "hash", "3", "k", "l", "m", "1"], Some("k")),
            (&["XINFO", "GROUPS", "k"], Some("k")),
            (&["memory", "usage", "k"], Some("k")),
            (&["XREADGROUP", "GROUP", "g", "c", "BLOCK", "5", "STREAMS", "k", ">"], Some("k")),
            (&["EXISTS", "k"], Some("k")),
            (&["EVAL", "return 1", "0"], None),
            (&["SCRIPT", "LOAD", "return 1"], None),
            (&["WAIT", "1", "0"], None),
        ] {
            let wire = packed(words);
            let commands = commands(&wire).unwrap();
            let expected = key.map_or(Target::Any, |key| Target::Key(key.as_bytes()));
            assert_eq!((commands.len(), commands[0].target().unwrap()), (1, expected), "{words:?}");
        }
    }

    #[test]
    fn a_read_of_several_streams_and_a_count_of_several_keys_are_taken_apart() {
        let wire = packed(&["XREAD", "COUNT", "7", "BLOCK", "30", "STREAMS", "a", "b", "1-0", "2-0"]);
        let Target::Streams { head, streams, block_ms } = commands(&wire).unwrap()[0].target().unwrap()
        else {
            panic!("no streams");
        };
        assert_eq!((head, block_ms), (vec![&b"XREAD"[..], b"COUNT", b"7"], 30));
        assert_eq!(streams, [(&b"a"[..], &b"1-0"[..]), (b"b", b"2-0")]);
        let wire = packed(&["UNLINK", "a", "b"]);
        assert_eq!(commands(&wire).unwrap()[0].target().unwrap(), Target::Count(vec![b"a", b"b"]));
    }

    #[test]
    fn a_request_is_taken_apart_at_its_commands_whatever_their_words_hold() {
        let wire = [packed(&["SET", "k", "*1\r\n$4\r\nPING\r\n"]), packed(&["PING"])].concat();
        let found = commands(&wire).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found[1].is("ping") && !found[0].is("ping"));
        for cut in 1..wire.len() - 1 {
            let short = &wire[..cut];
            assert!(commands(short).is_err() || cut == found[0].bytes.len(), "{cut}");
        }
        let bare = packed(&["GET"]);
        assert!(commands(&bare).unwrap()[0].target().is_err());
    }
}
