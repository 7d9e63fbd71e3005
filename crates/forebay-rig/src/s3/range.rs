//! The part of an object that a `Range` header asks for.

use std::ops::Range;

use super::error_code::ErrorCode;

/// The part of `len` bytes that is asked for; none where all is, or where the header is not one range of bytes, which is ignored.
pub(super) fn parse(header: Option<&str>, len: usize) -> Result<Option<Range<usize>>, ErrorCode> {
    let Some((first, last)) =
        header.and_then(|value| value.strip_prefix("bytes=")).and_then(|range| range.trim().split_once('-'))
    else {
        return Ok(None);
    };
    let range = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(len),
        (Ok(first), _) if last.is_empty() => first..len,
        (_, Ok(suffix)) if first.is_empty() => {
            if suffix == 0 {
                return Err(ErrorCode::InvalidRange);
            }
            len.saturating_sub(suffix)..len
        }
        _ => return Ok(None),
    };
    if range.start >= len { Err(ErrorCode::InvalidRange) } else { Ok(Some(range)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_the_end_and_refused_behind_it() {
        let of = |header| parse(Some(header), 10);
        assert_eq!(of("bytes=0-0"), Ok(Some(0..1)));
        assert_eq!(of("bytes=2-5"), Ok(Some(2..6)));
        assert_eq!(of("bytes=2-50"), Ok(Some(2..10)));
        assert_eq!(of("bytes=2-18446744073709551615"), Ok(Some(2..10)));
        assert_eq!(of("bytes=9-"), Ok(Some(9..10)));
        assert_eq!(of("bytes=-3"), Ok(Some(7..10)));
        assert_eq!(of("bytes=-30"), Ok(Some(0..10)));
        for behind in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            assert_eq!(of(behind), Err(ErrorCode::InvalidRange), "{behind}");
        }
        for ignored in ["bytes=5-2", "bytes=-", "bytes=a-b", "bytes=1-2,4-5", "lines=1-2"] {
            assert_eq!(of(ignored), Ok(None), "{ignored}");
        }
        assert_eq!(parse(None, 10), Ok(None));
        assert_eq!(parse(Some("bytes=0-"), 0), Err(ErrorCode::InvalidRange));
    }
}
