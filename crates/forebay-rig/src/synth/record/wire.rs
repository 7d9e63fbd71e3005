//! The primitives of both encodings: JSON as the network's Go server prints it, and canonical DAG-CBOR.

use crate::synth::ids::Cid;

/// What Go's encoder does with an ASCII byte of a string: 0 as it is, 1 `\u00XX`, else the letter after `\`.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = 1;
        control += 1;
    }
    table[0x08] = b'b';
    table[0x0C] = b'f';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'&' as usize] = 1;
    table[b'<' as usize] = 1;
    table[b'>' as usize] = 1;
    // The first byte of U+2028 and U+2029, which Go escapes too.
    table[0xE2] = 2;
    table
};

/// Appends bytes as they are: the fixed parts of a JSON line.
pub fn raw(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

/// Appends a JSON string with its quotes, escaped as Go does.
pub fn json_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut plain_from = 0;
    for (at, &byte) in text.iter().enumerate() {
        let escape = ESCAPES[byte as usize];
        if escape == 0 {
            continue;
        }
        if escape == 2 {
            let separator =
                text[at..].starts_with(b"\xE2\x80\xA8") || text[at..].starts_with(b"\xE2\x80\xA9");
            if separator {
                out.extend_from_slice(&text[plain_from..at]);
                out.extend_from_slice(if text[at + 2] == 0xA8 { br"\u2028" } else { br"\u2029" });
                plain_from = at + 3;
            }
            continue;
        }
        out.extend_from_slice(&text[plain_from..at]);
        plain_from = at + 1;
        if escape == 1 {
            let hex = b"0123456789abcdef";
            out.extend_from_slice(br"\u00");
            out.extend_from_slice(&[hex[usize::from(byte >> 4)], hex[usize::from(byte & 15)]]);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
    }
    out.extend_from_slice(&text[plain_from..]);
    out.push(b'"');
}

/// Appends a whole number in decimal.
pub fn json_uint(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut from = digits.len() - 1;
    loop {
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
        from -= 1;
    }
    out.extend_from_slice(&digits[from..]);
}

/// Appends the head of a CBOR item in its shortest form.
fn cbor_head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    match value {
        0..=23 => out.push(major | value as u8),
        24..=0xFF => out.extend_from_slice(&[major | 0x18, value as u8]),
        0x100..=0xFFFF => {
            out.push(major | 0x19);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xFFFF_FFFF => {
            out.push(major | 0x1A);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 0x1B);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// Appends a CBOR whole number.
pub fn cbor_uint(out: &mut Vec<u8>, value: u64) {
    cbor_head(out, 0, value);
}

/// Appends CBOR text.
pub fn cbor_text(out: &mut Vec<u8>, text: &[u8]) {
    cbor_head(out, 3, text.len() as u64);
    out.extend_from_slice(text);
}

/// Opens a CBOR list of so many items.
pub fn cbor_list(out: &mut Vec<u8>, items: usize) {
    cbor_head(out, 4, items as u64);
}

/// Opens a CBOR map of so many entries. Their order is the caller's: by length of the key, then by its bytes.
pub fn cbor_map(out: &mut Vec<u8>, entries: usize) {
    cbor_head(out, 5, entries as u64);
}

/// Appends CBOR's null.
pub fn cbor_null(out: &mut Vec<u8>) {
    out.push(0xF6);
}

/// Appends a key and its text.
pub fn cbor_entry(out: &mut Vec<u8>, key: &str, text: &[u8]) {
    cbor_text(out, key.as_bytes());
    cbor_text(out, text);
}

/// Appends a link: tag 42 on the CID's bytes behind a zero, as DAG-CBOR has it.
pub fn cbor_link(out: &mut Vec<u8>, cid: &Cid) {
    out.extend_from_slice(&[0xD8, 42, 0x58, Cid::LEN as u8 + 1, 0]);
    out.extend_from_slice(cid.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        let mut out = Vec::new();
        json_text(&mut out, text.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_text_escapes_what_go_escapes() {
        assert_eq!(json("a&b<c>d"), r#""a\u0026b\u003cc\u003ed""#);
        assert_eq!(json("\"\\\n\r\t\u{8}\u{c}\u{1}\u{1f}"), r#""\"\\\n\r\t\b\f\u0001\u001f""#);
        assert_eq!(json("\u{2028}x\u{2029}"), r#""\u2028x\u2029""#);
        assert_eq!(json("…’日本💦\u{7f}"), "\"…’日本💦\u{7f}\"");
    }

    #[test]
    fn cbor_heads_are_the_shortest() {
        for (value, expected) in [
            (0, &[0][..]),
            (23, &[23]),
            (24, &[24, 24]),
            (255, &[24, 255]),
            (256, &[25, 1, 0]),
            (65_536, &[26, 0, 1, 0, 0]),
            (1 << 32, &[27, 0, 0, 0, 1, 0, 0, 0, 0]),
        ] {
            let mut out = Vec::new();
            cbor_uint(&mut out, value);
            assert_eq!(out, expected, "{value}");
        }
    }

    #[test]
    fn json_uint_prints_decimals() {
        for value in [0, 9, 10, 1_783_175_888_085_434, u64::MAX] {
            let mut out = Vec::new();
            json_uint(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
