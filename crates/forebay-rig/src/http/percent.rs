//! Percent-encoding of paths and queries, both ways.

use std::fmt::Write as _;

/// Undoes the encoding of a path.
pub(crate) fn decode_path(text: &str) -> Vec<u8> {
    decode(text, false)
}

/// Undoes the encoding of a query, in which a space may be a plus. What is not UTF-8 is replaced.
pub(crate) fn decode_query(text: &str) -> String {
    String::from_utf8_lossy(&decode(text, true)).into_owned()
}

/// Encodes all but letters, digits and these: `-._~/`.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A percent sign that two hexadecimal digits do not follow stands for itself.
fn decode(text: &str, plus_is_space: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = match (first, after) {
            (b'%', [high, low, ..]) => {
                str::from_utf8(&[*high, *low]).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            _ => None,
        };
        bytes.push(match (code, first) {
            (Some(code), _) => code,
            (None, b'+') if plus_is_space => b' ',
            (None, other) => *other,
        });
        rest = if code.is_some() { &after[2..] } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_comes_back_and_a_plus_is_a_space_in_queries_alone() {
        for text in ["", "a/b-c_d.e~f", "ä+ %&=\n", "%zz%4", "日本"] {
            assert_eq!(decode_path(&encode(text)), text.as_bytes(), "{text}");
            assert_eq!(decode_query(&encode(text)), text);
        }
        assert_eq!((decode_path("a+b%"), decode_query("a+b%")), (b"a+b%".to_vec(), "a b%".to_owned()));
    }
}
