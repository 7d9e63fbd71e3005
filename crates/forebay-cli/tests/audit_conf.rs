//! What is claimed of reading a redis.conf: it is read as a server reads it, what a server would refuse is told with
//! its place, and the findings for files that people have are those expected.

use std::fmt::Write as _;
use std::path::Path;

use forebay_proof::audit::conf_file::{self, ConfFile};
use forebay_proof::audit::{directives, from_file, judge, meaning};
use forebay_rig::server::{Conf, Server, ServerBinary};
use forebay_watch::profile::Profile;

use crate::cli_support::run;
use crate::support::server;

/// What a file has to say, a line a finding.
fn findings(text: &str, beside: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in beside {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let path = dir.path().join("redis.conf");
    std::fs::write(&path, text).unwrap();
    let profile = Profile::load("bluesky-8h").unwrap();
    let audit = judge::audit(&from_file::look(&path, &profile).unwrap(), "redis.conf", true);
    let mut said = String::new();
    for setting in audit.differing() {
        let found = setting.found.as_deref().unwrap_or("?");
        writeln!(said, "differs {} {:?}, asked {:?}", setting.name, found, setting.required).unwrap();
    }
    for finding in audit.rules.iter().filter(|finding| finding.is_broken()) {
        writeln!(said, "{} {}: {}", finding.severity.word(), finding.id, finding.read).unwrap();
    }
    let unread = audit.rules.iter().filter(|finding| finding.tag() == "not shown");
    writeln!(said, "not shown: {}", unread.map(|finding| finding.id.as_str()).collect::<Vec<_>>().join(" "))
        .unwrap();
    said.replace(dir.path().to_str().unwrap(), "DIR")
}

fn read(text: &str) -> ConfFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    conf_file::read(file.path()).unwrap()
}

fn troubles(text: &str) -> Vec<String> {
    read(text)
        .troubles
        .iter()
        .map(|trouble| {
            trouble
                .to_string()
                .split_once(".tmp")
                .map_or_else(|| trouble.to_string(), |(_, rest)| rest.to_owned())
        })
        .collect()
}

const ODD: &str = "# Windows\r\nmaxmemory 2gb\r\n  AppendOnly YES\r\nmaxmemroy-policy noeviction\r\n\
    include more.conf\r\ninclude gone.conf\r\nrename-command FLUSHALL \"\"\r\nrename-command CONFIG secret\r\n\
    save 900 1\r\nsave 300 10\r\nrequirepass \"pa ss\r\nslave-read-only no\r\ntimeout ten\r\n";

#[test]
fn debians_file_is_found_to_lose_events() {
    insta::assert_snapshot!(findings(include_str!("data/debian-12.conf"), &[]));
}

#[test]
fn the_defaults_are_found_to_lose_events() {
    insta::assert_snapshot!(findings("", &[]));
}

#[test]
fn the_letter_of_met_001_is_found_to_evict() {
    let conf: Conf = Profile::load("met-001").unwrap().conf_settings().into_iter().collect();
    insta::assert_snapshot!(findings(&conf.render(), &[]));
}

#[test]
fn an_odd_file_is_read_as_far_as_it_goes_and_each_odd_line_is_told() {
    insta::assert_snapshot!(findings(ODD, &[("more.conf", "appendfsync always\nmaxmemory 3gb\n")]));
}

/// The shipped settings, as lines: what is asked for is what is found.
#[test]
fn a_profile_as_a_file_differs_in_nothing() {
    for profile in Profile::built_in() {
        let conf: Conf = profile.conf_settings().into_iter().collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("redis.conf");
        std::fs::write(&path, conf.render()).unwrap();
        let audit = judge::audit(&from_file::look(&path, &profile).unwrap(), "file", true);
        assert_eq!(audit.differing().count(), 0, "{}", profile.name);
    }
}

/// A server that was started with the text, by way of a file that it includes.
fn started_with(text: &str, dir: &Path) -> Server {
    let path = dir.join("given.conf");
    // A server of a test leaves nothing in the machine's own folders.
    let outside = |line: &&str| !line.starts_with("pidfile ");
    let text: Vec<&str> = text.split('\n').filter(outside).collect();
    std::fs::write(&path, text.join("\n")).unwrap();
    let mut conf = Conf::new();
    conf.set("include", path.to_str().unwrap());
    Server::start(&ServerBinary::find(None).unwrap(), &conf).unwrap()
}

fn is_old() -> bool {
    ServerBinary::find(None).unwrap().version.major < 7
}

fn config(server: &Server, name: &str) -> Option<String> {
    super::support::ask::<Vec<String>>(server, &format!("CONFIG GET {name}")).unwrap().into_iter().nth(1)
}

#[test]
fn a_file_is_read_as_a_server_reads_it() {
    // What the servers of a test are given in any case.
    let ours = ["port", "bind", "dir", "tls-port", "logfile", "daemonize", "pidfile", "requirepass"];
    for text in [
        "",
        include_str!("data/debian-12.conf"),
        "maxmemory 1GB\r\nAPPENDONLY Yes\r\n\tappendfsync \"always\"\r\n",
        "save 900 1\nsave 300 10\n",
        "save 900 1\nsave \"\"\nsave 60 5\n",
        "save \"\"\n",
        "save \"900 1 300 10\"\n",
        "client-output-buffer-limit normal 1mb 512kb 30\nclient-output-buffer-limit replica 1gb 64mb 60\n",
        "maxmemory 100mb\nmaxmemory 200mb\nmaxmemory-policy 'allkeys-lru'\n",
        "slave-read-only no\nmin-slaves-to-write 2\nhash-max-ziplist-entries 100\n",
        "requirepass \"\"\nstream-node-max-bytes 4k\nstream-node-max-entries \"0\"\n",
        "# a comment\n   # another\n\nhz 50\nloglevel Verbose\n",
    ] {
        let dir = tempfile::tempdir().unwrap();
        // A file of 7.0 may name settings that an older server refuses, and quote what it does not split.
        if ["appenddirname", "\"900 1"].iter().any(|part| text.contains(part)) && is_old() {
            continue;
        }
        let server = started_with(text, dir.path());
        let file = read(text);
        // What a text leaves alone is another test's matter: defaults differ from server to server.
        let is_named = |name: &str| {
            text.to_ascii_lowercase().contains(name) || text.contains("slave") && name.contains("replicas")
        };
        assert!(file.troubles.is_empty(), "{text:?}: {:?}", file.troubles);
        for (name, value) in file.settings.iter().filter(|(name, _)| !ours.contains(name) && is_named(name)) {
            // One that this version does not have.
            let Some(there) = config(&server, name) else { continue };
            assert!(meaning::same(name, value, &there), "{text:?}: {name} is {there:?}, read as {value:?}");
        }
    }
}

#[test]
fn defaults_are_those_of_a_server() {
    let server = server(&[]);
    // Ours for every server of a test, and what Valkey chose otherwise.
    let given = ["port", "bind", "save", "appendonly"];
    let valkey = ["lazyfree-lazy-user-del", "repl-backlog-size"];
    let mut compared = 0;
    for (name, default) in
        directives::defaults().filter(|(name, _)| !given.contains(name) && !valkey.contains(name))
    {
        let Some(there) = config(&server, name) else { continue };
        assert!(meaning::same(name, default, &there), "{name} is {there:?}, taken to be {default:?}");
        compared += 1;
    }
    assert!(compared > 35, "{compared}");
}

#[test]
fn every_setting_of_a_server_is_known() {
    let server = server(&[]);
    let all: Vec<String> = super::support::ask(&server, "CONFIG GET *").unwrap();
    let unknown: Vec<&String> = all.iter().step_by(2).filter(|name| !directives::is_known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(!directives::is_known("maxmemroy"));
}

#[test]
fn lines_that_a_server_refuses_are_told_with_their_place() {
    for (text, says) in [
        (
            "port 6379\nmaxmemory 2 gigs\n",
            ":2: maxmemory: a value of 2 words (a comment needs a line of its own) is not a size",
        ),
        ("appendonly maybe\n", ":1: appendonly: \"maybe\" is not yes or no"),
        ("requirepass \"open\n", ":1: a quote is not closed"),
        ("appendoly 1\n", ":1: appendoly: no such directive"),
        ("include /nonexistent/a.conf\n", ":1: include /nonexistent/a.conf: there is no such file"),
        (
            "rdbcompression yes # x\n",
            ":1: rdbcompression: a value of 3 words (a comment needs a line of its own) is not yes",
        ),
        ("rdbcompression maybe\n", ":1: rdbcompression: \"maybe\" is not yes or no"),
        ("requirepass a # b\n", ":1: requirepass: takes one word"),
        ("maxmemory 5%\n", ":1: maxmemory: \"5%\" is not a size"),
        ("tcp-keepalive 0300\n", ":1: tcp-keepalive: \"0300\" is not a whole number"),
        ("rename-command FLUSHALL\n", ":1: rename-command: takes a command"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("given.conf");
        std::fs::write(&path, text).unwrap();
        let said = conf_file::read(&path).unwrap().troubles;
        assert!(said.len() == 1 && said[0].to_string().contains(says), "{text:?}: {said:?}");
        let mut conf = Conf::new();
        conf.set("include", path.to_str().unwrap());
        assert!(Server::start(&ServerBinary::find(None).unwrap(), &conf).is_err(), "a server takes {text:?}");
    }
    assert_eq!(troubles("maxmemory 2gb\n").len(), 0);
}

#[test]
fn files_that_include_each_other_come_to_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("redis.conf");
    std::fs::write(&path, format!("include {}\nhz 20\n", path.display())).unwrap();
    let file = conf_file::read(&path).unwrap();
    assert!(
        file.troubles.len() == 1 && file.troubles[0].to_string().contains("16 deep"),
        "{:?}",
        file.troubles
    );
    assert_eq!(file.settings.get("hz"), Some("20"));
}

#[test]
fn bytes_that_are_no_text_end_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("redis.conf");
    std::fs::write(&path, b"\xff\xfe\x00 1\nrequirepass \xff\xff\nhz 20\n\"\x80\n").unwrap();
    let file = conf_file::read(&path).unwrap();
    assert_eq!((file.settings.get("hz"), file.troubles.len()), (Some("20"), 2), "{:?}", file.troubles);
    assert!(conf_file::read(dir.path()).unwrap_err().to_string().contains("folder"));
}

#[test]
fn the_verb_reads_a_file_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("redis.conf");
    std::fs::write(&path, "maxmemory-policy allkeys-lru\n").unwrap();
    let ran = run(&["audit", "--conf", path.to_str().unwrap()]);
    let said = String::from_utf8(ran.out).unwrap();
    assert!(ran.code == 1 && said.contains("[danger]  memory.eviction"), "{said}");
    assert!(said.contains("maxmemory-policy noeviction"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80 || line.contains('/')), "{said}");
}

#[test]
fn included_files_are_looked_for_where_a_server_looks() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    for (folder, hz) in [(&one, 20), (&two, 30)] {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("x.conf"), format!("hz {hz}\n")).unwrap();
    }
    std::fs::write(one.join(".hidden.conf"), "hz 99\n").unwrap();
    let text = format!("include {}/*\ndir {}\ninclude x.conf\n", one.display(), two.display());
    let path = one.join("redis.conf");
    std::fs::write(&path, "timeout 5\n").unwrap();
    let main = dir.path().join("main.conf");
    std::fs::write(&main, &text).unwrap();
    let file = conf_file::read(&main).unwrap();
    assert_eq!(
        (file.settings.get("hz"), file.settings.get("timeout"), file.troubles.len()),
        (Some("30"), Some("5"), 0)
    );
    // Patterns came with 7.0.
    if !is_old() {
        let server = started_with(&text, dir.path());
        assert_eq!(config(&server, "hz").as_deref(), Some("30"), "as a server has it");
    }
}

#[test]
fn save_points_behind_an_include_replace_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let more = dir.path().join("more.conf");
    std::fs::write(&more, "save 60 1\nsave 30 2\n").unwrap();
    let text = format!("save 900 1\nsave 300 10\ninclude {}\nsave 70 7\nsave 80 8\n", more.display());
    for (text, saves) in
        [(text.as_str(), "80 8"), (text.split("save 70").next().unwrap(), "900 1 300 10 60 1 30 2")]
    {
        assert!(meaning::same("save", read(text).settings.get("save").unwrap(), saves), "{text}");
        if !is_old() {
            let there = config(&started_with(text, dir.path()), "save").unwrap();
            assert!(meaning::same("save", &there, saves), "{text}: a server has {there}");
        }
    }
}

#[test]
fn what_is_no_regular_file_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("redis.conf");
    std::fs::write(&path, "include /dev/zero\nhz 20\n").unwrap();
    let file = conf_file::read(&path).unwrap();
    assert!(file.troubles[0].to_string().contains("no regular file"), "{:?}", file.troubles);
    assert!(conf_file::read(Path::new("/dev/zero")).unwrap_err().to_string().contains("no regular file"));
    // Each includes itself three times: 3^16 of them, were there no end.
    std::fs::write(&path, format!("include {0}\n", path.display()).repeat(3)).unwrap();
    let file = conf_file::read(&path).unwrap();
    assert!(file.troubles.len() < 200, "{}", file.troubles.len());
}

#[test]
fn no_password_of_a_file_is_shown_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (path, junit, out) =
        (dir.path().join("redis.conf"), dir.path().join("j.xml"), dir.path().join("out"));
    let profile = dir.path().join("profile.toml");
    let with = include_str!("../../../profiles/bluesky-8h.toml").to_owned() + "requirepass = \"hunter2\"\n";
    std::fs::write(&profile, with).unwrap();
    for text in [
        "user default on >hunter2 ~* &* +@all\n",
        "USER default on >hunter2 ~* &* +@all\nuser app on #hunter2 <hunter2\n",
        "requirepass hunter2\nmasterauth hunter2\n",
        "requirepass=hunter2\n",
        "requirepass hunter2 hunter2\n",
    ] {
        std::fs::write(&path, text).unwrap();
        let (path, junit, out, profile) = (
            path.to_str().unwrap(),
            junit.to_str().unwrap(),
            out.to_str().unwrap(),
            profile.to_str().unwrap(),
        );
        for profile in ["bluesky-8h", profile] {
            for more in
                [&["--junit", junit, "--out", out][..], &["--json"], &["--fix-conf"], &["--fix-commands"]]
            {
                let ran = run(&[&["audit", "--conf", path, "--profile", profile], more].concat());
                let said = String::from_utf8(ran.out).unwrap() + &ran.err;
                assert!(ran.code < 2 && !said.contains("hunter2"), "{text:?} {more:?}: {said}");
            }
            for file in [junit.to_owned(), format!("{out}/report.html"), format!("{out}/report.json")] {
                assert!(!std::fs::read_to_string(&file).unwrap().contains("hunter2"), "{text:?}: {file}");
            }
        }
    }
}
