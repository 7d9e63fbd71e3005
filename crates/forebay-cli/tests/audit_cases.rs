//! What is claimed of the audit on files and servers that people had: each was once answered wrongly. The same kinds with
//! other inputs stand beside them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use forebay_proof::audit::outcome::{Audit, Finding};
use forebay_proof::audit::rule::Fix;
use forebay_proof::audit::{from_file, judge, remedy};
use forebay_proof::report::json;
use forebay_rig::server::{Conf, Server, ServerBinary};
use forebay_watch::profile::Profile;

use super::cli_support::run;
use super::support::{LIMIT, ask, tell, until};

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("redis.conf");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

/// The audit of a file by its rules alone.
fn read(text: &str) -> Audit {
    let (_dir, path) = file(text);
    judge::audit(&from_file::look(&path, &Profile::load("bluesky-8h").unwrap()).unwrap(), "redis.conf", true)
}

/// The audit of a file with a start of the server that tests use.
fn tried(text: &str) -> Audit {
    let (_dir, path) = file(text);
    let binary = ServerBinary::find(None).unwrap();
    let seen = from_file::look_and_try(&path, &Profile::load("bluesky-8h").unwrap(), &binary, LIMIT).unwrap();
    judge::audit(&seen, "redis.conf", true)
}

fn finding<'a>(audit: &'a Audit, id: &str) -> &'a Finding {
    audit.rules.iter().find(|finding| finding.id == id).unwrap()
}

/// Whether the rules say that some server takes every line.
fn is_taken(audit: &Audit) -> bool {
    !finding(audit, "file.readable").is_broken() && !finding(audit, "file.known").is_broken()
}

/// What the rules say of the file's lines.
fn said(audit: &Audit) -> String {
    ["file.readable", "file.known"].map(|id| finding(audit, id).read.clone()).join("; ")
}

const TLS: &str = "tls-cert-file /etc/redis/tls/cert.pem\ntls-key-file /etc/redis/tls/key.pem\n\
                   tls-ca-cert-file /etc/redis/tls/ca.pem\n";

#[test]
fn lines_that_some_server_takes_are_no_faults() {
    for text in [
        &format!("bind 127.0.0.1\nport 0\ntls-port 6379\n{TLS}tls-auth-clients optional\n"),
        "io-threads-do-reads yes\nio-threads 2\nevents-per-io-thread 2\n",
        "loglevel nothing\ncommandlog-request-larger-than -1\nimport-mode no\n",
        "sanitize-dump-payload clients\nrepl-diskless-load flush-before-load\nenable-debug-command local\n",
        "rdb-key-save-delay 0\nkey-load-delay 0\nuse-exit-on-panic no\nclient-default-resp 3\n",
        "list-max-ziplist-entries 512\nslave-read-only yes\nlua-time-limit 5000\n",
        "rename-command CONFIG hidden\nrename-command hidden shown\nrename-command KEYS \"\"\n",
        "user app on >pw ~app:* &* +@all -@dangerous +config|get (+get %R~x)\n",
    ] {
        let audit = read(text);
        assert!(is_taken(&audit), "{text:?}: {}", said(&audit));
        assert!(
            finding(&audit, "file.readable").read.contains("none is known to be refused"),
            "{}",
            said(&audit)
        );
    }
}

#[test]
fn lines_that_every_server_refuses_are_named_with_the_reason() {
    for (text, says) in [
        ("bind * -::* # all\n", "comment"),
        ("bind 127.0.0.1 # only this machine\n", "comment"),
        ("bind ${POD_IP} 127.0.0.1\n", "word 1 is no address"),
        ("bind 0.0.0.0/0\n", "no address"),
        ("\u{feff}# my settings\nbind 127.0.0.1\n", "byte order mark"),
        ("port 6379\nvm-enabled no\n", "vm-enabled: removed"),
        ("hash-max-zipmap-entries 512\n", "hash-max-zipmap-entries: removed"),
        (
            "    port 26379\n    sentinel monitor m 10.0.0.1 6379 2\n    sentinel auth-pass m pw\n",
            "file of a Sentinel",
        ),
        ("requirepass pw\naclfile /etc/redis/users.acl\nuser default on >pw ~* +@all\n", "one place alone"),
        ("cluster-enabled yes\nreplicaof 10.0.0.1 6379\n", "in a cluster"),
        ("port 0\n", "nothing is left to listen on"),
        ("port 6379\ntls-port 6379\n", "the plain port too"),
        ("tls-port 6380\n", "needs tls-cert-file"),
        ("search.timeout 5\n", "no line loadmodule"),
        ("rename-command NOSUCH \"\"\n", "no command of any server"),
        ("rename-command CONFIG GET\n", "another command"),
        ("rename-command CONFIG \"\"\nrename-command CONFIG x\n", "no command of any server"),
        ("user app on +nosuch\n", "names a command"),
        ("user app on\nuser app off\n", "twice"),
        ("user app on nopas\n", "none that a server knows"),
        ("include a.conf b.conf\n", "one path"),
        ("loadmodule\n", "a path"),
    ] {
        let audit = read(text);
        assert!(!is_taken(&audit) && said(&audit).contains(says), "{text:?}: {}", said(&audit));
        let once = said(&audit).matches("Sentinel").count();
        assert!(once <= 1, "{}", said(&audit));
    }
    let lines = "supervised true\nrepl-diskless-load yes\nmaxmemory-samples five\nrepl-timeout 60s\nsyslog-facility daemon\n\
        acl-pubsub-default deny\nproc-title-template \"{bogus}\"\nnotify-keyspace-events Q\n\
        client-output-buffer-limit master 0 0 0\nport 66379\ndatabases 0\nmaxclients -1\ntimeout -1\nrepl-backlog-size 0\n\
        hz -1\nmin-replicas-to-write -1\nio-threads 200\nunixsocketperm 999\noom-score-adj-values 0 200\n\
        maxmemory-samples 0\nappendfilename \"sub/appendonly.aof\"\nlatency-tracking-info-percentiles 50 101\n";
    for line in lines.lines() {
        let audit = read(&format!("{line}\n"));
        assert!(finding(&audit, "file.readable").is_broken(), "{line}");
    }
}

#[test]
fn without_a_start_nothing_is_said_of_one() {
    let audit = read("port 6379\nappendonly yes\n");
    for finding in audit.rules.iter().filter(|finding| finding.id.starts_with("file.")) {
        let claims =
            finding.tag() == "ok" && (finding.must.contains("start") || finding.read.contains("start"));
        assert!(!claims, "{finding:?}");
    }
    assert_eq!(finding(&audit, "file.starts").tag(), "not shown");
}

#[test]
fn a_start_on_a_copy_says_what_the_server_refuses_and_where() {
    let audit = tried("maxmemory 100mb\nhz -1\nrequirepass \"hunter2.x y\" z\ndatabases 0\n");
    let starts = finding(&audit, "file.starts");
    assert!(starts.is_broken(), "{starts:?}");
    for part in ["redis.conf:2: ", "redis.conf:3: ", "redis.conf:4: ", "between"] {
        assert!(starts.read.contains(part), "{part}: {}", starts.read);
    }
    assert!(!starts.read.contains("redis.conf:1") && !format!("{audit:?}").contains("hunter2"), "{starts:?}");
}

#[test]
fn a_start_on_a_copy_opens_and_writes_nothing_of_the_users() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().to_str().unwrap();
    let text = format!(
        "port 1\nbind 192.0.2.7\nlogfile {here}/log\npidfile {here}/pid\nunixsocket {here}/sock\ndir {here}\ndaemonize yes\n\
         supervised systemd\nappendonly yes\nsave 1 1\naclfile {here}/acl\nloadmodule {here}/evil.so\nreplicaof 192.0.2.1 1\n\
         tls-port 2\ntls-cert-file {here}/c\nsyslog-enabled yes\ncluster-enabled yes\ncluster-config-file {here}/nodes\n"
    );
    let path = dir.path().join("redis.conf");
    std::fs::write(&path, text).unwrap();
    let binary = ServerBinary::find(None).unwrap();
    let profile = Profile::load("bluesky-8h").unwrap();
    let seen = from_file::look_and_try(&path, &profile, &binary, LIMIT).unwrap();
    let tried = seen.file.as_ref().unwrap().tried.clone().unwrap();
    let names: Vec<&str> = tried.untried.iter().map(|(_, name)| name.as_str()).collect();
    for name in
        ["logfile", "pidfile", "unixsocket", "dir", "aclfile", "loadmodule", "replicaof", "tls-cert-file"]
    {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["redis.conf"]);
}

#[test]
fn patterns_of_folders_are_not_walked() {
    let audit = read("include /**/*\ninclude /*/*/*.conf\nhz 20\n");
    assert!(said(&audit).contains("any number of files"), "{}", said(&audit));
}

/// No line that a person would paste may end the connection that the audit came by.
pub fn assert_cuts_nobody_off(audit: &Audit) {
    for name in ["bind", "protected-mode", "requirepass", "port", "tls-port", "rename-command", "user "] {
        let is_set = |line: &&str| line.starts_with(name) || line.contains(&format!("CONFIG SET {name}"));
        assert_eq!(pasted(audit).lines().find(is_set), None, "{name}");
    }
}

/// Every line that a remedy would have a person paste.
fn pasted(audit: &Audit) -> String {
    let all = remedy::conf(audit) + &remedy::commands(audit, "redis-cli");
    all.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_remedy_that_is_not_a_comment_cuts_off_the_connection_it_came_by() {
    let server = "bind 0.0.0.0\nprotected-mode no\nmaxclients 20\ntimeout 60\n";
    let audit = read(server);
    assert!(finding(&audit, "network.bind").is_broken() && finding(&audit, "network.open").is_broken());
    assert_cuts_nobody_off(&audit);
    assert!(remedy::conf(&audit).contains("# by hand: bind"), "{}", remedy::conf(&audit));
    assert!(pasted(&audit).contains("maxclients 10000"), "more clients cut off nobody");
}

#[test]
fn another_number_of_databases_is_no_danger() {
    let conf: Conf = Profile::load("bluesky-8h").unwrap().conf_settings().into_iter().collect();
    let (_dir, path) = file(&(conf.render() + "databases 16\ntcp-keepalive 100\n"));
    let ran = run(&["audit", "--conf", path.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", String::from_utf8_lossy(&ran.out));
    let (_dir, path) = file(&(conf.render() + "databases 16\nmaxmemory 1gb\n"));
    assert_eq!(run(&["audit", "--conf", path.to_str().unwrap()]).code, 1, "less memory is");
}

#[test]
fn a_plain_port_beside_tls_is_open() {
    let both = read(&format!("bind 10.0.0.5\nport 6379\ntls-port 6380\nrequirepass pw\n{TLS}"));
    let tls = finding(&both, "network.tls");
    assert!(tls.is_broken() && tls.fixes[0].line().contains("port 0"), "{tls:?}");
    assert_cuts_nobody_off(&both);
    let alone = read(&format!("bind 10.0.0.5\nport 0\ntls-port 6380\nrequirepass pw\n{TLS}"));
    assert!(!finding(&alone, "network.tls").is_broken());
}

/// A server with these settings and nothing else of ours.
fn with(settings: &[(&str, &str)]) -> Server {
    let conf: Conf = settings.iter().copied().collect();
    Server::start(&ServerBinary::find(None).unwrap(), &conf).unwrap()
}

fn audit_of(url: &str) -> (i32, Audit) {
    let ran = run(&["audit", "--json", "--url", url]);
    let report =
        json::from_str(&String::from_utf8(ran.out).unwrap()).unwrap_or_else(|_| panic!("{}", ran.err));
    (ran.code, report.audit.unwrap())
}

#[test]
fn where_config_is_disabled_info_is_read_and_no_remedy_needs_config() {
    let server = with(&[
        ("appendonly", "no"),
        ("save", ""),
        ("maxmemory", "256mb"),
        ("maxmemory-policy", "allkeys-lru"),
        ("rename-command", "CONFIG \"\""),
    ]);
    let (code, audit) = audit_of(&server.url());
    for id in ["memory.eviction", "persistence.aof"] {
        assert!(finding(&audit, id).is_broken(), "{id}: {:?}", finding(&audit, id));
    }
    assert!(!finding(&audit, "memory.maxmemory").is_broken() && code == 1);
    let fixes = audit.rules.iter().flat_map(|finding| &finding.fixes);
    let needs = |fix: &&Fix| match fix {
        Fix::Set { .. } => true,
        Fix::Command { line } => line.starts_with("CONFIG"),
        _ => false,
    };
    assert_eq!(fixes.filter(needs).collect::<Vec<_>>(), Vec::<&Fix>::new());
    assert!(!pasted(&audit).contains("CONFIG"), "{}", pasted(&audit));
    let aof = finding(&audit, "persistence.aof");
    assert!(aof.fixes.iter().any(|fix| fix.line().contains("CONFIG is disabled")), "{aof:?}");
}

#[test]
fn a_file_that_disables_config_gets_no_remedy_by_config() {
    let audit = read("rename-command CONFIG \"\"\nrename-command BGREWRITEAOF \"\"\nuser default off\n");
    let aof = finding(&audit, "persistence.aof");
    assert!(aof.fixes.iter().any(|fix| fix.line().contains("CONFIG is disabled")), "{aof:?}");
    assert!(!remedy::conf(&audit).contains("CONFIG SET appendonly"), "{}", remedy::conf(&audit));
}

#[test]
fn refused_writes_are_a_danger() {
    let server = with(&[("appendonly", "no"), ("save", "3600 1"), ("stop-writes-on-bgsave-error", "yes")]);
    let last = |url: &str| finding(&audit_of(url).1, "persistence.last-save").clone();
    assert!(!last(&server.url()).is_broken());
    // A folder in the place of the file that a snapshot is renamed to.
    std::fs::create_dir(server.dir().join("dump.rdb")).unwrap();
    tell(&server, "SET a b");
    tell(&server, "BGSAVE");
    until("writes are refused", || ask::<String>(&server, "SET a c").is_err());
    let broken = last(&server.url());
    assert!(
        broken.is_broken() && broken.severity.word() == "danger" && broken.read.contains("MISCONF"),
        "{broken:?}"
    );
    tell(&server, "CONFIG SET stop-writes-on-bgsave-error no");
    assert_eq!(last(&server.url()).severity.word(), "warn", "writes are taken");
    std::fs::remove_dir(server.dir().join("dump.rdb")).unwrap();
}

/// A program of a test's own, ended with it.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server as it is on a port that was free, which it is asked for by `make` until it has one.
fn started(make: impl Fn(u16, &Path) -> Command) -> (Running, u16, tempfile::TempDir) {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = make(port, dir.path());
        let mut child = Running(
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(),
        );
        let began = std::time::Instant::now();
        while child.0.try_wait().unwrap().is_none() && began.elapsed() < LIMIT {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (child, port, dir);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    panic!("no port was to be had")
}

#[test]
fn a_sentinel_is_told_from_a_server() {
    let binary = ServerBinary::find(None).unwrap();
    let (_sentinel, port, _dir) = started(|port, dir| {
        let conf = dir.join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor mymaster 127.0.0.1 7999 1\n",
            dir.display()
        );
        std::fs::write(&conf, text).unwrap();
        let mut command = Command::new(&binary.path);
        command.arg(conf).arg("--sentinel");
        command
    });
    let url = format!("redis://127.0.0.1:{port}");
    let (_events, events) = file("{\"did\":\"did:plc:x\",\"time_us\":1,\"kind\":\"identity\"}\n");
    let events = events.to_str().unwrap();
    for args in [&["audit", "--url", &url][..], &["stat", "--url", &url], &["append", events, "--url", &url]]
    {
        let ran = run(args);
        assert!(ran.code == 3 && ran.out.is_empty(), "{args:?}: {}", ran.err);
        assert!(
            ran.err.contains("it is a Sentinel") && ran.err.contains("mymaster is at 127.0.0.1:7999"),
            "{}",
            ran.err
        );
        assert!(!ran.err.contains("rename-command") && !ran.err.contains("TIME"), "{}", ran.err);
    }
}

/// What openssl says to, in a folder.
fn openssl(dir: &Path, args: &str) {
    let out = Command::new("openssl").current_dir(dir).args(args.split(' ')).output().unwrap();
    assert!(out.status.success(), "{args}: {}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_private_ca_is_asked_for_by_the_way_that_it_is_given() {
    let binary = ServerBinary::find(None).unwrap();
    let (_server, port, dir) = started(|port, dir| {
        openssl(dir, "req -x509 -newkey rsa:2048 -nodes -days 9 -keyout ca.key -out ca.pem -subj /CN=testca");
        openssl(dir, "req -newkey rsa:2048 -nodes -keyout key.pem -out s.csr -subj /CN=localhost");
        std::fs::write(dir.join("ext"), "subjectAltName=DNS:localhost\n").unwrap();
        openssl(
            dir,
            "x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile ext -out cert.pem",
        );
        let conf = dir.join("tls.conf");
        let text = format!(
            "port 0\ntls-port {port}\nbind 127.0.0.1\ndir {0}\nsave \"\"\ntls-cert-file {0}/cert.pem\ntls-key-file \
             {0}/key.pem\ntls-ca-cert-file {0}/ca.pem\ntls-auth-clients no\n",
            dir.display()
        );
        std::fs::write(&conf, text).unwrap();
        let mut command = Command::new(&binary.path);
        command.arg(conf);
        command
    });
    let url = format!("rediss://localhost:{port}");
    let ran = run(&["stat", "--url", &url]);
    assert!(
        ran.code == 3 && ran.err.contains("SSL_CERT_FILE=") && !ran.err.contains("is it running"),
        "{}",
        ran.err
    );
    let with = super::cli_support::forebay(&["stat", "--url", &url])
        .env("SSL_CERT_FILE", dir.path().join("ca.pem"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&with.stderr);
    assert!(said.contains("there is no buffer"), "{said}");
}
