//! Whether a server is up: one question over a connection of its own, every wait in it bounded.
//!
//! INFO is the question, because it says more than PING: which process answers, and whether the data are loaded.

use std::time::Duration;

use super::private_address::PrivateAddress;

/// How long one question may take. A loading server answers between two pieces of its file.
const QUESTION_LIMIT: Duration = Duration::from_secs(1);

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

/// Asks the server behind a door for its INFO. `pid` is the process that must be the one to answer: another server may
/// have taken the port just before ours, or a wrapper may have started one that could not be killed by its own id.
pub(super) fn ask(door: &PrivateAddress, pid: u32) -> Answer {
    match door.info(QUESTION_LIMIT) {
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
}
