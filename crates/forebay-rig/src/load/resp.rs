//! The wire protocol, raw: requests written into a buffer, replies read out of one without copying.

use forebay::buffer::connect::AddressParts;

/// Longest bulk that is waited for. A server that announces more is not answering what was asked.
const BULK_BYTES_MAX: i64 = 64 << 20;

/// Most items of an array, and how deep arrays may nest: XREADGROUP's answer has four levels.
const ITEMS_MAX: i64 = 1 << 20;
const DEPTH_MAX: usize = 8;

/// Longest line without a line end.
const LINE_BYTES_MAX: usize = 64 << 10;

/// One reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `+OK`
    Status(&'a [u8]),
    /// `-ERR ...`
    Error(&'a [u8]),
    /// `:1`
    Integer(i64),
    /// `$5 hello`
    Bulk(&'a [u8]),
    /// A bulk or an array that is not there.
    Nil,
    /// So many items; their bytes.
    Array(usize, &'a [u8]),
}

impl<'a> Reply<'a> {
    /// The items of an array; none of anything else.
    pub fn items(self) -> Items<'a> {
        match self {
            Self::Array(count, bytes) => Items { left: count, bytes },
            _ => Items { left: 0, bytes: &[] },
        }
    }
}

/// Goes through an array's items.
#[derive(Debug, Clone)]
pub struct Items<'a> {
    left: usize,
    bytes: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = Reply<'a>;

    fn next(&mut self) -> Option<Reply<'a>> {
        self.left = self.left.checked_sub(1)?;
        // An array is only made once all of it was read.
        let (reply, used) = parse(self.bytes).ok()??;
        self.bytes = &self.bytes[used..];
        Some(reply)
    }
}

/// What came is not the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what came is not RESP: {0}")]
pub struct Garbage(String);

/// The first reply in the buffer and the bytes it takes; none where more must come.
pub fn parse(buffer: &[u8]) -> Result<Option<(Reply<'_>, usize)>, Garbage> {
    parse_at(buffer, DEPTH_MAX)
}

fn parse_at(buffer: &[u8], depth: usize) -> Result<Option<(Reply<'_>, usize)>, Garbage> {
    let Some(kind) = buffer.first() else { return Ok(None) };
    if !b"+-:$*".contains(kind) {
        return Err(garbage("it starts with", buffer));
    }
    let Some(end) = memchr::memchr(b'\n', &buffer[..buffer.len().min(LINE_BYTES_MAX)]) else {
        return if buffer.len() < LINE_BYTES_MAX {
            Ok(None)
        } else {
            Err(garbage("a line without end:", buffer))
        };
    };
    let line =
        buffer[1..end].strip_suffix(b"\r").ok_or_else(|| garbage("a line ends in LF alone:", buffer))?;
    let used = end + 1;
    Ok(match kind {
        b'+' => Some((Reply::Status(line), used)),
        b'-' => Some((Reply::Error(line), used)),
        b':' => Some((Reply::Integer(integer(line)?), used)),
        b'$' => match integer(line)? {
            -1 => Some((Reply::Nil, used)),
            length @ 0..=BULK_BYTES_MAX => {
                let end = used + length as usize;
                if buffer.len() < end + 2 {
                    return Ok(None);
                }
                if &buffer[end..end + 2] != b"\r\n" {
                    return Err(garbage("a bulk that does not end where it should:", &buffer[end..]));
                }
                Some((Reply::Bulk(&buffer[used..end]), end + 2))
            }
            length => return Err(Garbage(format!("a bulk of {length} bytes"))),
        },
        _ => match integer(line)? {
            -1 => Some((Reply::Nil, used)),
            count @ 0..=ITEMS_MAX if depth > 0 => {
                let mut end = used;
                for _ in 0..count {
                    let Some((_, bytes)) = parse_at(&buffer[end..], depth - 1)? else { return Ok(None) };
                    end += bytes;
                }
                Some((Reply::Array(count as usize, &buffer[used..end]), end))
            }
            count => {
                return Err(Garbage(format!("an array of {count} items, {} deep", DEPTH_MAX - depth + 1)));
            }
        },
    })
}

fn integer(line: &[u8]) -> Result<i64, Garbage> {
    let text = std::str::from_utf8(line).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| garbage("not a number:", line))
}

fn garbage(what: &str, bytes: &[u8]) -> Garbage {
    Garbage(format!("{what} {}", bytes[..bytes.len().min(40)].escape_ascii()))
}

/// Appends a request.
pub fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    head(out, words.len());
    for one in words {
        word(out, one);
    }
}

/// What a bare connection says first, and how many answers, each `+OK`, that gets: the login and the database.
pub fn greeting(plain: &AddressParts<'_>) -> (Vec<u8>, usize) {
    let (mut words, mut answers) = (Vec::new(), 0);
    if let Some(password) = plain.password {
        let user = plain.user.map(str::as_bytes);
        let auth: Vec<&[u8]> =
            [b"AUTH".as_slice()].into_iter().chain(user).chain([password.as_bytes()]).collect();
        command(&mut words, &auth);
        answers += 1;
    }
    if plain.database != 0 {
        command(&mut words, &[b"SELECT", plain.database.to_string().as_bytes()]);
        answers += 1;
    }
    (words, answers)
}

/// Begins a request of so many words.
pub fn head(out: &mut Vec<u8>, words: usize) {
    out.push(b'*');
    digits(out, words);
}

/// Appends one word of a request.
pub fn word(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'$');
    digits(out, bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn digits(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(number.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The word that names an error: `OOM`, `MISCONF`, `NOAUTH`, `MOVED`; for `ERR` the first words of its text.
pub(super) fn error_kind(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(200)]);
    let word = text.split_whitespace().next().unwrap_or("an empty error");
    match word {
        "ERR" if text.contains("max number of clients") => "maxclients".into(),
        "ERR" => text.split_whitespace().take(6).collect::<Vec<_>>().join(" "),
        _ => word.chars().take(32).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] =
        b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nd\r\n$2\r\n\r\n\r\n*2\r\n$3\r\n1-2\r\n*-1\r\n";

    #[test]
    fn each_kind_of_reply_is_read_and_a_part_of_one_waits() {
        let replies: [(&[u8], Reply<'_>); 7] = [
            (b"+OK\r\n", Reply::Status(b"OK")),
            (b"-OOM no\r\n", Reply::Error(b"OOM no")),
            (b":-12\r\n", Reply::Integer(-12)),
            (b"$0\r\n\r\n", Reply::Bulk(b"")),
            (b"$-1\r\n", Reply::Nil),
            (b"*-1\r\n", Reply::Nil),
            (b"*0\r\n", Reply::Array(0, b"")),
        ];
        for (bytes, reply) in replies {
            assert_eq!(parse(bytes), Ok(Some((reply, bytes.len()))));
        }
        for end in 0..STREAM.len() {
            assert_eq!(parse(&STREAM[..end]), Ok(None), "{end}");
        }
        let Ok(Some((all, used))) = parse(STREAM) else { panic!() };
        assert_eq!(used, STREAM.len());
        let entries: Vec<_> = all.items().next().unwrap().items().nth(1).unwrap().items().collect();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].items().next(), Some(Reply::Bulk(b"1-1")));
        assert_eq!(entries[0].items().nth(1).unwrap().items().nth(1), Some(Reply::Bulk(b"\r\n")));
    }

    #[test]
    fn what_is_no_reply_is_refused_and_nothing_is_waited_for_without_end() {
        let deep = "*1\r\n".repeat(20);
        let long = format!("+{}", "x".repeat(LINE_BYTES_MAX));
        let odd: [&[u8]; 9] = [
            b"HTTP/1.1 400\r\n",
            b"\0",
            b"+OK\n",
            b":x\r\n",
            b"$-2\r\n",
            b"$99999999999\r\n",
            b"$2\r\nabc\r\n",
            deep.as_bytes(),
            long.as_bytes(),
        ];
        for bytes in odd {
            assert!(parse(bytes).is_err(), "{}", bytes.escape_ascii());
        }
        assert!(parse(b"*99999999\r\n").is_err());
    }

    #[test]
    fn requests_are_written_as_servers_read_them() {
        let mut out = Vec::new();
        command(&mut out, &[b"SET", b"k", b""]);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
    }
}
