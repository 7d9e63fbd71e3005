//! The times of a recorded file, as moments at which requests are due.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::arrivals::Arrivals;
use forebay::event::lines::Lines;
use forebay::event::parse;

/// Most events of a file: 400 MB of times.
const EVENTS_MAX: usize = 50_000_000;

/// The arrivals of a file: when its events came, counted from the first one, as far as `duration` reaches; and how long
/// that is. With a `rate`, time runs faster or slower so that this is the mean. A relay's times go back by some
/// milliseconds now and then: such an event is due with the one before.
pub fn read(path: &Path, rate: Option<f64>, duration: Duration) -> Result<(Arrivals, Duration), String> {
    let shown = path.display();
    let fail = |why: std::io::Error| format!("{shown}: {why}");
    let mut lines = Lines::new(std::fs::File::open(path).map_err(fail)?, 1 << 20);
    let mut times: Vec<u64> = Vec::new();
    while let Some(batch) = lines.next_batch(Vec::new()).map_err(fail)? {
        if let Some(oversize) = batch.oversize().first() {
            return Err(format!(
                "{shown} line {}: {} bytes are too long for an event",
                oversize.line, oversize.bytes
            ));
        }
        for (line, event) in batch.lines() {
            let time = parse::parse(event).map_err(|why| format!("{shown} line {line}: {why}"))?.time_us;
            times.push(times.last().map_or(time, |last| time.max(*last)));
        }
        if times.len() > EVENTS_MAX {
            return Err(format!("{shown}: more than {EVENTS_MAX} events; cut the file"));
        }
    }
    let (Some(first), Some(last)) = (times.first().copied(), times.last().copied()) else {
        return Err(format!("{shown}: no event in it"));
    };
    if last == first {
        return Err(format!("{shown}: all events have the same time, so there is no pace to follow"));
    }
    // As many gaps as events: the one after the last is the mean of the others.
    let seconds = (last - first) as f64 / 1e6 * times.len() as f64 / (times.len() - 1) as f64;
    let scale = rate.map_or(1.0, |rate| times.len() as f64 / seconds / rate);
    let due = |time: u64| ((time - first) as f64 * 1e3 * scale) as u64;
    let limit = duration.as_nanos() as u64;
    let times: Arc<[u64]> = times.into_iter().map(due).take_while(|due| *due < limit).collect();
    let takes = Duration::from_secs_f64((seconds * scale).min(duration.as_secs_f64()));
    Ok((Arrivals::recorded(times), takes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(micros: &[u64], rate: Option<f64>) -> Result<(Vec<u64>, Duration), String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line =
            |time: &u64| format!("{{\"did\":\"did:plc:a\",\"time_us\":{time},\"kind\":\"identity\"}}\n");
        std::fs::write(file.path(), micros.iter().map(line).collect::<String>()).unwrap();
        read(file.path(), rate, Duration::from_secs(60)).map(|(arrivals, takes)| (arrivals.collect(), takes))
    }

    #[test]
    fn times_are_kept_go_never_back_and_scale_to_a_rate() {
        let start = 1_700_000_000_000_000;
        let recorded = [start, start + 1_000, start + 500, start + 3_000];
        let (own, takes) = times(&recorded, None).unwrap();
        assert_eq!(own, [0, 1_000_000, 1_000_000, 3_000_000]);
        assert_eq!(takes, Duration::from_millis(4));
        let (slower, takes) = times(&recorded, Some(100.0)).unwrap();
        assert_eq!((slower[3], takes), (30_000_000, Duration::from_millis(40)));
    }

    #[test]
    fn a_file_without_a_pace_is_refused() {
        for (micros, says) in [(&[][..], "no event"), (&[5_000_000, 5_000_000][..], "same time")] {
            assert!(times(micros, None).unwrap_err().contains(says));
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"did\":\"did:plc:a\",\"kind\":\"identity\"}\n").unwrap();
        assert!(read(file.path(), None, Duration::from_secs(1)).unwrap_err().contains("line 1"));
    }
}
