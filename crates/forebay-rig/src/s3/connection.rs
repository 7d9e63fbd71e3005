//! A connection: one request after the other, each read whole, decided, logged and answered.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::answer::Answer;
use super::body::{BodyReader, Length};
use super::delete_many::delete_many;
use super::error_code::ErrorCode;
use super::fault::{Fault, Stage};
use super::list::list;
use super::object;
use super::request::{Operation, Request};
use super::room::Held;
use super::settings::Settings;
use super::shared::Shared;
use super::wire::{Head, Wire};
use crate::http::FaultName;

/// How a connection ends.
#[derive(Debug, PartialEq, Eq)]
enum Gone {
    Closed,
    Reset,
}

/// Serves a connection to its end.
pub(super) fn take(shared: &Shared, number: u64, stream: TcpStream) {
    let stream = Wire::new(stream).map(|mut wire| {
        // What goes wrong here is the client's to see: its connection ends.
        let gone = serve(shared, &mut wire).unwrap_or(Gone::Closed);
        (wire.into_stream(), gone)
    });
    shared.connections.remove(number);
    match stream {
        Ok((stream, Gone::Reset)) => {
            let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        }
        Ok((stream, Gone::Closed)) => drop(stream.shutdown(Shutdown::Write)),
        Err(_) => {}
    }
}

fn serve(shared: &Shared, wire: &mut Wire) -> io::Result<Gone> {
    loop {
        let head = match wire.head() {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(Gone::Closed),
            Err(error) => return refuse(wire, error),
        };
        let is_last = head.is_last;
        if let Some(gone) = request(shared, wire, head)? {
            return Ok(gone);
        }
        if is_last {
            return Ok(Gone::Closed);
        }
    }
}

/// What is not HTTP is answered once, and the connection ends: where the next request begins is not known.
fn refuse(wire: &mut Wire, error: io::Error) -> io::Result<Gone> {
    if error.kind() != ErrorKind::InvalidData {
        return Err(error);
    }
    Answer::error(ErrorCode::InvalidRequest, &error.to_string()).send(wire, false, true)?;
    Ok(Gone::Closed)
}

/// Reads a request, decides it and answers it; a fault may end the connection instead.
fn request(shared: &Shared, wire: &mut Wire, head: Head) -> io::Result<Option<Gone>> {
    let request = Request::new(head);
    let settings = shared.settings();
    let length = match Length::of(&request.head) {
        Ok(length) => length,
        Err(error) => return refuse(wire, error).map(Some),
    };
    let mut acted = Vec::new();
    let take = |stage: Stage, acted: &mut Vec<FaultName>| {
        let fault = shared.faults.take(&request.target, stage);
        acted.extend(fault.map(Fault::name));
        fault
    };
    let mut rate = None;
    if !length.is_empty() {
        if request.head.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if let Some(Fault::SlowBody { rate: slow }) = take(Stage::Body, &mut acted) {
            rate = Some(slow);
        }
    }
    let reader = BodyReader { wire, connections: &shared.connections, rate, bytes_max: settings.bytes_max };
    let body = match reader.read(length, shared.room.hold(Vec::new())) {
        Ok(body) => body,
        Err(error) => return refuse(wire, error).map(Some),
    };
    let in_place = take(Stage::InPlace, &mut acted);
    let log = |status: Option<u16>, acted: Vec<FaultName>| {
        shared.log.add(&request.head.method, &request.target, status, acted);
    };
    if in_place == Some(Fault::ResetAfterBody) {
        log(None, acted);
        return Ok(Some(Gone::Reset));
    }
    let decided = match in_place.and_then(Fault::error_code) {
        Some(code) => Err(code),
        None => decide(shared, &settings, &request, length, body, &mut acted),
    };
    let answer = decided.unwrap_or_else(|code| Answer::error(code, &resource(&request)));
    if let Some(Fault::SlowAnswer { wait }) = take(Stage::Delay, &mut acted)
        && shared.connections.sleep(wait)
    {
        return Ok(Some(Gone::Closed));
    }
    if take(Stage::Answer, &mut acted).is_some() {
        log(None, acted);
        return Ok(Some(Gone::Reset));
    }
    log(Some(answer.status), acted);
    answer.send(wire, request.head.method == "HEAD", request.head.is_last)?;
    Ok(None)
}

fn resource(request: &Request) -> String {
    format!("/{}/{}", request.bucket, request.target.key)
}

/// Does what is asked for, if it may be done.
fn decide(
    shared: &Shared,
    settings: &Settings,
    request: &Request,
    length: Length,
    body: Option<Held>,
    acted: &mut Vec<FaultName>,
) -> Result<Answer, ErrorCode> {
    if let Some(code) = request.refused {
        return Err(code);
    }
    if request.access_key() != Some(settings.access_key.as_str()) {
        return Err(ErrorCode::InvalidAccessKeyId);
    }
    if request.bucket != settings.bucket {
        return Err(ErrorCode::NoSuchBucket);
    }
    let body = body.ok_or(ErrorCode::StorageFull)?;
    match request.target.operation {
        Operation::Put | Operation::Delete if settings.is_read_only => Err(ErrorCode::AccessDenied),
        Operation::Put if length == Length::None => Err(ErrorCode::MissingContentLength),
        Operation::Put => object::put(shared, request, body, acted),
        Operation::Get | Operation::Head => object::get(shared, request),
        Operation::Delete => Ok(object::delete(shared, request)),
        Operation::DeleteMany => delete_many(shared, settings, &body),
        Operation::List if !settings.may_list => Err(ErrorCode::AccessDenied),
        Operation::List => list(shared, settings, request),
        Operation::HeadBucket => Ok(Answer::empty(200).header("x-amz-bucket-region", "us-east-1")),
        Operation::Other => Err(ErrorCode::NotImplemented),
    }
}
