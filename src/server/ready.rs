//! Whether a server is up: one question over a connection of its own, every wait in it bounded.
//!
//! INFO is the question, because it says more than PING: which process answers, and whether the data are loaded.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long one question may take. A loading server answers between two pieces of its file.
const QUESTION_LIMIT: Duration = Duration::from_secs(1);
/// More than any INFO.
const INFO_BYTES_MAX: usize = 1 << 20;

/// What a try to reach a server came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It serves commands; this is its INFO.
    Ready(String),
    /// It is reading its data, and may be for long.
    Loading,
    /// Not yet, and why.
    NotYet(String),
    /// A server, and not the process that was started: waiting will not help.
    NotOurs(String),
}

/// Asks the server on `port` for its INFO. `pid` is the process that must be the one to answer: another server may
/// have taken the port just before ours, or a wrapper may have started one that could not be killed by its own id.
pub(super) fn ask(port: u16, pid: u32) -> Answer {
    match info(port) {
        Ok(reply) => judge(&reply, pid),
        Err(error) => Answer::NotYet(format!("no answer ({error})")),
    }
}

/// What the reply to INFO means.
fn judge(reply: &str, pid: u32) -> Answer {
    let field = |name| reply.lines().find_map(|line| line.trim_end().strip_prefix(name));
    if let Some(error) = reply.strip_prefix('-') {
        return Answer::NotYet(format!("it says {:?}", error.trim_end()));
    }
    match (field("process_id:"), field("loading:")) {
        (Some(answering), _) if answering != pid.to_string() => Answer::NotOurs(format!(
            "process {answering} answers on the port, not {pid}, which was started: another server, or the binary is \
             a script that does not `exec` the server"
        )),
        (Some(_), Some("0")) => Answer::Ready(reply.to_owned()),
        (Some(_), Some(_)) => Answer::Loading,
        _ => Answer::NotYet("what answers on the port is not a server".to_owned()),
    }
}

/// The reply to INFO: its text, or the server's error with the `-` before it.
fn info(port: u16) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, QUESTION_LIMIT)?;
    stream.set_read_timeout(Some(QUESTION_LIMIT))?;
    stream.set_write_timeout(Some(QUESTION_LIMIT))?;
    stream.write_all(b"*1\r\n$4\r\nINFO\r\n")?;
    let mut reply = Vec::new();
    let mut piece = [0; 8192];
    while !is_whole(&reply) {
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if reply.len() > INFO_BYTES_MAX => return Err(io::ErrorKind::InvalidData.into()),
            n => reply.extend_from_slice(&piece[..n]),
        }
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// Whether a reply has come to its end: `$<bytes>\r\n<text>\r\n`, or one line of anything else.
fn is_whole(reply: &[u8]) -> bool {
    let Some(head) = reply.windows(2).position(|pair| pair == b"\r\n") else { return false };
    let bytes =
        reply.strip_prefix(b"$").map(|_| std::str::from_utf8(&reply[1..head]).map(str::parse::<usize>));
    match bytes {
        Some(Ok(Ok(bytes))) => reply.len() >= head + 2 + bytes + 2,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_only_when_it_is_ours_and_has_loaded() {
        assert!(matches!(judge("$9\r\nprocess_id:7\r\nloading:0\r\n", 7), Answer::Ready(_)));
        assert_eq!(judge("$9\r\nprocess_id:7\r\nloading:1\r\n", 7), Answer::Loading);
        assert!(
            matches!(judge("$9\r\nprocess_id:8\r\nloading:0\r\n", 7), Answer::NotOurs(why) if why.contains('8'))
        );
        assert!(matches!(judge("-NOAUTH required\r\n", 7), Answer::NotYet(why) if why.contains("NOAUTH")));
        assert!(matches!(judge("HTTP/1.1 400 Bad Request\r\n", 7), Answer::NotYet(_)));
    }

    #[test]
    fn a_reply_is_read_to_its_end() {
        assert!(!is_whole(b"$5\r\nhello"));
        assert!(!is_whole(b"$5"));
        assert!(is_whole(b"$5\r\nhello\r\n"));
        assert!(is_whole(b"-ERR no\r\n"));
    }
}
