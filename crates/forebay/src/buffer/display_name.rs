//! Names that are somebody else's bytes, as text that tells each from every other.

use std::fmt::Write as _;

/// Bytes of a name that is shown as it is. Each name is a label of many series, and stands in every answer.
const BYTES_MAX: usize = 128;

/// What stands between the beginning of a name and its checksum. A name that has it gets one too, so that none looks like what
/// another is shown as.
const CUT: char = '…';

/// A name as it is; one that is no UTF-8, or too long, by its beginning and a checksum of all of it.
pub(super) fn display_name(name: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(name)
        && name.len() <= BYTES_MAX
        && !text.contains(CUT)
    {
        return text.into();
    }
    let mut text = String::new();
    for chunk in name[..name.len().min(BYTES_MAX)].utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push(CUT);
    let _ = write!(text, "{:08x}", crc32fast::hash(name));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_stay_and_no_two_are_shown_alike() {
        assert_eq!(display_name(b"parquet"), "parquet");
        assert_eq!(display_name("größe\n".as_bytes()), "größe\n");
        let long = |end: &str| format!("{}{end}", "n".repeat(1_000_000)).into_bytes();
        let cut = display_name(b"\xff");
        let names: [&[u8]; 7] =
            [b"\xff", b"\xfe", br"\xff", cut.as_bytes(), &long("a"), &long("b"), b"n\xf0\x9f"];
        let all: std::collections::BTreeSet<String> = names.iter().map(|name| display_name(name)).collect();
        assert_eq!(all.len(), names.len(), "{all:?}");
        assert!(all.iter().all(|name| name.len() < 4 * BYTES_MAX + 32), "{all:?}");
        assert!(display_name(b"a\xff\xfeb").starts_with(r"a\xff\xfeb…"));
    }
}
