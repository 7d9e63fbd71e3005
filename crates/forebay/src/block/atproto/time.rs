//! The times of an event, and other numbers, and their texts. A value is only taken from a text that it gives back
//! byte for byte.

/// Characters of a time with milliseconds.
pub(super) const TIME_TEXT: usize = 24;
/// Digits of a `time_us`: those from 2001 to 2286.
pub(super) const TIME_US_TEXT: usize = 16;
/// The first millisecond that no longer has a text: the year 10000.
pub(super) const TIME_MS_END: u64 = 253_402_300_800_000;

/// The number that so many digits at the start of `text` stand for.
#[inline]
fn number<const N: usize>(text: &[u8]) -> Option<u64> {
    let digits = text.first_chunk::<N>()?;
    let mut worst = 0;
    let value = digits.iter().fold(0, |value, &character| {
        let digit = character.wrapping_sub(b'0');
        worst = worst.max(digit);
        value * 10 + u64::from(digit)
    });
    (worst < 10).then_some(value)
}

/// A `time_us` of 16 digits at the start of `text`.
#[inline]
pub(super) fn time_us(text: &[u8]) -> Option<u64> {
    number::<TIME_US_TEXT>(text).filter(|time| *time >= 1_000_000_000_000_000)
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ` at the start of `text`, in milliseconds since 1970.
#[inline]
pub(super) fn time_ms(text: &[u8]) -> Option<u64> {
    let text = text.first_chunk::<TIME_TEXT>()?;
    let [.., b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _, b'.', _, _, _, b'Z'] = text else {
        return None;
    };
    let (year, month, day) = (number::<4>(text)?, number::<2>(&text[5..])?, number::<2>(&text[8..])?);
    let (hour, minute) = (number::<2>(&text[11..])?, number::<2>(&text[14..])?);
    let (second, millis) = (number::<2>(&text[17..])?, number::<3>(&text[20..])?);
    let is_valid = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_valid {
        return None;
    }
    let seconds = (days_since_1970(year, month, day) * 24 + hour) * 3_600 + minute * 60 + second;
    Some(seconds * 1_000 + millis)
}

#[inline]
fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar, from 1970 on: years begin in March here, so that a leap day is a year's last.
#[inline]
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469
}

/// The text of a time, which lies before [`TIME_MS_END`].
#[inline]
pub(super) fn time_text(ms: u64) -> [u8; TIME_TEXT] {
    let (days, in_day) = (ms / 86_400_000, ms % 86_400_000);
    // The reverse of `days_since_1970`: 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, in_era) = (days / 146_097, days % 146_097);
    let year_of_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (year_of_era * 365 + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (in_year * 5 + 2) / 153;
    let day = in_year - (month_from_march * 153 + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (seconds, millis) = (in_day / 1_000, in_day % 1_000);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (at, value) in [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, seconds / 3_600),
        (14, seconds / 60 % 60),
        (17, seconds % 60),
        (20, millis / 10),
    ] {
        text[at] += (value / 10) as u8;
        text[at + 1] += (value % 10) as u8;
    }
    text[22] += (millis % 10) as u8;
    text
}

/// The text of a `time_us`; none where that has not 16 digits.
#[inline]
pub(super) fn time_us_text(time_us: u64) -> Option<[u8; TIME_US_TEXT]> {
    if !(1_000_000_000_000_000..10_000_000_000_000_000).contains(&time_us) {
        return None;
    }
    let mut text = [0; TIME_US_TEXT];
    let (high, low) = (time_us / 100_000_000, time_us % 100_000_000);
    for (half, digits) in [high, low].into_iter().zip(text.as_chunks_mut::<8>().0) {
        let mut left = half as u32;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
    }
    Some(text)
}

/// A whole number in decimal.
#[inline]
pub(super) fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut from = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        from = at;
        if number == 0 {
            break;
        }
    }
    digits.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_us_has_sixteen_digits() {
        assert_eq!(time_us_text(time_us(b"1783175888085434").unwrap()), Some(*b"1783175888085434"));
        assert_eq!(time_us_text(999_999_999_999_999), None);
    }

    #[test]
    fn every_day_has_its_text_and_every_text_its_day() {
        for day in 0..TIME_MS_END / 86_400_000 {
            let ms = day * 86_400_000 + day % 86_400_000;
            assert_eq!(time_ms(&time_text(ms)), Some(ms));
        }
        assert_eq!(time_ms(b"2026-07-04T14:38:08.999Z"), Some(1_783_175_888_999));
        assert_eq!(&time_text(TIME_MS_END - 1), b"9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn whole_numbers_are_printed_in_decimal() {
        for number in [0, 9, 10, 99, 1_783_175_888, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
