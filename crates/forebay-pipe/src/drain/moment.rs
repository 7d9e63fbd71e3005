//! The time that a record says it was made at, in microseconds since 1970: what nearly all programs write is read here, anything
//! else that RFC 3339 allows by a library.
//!
//! Authors' programs write anything. What is no time, or lies outside the years 1 to 9999, which not every reader of a file can
//! show, is a null: the text stands in a column of its own.

use jiff::Timestamp;

/// The first moment of the year 1, and the first behind the year 9999.
const YEARS: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

/// The time; nothing where it is not one.
pub fn micros(text: &str) -> Option<i64> {
    let micros = usual(text.as_bytes()).or_else(|| Some(text.parse::<Timestamp>().ok()?.as_microsecond()))?;
    YEARS.contains(&micros).then_some(micros)
}

/// One such as `2026-11-28T10:00:00.000Z`: of it nothing but digits has to be read.
fn usual(text: &[u8]) -> Option<i64> {
    let text: &[u8; 24] = text.try_into().ok()?;
    let marks = [text[4], text[7], text[10], text[13], text[16], text[19], text[23]];
    if marks != *b"--T::.Z" {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = &text[from..to];
        let is_number = digits.iter().all(u8::is_ascii_digit);
        is_number.then(|| digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, milli) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
    // The last days of months and seconds that leap are left to the library.
    if year < 1 || !(1..=12).contains(&month) || !(1..=28).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years begin in March here, so that a leap day is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some((seconds * 1_000 + milli) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_form_is_read_as_the_library_reads_it() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..20_000 {
            let (year, month, day) = (rng.u32(0..=9_999), rng.u32(0..=13), rng.u32(0..=32));
            let (hour, minute, second) = (rng.u32(0..=24), rng.u32(0..=60), rng.u32(0..=61));
            let milli = rng.u32(0..1_000);
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z");
            let library = text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond);
            assert_eq!(micros(&text), library.filter(|micros| YEARS.contains(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_or_out_of_reach_is_null() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.001Z", Some(1_000)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T01:00:00.123456789+01:00", Some(123_456)),
            ("0001-01-01T00:00:00.000Z", Some(YEARS.start)),
            ("0000-12-31T23:59:59.999Z", None),
            // The library ends a day before the year does.
            ("9999-12-28T23:59:59.999Z", Some(YEARS.end - 3 * 86_400_000_000 - 1_000)),
            ("10000-01-01T00:00:00.000Z", None),
            ("2026-02-29T00:00:00.000Z", None),
            ("2026-02-28", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
    }
}
