//! A client of the server's that asks and does not read, as the server sees it.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::bare::{dial, log_in};
use crate::own_server::{LIMIT, OwnServer};
use crate::wait::{go_on, wait_for};
use forebay_rig::load::resp;

/// Bytes of answers that the system's own buffers may still take from the server: it is full without them too.
const TAKEN_LATER: u64 = 2 << 20;

/// A bare client and its number.
pub fn slow_client(own: &OwnServer) -> anyhow::Result<(TcpStream, u64)> {
    let mut socket = dial(&own.address)?;
    socket.set_read_timeout(Some(LIMIT))?;
    if let Some(refusal) = log_in(&mut socket, &own.address)? {
        anyhow::bail!("the server refused the login of a slow client: {refusal}");
    }
    let mut request = Vec::new();
    resp::command(&mut request, &[b"CLIENT", b"ID"]);
    socket.write_all(&request)?;
    let mut answer = Vec::new();
    loop {
        go_on()?;
        if let Some((resp::Reply::Integer(id), _)) = resp::parse(&answer)? {
            return Ok((socket, id as u64));
        }
        let mut some = [0; 64];
        let count = socket.read(&mut some)?;
        anyhow::ensure!(count > 0, "the server closed a client that asked for its number");
        answer.extend_from_slice(&some[..count]);
    }
}

/// What a client took that asks and does not read, at the most.
#[derive(Debug, Default, Clone, Copy)]
pub struct Took {
    /// Of its answers.
    pub client_bytes: u64,
    /// `used_memory` meanwhile.
    pub used_max: u64,
}

/// Puts a request so many times at the most, and reads no answer, until the server is full or has dropped the client. One
/// after the other, with a look between: of a client that is dropped while many are answered at once nothing is seen.
pub fn ask_until_full_or_dropped(
    own: &mut OwnServer,
    socket: &mut TcpStream,
    id: u64,
    (request, asks_max): (&[u8], u64),
) -> anyhow::Result<Took> {
    let (mut took, mut asks, before) = (Took::default(), 0, answered(own)?);
    wait_for(LIMIT, "the server is full, or drops the client that does not read", || {
        // Asked first: what was answered by then is seen.
        let is_answered = answered(own)? >= before + asks;
        let facts = own.facts("memory")?;
        let number = |name| facts.number(name).unwrap_or(0);
        let held = output_of(own, id)?;
        if let Some(held) = held {
            took.client_bytes = took.client_bytes.max(held);
            took.used_max = took.used_max.max(number("used_memory"));
        }
        if held.is_none() || number("used_memory") >= number("maxmemory") + TAKEN_LATER {
            return Ok(true);
        }
        if is_answered && asks < asks_max {
            // Should the server have dropped the client, it cannot be sent.
            let _ = socket.write_all(request);
            asks += 1;
        }
        Ok(false)
    })?;
    Ok(took)
}

/// How many XRANGE the server has answered.
fn answered(own: &mut OwnServer) -> anyhow::Result<u64> {
    let facts = own.facts("commandstats")?;
    let calls = facts.get("cmdstat_xrange").and_then(|stat| stat.strip_prefix("calls=")?.split(',').next());
    Ok(calls.and_then(|calls| calls.parse().ok()).unwrap_or(0))
}

/// Bytes of answers that a client has not read; none where it is not connected. `mem_clients_normal` of INFO has them too,
/// but only once the server has come round to that client.
pub fn output_of(own: &mut OwnServer, id: u64) -> anyhow::Result<Option<u64>> {
    let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut own.admin)?;
    let id = format!("id={id}");
    let Some(line) = list.lines().find(|line| line.split(' ').next() == Some(&id)) else { return Ok(None) };
    let bytes = line.split(' ').find_map(|field| field.strip_prefix("omem=")?.parse().ok());
    Ok(Some(bytes.unwrap_or(0)))
}
