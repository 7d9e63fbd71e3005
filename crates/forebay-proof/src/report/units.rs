//! Figures as people read them: every number that a renderer prints goes through here.
//! Bytes are in binary units (KiB, MiB, GiB), as `maxmemory` counts them; never in MB or GB.

use crate::claim::bound::{Bound, Unit};

/// A figure with its unit: `2,700,000 events`, `1.42 GiB`, `21.3 %`.
pub fn figure(value: f64, unit: Unit) -> String {
    precise(value, unit, 0)
}

/// Two figures to be compared. Digits are added until figures that differ also look different,
/// so that a refuted claim never reads `measured 85.0 %, required ≤ 85.0 %`.
pub fn pair(measured: f64, required: f64, unit: Unit) -> (String, String) {
    let mut texts = (figure(measured, unit), figure(required, unit));
    for extra in 1..=6 {
        if texts.0 != texts.1 || measured.to_bits() == required.to_bits() {
            break;
        }
        texts = (precise(measured, unit, extra), precise(required, unit, extra));
    }
    texts
}

/// The bound in words, for a sentence: `at most`.
pub fn bound_words(bound: Bound) -> &'static str {
    match bound {
        Bound::AtMost => "at most",
        Bound::AtLeast => "at least",
        Bound::Exactly => "exactly",
    }
}

/// A number with its thousands set apart and so many decimals: `2,700,000`.
pub fn thousands(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "not a number" } else { "infinite" }.into();
    }
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut text = String::with_capacity(plain.len() + plain.len() / 3 + 1);
    // A rounded zero has no sign.
    if value < 0.0 && plain.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0') {
        text.push('-');
    }
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// A count of things: `1 key`, `2,000 keys`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count as f64, 0), plural(count as f64, one, many))
}

/// Bytes in the largest binary unit that leaves at least 1: `1.42 GiB`, `512 B`.
pub fn bytes(value: f64) -> String {
    precise(value, Unit::Bytes, 0)
}

/// Milliseconds with three digits that say something.
pub fn millis(value: f64) -> String {
    let decimals = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    thousands(value, decimals)
}

/// A span of time in its two largest units: `4 min 12 s`.
pub fn span(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 60.0 {
        return format!("{} s", thousands(seconds, 1));
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{} h", thousands(hours as f64, 0)),
        (hours, minutes, _) => format!("{} h {minutes} min", thousands(hours as f64, 0)),
    }
}

/// The value of a tick on an axis so wide: as few decimals as tell it from its neighbours.
pub fn tick(value: f64, width: f64) -> String {
    trimmed(&thousands(value, decimals(width / 10.0, 1)))
}

/// How a line runs: `2.1 to 1.89, highest 49.3`.
pub fn course(values: &[f64]) -> String {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return "no points".into() };
    let highest = values.iter().copied().fold(f64::MIN, f64::max);
    let (first, last, highest) = (brief(*first), brief(*last), brief(highest));
    match (first == last, highest == first || highest == last) {
        (true, true) => format!("{last} throughout"),
        (_, true) => format!("{first} to {last}"),
        (_, false) => format!("{first} to {last}, highest {highest}"),
    }
}

/// How a line over percentiles runs: `p50 0.3, p99 4.1, highest 512`. Where no point is at 50 or 99, the next
/// above it stands for it, under its own name.
pub fn percentiles(points: &[(f64, f64)]) -> String {
    let values: Vec<f64> = points.iter().map(|point| point.1).collect();
    if points.len() != 1 && values.iter().all(|value| brief(*value) == brief(values[0])) {
        return course(&values);
    }
    let mut parts: Vec<String> = Vec::new();
    for asked in [50.0, 99.0] {
        // The point at 100 is the highest, and told as that.
        let found = points.iter().find(|point| point.0 >= asked - 1e-9 && point.0 < 100.0);
        if let Some((percentile, value)) = found {
            let name = trimmed(&thousands(*percentile, decimals(100.0 - percentile, 3)));
            let part = format!("p{name} {}", brief(*value));
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
    }
    let highest = brief(values.iter().copied().fold(f64::MIN, f64::max));
    if !parts.iter().any(|part| part.split(' ').nth(1) == Some(&highest)) {
        parts.push(format!("highest {highest}"));
    }
    parts.join(", ")
}

/// The label of an axis that reaches `max`, and what its values are divided by. The last word of a
/// label is its unit: bytes become KiB, MiB or GiB, long spans minutes or hours, and large numbers
/// of anything else millions.
pub fn axis(label: &str, max: f64) -> (String, f64) {
    let end = label.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
    let start = label[..end].rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| {
        // The separator found is one character, perhaps of several bytes.
        at + label[at..].chars().next().map_or(1, char::len_utf8)
    });
    let renamed = |name: &str| format!("{}{name}{}", &label[..start], &label[end..]);
    match label[start..end].to_ascii_lowercase().as_str() {
        "bytes" => {
            let (divisor, name) = binary(max);
            if divisor > 1.0 { (renamed(name), divisor) } else { (label.into(), 1.0) }
        }
        "seconds" | "s" if max >= 2.0 * 3600.0 => (renamed("hours"), 3600.0),
        "seconds" | "s" if max >= 600.0 => (renamed("minutes"), 60.0),
        _ if max >= 1e6 => {
            let bare = label.trim_end_matches([')', ']']);
            (format!("{bare}, millions{}", &label[bare.len()..]), 1e6)
        }
        _ => (label.into(), 1.0),
    }
}

/// Whether a cell is a figure, and so belongs to the right of its column.
pub fn is_figure(cell: &str) -> bool {
    let bare = cell.trim().trim_start_matches(['-', '+', '≤', '≥', '=', '~', '<', '>', ' ']);
    bare.is_empty() || bare == "–" || bare == "—" || bare.starts_with(|c: char| c.is_ascii_digit())
}

/// Which of so many columns hold nothing but figures.
pub fn figure_columns(columns: usize, rows: &[Vec<String>]) -> Vec<bool> {
    (0..columns)
        .map(|at| !rows.is_empty() && rows.iter().all(|row| row.get(at).is_none_or(|cell| is_figure(cell))))
        .collect()
}

/// A number with three digits that say something.
fn brief(value: f64) -> String {
    trimmed(&thousands(value, decimals(value, 3)))
}

/// Decimals that show so many digits of a number, never more than nine.
fn decimals(value: f64, digits: i32) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    (digits - 1 - value.abs().log10().floor() as i32).clamp(0, 9) as usize
}

/// Without decimals that say nothing.
fn trimmed(text: &str) -> String {
    let bare = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    bare.into()
}

/// `figure` with more decimals than usual.
fn precise(value: f64, unit: Unit, extra: usize) -> String {
    let size = value.abs();
    match unit {
        Unit::Events => format!("{} {}", thousands(value, extra), plural(value, "event", "events")),
        Unit::Bytes => {
            let (divisor, name) = binary(size);
            let decimals = if divisor > 1.0 { 2 } else { 0 };
            format!("{} {name}", thousands(value / divisor, decimals + extra))
        }
        Unit::BytesPerEvent => format!("{} bytes/event", thousands(value, 1 + extra)),
        Unit::EventsPerSecond => {
            format!("{} events/s", thousands(value, usize::from(size < 10.0) + extra))
        }
        Unit::RequestsPerSecond => {
            format!("{} requests/s", thousands(value, usize::from(size < 10.0) + extra))
        }
        Unit::Percent => format!("{} %", thousands(value, 1 + extra)),
        Unit::Hours => format!("{} h", thousands(value, 1 + extra)),
        Unit::Seconds => format!("{} s", thousands(value, small(size) + extra)),
        Unit::Milliseconds => format!("{} ms", thousands(value, small(size) + extra)),
        Unit::Count => {
            let decimals = if value.fract() == 0.0 { 0 } else { 2 };
            thousands(value, decimals + extra)
        }
    }
}

/// Decimals that leave about three digits to read.
fn small(size: f64) -> usize {
    match size {
        0.0 => 0,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    }
}

fn plural<'a>(value: f64, one: &'a str, many: &'a str) -> &'a str {
    if (value - 1.0).abs() < f64::EPSILON { one } else { many }
}

/// The binary unit that figures up to `size` are read in.
fn binary(size: f64) -> (f64, &'static str) {
    const UNITS: [(f64, &str); 4] =
        [(1_099_511_627_776.0, "TiB"), (1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB")];
    // What would be rounded up to 1,024.00 of a unit is 1.00 of the next.
    UNITS.into_iter().find(|(unit, _)| size >= unit * 0.999_995).unwrap_or((1.0, "B"))
}
