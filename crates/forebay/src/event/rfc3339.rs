//! A time as RFC 3339 writes it, in microseconds since 1970.

/// The time; none where it is not one, or lies before 1970. Digits beyond the sixth of a second's fraction are dropped.
pub(super) fn micros(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let is_shaped =
        bytes.len() >= 20 && text.is_ascii() && [bytes[4], bytes[7], bytes[13], bytes[16]] == *b"--::";
    if !is_shaped || !matches!(bytes[10], b'T' | b't' | b' ') {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = &bytes[from..to];
        digits.iter().all(u8::is_ascii_digit).then(|| text[from..to].parse().ok()).flatten()
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // A second 60 is one that leaps, and counts as the next.
    if !(1..=12).contains(&month)
        || !(1..=days_of(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut rest = &text[19..];
    let mut fraction = 0;
    if let Some(digits) = rest.strip_prefix('.') {
        let end = digits.find(|digit: char| !digit.is_ascii_digit())?;
        if end == 0 {
            return None;
        }
        fraction = format!("{:0<6}", &digits[..end.min(6)]).parse().ok()?;
        rest = &digits[end..];
    }
    let seconds = (days_since_1970(year, month, day)? * 24 + hour.cast_signed()) * 3_600
        + (minute * 60 + second).cast_signed();
    let utc = seconds - offset_seconds(rest)?;
    u64::try_from(utc).ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}

/// How far local time is ahead.
fn offset_seconds(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    match bytes {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let number = |from: usize| -> Option<i64> {
                bytes[from..from + 2]
                    .iter()
                    .all(u8::is_ascii_digit)
                    .then(|| text[from..from + 2].parse().ok())
                    .flatten()
            };
            let (hours, minutes) = (number(1)?, number(4)?);
            let ahead = (hours <= 23 && minutes <= 59).then_some(hours * 3_600 + minutes * 60)?;
            Some(if *sign == b'+' { ahead } else { -ahead })
        }
        _ => None,
    }
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar: years begin in March here, so that a leap day is a year's last.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<i64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    Some(days.cast_signed() - 719_468)
}

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn times_are_read_as_their_standard_has_them() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-28T10:00:00Z", 1_795_860_000_000_000),
            ("2026-11-28t10:00:00.5z", 1_795_860_000_500_000),
            ("2026-11-28 10:00:00.123456789Z", 1_795_860_000_123_456),
            ("2026-11-28T12:30:00+02:30", 1_795_860_000_000_000),
            ("2026-11-28T00:00:00-10:00", 1_795_860_000_000_000),
            ("2024-02-29T23:59:60Z", 1_709_251_200_000_000),
            ("2000-03-01T00:00:00Z", 951_868_800_000_000),
        ] {
            assert_eq!(micros(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026-11-28",
            "2026-11-28T10:00:00",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-28T24:00:00Z",
            "2026-11-28T10:00:00.Z",
            "2026-11-28T10:00:00+2:00",
            "2026-11-28T10:00:00+02:60",
            "2026-11-2\u{0661}T10:00:00Z",
            "+026-11-28T10:00:00Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(micros(text), None, "{text}");
        }
    }
}
