//! The strings of JSON, and of base64 in them.

/// How many bytes stand before the next quote or backslash; none where a control character is among them.
#[inline]
pub(super) fn plain_len(rest: &[u8]) -> Option<usize> {
    let len = memchr::memchr2(b'"', b'\\', rest)?;
    let smallest = rest.get(..len)?.iter().fold(0xFF, |smallest: u8, byte| smallest.min(*byte));
    (smallest >= b' ').then_some(len)
}

/// Appends the rest of a string, from `at` on; where it ends, its quote included.
pub(super) fn unescape(json: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        let rest = json.get(at..)?;
        let len = plain_len(rest)?;
        out.extend_from_slice(rest.get(..len)?);
        at += len;
        if json.get(at)? == &b'"' {
            return Some(at + 1);
        }
        at = escape(json, at + 1, out)?;
    }
}

/// Appends what stands behind a backslash; where it ends.
fn escape(json: &[u8], at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let plain = match json.get(at)? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        byte @ (b'"' | b'\\' | b'/') => *byte,
        b'u' => {
            let (code, end) = match hex4(json, at + 1)? {
                high @ 0xD800..=0xDBFF => {
                    let low = hex4(json, at + 7).filter(|low| (0xDC00..0xE000).contains(low))?;
                    if json.get(at + 5..at + 7)? != br"\u" {
                        return None;
                    }
                    (0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00), at + 11)
                }
                unit => (unit, at + 5),
            };
            // None where it is the second half of a pair.
            let character = char::from_u32(code)?;
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(end);
        }
        _ => return None,
    };
    out.push(plain);
    Some(at + 1)
}

fn hex4(json: &[u8], at: usize) -> Option<u32> {
    json.get(at..at + 4)?.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

/// Appends the bytes of base64 without padding, the unused bits of which are zero.
pub(super) fn base64(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    for group in text.chunks(4) {
        let bits = group.iter().try_fold(0_u32, |bits, &digit| Some(bits << 6 | base64_digit(digit)?))?;
        let bits = bits << (6 * (4 - group.len()));
        let [_, a, b, c] = bits.to_be_bytes();
        let (kept, left) = match group.len() {
            4 => (3, 0),
            3 => (2, c),
            2 => (1, b | c),
            _ => return None,
        };
        if left != 0 {
            return None;
        }
        out.extend([a, b, c].iter().take(kept));
    }
    Some(())
}

fn base64_digit(character: u8) -> Option<u32> {
    Some(u32::from(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}
