//! What a server of our own promises: it starts, answers, comes back with its data, and is never left behind.
//!
//! They need a `redis-server` or `valkey-server`: on the PATH, or named by `FOREBAY_SERVER`.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use forebay_rig::server::{
    Conf, Server, ServerBinary, ServerError, ServerKind, Version, identify, install_signal_handler,
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// How long a condition may take to come true. Only failures take this long.
const LIMIT: Duration = Duration::from_secs(20);

fn binary() -> ServerBinary {
    ServerBinary::find(None).unwrap()
}

fn start(settings: &[(&str, &str)]) -> Server {
    Server::start(&binary(), &settings.iter().copied().collect()).unwrap()
}

/// Starts a server that lets DEBUG be used, which Redis 6 always does.
fn start_with_debug(settings: &[(&str, &str)]) -> Server {
    let is_asked_for = binary().version >= Version::new(7, 0, 0);
    let debug: &[_] = if is_asked_for { &[("enable-debug-command", "yes")] } else { &[] };
    start(&[settings, debug].concat())
}

fn ask<T: redis::FromRedisValue>(server: &Server, command: &[&str]) -> redis::RedisResult<T> {
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_connection_with_timeout(LIMIT)?;
    connection.set_read_timeout(Some(LIMIT))?;
    redis::cmd(command[0]).arg(&command[1..]).query(&mut connection)
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A process that has ended and that nobody has waited for yet is still listed, as a zombie: it is gone all the same.
fn is_gone(pid: u32) -> bool {
    let raw = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    let is_zombie = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
    };
    test_kill_process(raw).is_err() || is_zombie()
}

/// Writes a script. Another process does it, because what we had open for writing could not be executed as long as a
/// child that another test forks at the same moment has it open too.
fn script(folder: &Path, name: &str, text: &str, mode: &str) -> PathBuf {
    let file = folder.join(name);
    let write = r#"rm -f "$1" && printf '%s' "$2" > "$1" && chmod "$3" "$1""#;
    let status = Command::new("sh").args(["-c", write, "sh"]).arg(&file).args([text, mode]).status().unwrap();
    assert!(status.success());
    file
}

#[test]
fn a_server_starts_and_answers_as_what_it_was_found_to_be() {
    let binary = binary();
    let server = start(&[]);
    assert_eq!(ask::<String>(&server, &["PING"]).unwrap(), "PONG");
    let info: String = ask(&server, &["INFO", "server"]).unwrap();
    assert_eq!(identify(&info), Some((binary.kind, binary.version)));
    assert_eq!(server.identity(), (binary.kind, binary.version));
    assert!(info.contains(&format!("process_id:{}\r\n", server.pid())), "{info}");
    assert!(server.log_tail(5).contains("Ready to accept connections"), "{}", server.log_tail(5));
    assert!(!server.log_tail(1).contains('\n'));
}

#[test]
fn a_server_listens_on_loopback_alone() {
    // `0.0.0.0` must not come through even when the settings of a profile ask for it.
    let server = start(&[("bind", "0.0.0.0"), ("port", "1"), ("daemonize", "yes")]);
    let bind: (String, String) = ask(&server, &["CONFIG", "GET", "bind"]).unwrap();
    assert_eq!(bind.1, "127.0.0.1");
}

#[test]
fn two_servers_at_once_have_different_ports_and_folders() {
    let (one, other) = (start(&[]), start(&[]));
    assert_ne!(one.port(), other.port());
    assert_ne!(one.dir(), other.dir());
    ask::<()>(&one, &["SET", "key", "one"]).unwrap();
    assert_eq!(ask::<Option<String>>(&other, &["GET", "key"]).unwrap(), None);
}

#[test]
fn the_port_of_a_killed_server_is_not_one_that_outgoing_connections_are_given() {
    let mut server = start(&[]);
    server.kill().unwrap();
    assert!(server.port() < 32_768, "{} may be given to the client that tries to reconnect", server.port());
}

#[test]
fn a_dropped_server_is_gone_and_so_is_its_folder() {
    let server = start(&[("appendonly", "yes")]);
    let (pid, folder) = (server.pid(), server.dir().to_owned());
    assert!(folder.join("redis.conf").exists() && !is_gone(pid));
    drop(server);
    assert!(is_gone(pid), "process {pid} runs on");
    assert!(!folder.exists(), "{} is left over", folder.display());
}

#[test]
fn a_paused_server_can_be_dropped() {
    let server = start(&[]);
    server.pause().unwrap();
    let pid = server.pid();
    drop(server);
    assert!(is_gone(pid));
}

#[test]
fn a_failed_start_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let server = script(
        folder.path(),
        "redis-server",
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'Redis server v=7.0.15' && exit\necho \"conf $1\"\nexit 1\n",
        "755",
    );
    let binary = ServerBinary::find(Some(&server)).unwrap();
    let ServerError::ExitedEarly { log, status, .. } = Server::start(&binary, &Conf::new()).unwrap_err()
    else {
        panic!("something else went wrong")
    };
    assert_eq!(status.code(), Some(1));
    let conf = Path::new(log.strip_prefix("conf ").unwrap());
    assert!(conf.ends_with("redis.conf") && !conf.parent().unwrap().exists(), "{log}");
}

#[test]
fn a_key_survives_kill_and_restart_with_appendonly() {
    let mut server = start(&[("appendonly", "yes"), ("save", "")]);
    let (port, pid, url) = (server.port(), server.pid(), server.url());
    ask::<()>(&server, &["SET", "key", "kept"]).unwrap();
    server.kill().unwrap();
    assert!(is_gone(pid) && !server.is_running() && server.dir().exists());
    server.restart().unwrap();
    assert_eq!((server.port(), server.url()), (port, url));
    assert_ne!(server.pid(), pid);
    assert_eq!(ask::<Option<String>>(&server, &["GET", "key"]).unwrap().as_deref(), Some("kept"));
}

#[test]
fn a_kill_gives_the_server_no_time_to_save() {
    // With a save point, not reached yet, a server that is asked to end saves first.
    let mut server = start(&[("appendonly", "no"), ("save", "3600 1")]);
    ask::<()>(&server, &["SET", "key", "lost"]).unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    assert_eq!(ask::<Option<String>>(&server, &["GET", "key"]).unwrap(), None);
}

#[test]
fn a_server_told_to_terminate_saves_first_even_when_paused() {
    let mut server = start(&[("appendonly", "no"), ("save", "3600 1")]);
    ask::<()>(&server, &["SET", "key", "saved"]).unwrap();
    server.pause().unwrap();
    assert_eq!(server.terminate().unwrap().code(), Some(0));
    server.restart().unwrap();
    assert_eq!(ask::<Option<String>>(&server, &["GET", "key"]).unwrap().as_deref(), Some("saved"));
}

/// As by a child that the server had forked and that is not gone yet.
#[test]
fn a_restart_waits_until_nobody_has_the_port() {
    let mut server = Server::start(&binary(), &Conf::new()).unwrap();
    server.kill().unwrap();
    let holder = std::net::TcpListener::bind(("127.0.0.1", server.port())).unwrap();
    let release = std::thread::spawn(move || {
        // For so long somebody has it; a start meanwhile would fail at once.
        std::thread::sleep(Duration::from_millis(500));
        drop(holder);
    });
    server.restart().unwrap();
    release.join().unwrap();
}

#[test]
fn a_large_append_only_file_is_loaded_before_a_restart_returns() {
    let mut server = start_with_debug(&[("appendonly", "yes"), ("save", "")]);
    ask::<()>(&server, &["DEBUG", "POPULATE", "200000", "key", "100"]).unwrap();
    ask::<()>(&server, &["BGREWRITEAOF"]).unwrap();
    until("the rewrite is done", || {
        let info: String = ask(&server, &["INFO", "persistence"]).unwrap();
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
    });
    server.kill().unwrap();
    server.restart().unwrap();
    assert_eq!(ask::<u64>(&server, &["DBSIZE"]).unwrap(), 200_000);
}

#[test]
fn a_paused_server_gives_no_answer_until_it_is_resumed() {
    let server = start(&[]);
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection_with_timeout(LIMIT).unwrap();
    server.pause().unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(redis::cmd("PING").query::<String>(&mut connection).unwrap_err().is_timeout());
    server.resume().unwrap();
    assert_eq!(ask::<String>(&server, &["PING"]).unwrap(), "PONG");
}

#[test]
fn what_is_done_to_a_server_that_has_ended_is_an_error_and_so_is_a_restart_of_one_that_runs() {
    let mut server = start(&[]);
    assert!(matches!(server.restart(), Err(ServerError::StillRunning { .. })));
    server.kill().unwrap();
    assert!(matches!(server.kill(), Err(ServerError::NotRunning { doing: "kill", .. })));
    assert!(matches!(server.terminate(), Err(ServerError::NotRunning { .. })));
    assert!(matches!(server.pause(), Err(ServerError::NotRunning { .. })));
    assert!(matches!(server.resume(), Err(ServerError::NotRunning { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn the_memory_a_server_holds_grows_with_what_it_is_given() {
    let server = start_with_debug(&[]);
    let before = server.rss_bytes().unwrap();
    ask::<()>(&server, &["DEBUG", "POPULATE", "1000", "key", "20000"]).unwrap();
    let grown = server.rss_bytes().unwrap().saturating_sub(before);
    assert!((19_000_000..60_000_000).contains(&grown), "20 MB of values made it grow by {grown} bytes");
}

#[test]
fn a_wrong_setting_is_shown_in_the_server_s_own_words() {
    let conf = Conf::from_iter([("maxmemory-policy", "keep-everything")]);
    let error = Server::start(&binary(), &conf).unwrap_err().to_string();
    assert!(error.contains("FATAL CONFIG FILE ERROR"), "{error}");
    assert!(error.contains(">>> 'maxmemory-policy keep-everything'"), "{error}");
}

#[test]
fn settings_come_back_from_the_server_as_they_were_set() {
    let settings = [
        ("masterauth", "quotes \" and ' and \\ and # and\ttab\nline\u{1}é"),
        ("save", "3600 1 300 100"),
        ("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"),
        ("maxmemory-policy", "allkeys-lru"),
        ("proc-title-template", "{title} with spaces"),
        ("notify-keyspace-events", ""),
    ];
    let server = start(&settings);
    for (name, value) in settings {
        let (_, answered): (String, String) = ask(&server, &["CONFIG", "GET", name]).unwrap();
        assert_eq!(answered, value, "{name}");
    }
    let server = start(&[("save", "")]);
    assert_eq!(ask::<(String, String)>(&server, &["CONFIG", "GET", "save"]).unwrap().1, "");
}

#[test]
fn the_data_go_to_the_folder_that_is_set_and_stay_there() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("with space");
    fs::create_dir(&data).unwrap();
    let server = start(&[("dir", data.to_str().unwrap()), ("appendonly", "yes")]);
    assert_eq!(server.dir(), data);
    drop(server);
    assert!(data.join("appendonlydir").exists() || data.join("appendonly.aof").exists());
}

#[test]
fn a_server_that_is_not_found_comes_with_the_remedy() {
    let error = ServerBinary::find(Some(Path::new("/nowhere/redis-server"))).unwrap_err().to_string();
    for part in
        ["/nowhere/redis-server", "--server-bin", "apt-get install redis-server", "brew install redis"]
    {
        assert!(error.contains(part), "no {part:?} in: {error}");
    }
}

#[test]
fn what_is_not_a_server_is_refused_with_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text, mode| {
        let file = script(folder.path(), "thing", text, mode);
        let error = ServerBinary::find(Some(&file)).unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        error
    };
    assert!(refused("#!/bin/sh\necho something 1.2.3\n", "755").contains("\"something 1.2.3\""));
    assert!(refused("#!/bin/sh\nexit 1\n", "755").contains("failed and printed nothing"));
    assert!(refused("#!/bin/sh\nwhile :; do echo y; done\n", "755").contains("printed \"y\""));
    assert!(refused("#!/bin/sh\necho Redis server v=7.0.15\n", "644").contains("Permission denied"));
}

#[test]
fn a_server_that_a_wrapper_hides_is_not_taken_for_our_own() {
    let folder = tempfile::tempdir().unwrap();
    // Without `exec`, the process we start is the shell: killing it would not kill the server.
    let text = format!("#!/bin/sh\n{} \"$@\"\nexit 3\n", binary().path.display());
    let wrapper = script(folder.path(), "wrapper", &text, "755");
    let binary = ServerBinary::find(Some(&wrapper)).unwrap();
    let ServerError::NotOurs { reason, .. } = Server::start(&binary, &Conf::new()).unwrap_err() else {
        panic!("something else went wrong")
    };
    assert!(reason.contains("does not `exec`"), "{reason}");
    let hidden: u32 = reason.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    until("the hidden server is gone too", || is_gone(hidden));
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let server = std::thread::spawn(|| start(&[])).join().unwrap();
    assert_eq!(ask::<String>(&server, &["PING"]).unwrap(), "PONG");
    assert!(server.is_running());
}

/// A program with one server, in a process of its own.
struct Owner {
    process: Child,
    stdin: ChildStdin,
    /// Kept open, so that the owner can print.
    _stdout: Lines<BufReader<ChildStdout>>,
    pid: u32,
    server: u32,
    folder: PathBuf,
}

impl Owner {
    fn start(ends_by: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["helper_that_owns_a_server", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env("FOREBAY_TEST_OWNER", ends_by).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let stdin = process.stdin.take().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line =
            lines.find_map(|line| line.unwrap().split_once("server: ").map(|(_, rest)| rest.to_owned()));
        let line = line.expect("the owner ended before it started a server");
        let (server, folder) = line.split_once(' ').unwrap();
        let (server, folder) = (server.parse().unwrap(), folder.into());
        assert!(!is_gone(server) && Path::new(&folder).exists());
        Self { pid: process.id(), process, stdin, _stdout: lines, server, folder }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    fn wait(mut self) -> (ExitStatus, u32, PathBuf) {
        // Its stdin must stay open until it has ended by what was done to it.
        let mut status = None;
        until("the owner has ended", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap(), self.server, std::mem::take(&mut self.folder))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "helper: other tests run it in a process of its own"]
fn helper_that_owns_a_server() {
    let Ok(ends_by) = std::env::var("FOREBAY_TEST_OWNER") else { return };
    if ends_by == "handler" {
        // What is left to do on exit may go wrong, and the program must end all the same.
        install_signal_handler(130, || false, || std::panic::resume_unwind(Box::new("on exit"))).unwrap();
    }
    // Started by a thread that ends, as a proof may: that must not matter.
    let mut server = std::thread::spawn(|| start(&[("appendonly", "yes")])).join().unwrap();
    println!("server: {} {}", server.pid(), server.dir().display());
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    if ends_by == "end_all" {
        forebay_rig::server::end_all();
        assert!(!server.is_running());
        assert!(matches!(server.restart(), Err(ServerError::Ending)));
        assert!(matches!(Server::start(&binary(), &Conf::new()), Err(ServerError::Ending)));
        // As the handler does: nothing is dropped.
        std::process::exit(0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_ends_when_its_owner_is_killed() {
    let owner = Owner::start("SIGKILL");
    owner.signal(Signal::KILL);
    let (_, server, folder) = owner.wait();
    until("the server is gone", || is_gone(server));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_server_and_its_folder_end_when_the_owner_is_interrupted() {
    for signal in [Signal::INT, Signal::TERM] {
        let owner = Owner::start("handler");
        owner.signal(signal);
        let (status, server, folder) = owner.wait();
        assert_eq!(status.code(), Some(130), "{status}");
        assert!(is_gone(server) && !folder.exists(), "{signal:?} left {} or {}", server, folder.display());
    }
}

#[test]
fn the_signal_of_a_terminal_does_not_reach_the_server() {
    let owner = Owner::start("SIGKILL");
    let group = |pid| rustix::process::getpgid(Pid::from_raw(i32::try_from(pid).unwrap())).unwrap();
    assert_ne!(group(owner.server), group(owner.pid));
    owner.signal(Signal::KILL);
    let (_, server, folder) = owner.wait();
    until("the server is gone", || is_gone(server));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn after_the_end_of_all_servers_none_is_started() {
    let mut owner = Owner::start("end_all");
    owner.stdin.write_all(b"\n").unwrap();
    let (status, server, folder) = owner.wait();
    assert!(status.success(), "{status}");
    assert!(is_gone(server) && !folder.exists());
}

#[test]
fn kinds_print_as_people_write_them() {
    assert_eq!(
        (ServerKind::Redis.to_string(), ServerKind::Valkey.to_string()),
        ("Redis".into(), "Valkey".into())
    );
}
