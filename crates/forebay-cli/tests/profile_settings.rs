//! What is claimed of a profile's settings: only what is on the list reaches a server, and a file that is none is not read
//! for ever.

use std::time::{Duration, Instant};

use super::cli_support::{forebay, holds, said};

const GOOD: &str = include_str!("../../../profiles/bluesky-8h.toml");

/// What would run something, write somewhere, open something, or smuggle a second line in.
const REFUSED: [(&str, &str); 32] = [
    ("loadmodule", "\"/tmp/evil.so\""),
    ("dir", "\"/var/lib/redis\""),
    ("include", "\"/tmp/other.conf\""),
    ("dbfilename", "\"authorized_keys\""),
    ("appendfilename", "\"appendonly.aof\""),
    ("appenddirname", "\"appendonlydir\""),
    ("logfile", "\"/etc/cron.d/x\""),
    ("pidfile", "\"/etc/passwd\""),
    ("unixsocket", "\"/tmp/socket\""),
    ("aclfile", "\"/tmp/users.acl\""),
    ("user", "\"default on nopass ~* +@all\""),
    ("rename-command", "\"CONFIG x\""),
    ("replicaof", "\"10.0.0.1 6379\""),
    ("slaveof", "\"10.0.0.1 6379\""),
    ("masterauth", "\"x\""),
    ("port", "6379"),
    ("tls-port", "6380"),
    ("tls-cert-file", "\"/etc/ssl/x\""),
    ("daemonize", "\"yes\""),
    ("supervised", "\"systemd\""),
    ("enable-module-command", "\"yes\""),
    ("enable-debug-command", "\"yes\""),
    ("enable-protected-configs", "\"yes\""),
    ("cluster-enabled", "\"yes\""),
    ("cluster-config-file", "\"/tmp/nodes\""),
    ("syslog-enabled", "\"yes\""),
    ("proc-title-template", "\"x\""),
    ("server_cpulist", "\"0\""),
    ("\"maxmemory 1gb\\nloadmodule /tmp/evil.so\\n#\"", "1"),
    ("\"hz\\r\"", "10"),
    ("\"\"", "1"),
    ("search-on-timeout", "\"fail\""),
];

/// Values that no setting of that name has.
const VALUES: [(&str, &str); 6] = [
    ("proto-max-bulk-len", "\"4kb\\nloadmodule /tmp/evil.so\""),
    ("rdbchecksum", "\"yes\\r\\nloadmodule /tmp/evil.so\""),
    ("maxmemory-samples", "\"5 6\""),
    ("lazyfree-lazy-user-del", "{ a = 1 }"),
    ("maxclients", "-1"),
    ("repl-backlog-size", "\"/dev/sda\""),
];

#[test]
fn a_setting_that_is_not_on_the_list_starts_no_server_and_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let (file, started) = (folder.path().join("profile.toml"), folder.path().join("started"));
    let program = folder.path().join("redis-server");
    std::fs::write(&program, format!("#!/bin/sh\ntouch {}\n", started.display())).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let line = GOOD.lines().count() + 1;
    let run = |name: &str, value: &str| {
        std::fs::write(&file, format!("{GOOD}{name} = {value}\n")).unwrap();
        let args =
            ["capacity", "--profile", file.to_str().unwrap(), "--server-bin", program.to_str().unwrap()];
        let text = said(&args, 2);
        assert!(!started.exists(), "{name} = {value}: a program was run");
        holds(&text, &[&format!("line {line}: settings.")]);
        text
    };
    for (name, value) in REFUSED {
        let text = run(name, value);
        let shown = name.trim_matches('"');
        holds(
            &text,
            &[&format!("settings.{shown}: a profile may not set this"), "redis.conf of your own server"],
        );
    }
    for (name, value) in VALUES {
        holds(&run(name, value), &[&format!("settings.{name}: its value must be ")]);
    }
    holds(&run("Timeout", "0"), &["settings.Timeout: write it in lower case"]);
}

#[test]
fn a_profile_that_is_no_regular_file_or_has_no_end_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, long) = (folder.path().join("pipe"), folder.path().join("long.toml"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // A hole, which takes no room.
    std::fs::File::create(&long).unwrap().set_len(1 << 40).unwrap();
    for (path, why) in [
        ("/dev/zero", "not a regular file"),
        (pipe.to_str().unwrap(), "not a regular file"),
        (folder.path().to_str().unwrap(), "not a regular file"),
        (long.to_str().unwrap(), "it has more than 1048576 bytes"),
    ] {
        for verb in [&["capacity"][..], &["audit"], &["deploy", "--out", "/nowhere"]] {
            let mut child = forebay(&[verb, &["--profile", path]].concat()).spawn().unwrap();
            let started = Instant::now();
            while child.try_wait().unwrap().is_none() {
                assert!(started.elapsed() < Duration::from_secs(60), "{verb:?} {path} does not end");
                std::thread::sleep(Duration::from_millis(5));
            }
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{verb:?} {path}");
            holds(&String::from_utf8_lossy(&output.stderr), &[path, why]);
        }
    }
    let saved = said(&["tune", "--rollback", "/dev/zero", "--url", "redis://127.0.0.1:1"], 2);
    holds(&saved, &["/dev/zero"]);
}

#[test]
fn what_a_profile_may_set_is_known_to_a_server() {
    // Of servers that are newer than those whose names are kept.
    let newer = ["io-threads-do-reads"];
    for name in forebay_watch::profile::settings::allowed() {
        assert!(forebay_proof::audit::directives::is_known(name) || newer.contains(&name), "{name}");
    }
}
