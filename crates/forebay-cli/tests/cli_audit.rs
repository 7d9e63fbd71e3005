//! What is claimed of `forebay audit`: what it prints, the files it writes, its exit codes.

use forebay_proof::report::json;
use forebay_rig::server::{Conf, Server, ServerBinary};
use forebay_watch::profile::Profile;

use crate::cli_support::{holds, run};
use crate::support::{server, tell};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A server with a profile's settings.
fn with_profile(name: &str) -> Server {
    let conf: Conf = Profile::load(name).unwrap().conf_settings().into_iter().collect();
    Server::start(&ServerBinary::find(None).unwrap(), &conf).unwrap()
}

#[test]
fn a_stock_server_is_told_what_would_lose_its_events_and_the_line_that_mends_it() {
    // Its own defaults, but for where it listens and snapshots.
    let server = server(&[]);
    let ran = run(&["audit", "--url", &server.url()]);
    let said = text(&ran.out);
    assert_eq!(ran.code, 1, "{}", ran.err);
    for line in
        ["[danger]  memory.maxmemory", "CONFIG SET maxmemory 2gb", "CONFIG SET appendonly yes", "Do first:"]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
}

#[test]
fn a_server_as_the_profile_asks_is_proven_and_every_control_is_refuted() {
    let server = with_profile("bluesky-8h");
    let ran = run(&["audit", "--quiet", "--json", "--url", &server.url()]);
    let report = json::from_str(&text(&ran.out)).unwrap();
    for claim in &report.claims {
        assert!(claim.control().unwrap().is_refuted(), "{claim:?}");
    }
    let settings = report.claims.iter().find(|claim| claim.id == "audit.settings").unwrap();
    assert_eq!(settings.verdict().word(), "proven", "{settings:?}");
    // What a machine has too little of may still be a danger there.
    let audit = report.audit.unwrap();
    let own =
        |id: &str| !["memory.machine", "persistence.disk-room", "persistence.dir-in-memory"].contains(&id);
    let dangers = audit.rules.iter().filter(|rule| rule.is_broken() && rule.severity.word() == "danger");
    assert_eq!(dangers.filter(|rule| own(&rule.id)).count(), 0);
    assert!(report.conflicts.is_empty());
}

#[test]
fn the_letter_of_met_001_keeps_its_settings_breaks_a_rule_and_names_the_conflict() {
    let server = with_profile("met-001");
    let ran = run(&["audit", "--json", "--profile", "met-001", "--url", &server.url()]);
    let report = json::from_str(&text(&ran.out)).unwrap();
    let verdict = |id: &str| report.claims.iter().find(|claim| claim.id == id).unwrap().verdict().word();
    assert_eq!((ran.code, verdict("audit.settings"), verdict("audit.rules")), (1, "proven", "refuted"));
    assert_eq!(report.conflicts.len(), 1);
    assert_eq!(report.conflicts[0].id, "eviction.loss");
}

#[test]
fn remedies_are_printed_and_never_applied() {
    let server = server(&[]);
    let commands = run(&["audit", "--fix-commands", "--url", &server.url()]);
    let said = text(&commands.out);
    let call = format!("cli() {{ redis-cli -h 127.0.0.1 -p {} \"$@\"; }}", server.port());
    assert!(commands.code == 0 && said.contains(&call), "{said}");
    assert!(said.contains("\nask CONFIG SET maxmemory 2gb\n"), "{said}");
    let conf = run(&["audit", "--fix-conf", "--url", &server.url()]);
    assert!(text(&conf.out).lines().any(|line| line == "# appendonly yes"), "{}", text(&conf.out));
    assert_eq!(super::support::ask::<Vec<String>>(&server, "CONFIG GET appendonly").unwrap()[1], "no");
}

#[test]
fn every_rule_is_listed_and_explained() {
    let listed = run(&["audit", "--list", "--json"]);
    let rules: Vec<serde_json::Value> = serde_json::from_slice(&listed.out).unwrap();
    assert!(rules.len() > 50);
    for rule in &rules {
        let id = rule["id"].as_str().unwrap();
        let explained = run(&["audit", "--explain", id]);
        let said = text(&explained.out);
        assert!(explained.code == 0 && said.contains(id), "{said}");
        assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    }
    let lines = text(&run(&["audit", "--list"]).out);
    assert_eq!(lines.lines().count(), rules.len());
    assert!(lines.lines().all(|line| line.chars().count() <= 80), "{lines}");
}

#[test]
fn a_rule_that_is_none_is_answered_with_those_like_it() {
    let ran = run(&["audit", "--explain", "eviction"]);
    assert!(
        ran.code == 2 && ran.err.contains("memory.eviction-volatile") && ran.err.contains("--list"),
        "{}",
        ran.err
    );
}

#[test]
fn pipelines_get_junit_and_a_report() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let (junit, out) = (dir.path().join("junit.xml"), dir.path().join("report"));
    let (junit_arg, out_arg) = (junit.to_str().unwrap(), out.to_str().unwrap());
    let ran = run(&["audit", "--quiet", "--url", &server.url(), "--junit", junit_arg, "--out", out_arg]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let xml = std::fs::read_to_string(junit).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let failed = document.descendants().filter(|node| node.has_tag_name("failure")).count();
    assert!(failed >= 2 && xml.contains("memory.maxmemory"), "{xml}");
    assert!(std::fs::read_to_string(out.join("report.html")).unwrap().contains("memory.maxmemory"));
}

#[test]
fn a_server_that_is_not_there_and_a_file_that_is_not_there_are_errors_of_their_own() {
    let ran = run(&["audit", "--url", "redis://127.0.0.1:1"]);
    assert!(ran.code == 3 && ran.out.is_empty(), "{}", ran.err);
    let ran = run(&["audit", "--conf", "/nonexistent/redis.conf"]);
    assert!(ran.code == 2 && ran.err.contains("/nonexistent/redis.conf"), "{}", ran.err);
    let server = server(&[]);
    let ran = run(&["audit", "--junit", "/nonexistent/junit.xml", "--url", &server.url()]);
    assert!(ran.code == 2 && ran.err.contains("/nonexistent/junit.xml"), "{}", ran.err);
}

#[test]
fn the_user_that_is_advised_can_write_and_read_and_nothing_else() {
    use forebay::buffer::connect::Address;
    use forebay::buffer::keys::{ACL_COMMANDS, ALL_KEYS};
    use forebay::buffer::status_subscriber::StatusSubscriber;
    let server = server(&[]);
    let rules = format!("on >pw ~{ALL_KEYS} {ACL_COMMANDS}");
    tell(&server, &format!("ACL SETUSER app {rules}"));
    let url = server.url().replace("redis://", "redis://app:pw@");
    let event = br#"{"time_us":1,"kind":"commit"}"#;
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("events");
    std::fs::write(&input, event).unwrap();
    let hearing = StatusSubscriber::start(&Address::parse(&url).unwrap(), &"events".parse().unwrap());
    super::support::until("it listens", || hearing.look().is_subscribed);
    let appended = run(&["append", input.to_str().unwrap(), "--url", &url]);
    assert_eq!(appended.code, 0, "{}", appended.err);
    super::support::until("the writer is heard", || hearing.look().ends.closed == 1);
    for args in [&["read", "--group", "g", "--ack", "--url", &url][..], &["stat", "--url", &url]] {
        let ran = run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    }
    let ask = |words: &[&str]| -> redis::RedisResult<redis::Value> {
        let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
        redis::cmd(words[0]).arg(&words[1..]).query(&mut connection)
    };
    for words in [
        &["SET", "other", "1"][..],
        &["FLUSHALL"],
        &["CONFIG", "SET", "hz", "20"],
        &["GET", "other"],
        &["PUBLISH", "other", "1"],
    ] {
        assert!(ask(words).is_err(), "{words:?}");
    }
}

/// The script, taken line by line, keeps what a server without AOF holds, now and over a restart.
#[test]
fn the_remedies_of_a_server_with_events_and_no_aof_lose_none_of_them() {
    use std::io::Write as _;
    let mut conf = Conf::new();
    conf.set("save", "").set("appendonly", "no");
    let mut server = Server::start(&ServerBinary::find(None).unwrap(), &conf).unwrap();
    for number in 0..100 {
        tell(&server, &format!("SET key{number} 1"));
    }
    let script = text(&run(&["audit", "--fix-commands", "--url", &server.url()]).out);
    // What it asks, one argument a line, instead of a redis-cli that may not be there.
    let fake = "fake() { printf '%s\\n' \"$@\" --- >&2; case $* in INFO*) echo aof_last_bgrewrite_status:ok;; *) echo OK;; esac; }\n";
    let script = script.replace(&format!("redis-cli -h 127.0.0.1 -p {}", server.port()), "fake");
    let mut child = std::process::Command::new("sh")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The machine's own settings are nobody's here to change.
    let lines: Vec<&str> =
        script.lines().filter(|line| !line.starts_with("sysctl") && !line.starts_with("echo ")).collect();
    child.stdin.take().unwrap().write_all((fake.to_owned() + &lines.join("\n")).as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    let asked = text(&out.stderr);
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    for call in asked.split("---\n").filter(|call| !call.is_empty()) {
        let words: Vec<&str> = call.lines().collect();
        let answer = redis::cmd(words[0]).arg(&words[1..]).query::<redis::Value>(&mut connection);
        answer.unwrap_or_else(|why| panic!("{words:?}: {why}"));
        super::support::until("the AOF is whole", || {
            let info: String = super::support::ask(&server, "INFO persistence").unwrap();
            info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
        });
    }
    server.kill().unwrap();
    server.restart().unwrap();
    assert_eq!(super::support::ask::<u64>(&server, "DBSIZE").unwrap(), 100);
    let after = run(&["audit", "--json", "--url", &server.url()]);
    let audit = json::from_str(&text(&after.out)).unwrap().audit.unwrap();
    let aof = audit.rules.iter().find(|rule| rule.id == "persistence.aof").unwrap();
    assert!(!aof.is_broken(), "it lasts: {aof:?}");
}

#[test]
fn a_server_that_wants_a_login_is_no_server_that_was_audited() {
    let server = server(&[]);
    tell(&server, "CONFIG SET requirepass secret");
    let ran = run(&["audit", "--url", &server.url()]);
    assert!(ran.code == 3 && ran.out.is_empty() && ran.err.contains("password"), "{}", ran.err);
    let with = server.url().replace("redis://", "redis://:secret@");
    let ran = run(&["audit", "--url", &with]);
    assert!(ran.code == 1 && !text(&ran.out).contains("secret"), "{}", ran.err);
}

#[test]
fn keys_that_a_killed_proof_left_are_named_where_this_machine_has_no_file_of_it() {
    let server = server(&[]);
    for key in ["forebay:{proof-1.likes.0}", "forebay:{proof-1}", "forebay:{my-proof-1}", "theirs:proof-1"] {
        tell(&server, &format!("SET {key} left"));
    }
    let ran = run(&["audit", "--url", &server.url()]);
    holds(&ran.err, &["UNLINK forebay:{proof-1.likes.0} forebay:{proof-1}\n"]);
}
