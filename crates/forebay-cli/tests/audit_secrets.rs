//! What is claimed of secrets: whatever a redis.conf holds of them, in whatever notation, no output of an audit has it.

use std::path::Path;

use forebay_proof::audit::{claims, from_file, judge, negative_controls, remedy};
use forebay_proof::report::{html, json, junit, terminal};
use forebay_watch::profile::Profile;

use super::cli_support::run;
use super::report::sample;
use super::support::Random;

/// Ways to write a secret into a file that is taken for a redis.conf; `@` stands for it.
const NOTATIONS: [&str; 54] = [
    "requirepass @",
    "requirepass \"@\"",
    "requirepass '@'",
    "requirepass \"@",
    "requirepass @ @",
    "requirepass @ # a comment",
    "requirepass\t@",
    "requirepass=@",
    "requirepass = @",
    "requirepass:@",
    "requirepass: @",
    "requirepass.@ yes",
    "requirepass\u{a0}@",
    "REQUIREPASS @",
    "RequirePass=@",
    "--requirepass @",
    "--requirepass=@",
    "-requirepass=\"@\"",
    "masterauth @",
    "masterauth=@",
    "primaryauth @",
    "masteruser @",
    "tls-key-file-pass @",
    "tls-client-key-file-pass=@",
    "user default on >@ ~* &* +@all",
    "user default on \">@ x\" ~* &* +@all",
    "user default on @ ~* +@all",
    "user default on > @ ~* +@all",
    "USER app on #@ <@ !@ ~* +@all",
    "user default on nopass (+@all ~* >@)",
    "ACL SETUSER default on >@ ~*",
    "sentinel auth-pass mymaster @",
    "sentinel sentinel-pass @",
    "rename-command CONFIG @",
    "rename-command @ CONFIG",
    "REDIS_PASSWORD=@",
    "REDIS_PASSWORD=\"@\"",
    "export REDISCLI_AUTH='@'",
    "password: @",
    "  redis_password: \"@\"",
    "{\"requirepass\": \"@\"}",
    "\"requirepass\": \"@\",",
    "[auth]\npassword = @",
    "redis://:@h:6379",
    "replicaof redis://user:@h 6379",
    "include redis://u:@h/x.conf",
    "include /nowhere/password=@",
    "@",
    "@ = yes",
    "pw @",
    "appendonly yes # password @",
    "maxmemory 2gb requirepass @",
    "bind 127.0.0.1 requirepass @",
    "<password>@</password>",
];

/// Lines of a file that hold none.
const AROUND: [&str; 10] = [
    "bind 127.0.0.1",
    "port 6379",
    "maxmemory 2gb",
    "appendonly yes",
    "appendonly maybe",
    "maxmemory-policy allkeys-lru",
    "save 900 1",
    "# a comment",
    "",
    "maxmemroy 2gb",
];

/// What is found in no output: a secret as people have them, around letters and digits that are nowhere else.
struct Secret {
    whole: String,
    core: String,
}

fn secret(random: &mut Random) -> Secret {
    let sets: [&[u8]; 3] = [b"qxzjkv7384", b"qxzjkvwy", b"QXZjkv92"];
    let set = sets[random.below(3) as usize];
    let core: String = (0..10).map(|_| char::from(set[random.below(set.len() as u64) as usize])).collect();
    let (before, after) = [
        ("", ""),
        ("Hunter2.", ".Dots"),
        ("p.", ""),
        ("s3:", ":x"),
        ("a-b_", "-c"),
        ("é", "ü"),
        ("1", "="),
        ("$", "%"),
        ("/", "/"),
    ][random.below(9) as usize];
    Secret { whole: format!("{before}{core}{after}"), core: core.to_ascii_lowercase() }
}

/// A file with a secret in it, which its folder may hold in a part that it includes.
fn file(random: &mut Random, notation: &str, secret: &str, dir: &Path) -> std::path::PathBuf {
    let mut lines: Vec<String> =
        (0..random.below(4)).map(|_| AROUND[random.below(AROUND.len() as u64) as usize].into()).collect();
    // In a rule of a user `@` is a category's sign.
    let line = notation.replace("+@all", "+\u{1}all").replace('@', secret).replace('\u{1}', "@");
    let line =
        if notation.contains("://") { line.replace("h:6379", "@h:6379").replace("h ", "@h ") } else { line };
    lines.insert(random.below(lines.len() as u64 + 1) as usize, line);
    let text = lines.join(if random.below(5) == 0 { "\r\n" } else { "\n" });
    let text = if random.below(20) == 0 { format!("\u{feff}{text}") } else { text };
    let path = dir.join("redis.conf");
    if random.below(4) == 0 {
        std::fs::write(dir.join("more.conf"), text).unwrap();
        std::fs::write(&path, format!("hz 10\ninclude {}/more.conf\n", dir.display())).unwrap();
    } else {
        std::fs::write(&path, text).unwrap();
    }
    path
}

/// Everything that an audit of the file prints or writes.
fn outputs(path: &Path, profile: &Profile) -> Vec<(&'static str, String)> {
    let seen = from_file::look(path, profile).unwrap();
    let audit = judge::audit(&seen, &path.display().to_string(), true);
    let mut report = sample();
    report.claims =
        claims::of(&audit, negative_controls::of_settings(profile), negative_controls::of_rules(&seen));
    report.audit = Some(audit.clone());
    vec![
        ("terminal", terminal::render(&report, 80, false)),
        ("json", json::to_string(&report)),
        ("html", html::render(&report)),
        ("junit", junit::to_string(&audit)),
        ("fix-conf", remedy::conf(&audit)),
        ("fix-commands", remedy::commands(&audit, "redis-cli")),
        ("debug", format!("{audit:?}")),
    ]
}

/// Audits so many generated files; each notation has its turn.
pub fn no_secret_in(files: u64, seed: u64) {
    let mut random = Random::new(seed);
    let profile = Profile::load("bluesky-8h").unwrap();
    let dir = tempfile::tempdir().unwrap();
    for at in 0..files {
        let notation = NOTATIONS[(at % NOTATIONS.len() as u64) as usize];
        let Secret { whole, core } = secret(&mut random);
        let path = file(&mut random, notation, &whole, dir.path());
        for (output, text) in outputs(&path, &profile) {
            let found =
                text.to_lowercase().find(&core).map(|from| text.get(from.saturating_sub(60)..from + 30));
            assert!(found.is_none(), "file {at}, {notation:?} with {whole:?}: {output} has {found:?}");
        }
    }
}

#[test]
fn no_secret_of_a_file_is_in_any_output() {
    no_secret_in(4 * NOTATIONS.len() as u64, 20);
}

/// The same by way of the program, a file for each notation.
#[test]
fn the_program_prints_no_secret_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out, junit) =
        (dir.path().join("redis.conf"), dir.path().join("out"), dir.path().join("j.xml"));
    let secret = "Hunter2.qxzjkv7384";
    let lines: Vec<String> = NOTATIONS
        .iter()
        .filter(|notation| !notation.contains("://"))
        .map(|notation| notation.replace("+@all", "+all").replace('@', secret))
        .collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let (conf, out, junit) = (path.to_str().unwrap(), out.to_str().unwrap(), junit.to_str().unwrap());
    for more in
        [&["--out", out, "--junit", junit][..], &["--json"], &["--fix-conf"], &["--fix-commands"], &["-vv"]]
    {
        let ran = run(&[&["audit", "--conf", conf], more].concat());
        let said = String::from_utf8(ran.out).unwrap() + &ran.err;
        assert!(!said.to_lowercase().contains("qxzjkv7384"), "{more:?}: {said}");
    }
    for file in [junit.to_owned(), format!("{out}/report.html"), format!("{out}/report.json")] {
        assert!(!std::fs::read_to_string(&file).unwrap().to_lowercase().contains("qxzjkv7384"), "{file}");
    }
}

#[test]
fn the_check_sees_a_secret_that_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("redis.conf");
    std::fs::write(&path, "logfile /qxzjkv7384\nappendonly qxzjkv7384\n").unwrap();
    let profile = Profile::load("bluesky-8h").unwrap();
    let shown = outputs(&path, &profile).into_iter().filter(|(_, text)| text.contains("qxzjkv7384"));
    assert_eq!(shown.count(), 7, "a wrong value that is one plain word is shown everywhere");
}
