//! The encoding `aws-chunked`, which lies within what HTTP transfers: chunks with a signature each, and checksums behind them.

use super::room::Held;
use super::wire::Headers;

/// Lines of checksums behind the last chunk, and bytes of a line.
const TRAILERS_MAX: usize = 16;
const LINE_BYTES_MAX: usize = 1 << 10;

/// Takes the chunks' contents together, in place. What comes back are the headers behind the last chunk; none where the body
/// does not have this encoding.
pub(super) fn decode(held: &mut Held) -> Option<Headers> {
    let (mut from, mut to) = (0, 0);
    loop {
        let line = line(held, &mut from)?;
        let len = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        if len == 0 {
            break;
        }
        let end = from.checked_add(len)?;
        if held.get(end..end.checked_add(2)?)? != b"\r\n" {
            return None;
        }
        held.bytes_mut().copy_within(from..end, to);
        to += len;
        from = end + 2;
    }
    let mut trailers = Vec::new();
    // The last empty line may be absent where no trailer is.
    while from < held.len() {
        let line = line(held, &mut from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        if trailers.len() > TRAILERS_MAX {
            return None;
        }
    }
    held.truncate(to);
    Some(trailers)
}

/// The line that begins at `from`, which moves behind its end.
fn line(bytes: &[u8], from: &mut usize) -> Option<String> {
    let rest = bytes.get(*from..)?;
    let end = memchr::memmem::find(&rest[..rest.len().min(LINE_BYTES_MAX)], b"\r\n")?;
    *from += end + 2;
    str::from_utf8(&rest[..end]).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::s3::room::Room;

    fn decoded(body: &[u8]) -> Option<(Vec<u8>, Headers)> {
        let mut held = Arc::new(Room::default()).hold(body.to_vec());
        let trailers = decode(&mut held)?;
        Some((held.to_vec(), trailers))
    }

    #[test]
    fn chunks_come_together_and_trailers_come_back() {
        let body = b"3;chunk-signature=ab\r\na\r\n\r\n2\r\nbc\r\n0;chunk-signature=cd\r\nx-amz-checksum-crc32: AA==\r\n\r\n";
        let trailers = vec![("x-amz-checksum-crc32".to_owned(), "AA==".to_owned())];
        assert_eq!(decoded(body), Some((b"a\r\nbc".to_vec(), trailers)));
        assert_eq!(decoded(b"0\r\n\r\n"), Some((Vec::new(), Vec::new())));
        assert_eq!(decoded(b"1\r\na\r\n0\r\n"), Some((b"a".to_vec(), Vec::new())));
    }

    #[test]
    fn what_is_not_of_this_encoding_is_refused() {
        for body in [
            &b""[..],
            b"abc",
            b"3\r\nab",
            b"3\r\nab\r\n",
            b"2\r\nabc\r\n0\r\n\r\n",
            b"1\r\nabc0\r\n\r\n",
            b"ffffffffffffffff\r\nab\r\n",
            b"z\r\nab\r\n",
            b"0\r\nno colon\r\n\r\n",
        ] {
            assert_eq!(decoded(body), None, "{}", body.escape_ascii());
        }
    }
}
