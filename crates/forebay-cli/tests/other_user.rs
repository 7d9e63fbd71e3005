//! What is claimed of servers that Forebay starts, of another user of the same machine: nothing of them can be read, written
//! or asked.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::cli_support::{forebay, interrupt};
use super::support::LIMIT;
use super::verify_support::{Copied, with_likes};

/// A user without rights, as every system has one.
const NOBODY: u32 = 65_534;
/// What others asked of a server, as they would.
fn answers(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
        .write_all(b"INFO\r\nKEYS *\r\nFLUSHALL\r\nCONFIG SET dir /tmp\r\nREPLICAOF 127.0.0.1 1\r\nQUIT\r\n")
        .ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}

/// A shell command of the other user: whether it succeeded, and what it printed.
fn as_nobody(script: &str, folder: &Path) -> (bool, String) {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(folder).uid(NOBODY).gid(NOBODY).current_dir("/");
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Every file below a folder; what goes away meanwhile is left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let paths = entries.map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Looks at one folder of a run; the password of its server, once that can be asked, or that it has a socket.
fn look(folder: &Path) -> Option<String> {
    for script in
        ["ls \"$1\"", "cat \"$1\"/redis.conf", "ls \"$1\"/*", "touch \"$1\"/x", "cat \"$1\"/appendonlydir/*"]
    {
        let (succeeded, printed) = as_nobody(script, folder);
        let is_there = folder.exists();
        assert!(!is_there || (!succeeded && !printed.contains("port")), "{script}: {printed}");
    }
    for file in files(folder) {
        let Ok(about) = fs::symlink_metadata(&file) else { continue };
        let mode = about.permissions().mode() & 0o7777;
        assert!(about.file_type().is_symlink() || mode.trailing_zeros() >= 6, "{}: {mode:o}", file.display());
    }
    let conf = fs::read_to_string(folder.join("redis.conf")).ok()?;
    let setting = |name: &str| {
        conf.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .map(|value| value.trim_matches('"').to_owned())
    };
    let port: u16 = setting("port")?.parse().unwrap();
    if port == 0 {
        assert!(Path::new(&setting("unixsocket").unwrap()).starts_with(folder), "{conf}");
        return Some(folder.display().to_string());
    }
    let said = answers(port)?;
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines.len() >= 5 && lines[..5].iter().all(|line| line.starts_with("-NOAUTH")),
        "port {port}: {said}"
    );
    setting("requirepass")
}

/// Runs a verb and looks at its servers as the other user does.
pub fn closed_to_others(args: &[&str], root: &Path) {
    let temporary = root.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    for path in [root, &temporary] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut child = forebay(args).env("TMPDIR", &temporary).spawn().unwrap();
    let (started, mut secrets, mut seen) = (Instant::now(), BTreeSet::new(), 0);
    while secrets.is_empty() && child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < LIMIT, "{args:?} has shown {secrets:?}");
        for entry in fs::read_dir(&temporary).unwrap().filter_map(Result::ok) {
            seen += 1;
            secrets.extend(look(&entry.path()));
        }
        for secret in &secrets {
            let shown = fs::read_dir("/proc").unwrap().filter_map(Result::ok).find(|process| {
                let said = fs::read(process.path().join("cmdline")).unwrap_or_default();
                !secret.starts_with('/') && String::from_utf8_lossy(&said).contains(secret.as_str())
            });
            assert!(shown.is_none(), "{args:?}: a password stands on a command line");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    if child.try_wait().unwrap().is_none() {
        interrupt(&child);
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(seen > 0 && !secrets.is_empty(), "{args:?} started nothing that was looked at: {said}");
    for secret in secrets.iter().filter(|secret| !secret.starts_with('/')) {
        assert!(!said.contains(secret.as_str()), "{args:?} prints a password");
    }
}

pub fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("only root can be another user too");
    }
    is_root
}

#[test]
fn another_user_can_neither_read_nor_ask_the_servers_of_a_verb() {
    if !is_root() {
        return;
    }
    let copied = Copied::of(&mut with_likes(3));
    // A server that does not come until this has looked: its folder, settings and copy are there.
    let root = tempfile::tempdir().unwrap();
    let binary = forebay_rig::server::ServerBinary::find(None).unwrap();
    let slow = root.path().join("redis-server");
    let text =
        format!("#!/bin/sh\n[ \"$1\" = --version ] || sleep 100\nexec {} \"$@\"\n", binary.path.display());
    fs::write(&slow, text).unwrap();
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
    let (aof, slow) = (copied.path().to_str().unwrap(), slow.to_str().unwrap());
    closed_to_others(&["verify", "--aof", aof, "--server-bin", slow], root.path());
    for verb in ["capacity", "durability"] {
        closed_to_others(&[verb, "--quiet"], tempfile::tempdir().unwrap().path());
    }
}
