//! Figures and times as people read them, here and in a terminal; `page/format.js` has the same for the page.

/// A count: `1,412,410`.
pub fn count(count: u64) -> String {
    let plain = count.to_string();
    let mut text = String::with_capacity(plain.len() + plain.len() / 3);
    for (at, digit) in plain.char_indices() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Things a second, with about three digits that say something.
pub fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate >= 100.0 || rate == 0.0 => count(rate.round() as u64),
        rate if rate < 1.0 => format!("{rate:.2}"),
        rate => format!("{rate:.1}"),
    }
}

/// A share: `42.1 %`. What is not quite all is not all.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let percent = if share < 1.0 { percent.min(99.9) } else { percent };
    if percent > 0.0 && percent < 0.05 { "< 0.1 %".into() } else { format!("{percent:.1} %") }
}

/// A time: two units at the most.
pub fn span(seconds: f64) -> String {
    let (minutes, hours) = (seconds / 60.0, seconds / 3_600.0);
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        _ if minutes < 90.0 => format!("{minutes:.0} min"),
        _ if hours < 48.0 => format!("{hours:.1} h"),
        _ if hours < 24.0 * 100.0 => format!("{:.0} days", hours / 24.0),
        _ => "over 100 days".into(),
    }
}

/// The same of milliseconds.
pub fn span_ms(ms: u64) -> String {
    span(ms as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_on_the_page() {
        assert_eq!([0, 999, 1_000, 1_412_410].map(count), ["0", "999", "1,000", "1,412,410"]);
        assert_eq!([0.0, 0.04, 93.84, 2_000.4].map(rate), ["0", "0.04", "93.8", "2,000"]);
        assert_eq!(
            [0.0, 0.0001, 0.4212, 0.9999, 1.0].map(percent),
            ["0.0 %", "< 0.1 %", "42.1 %", "99.9 %", "100.0 %"]
        );
        assert_eq!(
            [0.4, 89.0, 90.0, 5_400.0, 172_800.0].map(span),
            ["0 s", "89 s", "2 min", "1.5 h", "2 days"]
        );
    }
}
