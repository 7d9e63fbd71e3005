//! Durations and sizes as people read them.

use std::time::Duration;

/// `1h 2m 3s`: every unit that is not 0, down to milliseconds.
pub(super) fn duration(of: Duration) -> String {
    let ms = of.as_millis();
    let units = [
        (ms / 86_400_000, "d"),
        (ms / 3_600_000 % 24, "h"),
        (ms / 60_000 % 60, "m"),
        (ms / 1_000 % 60, "s"),
        (ms % 1_000, "ms"),
    ];
    let parts = units.into_iter().filter(|(count, _)| *count > 0);
    let text = parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ");
    if text.is_empty() { "0s".into() } else { text }
}

/// `1.5 GiB`: in the largest binary unit of which there is at least one.
pub(super) fn bytes(of: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let power = of.checked_ilog2().unwrap_or(0) / 10;
    match power.checked_sub(1) {
        None => format!("{of} B"),
        Some(index) => {
            format!("{:.1} {}", of as f64 / 2f64.powf(f64::from(10 * power)), units[index as usize])
        }
    }
}

/// `1 event`, `2 events`.
pub(super) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_written_as_people_read_them() {
        let ms = |ms| duration(Duration::from_millis(ms));
        assert_eq!(
            (ms(0), ms(61_000), ms(90_061_005)),
            ("0s".into(), "1m 1s".into(), "1d 1h 1m 1s 5ms".into())
        );
        assert_eq!((bytes(0), bytes(1_023), bytes(1_024)), ("0 B".into(), "1023 B".into(), "1.0 KiB".into()));
        assert_eq!((bytes(3 << 29), bytes(u64::MAX)), ("1.5 GiB".into(), "16.0 EiB".into()));
    }
}
