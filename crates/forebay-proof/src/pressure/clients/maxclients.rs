//! `maxclients` reached: what those get who come, what becomes of those who are there, and whether all is well once
//! some have left.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;

use super::advice::by_connections;
use super::bare::{dial, first_line, log_in};
use super::sizes::Bench;
use crate::claim::{Bound, Control, Evidence, Judged, Unit};
use crate::own_server::{LIMIT, OwnServer, reader};
use crate::proof_reader;
use crate::push::Pusher;
use crate::report::units::thousands;
use crate::server_setting::{Outcome, Row};
use crate::wait::{go_on, look_for, wait_for};
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::Reader;
use forebay::event::jetstream;

const SETTING: &str = "maxclients";

/// The step of the brief that pressure answers.
const STEP: u8 = 6;

/// Others who are connected, and who come once the limit is reached.
const OTHERS: usize = 3;

/// What a server at its limit says.
const FULL: &str = "max number of clients reached";

/// How long a newcomer listens before it asks: who is refused is told at once.
const REFUSED_WITHIN: Duration = Duration::from_millis(300);

/// What is broken, for the controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// The limit is not reached.
    Limit,
    /// Those who were connected are thrown out.
    Connected,
    /// Nobody leaves.
    Leaving,
}

/// What was seen.
#[derive(Debug, Default)]
struct MaxclientsResult {
    /// Connections of a writer, and of a reader.
    needs: (u64, u64),
    /// What newcomers got.
    newcomers: Vec<String>,
    /// What a new writer and a new reader of Forebay said; none where they came about.
    told: Vec<Option<String>>,
    pushed: u64,
    read: u64,
    /// Why the writer did not go on.
    ended: Option<String>,
    /// What a new writer and a new reader said once the others had left.
    afterwards: Vec<Option<String>>,
}

/// The experiment.
pub fn measure(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let seen = at_limit(bench, Broken::Nothing)?;
    let (mut judged, mut claims) = (judge(&seen), Vec::new());
    for (broken, what, ids) in [
        (Broken::Limit, "a limit that is not reached", &["refused", "told"][..]),
        (Broken::Connected, "a server that throws out those who are connected", &["connected"][..]),
        (Broken::Leaving, "nobody leaves", &["recovered"][..]),
    ] {
        let of_broken = judge(&at_limit(bench, broken)?);
        let (its, others): (Vec<Judged>, Vec<Judged>) =
            judged.into_iter().partition(|claim| ids.iter().any(|id| claim.id == full_id(id)));
        let with = |claim: Judged| {
            let control = Control::of(what, &of_broken, &claim.id);
            claim.with(control)
        };
        claims.extend(its.into_iter().map(with));
        judged = others;
    }
    claims.extend(judged.into_iter().map(Judged::without_control));
    Ok(Outcome { rows: vec![row(bench, &seen)?], claims, details: vec![table(&seen)] })
}

fn row(bench: &Bench<'_>, seen: &MaxclientsResult) -> anyhow::Result<Row> {
    let value = bench.start()?.setting(SETTING);
    let Some((value, limit)) = value.and_then(|value| Some((value.clone(), value.parse().ok()?))) else {
        return Ok(Row::untested(SETTING, "-", "this server does not tell it"));
    };
    let (writer, reader) = seen.needs;
    let measured = format!("a writer takes {writer} connections, a reader {reader}");
    Ok(Row::new(SETTING, &format!("{value} (default)"), measured, by_connections(limit, writer, reader)))
}

fn at_limit(bench: &Bench<'_>, broken: Broken) -> anyhow::Result<MaxclientsResult> {
    let mut own = bench.start()?;
    let mut seen = MaxclientsResult { pushed: bench.sizes.appended, ..MaxclientsResult::default() };
    let before = connected(&mut own)?;
    let writer = bench.writer(&own.address, &own.name)?;
    let mut pusher = Pusher::new(writer, &bench.events, seen.pushed, bench.on.profile.rates.network);
    let with_writer = connected(&mut own)?;
    let mut reader = reader(&own.address, &own.name, &jetstream::ALL, Some("pressure"))?;
    let with_reader = connected(&mut own)?;
    seen.needs = (with_writer - before, with_reader - with_writer);
    let mut others = (0..OTHERS).map(|_| greet(&own.address, false)).collect::<anyhow::Result<Vec<_>>>()?;
    if let Some((_, answer)) = others.iter().find(|(_, answer)| answer != "+PONG") {
        anyhow::bail!("a client was refused before the limit was reached: {answer}");
    }
    let limit = match broken {
        Broken::Nothing | Broken::Leaving => connected(&mut own)?,
        Broken::Limit => connected(&mut own)? + 100,
        Broken::Connected => 1,
    };
    own.set(SETTING, &limit.to_string())?;
    if broken == Broken::Connected {
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes");
        kill.query::<u64>(&mut own.admin)?;
    }
    for _ in 0..OTHERS {
        seen.newcomers.push(greet(&own.address, true)?.1);
    }
    seen.told = newcomers(bench, &own)?;
    seen.ended = go_through(&mut pusher)?;
    seen.read = read(&mut reader, seen.pushed)?;
    if broken == Broken::Leaving {
        seen.afterwards = newcomers(bench, &own)?;
        return Ok(seen);
    }
    drop((pusher, reader));
    others.clear();
    wait_for(LIMIT, "the server notices that everybody has left", || Ok(connected(&mut own)? == 1))?;
    seen.afterwards = newcomers(bench, &own)?;
    Ok(seen)
}

fn connected(own: &mut OwnServer) -> Result<u64, Error> {
    own.number("clients", "connected_clients")
}

/// A client of the plainest kind, and the first line that it gets: before it asks, or else for a PING.
fn greet(address: &Address, is_refusal_expected: bool) -> anyhow::Result<(TcpStream, String)> {
    let mut socket = dial(address)?;
    let mut line = String::new();
    if is_refusal_expected {
        socket.set_read_timeout(Some(REFUSED_WITHIN))?;
        line = first_line(&mut socket).unwrap_or_default();
    }
    if line.is_empty() {
        socket.set_read_timeout(Some(LIMIT))?;
        line = asked(&mut socket, address).unwrap_or_else(|error| error.to_string());
    }
    Ok((socket, line))
}

/// What a client is told that logs in and pings.
fn asked(socket: &mut TcpStream, address: &Address) -> anyhow::Result<String> {
    if let Some(refusal) = log_in(socket, address)? {
        return Ok(refusal);
    }
    socket.write_all(b"PING\r\n")?;
    Ok(first_line(socket)?)
}

/// After how long without a block there are no more.
const NO_MORE: Duration = Duration::from_secs(1);

/// What a new writer and a new reader of another buffer say; none where they come about.
fn newcomers(bench: &Bench<'_>, own: &OwnServer) -> anyhow::Result<Vec<Option<String>>> {
    let name: Name = "settings-new".parse()?;
    let writer = bench.writer(&own.address, &name).err();
    let reader = reader(&own.address, &name, &jetstream::ALL, None).err();
    Ok([writer, reader].map(|error| error.map(|error| error.to_string())).to_vec())
}

/// Pushes events and waits until they are acknowledged; why they were not.
fn go_through(pusher: &mut Pusher<'_>) -> anyhow::Result<Option<String>> {
    if let Err(error) = pusher.bulk(None, || false).and_then(|()| pusher.writer.flush()) {
        return Ok(Some(error.to_string()));
    }
    let monitor = pusher.writer.monitor();
    let ended = look_for(LIMIT, || {
        if let Err(error) = pusher.writer.check() {
            return Ok(Some(Some(error.to_string())));
        }
        Ok((monitor.counts().acknowledged >= pusher.count).then_some(None))
    })?;
    ended.with_context(|| {
        format!("a writer's events were not acknowledged within {LIMIT:?}, nor did it give up")
    })
}

/// Reads and acknowledges events as a group does, until it has so many or there is no more; how many.
fn read(reader: &mut Reader, count: u64) -> anyhow::Result<u64> {
    let mut events = 0;
    loop {
        go_on()?;
        // A reader that was thrown out has read nothing: that it says so is not what is looked at here.
        let found = reader.next(NO_MORE).unwrap_or_default();
        if found.is_empty() {
            return Ok(events);
        }
        let blocks = proof_reader::blocks(found)?;
        events += blocks.iter().map(|(_, entry)| entry.events).sum::<u64>();
        let done = blocks.iter().map(|(lane, entry)| (*lane, entry.id));
        if reader.acknowledge(done).is_err() || events >= count {
            return Ok(events);
        }
    }
}

fn full_id(id: &str) -> String {
    format!("pressure.maxclients.{id}")
}

fn judge(seen: &MaxclientsResult) -> Vec<Judged> {
    let is_told = |text: &&Option<String>| text.as_ref().is_some_and(|text| text.contains(FULL));
    let refused = seen.newcomers.iter().filter(|text| text.contains(FULL)).count();
    let shown = |texts: &[Option<String>]| {
        let words = |text: &Option<String>| text.clone().unwrap_or_else(|| "came about".into());
        format!(
            "writer: {}; reader: {}",
            texts.first().map_or("-".into(), words),
            texts.last().map_or("-".into(), words)
        )
    };
    let claim = |id: &str, statement: &str, (required, unit): (u64, Unit), measured: u64, why: String| {
        Judged::of(
            &full_id(id),
            STEP,
            statement,
            (Bound::Exactly, required as f64, unit),
            measured as f64,
            why,
        )
    };
    vec![
        claim(
            "refused",
            "once maxclients is reached, every new client is told so",
            (OTHERS as u64, Unit::Count),
            refused as u64,
            format!("a client gets {:?}", seen.newcomers.first().map_or("", String::as_str)),
        ),
        claim(
            "told",
            "a new writer and a new reader of Forebay then say that maxclients is reached",
            (2, Unit::Count),
            seen.told.iter().filter(is_told).count() as u64,
            shown(&seen.told),
        ),
        claim(
            "connected",
            "a writer and a reader that were connected before go on meanwhile: every event goes in and out",
            (seen.pushed, Unit::Events),
            seen.read,
            seen.ended.clone().unwrap_or_else(|| "every event was acknowledged".into()),
        ),
        claim(
            "recovered",
            "once others have left, a new writer and a new reader come about",
            (2, Unit::Count),
            seen.afterwards.iter().filter(|text| text.is_none()).count() as u64,
            shown(&seen.afterwards),
        ),
    ]
}

fn table(seen: &MaxclientsResult) -> Evidence {
    let words = |text: &Option<String>| text.clone().unwrap_or_else(|| "goes on".into());
    let mut rows = vec![
        vec!["a new client".to_owned(), seen.newcomers.first().cloned().unwrap_or_default()],
        vec!["the writer that was connected".into(), words(&seen.ended)],
        vec![
            "the reader that was connected".into(),
            format!("read {} events", thousands(seen.read as f64, 0)),
        ],
    ];
    for (texts, when) in [(&seen.told, "at the limit"), (&seen.afterwards, "once others have left")] {
        for (who, text) in ["writer", "reader"].into_iter().zip(texts) {
            let said = text.clone().unwrap_or_else(|| "comes about".into());
            rows.push(vec![format!("a new {who} of Forebay, {when}"), said]);
        }
    }
    Evidence::Table {
        title: "maxclients reached".into(),
        columns: ["who", "what becomes of it"].map(String::from).to_vec(),
        rows,
    }
}
