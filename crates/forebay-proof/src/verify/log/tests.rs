//! What is claimed of the commands of an append-only file: up to where they are whole, and what is no data.

use std::io::Write as _;

use super::*;

fn of(bytes: &[u8]) -> Log {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let data: BTreeSet<String> =
        ["multi", "exec", "select", "set", "del", "flushall", "flushdb", "swapdb"].map(String::from).into();
    let is_key = |word: &[u8]| word == b"k";
    scan(&mut file, "a", 0, &Wanted { data: &data, is_key: &is_key, database: 0 }).unwrap()
}

/// Commands as they stand in a file.
fn commands(lines: &[&str]) -> Vec<u8> {
    let word = |word: &str| format!("${}\r\n{word}\r\n", word.len());
    let command = |line: &&str| {
        let words: Vec<String> = line.split(' ').map(word).collect();
        format!("*{}\r\n{}", words.len(), words.concat())
    };
    lines.iter().map(command).collect::<Vec<_>>().concat().into_bytes()
}

#[test]
fn a_file_is_whole_up_to_its_last_whole_command_and_transaction() {
    let whole = commands(&["SELECT 0", "SET a b"]);
    assert_eq!((of(&whole).stop, of(&whole).commands), (None, 2));
    assert_eq!(of(b"").stop, None);
    let place = whole.len() as u64;
    let stopped = |more: &[u8]| of(&[&whole[..], more].concat()).stop;
    let stop = |why| Some(Stop { offset: place, why });
    for cut in 1..14 {
        assert_eq!(stopped(&b"*1\r\n$4\r\nPING\r\n"[..cut]), stop(Why::Command), "{cut}");
    }
    for stamp in ["#", "#TS:17", "#TS:1700000000\r"] {
        assert_eq!(stopped(stamp.as_bytes()), stop(Why::TimeStamp), "{stamp:?}");
    }
    assert_eq!(stopped(b"#TS:1700000000\r\n"), None);
    let begun = commands(&["MULTI", "SET a b"]);
    assert_eq!(stopped(&begun), stop(Why::Transaction));
    assert_eq!(stopped(&begun[..begun.len() - 3]), stop(Why::Command));
    assert_eq!(stopped(&commands(&["MULTI", "SET a b", "EXEC"])), None);
    for zeros in [1, 100, 5_000] {
        assert_eq!(stopped(&vec![0; zeros]), stop(Why::Zeros), "{zeros}");
    }
    for other in [&b"hello\r\n"[..], b"*x\r\n", b"*0\r\n", b"*1\r\n:1\r\n", &[b'x'; 500], b"\0\0x\r\n"] {
        assert_eq!(stopped(other), stop(Why::NoCommand), "{other:?}");
    }
    // A length beyond the end is a cut, whatever it says.
    assert_eq!(stopped(b"*1\r\n$18446744073709551615\r\nx"), stop(Why::Command));
    assert_eq!(stopped(b"*2000000000\r\n$1\r\nx\r\n"), stop(Why::Command));
}

#[test]
fn commands_that_are_no_data_are_named_with_their_place() {
    let before = commands(&["SET a b"]);
    let log = of(&[&before[..], &commands(&["module LOAD /tmp/x.so", "SET a b", "X\u{1b}[2J y"])].concat());
    let foreign: Vec<&str> = log.foreign.iter().map(|foreign| foreign.command.as_str()).collect();
    assert_eq!(foreign, ["MODULE LOAD", "X\\U{1B}[2J y"]);
    assert_eq!((log.foreign[0].offset, log.stop), (before.len() as u64, None));
}

#[test]
fn what_takes_the_buffer_away_is_the_last_such_command() {
    let emptied = |lines: &[&str]| of(&commands(lines)).emptied;
    let length = |lines: &[&str]| commands(lines).len() as u64;
    let is =
        |offset, command: &str, followed_by| Some(Emptied { offset, command: command.into(), followed_by });
    assert_eq!(emptied(&["SET a b", "FLUSHALL"]), is(length(&["SET a b"]), "FLUSHALL", 0));
    assert_eq!(emptied(&["flushall ASYNC", "SET a b"]), is(0, "FLUSHALL ASYNC", 1));
    let within = ["SET a b", "MULTI", "SET a b", "FLUSHDB", "EXEC"];
    assert_eq!(emptied(&within), is(length(&within[..1]), "FLUSHDB", 1));
    assert_eq!(emptied(&["SELECT 3", "FLUSHDB"]), None);
    assert_eq!(emptied(&["SELECT 3", "FLUSHDB", "SELECT 0", "FLUSHDB"]).unwrap().command, "FLUSHDB");
    assert_eq!(emptied(&["SWAPDB 3 0"]).unwrap().command, "SWAPDB 3 0");
    assert_eq!(emptied(&["SWAPDB 3 4"]), None);
    assert_eq!(emptied(&["DEL x k y z u"]).unwrap().command, "DEL x k y …");
    assert_eq!(emptied(&["DEL x"]), None);
    // As a large block is added: nobody saw the stream under the other name.
    assert_eq!(
        emptied(&["MULTI", "RENAME k k:append", "XADD k:append 1-1 d x", "RENAME k:append k", "EXEC"]),
        None
    );
    for taken in [
        &["RENAME k k:append"][..],
        &["MULTI", "RENAME k other", "EXEC"],
        &["MULTI", "RENAME k kk:append", "EXEC"],
    ] {
        assert!(emptied(taken).is_some(), "{taken:?}");
    }
}
