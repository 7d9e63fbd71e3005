//! Takes text frames for what they are: bytes. A text that is not UTF-8 would end the connection, and come again at each retry,
//! since it stands in the host's store; an event that is none is refused by itself. So each text frame of a host is handed on as
//! a binary one, and nobody looks for UTF-8 but where an event is read.

use std::io::{self, Read, Write};

const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// Where in the stream of bytes the next one stands.
enum At {
    /// In the answer to the handshake; how much of its end was seen.
    Answer(usize),
    /// In a frame's head: the bytes of it so far.
    Head([u8; 14], usize),
    /// In what a frame holds: bytes that are left of it.
    Payload(u64),
}

/// A stream whose text frames are binary ones.
pub(super) struct Untext<S> {
    stream: S,
    at: At,
}

impl<S> Untext<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, at: At::Answer(0) }
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }

    fn pass(&mut self, bytes: &mut [u8]) {
        let mut from = 0;
        while from < bytes.len() {
            match &mut self.at {
                At::Answer(seen) => {
                    let due = b"\r\n\r\n"[*seen];
                    *seen = match bytes[from] {
                        byte if byte == due => *seen + 1,
                        b'\r' => 1,
                        _ => 0,
                    };
                    from += 1;
                    if *seen == 4 {
                        self.at = At::Head([0; 14], 0);
                    }
                }
                At::Head(head, seen) => {
                    if *seen == 0 && bytes[from] & 0x0f == TEXT {
                        bytes[from] = bytes[from] & 0xf0 | BINARY;
                    }
                    head[*seen] = bytes[from];
                    *seen += 1;
                    from += 1;
                    if let Some(len) = payload_len(&head[..*seen]) {
                        self.at = if len == 0 { At::Head([0; 14], 0) } else { At::Payload(len) };
                    }
                }
                At::Payload(left) => {
                    let here = (bytes.len() - from).min(usize::try_from(*left).unwrap_or(usize::MAX));
                    from += here;
                    *left -= here as u64;
                    if *left == 0 {
                        self.at = At::Head([0; 14], 0);
                    }
                }
            }
        }
    }
}

/// How much follows a frame's head; none where the head is not whole.
fn payload_len(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let (len, extended) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?)), 2),
        127 => (u64::from_be_bytes(head.get(2..10)?.try_into().ok()?), 8),
        len => (u64::from(len), 0),
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    (head.len() == 2 + extended + mask).then_some(len)
}

impl<S: Read> Read for Untext<S> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(to)?;
        self.pass(&mut to[..read]);
        Ok(read)
    }
}

impl<S: Write> Write for Untext<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of these kinds and lengths after the answer to a handshake, and what should come of them.
    fn stream(frames: &[(u8, usize)]) -> (Vec<u8>, Vec<u8>) {
        let (mut sent, mut due) = (b"HTTP/1.1 101 \r\na: b\r\n\r\n".to_vec(), Vec::new());
        due.extend_from_slice(&sent);
        for (kind, len) in frames {
            let head = match len {
                0..126 => vec![*len as u8],
                126..=0xffff => [&[126][..], &(*len as u16).to_be_bytes()].concat(),
                _ => [&[127][..], &(*len as u64).to_be_bytes()].concat(),
            };
            // What looks like a head, and is none.
            let payload = vec![0x81; *len];
            for (to, kind) in
                [(&mut sent, *kind), (&mut due, if kind & 15 == TEXT { kind & 0xf0 | BINARY } else { *kind })]
            {
                to.push(kind);
                to.extend_from_slice(&head);
                to.extend_from_slice(&payload);
            }
        }
        (sent, due)
    }

    #[test]
    fn text_becomes_binary_wherever_reads_are_cut() {
        let frames = [
            (0x81, 5),
            (0x82, 3),
            (0x81, 0),
            (0x89, 4),
            (0x01, 200),
            (0x80, 7),
            (0x81, 70_000),
            (0x8a, 0),
            (0x81, 125),
        ];
        let (sent, due) = stream(&frames);
        for size in [1, 2, 3, 7, 1_000, sent.len()] {
            let mut untext = Untext::new(&sent[..]);
            let mut came = Vec::new();
            let mut piece = vec![0; size];
            loop {
                let read = untext.read(&mut piece).unwrap();
                if read == 0 {
                    break;
                }
                came.extend_from_slice(&piece[..read]);
            }
            assert!(came == due, "in pieces of {size}");
        }
    }
}
