//! Why a server did not do what it was asked, sorted by what must be done about it.

use redis::RedisError;

/// Why an append did not go through, by what must be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorClass {
    /// The server is there and takes no writes now (full, failing disk, loading, failing over): the block is
    /// not stored. Try again later on the same connection.
    Refused(String),
    /// The same because its memory is at the limit: making room helps.
    Full(String),
    /// The connection is gone or silent: whether the block is stored is unknown. Connect again, send again.
    Unknown(String),
    /// The server forgot the script: load it again.
    NoScript,
    /// The key holds something else.
    WrongType(String),
    /// The lane's state is not what a writer writes; its place.
    Damaged(String),
    /// This user may not do that now: the block is not stored.
    Denied(String),
    /// Nothing that waiting would mend.
    Fatal(String),
}

/// What to do about an error, by the word that it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Nothing was done, and the server will take writes again by itself or after its operator has acted.
    Waits,
    /// The same, and making room helps.
    MakesRoom,
    /// Whether it was done is unknown, or another login is needed: a new connection, and everything again.
    ConnectsAgain,
    /// It must be allowed: wait for that where something is under way.
    WaitsForRights,
    /// The script is loaded again.
    LoadsScript,
    /// A key holds something else.
    NamesKey,
    /// The lane's state is not what a writer writes.
    NamesPlace,
}

/// Every word that an answer of Redis or Valkey to a writer may begin with, and what the writer does. Whatever is not here
/// (`ERR`, and what only commands answer that a writer never gives: `EXECABORT`, `BUSYGROUP`, `NOPROTO`, `UNKILLABLE`, …) ends
/// it with the server's words.
const WORDS: [(&str, Does); 18] = [
    // Full: CONFIG SET maxmemory, or room.
    ("OOM", Does::MakesRoom),
    // The disk fails, and stop-writes-on-bgsave-error is set, or the AOF cannot be written.
    ("MISCONF", Does::Waits),
    ("LOADING", Does::Waits),
    // A replica: a failover is under way, or was undone.
    ("READONLY", Does::Waits),
    ("MASTERDOWN", Does::Waits),
    // A script of somebody's has run for long.
    ("BUSY", Does::Waits),
    // Fewer replicas than min-replicas-to-write.
    ("NOREPLICAS", Does::Waits),
    ("CLUSTERDOWN", Does::Waits),
    ("TRYAGAIN", Does::Waits),
    // Somebody ended a WAITAOF (CLIENT UNBLOCK), or the server became a replica meanwhile.
    ("UNBLOCKED", Does::ConnectsAgain),
    ("NOAUTH", Does::ConnectsAgain),
    ("WRONGPASS", Does::ConnectsAgain),
    ("NOPERM", Does::WaitsForRights),
    // The key is at another node of the cluster: a new connection goes there.
    ("MOVED", Does::ConnectsAgain),
    ("ASK", Does::ConnectsAgain),
    ("NOSCRIPT", Does::LoadsScript),
    ("WRONGTYPE", Does::NamesKey),
    // Of our own scripts.
    ("DAMAGED", Does::NamesPlace),
];

/// What a server at its memory limit answers, in scripts of Redis 6.2 without its word.
const FULL: &str = "OOM command not allowed";

/// What the error of a command is about. A script's begins with `ERR` in Redis 6.2, and has the word of the command that
/// failed after a dash.
fn does(code: &str, text: &str) -> Option<Does> {
    let of = |word: &str| WORDS.iter().find(|(known, _)| *known == word).map(|(_, does)| *does);
    of(code)
        .or_else(|| text.contains(FULL).then_some(Does::MakesRoom))
        .or_else(|| WORDS.iter().find(|(word, _)| text.contains(&format!("-{word} "))).map(|(_, does)| *does))
}

/// What the client library or the server said, without the hash of our script and its line, which help nobody.
pub(super) fn words(error: &RedisError) -> String {
    let text = error.to_string();
    let is_hash = |rest: &str| rest.len() >= 40 && rest.bytes().take(40).all(|byte| byte.is_ascii_hexdigit());
    match text.split_once(" script: ") {
        Some((said, rest)) if is_hash(rest) => said.to_owned(),
        _ => text,
    }
}

/// Whether a stream that was asked about, or its group, is not there: deleted, evicted, or never made. What is asked of a
/// group says `NOGROUP`; what XINFO is asked has no word of its own.
pub fn is_gone(error: &RedisError) -> bool {
    error.code() == Some("NOGROUP") || error.detail().is_some_and(|why| why.contains("no such key"))
}

/// Sorts an error of the client library.
pub fn classify(error: &RedisError) -> ErrorClass {
    let text = words(error);
    if let Some(code) = error.code() {
        return match does(code, &error.to_string()) {
            Some(Does::Waits) => ErrorClass::Refused(text),
            Some(Does::MakesRoom) => ErrorClass::Full(text),
            Some(Does::ConnectsAgain) => ErrorClass::Unknown(text),
            Some(Does::WaitsForRights) => ErrorClass::Denied(text),
            Some(Does::LoadsScript) => ErrorClass::NoScript,
            Some(Does::NamesKey) => ErrorClass::WrongType(text),
            Some(Does::NamesPlace) => ErrorClass::Damaged(error.detail().unwrap_or(&text).into()),
            None => ErrorClass::Fatal(text),
        };
    }
    if error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
    {
        return ErrorClass::Unknown(text);
    }
    ErrorClass::Fatal(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error that a server's line comes to.
    fn answered(line: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        value.extract_error().expect_err("an error is no value")
    }

    #[test]
    fn every_word_of_the_table_is_met_alone_and_in_a_script_of_redis_6() {
        for (word, expected) in WORDS {
            let alone = answered(&format!("{word} some reason"));
            assert_eq!(does(alone.code().unwrap(), &alone.to_string()), Some(expected), "{word}");
            let script =
                answered(&format!("ERR Error running script (call to f_1): @user_script:3: -{word} why "));
            assert_eq!(
                does(script.code().unwrap(), &script.to_string()),
                Some(expected),
                "{word} in a script"
            );
        }
    }

    #[test]
    fn what_servers_answer_is_sorted_by_what_must_be_done() {
        use ErrorClass::{Damaged, Denied, Fatal, Full, NoScript, Refused, Unknown, WrongType};
        let is = |line: &str, is_so: fn(&ErrorClass) -> bool| {
            let found = classify(&answered(line));
            assert!(is_so(&found), "{line:?} came to {found:?}");
        };
        for line in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "ERR Error running script (call to f_1): @user_script:22: OOM command not allowed when used memory",
        ] {
            is(line, |trouble| matches!(trouble, Full(_)));
        }
        for line in [
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "BUSY Redis is busy running a script.",
            "NOREPLICAS Not enough good replicas to write.",
            "CLUSTERDOWN Hash slot not served",
            "TRYAGAIN Multiple keys request during rehashing of slot",
        ] {
            is(line, |trouble| matches!(trouble, Refused(_)));
        }
        for line in [
            "UNBLOCKED client unblocked via CLIENT UNBLOCK",
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
            "MOVED 3999 127.0.0.1:6381",
            "ASK 3999 127.0.0.1:6381",
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair or user is disabled.",
        ] {
            is(line, |trouble| matches!(trouble, Unknown(_)));
        }
        is("NOPERM this user has no permissions to run the 'evalsha' command", |trouble| {
            matches!(trouble, Denied(_))
        });
        is("NOSCRIPT No matching script.", |trouble| *trouble == NoScript);
        is("WRONGTYPE Operation against a key", |trouble| matches!(trouble, WrongType(_)));
        is("DAMAGED key \"k\": field s is missing", |trouble| {
            *trouble == Damaged("key \"k\": field s is missing".into())
        });
        for line in [
            "ERR unknown command 'EVALSHA'",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "EXECABORT Transaction discarded because of previous errors.",
            "NOPROTO unsupported protocol version",
            "BUSYGROUP Consumer Group name already exists",
            "BUSYKEY Target key name already exists.",
            "UNKILLABLE Sorry the script already executed write commands",
            "NOTBUSY No scripts in execution right now.",
            "NOGROUP No such key",
            "INPROG Failover already in progress",
        ] {
            is(line, |trouble| matches!(trouble, Fatal(_)));
        }
    }
}
