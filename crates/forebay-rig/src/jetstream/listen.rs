//! A connection, from the request to the end.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{Reply, answer, upgrade};
use super::cursor::Host;
use super::encode::Form;
use super::fault::Fault;
use super::outbox::{Gone, Outbox};
use super::request::{self, Request};
use super::settings::Settings;
use super::shared::Shared;
use super::stream::Stream;

/// How long an answer may take to be taken.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Starts listening.
pub(super) fn start(shared: &Arc<Shared>, listener: TcpListener) -> io::Result<()> {
    let own = Arc::clone(shared);
    shared.connections.listen(listener, move |number, stream| take(&own, number, stream))
}

fn take(shared: &Shared, number: u64, mut stream: TcpStream) {
    // What goes wrong here is the client's to see: its connection ends.
    let ended = serve(shared, number, &mut stream);
    shared.connections.remove(number);
    if let Ok(Some((outbox, gone))) = ended {
        drop(stream);
        outbox.finish(gone);
    }
}

/// Serves a connection until its end, which is left to the caller.
fn serve(shared: &Shared, number: u64, stream: &mut TcpStream) -> io::Result<Option<(Outbox, Gone)>> {
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    let (request, incoming) = request::read(stream)?;
    let (settings, log) = shared.host();
    let mut outbox = Outbox::new(stream.try_clone()?, incoming, &settings)?;
    if let Some(wait) = slow_handshake(&settings) {
        shared.acts.count("slow-handshake");
        if outbox.sleep(Some(Instant::now() + wait)).is_err() {
            return Ok(None);
        }
    }
    stream.set_nonblocking(false)?;
    if let Some(reply) = refusal(shared, &settings, &request) {
        reply.send(stream)?;
        return Ok(None);
    }
    let tip = shared.tip(settings.last);
    let host = Host { settings: &settings, clock: &shared.clock, log: &log, acts: &shared.acts, tip };
    let agreed = match answer(&request, &host) {
        Ok(agreed) => agreed,
        Err(reply) => {
            reply.send(stream)?;
            return Ok(None);
        }
    };
    upgrade(&request, &agreed, stream)?;
    shared.stream_began();
    stream.set_nonblocking(true)?;
    outbox.set_push_only(agreed.form == Form::V2);
    let (outbox, gone) = Stream::new(shared, settings, log, agreed, outbox, number)?.run();
    Ok(Some((outbox, gone)))
}

fn slow_handshake(settings: &Settings) -> Option<Duration> {
    settings.faults.iter().find_map(|fault| match fault {
        Fault::SlowHandshake { wait } => Some(*wait),
        _ => None,
    })
}

/// The error that a connection is answered with, where faults ask for one; several come one after the other.
fn refusal(shared: &Shared, settings: &Settings, request: &Request) -> Option<Reply> {
    let codes: Vec<(u16, u64)> = settings
        .faults
        .iter()
        .filter_map(|fault| match *fault {
            Fault::Status { code, times } => Some((code, times)),
            _ => None,
        })
        .collect();
    let mut left = shared.refuse(codes.iter().map(|(_, times)| times).sum())?;
    let (code, _) = codes.into_iter().find(|(_, times)| match left.checked_sub(*times) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    })?;
    shared.acts.count("status");
    let name = if code == 429 { "RateLimitExceeded" } else { "ServiceUnavailable" };
    Some(Reply::error(&request.path, code, name, "not now"))
}
