//! What `ingest --check` says: each host, the buffer, and what would be done.

use std::fmt::Write as _;

use super::live_line::{clock, lag};
use super::ticker::now_us;
use crate::arguments::Global;
use crate::{exit, output, remedy};
use forebay_pipe::ingest::Config;
use forebay_pipe::ingest::check::{BufferChecked, Checked, Held, HostChecked, Probe};
use forebay_watch::figures::{count, rate};

/// Columns of a terminal that nobody is surprised by.
const WIDTH: usize = 80;

/// Says it; 3 where nothing could be brought in now.
pub(super) fn told(checked: &Checked, config: &Config, global: &Global) -> anyhow::Result<u8> {
    let can = checked.buffer.is_ok() && checked.hosts.iter().any(|host| host.outcome.is_ok());
    output::told(global.json, &json(checked, config, can), text(checked, config, can).trim_end())?;
    Ok(if can { exit::OK } else { exit::NO_SERVER })
}

fn text(checked: &Checked, config: &Config, can: bool) -> String {
    let mut text = String::new();
    for host in &checked.hosts {
        let _ = writeln!(text, "source {}", host.host);
        match &host.outcome {
            Ok(probe) => lines(&mut text, &of_probe(host, probe)),
            Err(why) => lines(&mut text, &[("FAILED", why.clone())]),
        }
    }
    let _ = writeln!(text, "buffer {} at {}", config.name, config.address);
    match &checked.buffer {
        Ok(buffer) => lines(&mut text, &of_buffer(buffer, config)),
        Err(error) => {
            let error = remedy::with_remedy(&anyhow::anyhow!("{error}"));
            lines(&mut text, &[("FAILED", error)]);
        }
    }
    text.push_str(if can {
        "Nothing was written. Without --check, events are brought in from there.\n"
    } else {
        "Nothing was written, and nothing could be brought in now.\n"
    });
    text
}

fn lines(text: &mut String, rows: &[(&str, String)]) {
    for (label, value) in rows {
        let first = format!("  {label:<12}");
        let options =
            textwrap::Options::new(WIDTH).initial_indent(&first).subsequent_indent("              ");
        text.push_str(&textwrap::fill(value, options));
        text.push('\n');
    }
}

fn of_probe(host: &HostChecked, probe: &Probe) -> Vec<(&'static str, String)> {
    let now_us = now_us();
    let protocol = probe.protocol.unwrap_or("unknown: connected, and nothing came");
    let mut rows = vec![("protocol", protocol.to_owned())];
    let per_second = probe.per_second.map_or("unknown".into(), rate);
    let looked = format!("{} of the live end read in {:.1} s", count(probe.events), host.took.as_secs_f64());
    rows.push(("events/s", format!("{per_second} ({looked})")));
    rows.push(("delay", probe.delay_us.map_or("unknown".into(), delay)));
    rows.push(("compression", probe.compression.clone()));
    rows.push(("begins", format!("{}: {}", begins(probe, now_us), probe.because)));
    if let Some(time_us) = probe.first_us {
        rows.push(("first event", format!("of {}", clock(time_us, now_us))));
    }
    rows.extend(probe.missed.clone().map(|missed| ("MISSED", missed)));
    rows
}

/// Clocks differ: an event of the future is that.
fn delay(us: i64) -> String {
    let seconds = us as f64 / 1e6;
    if seconds < -0.001 {
        return format!("{} ahead of this machine's clock", lag(-seconds));
    }
    format!("{} between the newest event and this machine's clock", lag(seconds.max(0.0)))
}

fn begins(probe: &Probe, now_us: u64) -> String {
    match probe.asked {
        None => "now".into(),
        // From here on a cursor is a time in either protocol.
        Some(1_000_000_000_000_000) => "with the oldest event".into(),
        Some(cursor) if cursor > 1_000_000_000_000_000 => format!("at {}", clock(cursor, now_us)),
        Some(cursor) => format!("at the host's number {cursor}"),
    }
}

fn of_buffer(buffer: &BufferChecked, config: &Config) -> Vec<(&'static str, String)> {
    let now_us = now_us();
    let held = match (buffer.is_there, buffer.events) {
        (false, _) => "is not there: it is made".into(),
        (true, Some(events)) => format!("{} events", count(events)),
        (true, None) => "an unknown number of events".into(),
    };
    let mut rows = vec![("holds", held)];
    let writer = match buffer.writer {
        Held::Free => "nobody",
        Held::Writing if config.options.takes_over => "another one, which --takeover ends",
        Held::Writing => "ANOTHER ONE: this one would be refused (exit code 2) without --takeover",
        Held::Silent => {
            "one that is silent and did not say that it ended: it is replaced after 5 s of silence"
        }
    };
    rows.push(("writer", writer.into()));
    if let Some(source) = &buffer.source {
        rows.push(("source", source.host.clone()));
        let settled = source.settled_us.map_or("unknown".into(), |us| clock(us, now_us));
        rows.push(("settled", format!("everything up to {settled}")));
    }
    rows
}

fn json(checked: &Checked, config: &Config, can: bool) -> serde_json::Value {
    let hosts = checked.hosts.iter().map(|host| {
        let probe = host.outcome.as_ref().ok();
        serde_json::json!({
            "host": host.host, "seconds": host.took.as_secs_f64(),
            "error": host.outcome.as_ref().err(),
            "protocol": probe.and_then(|probe| probe.protocol),
            "events_read": probe.map(|probe| probe.events),
            "events_per_second": probe.and_then(|probe| probe.per_second),
            "delay_ms": probe.and_then(|probe| probe.delay_us).map(|us| us / 1_000),
            "compression": probe.map(|probe| probe.compression.clone()),
            "begins_at_cursor": probe.and_then(|probe| probe.asked),
            "because": probe.map(|probe| probe.because),
            "first_event_us": probe.and_then(|probe| probe.first_us),
            "missed": probe.and_then(|probe| probe.missed.clone()),
        })
    });
    let buffer = checked.buffer.as_ref().ok();
    serde_json::json!({
        "ready": can,
        "hosts": hosts.collect::<Vec<_>>(),
        "buffer": {
            "name": config.name.to_string(), "server": config.address.to_string(),
            "error": checked.buffer.as_ref().err().map(ToString::to_string),
            "present": buffer.map(|buffer| buffer.is_there),
            "events": buffer.and_then(|buffer| buffer.events),
            "source": buffer.and_then(|buffer| buffer.source.as_ref()).map(|source| source.host.clone()),
            "low_watermark": buffer.and_then(|buffer| buffer.low_watermark),
            "writer": buffer.map(|buffer| match buffer.writer {
                Held::Free => "none",
                Held::Writing => "writing",
                Held::Silent => "silent",
            }),
        },
    })
}
