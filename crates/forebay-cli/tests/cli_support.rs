//! Runs the program as a user does.

use std::io::{Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Condvar, Mutex};

use forebay_rig::server::Server;

/// The program, with nothing of the caller's environment that it would heed.
pub fn forebay(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    command.env_remove("FOREBAY_URL").env_remove("COLUMNS").args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a run came to.
pub struct Ran {
    pub code: i32,
    pub out: Vec<u8>,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!err.contains("panicked"), "{err}");
        Self { code: output.status.code().unwrap_or(-1), out: output.stdout, err }
    }
}

/// Verbs that load a machine with all it has.
const LOADS: [&str; 7] = ["baseline", "capacity", "durability", "pressure", "prove", "throughput", "tune"];

/// Of those no more than three run at once, each of which waits half of its time: what they measured would be the others.
static TURNS: (Mutex<usize>, Condvar) = (Mutex::new(3), Condvar::new());

/// One of the three, until it is dropped.
pub struct Turn;

/// Waits for one, where what is run needs it: a list or a way back is none of those, and whoever kills a server of somebody's
/// mostly waits.
pub fn turn(args: &[&str]) -> Option<Turn> {
    let waits = ["--list", "--rollback", "--kill-cmd", "--help"].into_iter().any(|flag| args.contains(&flag));
    (LOADS.contains(&args[0]) && !waits).then(|| {
        let free = TURNS.0.lock().unwrap();
        *TURNS.1.wait_while(free, |free| *free == 0).unwrap() -= 1;
        Turn
    })
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TURNS.0.lock().unwrap() += 1;
        TURNS.1.notify_one();
    }
}

pub fn run(args: &[&str]) -> Ran {
    let _turn = turn(args);
    run_at_once(args)
}

/// The same without a turn, for what is refused before it loads anything: while a test waits for one, no other test runs in its
/// place.
pub fn run_at_once(args: &[&str]) -> Ran {
    let mut command = forebay(args);
    if !(args[0] == "read" && args.contains(&"--ack")) {
        return command.output().unwrap().into();
    }
    // What is acknowledged goes into a file.
    let mut file = tempfile::tempfile().unwrap();
    let mut ran = Ran::from(command.stdout(file.try_clone().unwrap()).output().unwrap());
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut ran.out).unwrap();
    ran
}

/// Runs `append` on a server with these bytes on stdin.
pub fn append(server: &Server, input: &[u8], more: &[&str]) -> Ran {
    let url = server.url();
    let mut child =
        forebay(&[&["append", "--url", &url], more].concat()).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // On a thread: stderr may fill while the input is still being written.
    let feed = std::thread::spawn(move || stdin.write_all(&input));
    let ran: Ran = child.wait_with_output().unwrap().into();
    // One that refuses to begin does not read to the end.
    let fed = feed.join().unwrap();
    assert!(fed.is_ok() || ran.code != 0, "{fed:?}: {}", ran.err);
    ran
}

/// Everything in the buffer, sorted.
pub fn read_sorted(server: &Server) -> Vec<Vec<u8>> {
    let ran = run(&["read", "--quiet", "--url", &server.url()]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    lines(&ran.out)
}

/// Lines, sorted.
pub fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> =
        bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    lines.sort();
    lines
}

/// The first `count` synthetic events, a line each.
pub fn synthetic(count: u64) -> Vec<u8> {
    run(&["synth", "--count", &count.to_string()]).out
}

/// Ctrl-C.
pub fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

/// Runs the program, which must refuse: with this code, nothing on stdout, and one line on stderr, or the parser's usage.
pub fn said(args: &[&str], code: i32) -> String {
    let ran = run_at_once(args);
    assert_eq!(ran.code, code, "{args:?}: {}", ran.err);
    assert!(ran.out.is_empty(), "{args:?}");
    let is_one_line = ran.err.starts_with("forebay: ") && ran.err.lines().count() == 1;
    let is_usage = ran.err.starts_with("error: ") && code == 2;
    assert!(is_one_line || is_usage, "{args:?}: {:?}", ran.err);
    ran.err
}

pub fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

/// A small event without a lane of its own.
pub fn good(number: u64) -> Vec<u8> {
    format!(r#"{{"did":"did:plc:x","time_us":{number},"kind":"identity"}}"#).into_bytes()
}

/// Blocks in the lane of [`good`] events.
pub fn stored(server: &Server) -> u64 {
    super::support::ask(server, "XLEN forebay:{events.other.0}").unwrap()
}

/// `append` at work, with its first event stored and its stdin open.
pub fn at_work(server: &Server, more: &[&str]) -> (Child, ChildStdin) {
    let before = stored(server);
    let mut child =
        forebay(&[&["append", "--url", &server.url()], more].concat()).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    say(&mut stdin, 1);
    super::support::until("the first event is stored", || stored(server) == before + 1);
    (child, stdin)
}

/// Writes one [`good`] event.
pub fn say(stdin: &mut ChildStdin, number: u64) {
    stdin.write_all(&[&good(number)[..], b"\n"].concat()).unwrap();
}

/// The default profile with some of its words replaced, as a file in a folder; its path. Each must stand in it.
pub fn profile_with(dir: &Path, changes: &[(&str, &str)]) -> String {
    let mut text = include_str!("../../../profiles/bluesky-8h.toml").to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "the profile has no {from}");
        text = text.replace(from, to);
    }
    let path = dir.join("profile.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().into()
}

/// The same with this `[stream]`.
pub fn profile_of(dir: &Path, stream: &str) -> String {
    profile_with(dir, &[("[settings]", &format!("{stream}\n[settings]"))])
}
