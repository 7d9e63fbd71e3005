//! What is claimed of `audit --conf --try`: its answer to a file is that of the server, started on the file itself.
//!
//! Files are made by mutation of valid ones: ranges, words, numbers of words, users, renamed commands, listeners. The real start
//! differs from the file only in where its files lie.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use forebay_proof::audit::{from_file, judge};
use forebay_rig::server::ServerBinary;
use forebay_watch::profile::Profile;

use super::support::{LIMIT, Random};

/// Lines that every server takes.
const VALID: [&str; 44] = [
    "maxmemory 100mb",
    "maxmemory-policy allkeys-lru",
    "maxmemory-samples 5",
    "appendonly yes",
    "appendfsync always",
    "no-appendfsync-on-rewrite no",
    "auto-aof-rewrite-percentage 100",
    "auto-aof-rewrite-min-size 64mb",
    "save 900 1",
    "save \"\"",
    "databases 4",
    "timeout 0",
    "tcp-keepalive 300",
    "tcp-backlog 511",
    "maxclients 100",
    "hz 10",
    "loglevel notice",
    "protected-mode yes",
    "bind 127.0.0.1",
    "bind 127.0.0.1 -::1",
    "repl-backlog-size 1mb",
    "repl-timeout 60",
    "min-replicas-to-write 0",
    "client-output-buffer-limit normal 0 0 0",
    "client-output-buffer-limit replica 256mb 64mb 60",
    "notify-keyspace-events KEA",
    "oom-score-adj-values 0 200 800",
    "slowlog-log-slower-than 10000",
    "slowlog-max-len 128",
    "latency-monitor-threshold 0",
    "lazyfree-lazy-user-del yes",
    "stream-node-max-bytes 4096",
    "rdbcompression yes",
    "stop-writes-on-bgsave-error yes",
    "appendfilename appendonly.aof",
    "dbfilename dump.rdb",
    "requirepass secret",
    "masterauth secret",
    "user app on >pw ~app:* +@all -@dangerous",
    "user default on >pw ~* &* +@all",
    "rename-command FLUSHALL \"\"",
    "rename-command CONFIG hidden",
    "unixsocketperm 700",
    "supervised no",
];

/// What stands in the place of a value.
const VALUES: [&str; 26] = [
    "yes",
    "no",
    "true",
    "-1",
    "0",
    "1",
    "101",
    "70000",
    "2147483648",
    "99999999999999999999",
    "five",
    "60s",
    "10%",
    "1gb",
    "everysec",
    "noeviction",
    "lots",
    "\"\"",
    "01",
    "+1",
    "#",
    "a/b",
    "999",
    "on",
    "systemd",
    "local",
];

/// Lines that take the place of one that is about users, renames or listeners.
const LINES: [&str; 28] = [
    "user",
    "user app on pw",
    "user app on >pw +nosuch",
    "user app on >pw +@nosuch",
    "user app on #abc",
    "user app on (+get ~x",
    "user app on nopass ~* -@all +xadd +config|get",
    "user app reset off resetkeys",
    "user app on\nuser app off",
    "rename-command",
    "rename-command FLUSHALL",
    "rename-command NOSUCH \"\"",
    "rename-command FLUSHALL GET",
    "rename-command KEYS k\nrename-command k \"\"",
    "rename-command KEYS \"\"\nrename-command KEYS k",
    "bind 127.0.0.1 # this machine",
    "bind ${POD_IP}",
    "bind 127.0.0.1:6379",
    "bind 192.0.2.1",
    "bind 127.0.0.1 -192.0.2.1",
    "bind",
    "port 66379",
    "port -1",
    "port six",
    "aclfile users.acl\nuser app on",
    "vm-enabled no",
    "maxmemroy 2gb",
    "sentinel monitor m 127.0.0.1 6379 1",
];

/// A file, by mutation of a valid one.
fn variant(random: &mut Random) -> String {
    let mut pick = |from: &[&'static str]| from[random.below(from.len() as u64) as usize];
    let mut lines: Vec<String> = Vec::new();
    for _ in 0..6 {
        let line = pick(&VALID);
        // A name once: what comes twice is the mutations' business.
        let name =
            line.split(' ').take(if line.starts_with("user") { 2 } else { 1 }).collect::<Vec<_>>().join(" ");
        if !lines.iter().any(|known| known.starts_with(&name)) {
            lines.push(line.into());
        }
    }
    let at = random.below(lines.len() as u64) as usize;
    let mut words: Vec<String> = lines[at].split(' ').map(str::to_owned).collect();
    match random.below(6) {
        // As it is.
        0 => {}
        // Another value, one more word, one less.
        1 | 2 => {
            let which = 1 + random.below(words.len() as u64 - 1) as usize;
            words[which] = VALUES[random.below(VALUES.len() as u64) as usize].into();
        }
        3 if random.below(2) == 0 => words.push(VALUES[random.below(VALUES.len() as u64) as usize].into()),
        3 => drop(words.pop()),
        _ => {
            let line = LINES[random.below(LINES.len() as u64) as usize];
            let name = line.split(' ').next().unwrap_or_default();
            lines.retain(|known| !known.starts_with(name));
            lines.push(line.into());
            return lines.join("\n") + "\n";
        }
    }
    lines[at] = words.join(" ");
    lines.join("\n") + "\n"
}

/// Whether the server starts on the text itself, with its files in a folder and a port of its own where the text names none.
fn starts(binary: &Path, text: &str, dir: &Path) -> bool {
    let conf = dir.join("real.conf");
    let mut text = text.replace("aclfile users.acl", &format!("aclfile {}/users.acl", dir.display()));
    std::fs::write(dir.join("users.acl"), "").unwrap();
    if !text.lines().any(|line| line.starts_with("port ")) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        text = format!("{text}port {port}\n");
    }
    std::fs::write(&conf, format!("{text}dir {0}\nunixsocket {0}/s\nloglevel notice\n", dir.display()))
        .unwrap();
    let log = dir.join("real.log");
    let out = std::fs::File::create(&log).unwrap();
    let mut command = Command::new(binary);
    command.arg(&conf).current_dir(dir).stdin(Stdio::null()).stderr(out.try_clone().unwrap()).stdout(out);
    let mut child = command.spawn().unwrap();
    let began = Instant::now();
    let is_ready = loop {
        if child.try_wait().unwrap().is_some() {
            break false;
        }
        if std::fs::read_to_string(&log).unwrap_or_default().contains("eady to accept connections") {
            break true;
        }
        assert!(began.elapsed() < LIMIT, "neither up nor gone: {text}");
        std::thread::sleep(Duration::from_millis(5));
    };
    let _ = child.kill();
    child.wait().unwrap();
    is_ready
}

/// What `audit --conf --try` says: whether anything of the file is refused.
fn is_taken(binary: &ServerBinary, text: &str, dir: &Path) -> (bool, String) {
    let path = dir.join("redis.conf");
    std::fs::write(&path, text).unwrap();
    let profile = Profile::load("bluesky-8h").unwrap();
    let seen = from_file::look_and_try(&path, &profile, binary, LIMIT).unwrap();
    let audit = judge::audit(&seen, "file", true);
    let of_file: Vec<_> = audit.rules.iter().filter(|finding| finding.id.starts_with("file.")).collect();
    assert!(of_file.iter().all(|finding| finding.tag() != "not shown"), "{of_file:?}");
    let said = of_file.iter().map(|finding| format!("{} {}: {}", finding.tag(), finding.id, finding.read));
    (of_file.iter().all(|finding| !finding.is_broken()), said.collect::<Vec<_>>().join("\n  "))
}

/// Holds the audit's answers against the server's; how many were the same, and those that were not.
pub fn compare(binary: &Path, files: u64, seed: u64) -> (u64, Vec<String>) {
    let found = ServerBinary::find(Some(binary)).unwrap();
    let mut random = Random::new(seed);
    let (mut same, mut other) = (0, Vec::new());
    for at in 0..files {
        let dir = tempfile::tempdir().unwrap();
        let text = variant(&mut random);
        let (real, (said, why)) = (starts(binary, &text, dir.path()), is_taken(&found, &text, dir.path()));
        if real == said {
            same += 1;
        } else {
            other.push(format!(
                "file {at} of seed {seed}: the server {real}, the audit {said}\n{text}  {why}"
            ));
        }
    }
    (same, other)
}

#[test]
fn the_audit_of_a_file_says_what_a_start_on_it_says() {
    let binary: PathBuf = ServerBinary::find(None).unwrap().path;
    let (same, other) = compare(&binary, 20, 20);
    assert_eq!(same, 20, "{}", other.join("\n"));
}

/// The servers that `make servers` has fetched.
pub fn servers() -> Vec<(String, PathBuf)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../servers");
    let named = |name: &str| {
        let programs = ["redis-server", "valkey-server"].map(|program| here.join(name).join(program));
        programs.into_iter().find(|path| path.exists()).map(|path| (name.to_owned(), path))
    };
    ["redis-6.2.5", "redis-7.0.15", "redis-8.2.3", "valkey-8.1.8", "valkey-9.1.2"]
        .into_iter()
        .filter_map(named)
        .collect()
}
