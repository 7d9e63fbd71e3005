//! The parts of JSON that have no parts of their own: white space, escapes, numbers, literals; and where in a block
//! of bytes a string may end.
//!
//! Each takes the line and an offset and answers with an offset. They stay out of line: with the rare ones inlined at
//! every call the scanner's loop was three times as long and took a sixth more time.

use super::json_fault::Fault;

/// How many bytes are looked at together.
pub(super) const BLOCK: usize = 64;

/// White space other than line feeds from `at` on; where it ends.
#[cold]
pub(super) fn skip_space(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r') = line.get(at) {
        at += 1;
    }
    at
}

/// An escape, from its backslash at `at`; where it ends.
#[inline(never)]
pub(super) fn escape(line: &[u8], at: usize) -> Result<usize, Fault> {
    match line.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match hex4(line, at)? {
            0xD800..=0xDBFF => match hex4(line, at + 6) {
                Ok(0xDC00..=0xDFFF) => Ok(at + 12),
                _ => Err(Fault::LoneSurrogate),
            },
            0xDC00..=0xDFFF => Err(Fault::LoneSurrogate),
            _ => Ok(at + 6),
        },
        _ => Err(Fault::Escape),
    }
}

/// The four digits of `\uXXXX` at `at`.
fn hex4(line: &[u8], at: usize) -> Result<u32, Fault> {
    let Some([b'\\', b'u', digits @ ..]) = line.get(at..at + 6) else {
        return Err(Fault::Escape);
    };
    digits.iter().try_fold(0, |unit, &digit| {
        let value = char::from(digit).to_digit(16).ok_or(Fault::Escape)?;
        Ok(unit << 4 | value)
    })
}

/// A number, from its sign or first digit at `at`; where it ends.
#[inline(never)]
pub(super) fn number(line: &[u8], at: usize) -> Result<usize, Fault> {
    let is = |at: usize, set: &[u8]| line.get(at).is_some_and(|byte| set.contains(byte));
    let whole = if is(at, b"-") { at + 1 } else { at };
    let mut end = digits(line, whole)?;
    if end > whole + 1 && is(whole, b"0") {
        return Err(Fault::Number);
    }
    if is(end, b".") {
        end = digits(line, end + 1)?;
    }
    if is(end, b"eE") {
        let sign = is(end + 1, b"+-");
        end = digits(line, end + 1 + usize::from(sign))?;
    }
    Ok(end)
}

/// One digit or more from `at` on; where they end.
#[inline]
fn digits(line: &[u8], at: usize) -> Result<usize, Fault> {
    let mut end = at;
    while let Some(b'0'..=b'9') = line.get(end) {
        end += 1;
    }
    if end == at { Err(Fault::Number) } else { Ok(end) }
}

/// `true`, `false` or `null` at `at`; where it ends.
#[inline(never)]
pub(super) fn literal(line: &[u8], at: usize) -> Result<usize, Fault> {
    let rest = line.get(at..).unwrap_or_default();
    for word in [b"true".as_slice(), b"false", b"null"] {
        if rest.starts_with(word) {
            return Ok(at + word.len());
        }
    }
    Err(if at == 0 && rest.starts_with(b"\xEF\xBB\xBF") { Fault::ByteOrderMark } else { Fault::NoValue })
}

/// The same for the 64 bytes from `start` on, of which the line may have fewer.
#[inline(never)]
pub(super) fn look(line: &[u8], start: usize) -> (u64, bool) {
    let rest = line.get(start..).unwrap_or_default();
    if let Some(block) = rest.first_chunk() {
        specials(block)
    } else if let Some(block) = line.last_chunk() {
        // The last 64 bytes, less those that belong to the block before.
        let (all, beyond_ascii) = specials(block);
        (all.unbounded_shr((BLOCK - rest.len()) as u32), beyond_ascii)
    } else {
        let mut block = [b' '; BLOCK];
        for (to, from) in block.iter_mut().zip(rest) {
            *to = *from;
        }
        specials(&block)
    }
}

/// Where in a block bytes stand that do not simply belong to a string's body (quotes, backslashes, control
/// characters), one bit for each; and whether any byte is not ASCII.
#[inline]
fn specials(block: &[u8; 64]) -> (u64, bool) {
    // One loop without a branch, which the compiler makes of vectors: 1 where a byte is special.
    let (mut marks, mut all) = ([0; BLOCK], 0);
    for (mark, &byte) in marks.iter_mut().zip(block) {
        *mark = u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < b' ');
        all |= byte;
    }
    let gathered = marks.as_chunks::<8>().0.iter().enumerate();
    let specials = gathered.fold(0, |bits, (index, eight)| bits | (gather(*eight) << (8 * index)));
    (specials, all >= 0x80)
}

/// Eight bytes that are 0 or 1 as eight bits: each is moved to its place in the top byte, where no two meet.
#[inline]
fn gather(bytes: [u8; 8]) -> u64 {
    u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56
}
