//! A look at one host: what its live end gives, and what it would give where an ingest would begin.

use std::thread::scope;
use std::time::{Duration, Instant};

use forebay::buffer::stat::Stat;

use super::config::Config;
use super::counts::Missed;
use super::feed::now_us;
use super::host::{Endpoint, Host};
use super::intake::cursor_of;
use super::message::{self, Read};
use super::plan::{First, Judged, Plan, Standing, Wanted};
use super::socket::{Ask, Came, Socket, fetch_dictionary};
use super::source::{Kind, Source};
use crate::identity::{Identified, Identifier};

/// How many events of the live end tell enough of it, and for how long it is listened to at least and at most.
const EVENTS: u64 = 10;
const LISTEN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(2_300));

/// What a host gives.
#[derive(Debug, Default)]
pub struct Probe {
    /// Which protocol it speaks, as its events show.
    pub protocol: Option<&'static str>,
    /// Events of the live end that were read.
    pub events: u64,
    /// Events a second there.
    pub per_second: Option<f64>,
    /// How far the newest lies behind this machine's clock, in microseconds.
    pub delay_us: Option<i64>,
    /// How frames come.
    pub compression: String,
    /// From which cursor on the ingest would ask it, or with what comes from then on.
    pub asked: Option<u64>,
    /// Why.
    pub because: &'static str,
    /// The time of the first event that came for that.
    pub first_us: Option<u64>,
    /// What it no longer has, or what else is wrong with that.
    pub missed: Option<String>,
}

/// Looks at a host.
pub(super) fn probe(
    config: &Config,
    host: &Host,
    stat: Option<&Stat>,
    of_subscribe: Option<&[u8]>,
) -> Result<Probe, String> {
    let mut probe = Probe::default();
    let dictionary = dictionary(config, host, of_subscribe, &mut probe.compression);
    let ask = |cursor| Ask {
        filter: &config.filter,
        cursor,
        dictionary: dictionary.as_deref(),
        silence: config.silence,
    };
    let (plan, because) = plan(config, host, stat);
    (probe.asked, probe.because) = (plan.cursor(), because);
    // Both at once: what is asked for again may be hours, and only its first event is of interest.
    let (live, first) = scope(|scope| {
        let first = scope.spawn(|| match plan.cursor() {
            Some(cursor) => first(host, &ask(Some(cursor))),
            None => Ok(None),
        });
        let live = listen(host, &ask(None), &mut probe);
        (live, first.join().expect("a probe ends"))
    });
    live?;
    match first {
        Ok(Some(of)) => judge(&mut probe, host, config, plan, &of),
        Ok(None) => {}
        Err(why) => probe.missed = Some(format!("asked from there on, {why}")),
    }
    Ok(probe)
}

/// The dictionary that frames come with.
fn dictionary(
    config: &Config,
    host: &Host,
    of_subscribe: Option<&[u8]>,
    said: &mut String,
) -> Option<Vec<u8>> {
    let found = match (config.compress, host.endpoint) {
        (false, _) => Err("none, as asked".to_owned()),
        (true, Endpoint::Subscribe) => {
            of_subscribe.map(<[u8]>::to_vec).ok_or_else(|| "none: /subscribe needs a dictionary file".into())
        }
        (true, Endpoint::Events) => {
            fetch_dictionary(host).map_err(|why| format!("none: the host gives no dictionary ({why})"))
        }
    };
    *said = match &found {
        Ok(bytes) => format!("zstd, a dictionary of {} bytes", bytes.len()),
        Err(why) => why.clone(),
    };
    found.ok()
}

/// Where the ingest would begin, and why.
fn plan(config: &Config, host: &Host, stat: Option<&Stat>) -> (Plan, &'static str) {
    let source = stat.and_then(|stat| stat.source.as_ref());
    let low_watermark = stat.and_then(Stat::low_watermark).map(|at| at.cursor);
    let is_same = source.is_some_and(|source| source.host == host.to_string());
    let kind = source.map(|source| if source.unit == Kind::V2.unit() { Kind::V2 } else { Kind::V1 });
    let standing = Standing {
        same: kind.zip(low_watermark).filter(|_| is_same),
        time_us: source.and_then(|source| source.settled_us),
        disorder: 0,
    };
    let because = match (standing, config.since_us) {
        (Standing { same: Some(_), .. }, _) => {
            "the buffer's low watermark of this host, and a little before it"
        }
        (Standing { time_us: Some(_), .. }, _) => "by time: the buffer has this network from another host",
        (_, Some(_)) => "the beginning that was asked for: the buffer has nothing of the source yet",
        _ => "the live end: the buffer has nothing of the source yet",
    };
    (Plan::of(standing, config.since_us, 0), because)
}

/// What comes of the live end.
fn listen(host: &Host, ask: &Ask<'_>, probe: &mut Probe) -> Result<(), String> {
    let mut socket = Socket::open(host, ask).map_err(|why| why.to_string())?;
    let (began, mut events, identifier) = (Instant::now(), Vec::new(), Identifier::default());
    let mut scratch = Vec::new();
    let is_enough = |events: &Vec<(Instant, Identified)>| {
        began.elapsed() >= LISTEN.1 || (events.len() as u64 >= EVENTS && began.elapsed() >= LISTEN.0)
    };
    while !is_enough(&events) {
        let came = socket.next().map_err(|ended| ended.to_string())?;
        if let Some(of) = identified(&came, host, &identifier, &mut scratch)? {
            events.push((Instant::now(), of));
        }
    }
    socket.close();
    probe.events = events.len() as u64;
    let newest = events.iter().filter_map(|(_, of)| of.time_us).max();
    probe.delay_us = newest.map(|time_us| now_us().cast_signed() - time_us.cast_signed());
    if let [(first, of), .., (last, _)] = &events[..] {
        probe.protocol = Some(protocol(host, of));
        let span = last.duration_since(*first).as_secs_f64();
        probe.per_second = Some((events.len() - 1) as f64 / span).filter(|rate| rate.is_finite());
    } else if let Some((_, of)) = events.first() {
        probe.protocol = Some(protocol(host, of));
    }
    Ok(())
}

/// The first event that says what it is, of what is asked for.
fn first(host: &Host, ask: &Ask<'_>) -> Result<Option<Identified>, String> {
    let mut socket = Socket::open(host, ask).map_err(|why| why.to_string())?;
    let (began, identifier, mut scratch) = (Instant::now(), Identifier::default(), Vec::new());
    while began.elapsed() < LISTEN.1 {
        let came = socket.next().map_err(|ended| ended.to_string())?;
        let of = identified(&came, host, &identifier, &mut scratch)?;
        if let Some(of) = of.filter(|of| of.time_us.is_some()) {
            socket.close();
            return Ok(Some(of));
        }
    }
    socket.close();
    Ok(None)
}

fn identified(
    came: &Came<'_>,
    host: &Host,
    identifier: &Identifier,
    scratch: &mut Vec<u8>,
) -> Result<Option<Identified>, String> {
    let Came::Message(bytes) = came else { return Ok(None) };
    match message::read(host.endpoint, bytes, scratch) {
        Read::Line(line) => Ok(Some(identifier.of(line))),
        Read::Error { name, message } => Err(format!("it says {name} {message}")),
        _ => Ok(None),
    }
}

fn protocol(host: &Host, of: &Identified) -> &'static str {
    match (host.endpoint, of.cursor) {
        (Endpoint::Events, _) => "Jetstream v2, subscribeEvents",
        (Endpoint::Subscribe, Some(_)) => "Jetstream v2 at /subscribe",
        (Endpoint::Subscribe, None) => "Jetstream v1",
    }
}

/// What the first event says of what is no longer there.
fn judge(probe: &mut Probe, host: &Host, config: &Config, plan: Plan, of: &Identified) {
    probe.first_us = of.time_us;
    let kind = if of.cursor.is_some() { Kind::V2 } else { Kind::V1 };
    let (Some(cursor), Some(time_us)) = (cursor_of(kind, of), of.time_us) else { return };
    let wanted = Wanted { as_before: true, all: config.filter.is_all() };
    // Whether that very event is stored is not looked at: it is taken for the one that is.
    let missed = match plan.judge(First { kind, cursor, time_us, is_known: true }, wanted) {
        Judged::Missed { from, to, by } => Some(((from, to), by)),
        Judged::Ahead { asked } => Some(((asked, time_us), Kind::V1)),
        Judged::Another { missed: Some(span), .. } => Some((span, Kind::V1)),
        Judged::ByTime => {
            probe.missed =
                Some("its numbers are not those of the buffer: it would be asked again, by time".into());
            None
        }
        Judged::Same | Judged::Another { missed: None, .. } => None,
    };
    if let Some((span, by)) = missed {
        probe.missed = Some(
            Missed::new(Source::new(host, kind, &config.filter).host, span, by, probe.per_second).to_string(),
        );
    }
}
