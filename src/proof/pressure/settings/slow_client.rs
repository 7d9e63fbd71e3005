//! A client of the server's that asks and does not read, as the server sees it.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::bench::{LIMIT, Own, dial, go_on, wait_for};
use crate::load::resp;

/// A bare client and its number.
pub fn slow_client(own: &Own) -> anyhow::Result<(TcpStream, u64)> {
    let mut socket = dial(&own.address)?;
    socket.set_read_timeout(Some(LIMIT))?;
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

/// Waits until the server is full or has dropped the client; the most that clients were seen to take.
pub fn until_full_or_dropped(own: &mut Own, id: u64) -> anyhow::Result<u64> {
    let mut most = 0;
    wait_for("the server is full, or drops the client that does not read", || {
        let facts = own.facts("memory")?;
        let number = |name| facts.number(name).unwrap_or(0);
        let held = output_of(own, id)?;
        most = most.max(held.unwrap_or(0));
        let is_full = number("used_memory") >= number("maxmemory");
        Ok((is_full || held.is_none()).then_some(()))
    })?;
    Ok(most)
}

/// Bytes of answers that a client has not read; none where it is not connected. `mem_clients_normal` of INFO has them too,
/// but only once the server has come round to that client.
pub fn output_of(own: &mut Own, id: u64) -> anyhow::Result<Option<u64>> {
    let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut own.admin)?;
    let id = format!("id={id}");
    let Some(line) = list.lines().find(|line| line.split(' ').next() == Some(&id)) else { return Ok(None) };
    let bytes = line.split(' ').find_map(|field| field.strip_prefix("omem=")?.parse().ok());
    Ok(Some(bytes.unwrap_or(0)))
}
