//! Bare connections, for what no client library would do.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use forebay::buffer::connect::{Address, AddressParts, Endpoint};
use forebay_rig::load::resp;

/// Longest line that is read.
const LINE_BYTES_MAX: usize = 1_024;

/// A bare connection.
pub fn dial(address: &Address) -> anyhow::Result<TcpStream> {
    let Some(AddressParts { place: Endpoint::Tcp(host, port), .. }) = address.plain() else {
        anyhow::bail!("a server of our own answers on TCP");
    };
    Ok(TcpStream::connect((host, port))?)
}

/// Logs a bare connection in, where the server has a password; what it says where that is not `+OK`.
pub fn log_in(socket: &mut TcpStream, address: &Address) -> anyhow::Result<Option<String>> {
    let plain = address.plain().ok_or_else(|| anyhow::anyhow!("a bare connection speaks no TLS"))?;
    let (words, answers) = resp::greeting(&plain);
    socket.write_all(&words)?;
    for _ in 0..answers {
        let line = first_line(socket)?;
        if line != "+OK" {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

/// The first line that comes over a bare connection.
pub fn first_line(socket: &mut TcpStream) -> std::io::Result<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.last() != Some(&b'\n') && line.len() < LINE_BYTES_MAX && socket.read(&mut byte)? == 1 {
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
