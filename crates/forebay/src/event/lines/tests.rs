//! What is claimed of lines: any bytes in any pieces give the same, and a line that is too long costs no memory.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Gives its pieces one a read, and errors between them.
struct Pieces(VecDeque<Result<Vec<u8>, ErrorKind>>);

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.0.pop_front() {
            None => Ok(0),
            Some(Err(kind)) => Err(kind.into()),
            Some(Ok(piece)) => {
                let taken = piece.len().min(to.len());
                to[..taken].copy_from_slice(&piece[..taken]);
                if taken < piece.len() {
                    self.0.push_front(Ok(piece[taken..].to_vec()));
                }
                Ok(taken)
            }
        }
    }
}

type Numbered = Vec<(u64, Vec<u8>)>;

/// All lines and all oversize lines, with one buffer used again and again, and the calls made again after errors.
fn split(reader: impl Read, max_line: usize) -> (Numbered, Vec<Oversize>) {
    let (mut kept, mut oversize) = (Vec::new(), Vec::new());
    let mut lines = Lines::new(reader, max_line);
    let mut buffer = Vec::new();
    loop {
        match lines.next_batch(buffer) {
            Ok(None) => return (kept, oversize),
            Ok(Some(batch)) => {
                kept.extend(batch.lines().map(|(number, line)| (number, line.to_vec())));
                oversize.extend_from_slice(batch.oversize());
                buffer = batch.into_buffer();
                assert!(buffer.capacity() <= BATCH_BYTES + max_line + 1);
                assert!(lines.begun.capacity() <= 2 * (max_line + 1).max(8));
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                buffer = Vec::new();
            }
        }
    }
}

/// What `split` must give, the plain way.
fn split_plainly(bytes: &[u8], max_line: usize) -> (Numbered, Vec<Oversize>) {
    let (mut kept, mut oversize) = (Vec::new(), Vec::new());
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > max_line {
            oversize.push(Oversize { line: number, bytes: line.len() as u64 });
        } else if line.iter().any(|byte| !b" \t\r".contains(byte)) {
            kept.push((number, line.to_vec()));
        }
    }
    (kept, oversize)
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_the_lines_of_the_plain_way(
        pieces in vec(
            prop_oneof![
                9 => vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b' '), any::<u8>()], 0..20).prop_map(Ok),
                1 => Just(Err(ErrorKind::Interrupted)),
                1 => Just(Err(ErrorKind::WouldBlock)),
            ],
            0..20,
        ),
        max_line in 0_usize..24,
    ) {
        // An empty piece would be an end of the stream before its end.
        let pieces: VecDeque<_> = pieces.into_iter().filter(|piece| *piece != Ok(Vec::new())).collect();
        let bytes: Vec<u8> = pieces.iter().flatten().flatten().copied().collect();
        prop_assert_eq!(split(Pieces(pieces), max_line), split_plainly(&bytes, max_line));
    }

    #[test]
    fn lines_longer_than_a_read_are_put_together_again(
        lengths in vec(0_usize..600_000, 1..5),
        max_line in 100_000_usize..500_000,
    ) {
        let bytes: Vec<u8> =
            lengths.iter().flat_map(|&length| [vec![b'x'; length], vec![b'\n']].concat()).collect();
        prop_assert_eq!(split(&bytes[..], max_line), split_plainly(&bytes, max_line));
    }
}

#[test]
fn a_line_of_100_mb_is_counted_and_its_neighbours_are_kept() {
    let long = io::repeat(b'x').take(100_000_000);
    let stream = b"before\n".chain(long).chain(&b"\r\nafter"[..]);
    let (kept, oversize) = split(stream, DEFAULT_MAX_EVENT_BYTES);
    assert_eq!(kept, [(1, b"before".to_vec()), (3, b"after".to_vec())]);
    assert_eq!(oversize, [Oversize { line: 2, bytes: 100_000_000 }]);
}

#[test]
fn the_limit_is_that_of_the_line_without_its_line_end() {
    let (kept, oversize) = split(&b"1234\r\n12345\r\n1234\r"[..], 4);
    assert_eq!(kept, [(1, b"1234".to_vec()), (3, b"1234".to_vec())]);
    assert_eq!(oversize, [Oversize { line: 2, bytes: 5 }]);
}

#[test]
fn a_slow_source_is_not_held_back() {
    let pieces = [Ok(b"one\ntw".to_vec()), Err(ErrorKind::TimedOut), Ok(b"o\n".to_vec())];
    let mut lines = Lines::new(Pieces(pieces.into()), 10);
    let first = lines.next_batch(Vec::new()).unwrap().unwrap();
    assert_eq!(first.lines().collect::<Vec<_>>(), [(1, &b"one"[..])]);
    assert!(lines.next_batch(Vec::new()).is_err(), "the source is asked again only for the next batch");
    let second = lines.next_batch(Vec::new()).unwrap().unwrap();
    assert_eq!(second.lines().collect::<Vec<_>>(), [(2, &b"two"[..])]);
}

#[test]
fn blank_lines_are_numbered_but_not_given() {
    let (kept, oversize) = split(&b"\n \t\r\na\n\x0C\n\n\0"[..], 10);
    assert_eq!(kept, [(3, b"a".to_vec()), (4, b"\x0C".to_vec()), (6, b"\0".to_vec())]);
    assert_eq!(oversize, []);
}
