//! `Lines` gives the lines that a plain splitter gives, however the reads cut the stream, in bounded memory.

#![no_main]

use std::io::{self, Read};

use forebay::event::lines::{BATCH_BYTES, Lines, Oversize};
use libfuzzer_sys::fuzz_target;

/// Gives at most so many bytes a read, in turn.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let size = usize::from(*self.sizes.next().unwrap_or(&255));
        if size == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let taken = size.min(to.len());
        self.bytes.read(&mut to[..taken])
    }
}

fuzz_target!(|input: (u8, [u8; 4], &[u8])| {
    let (max_line, mut sizes, bytes) = input;
    sizes[0] = sizes[0].max(1);
    let max_line = usize::from(max_line);

    let mut kept = Vec::new();
    let mut oversize = Vec::new();
    let mut lines = Lines::new(Pieces { bytes, sizes: sizes.iter().cycle() }, max_line);
    let mut buffer = Vec::new();
    while let Some(batch) = lines.next_batch(buffer).expect("interruptions are not errors") {
        kept.extend(batch.lines().map(|(number, line)| (number, line.to_vec())));
        oversize.extend_from_slice(batch.oversize());
        buffer = batch.into_buffer();
        assert!(buffer.capacity() <= BATCH_BYTES + max_line + 1);
    }

    let (mut plain_kept, mut plain_oversize) = (Vec::new(), Vec::new());
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > max_line {
            plain_oversize.push(Oversize { line: number, bytes: line.len() as u64 });
        } else if line.iter().any(|byte| !b" \t\r".contains(byte)) {
            plain_kept.push((number, line.to_vec()));
        }
    }
    assert_eq!(kept, plain_kept);
    assert_eq!(oversize, plain_oversize);
});
