//! Claims about remedies as text: a server reads the fragment, a shell runs the script, and nothing is mended twice.

use std::process::Command;

use forebay_proof::audit::outcome::{Audit, Finding, Outcome, Setting};
use forebay_proof::audit::remedy::{commands, conf};
use forebay_proof::audit::rule::{Fix, Severity};
use forebay_rig::server::{Conf, Server, ServerBinary};

use super::report_audit::{audit, finding};
use super::support::ask;

const CLI: &str = "redis-cli -h 127.0.0.1 -p 6379";
/// A redis-cli that says what it was given, and what was said at its prompt.
const FAKE_CLI: &str = r#"fake() {
    {
        for word; do printf '<%s>' "$word"; done
        [ $# -gt 0 ] || { printf '{'; cat; printf '}'; }
        echo
    } >&2
    case $* in
        'INFO persistence') echo aof_rewrite_in_progress:0; echo aof_last_bgrewrite_status:ok ;;
        *) echo OK ;;
    esac
}
"#;

fn broken(id: &str, severity: Severity, fixes: impl IntoIterator<Item = Fix>) -> Finding {
    let fixes = fixes.into_iter().collect();
    Finding { fixes, ..finding(id, severity, "It is right.", Outcome::Broken, "it is wrong") }
}

fn differing(name: &str, required: &str) -> Setting {
    Setting {
        name: name.into(),
        required: required.into(),
        found: Some("something else".into()),
        outcome: Outcome::Broken,
        why: String::new(),
        fixes: vec![Fix::set(name, required)],
    }
}

fn of(settings: Vec<Setting>, rules: Vec<Finding>) -> Audit {
    let config_file = Some("/etc/redis/redis.conf".into());
    Audit { of: "redis://h:1".into(), is_file: false, config_file, uptime_seconds: None, settings, rules }
}

/// What is asked when sh runs the script with a redis-cli that tells its arguments.
fn run(audit: &Audit) -> String {
    let script = format!("{FAKE_CLI}{}", commands(audit, "fake"));
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{output:?}\n{script}");
    String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap()
}

/// The lines of a text that are no comments.
fn live(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// The steps of a script: what follows the functions that it begins with.
fn steps(script: &str) -> Vec<&str> {
    let (_, rest) = script.split_once("until_rewritten() {").unwrap();
    live(rest.split_once("\n}\n").unwrap().1)
}

#[test]
fn remedies_are_written_as_a_fragment_and_as_a_script() {
    insta::assert_snapshot!(format!("{}\n\n{}", conf(&audit()), commands(&audit(), CLI)));
}

#[test]
fn a_setting_is_given_once_and_by_the_gravest() {
    use Severity::{Danger, Note, Warn};
    let audit = of(
        vec![differing("maxmemory", "2gb"), differing("hz", "10"), differing("save", "")],
        vec![
            broken("memory.a", Warn, [Fix::set("maxmemory", "3gb")]),
            broken("memory.b", Danger, [Fix::set("MaxMemory", "1073741824"), Fix::set("maxmemory", "1gb")]),
            broken("memory.c", Note, [Fix::set("hz", "100"), Fix::at_start("databases", "1")]),
        ],
    );
    let text = conf(&audit);
    assert_eq!(live(&text), ["maxmemory 1073741824", "hz 10", "save \"\""], "{text}");
    let reason = "# memory.b (danger), so that: It is right. Wins over 3gb, which memory.a (warn) asks for. \
                  Wins over 2gb, which profile asks for.\nmaxmemory 1073741824\n";
    assert!(text.contains(reason), "{text}");
    assert!(text.contains("Wins over 100, which memory.c (note) asks for."), "{text}");
    assert!(text.contains("\n# databases 1\n") && !text.contains("# hz"), "{text}");
    assert_eq!(
        steps(&commands(&audit, "x")),
        [
            "ask CONFIG SET MaxMemory 1073741824",
            "ask CONFIG SET hz 10",
            "ask CONFIG SET save ''",
            "ask CONFIG REWRITE"
        ]
    );
}

#[test]
fn no_text_breaks_out_of_its_comment() {
    let mut evil = broken(
        "memory.a",
        Severity::Note,
        [
            Fix::set("dir", "a\nport 1"),
            Fix::act("x\ntouch y"),
            Fix::shell("true\ntouch z"),
            Fix::command("GET\ntouch z"),
            Fix::at_start("dbfilename", "\r\ntouch"),
        ],
    );
    evil.must = "must\nport 1\r\nport 2\u{85}port 3".into();
    let mut audit = of(vec![], vec![evil]);
    audit.of = "a\nport 1".into();
    for text in [conf(&audit), commands(&audit, CLI)] {
        assert_eq!(live(&text), [""; 0], "{text}");
    }
}

#[test]
fn a_script_gives_redis_cli_every_value_as_it_is() {
    for value in
        ["", "a b", "it's", "\"q\" 'r'", "$HOME `id` $(id) \\", "two\nlines", "*", "~", "#", "-x", "é;&|<>!"]
    {
        let audit = of(vec![], vec![broken("memory.a", Severity::Danger, [Fix::set("requirepass", value)])]);
        assert_eq!(run(&audit), format!("<CONFIG><SET><requirepass><{value}>\n<CONFIG><REWRITE>\n"));
    }
}

#[test]
fn a_script_calls_the_server_and_the_shell_and_does_nothing_else() {
    let line = "ACL SETUSER app on \">a 'b' $c\" ~forebay:* +@all";
    let fixes = [
        Fix::act("go; echo by hand"),
        Fix::command("ACL SAVE"),
        Fix::command(line),
        Fix::shell("echo $((6 * 7)) | cat"),
        Fix::set("bind", "127.0.0.1 -::1"),
        Fix::set("maxmemory", "1gb"),
        Fix::set("maxmemory-policy", "noeviction"),
        Fix::at_start("databases", "1"),
    ];
    let audit = of(
        vec![differing("maxmemory-policy", "noeviction")],
        vec![
            broken("memory.a", Severity::Warn, fixes),
            broken("memory.n", Severity::Note, [Fix::shell("echo note")]),
        ],
    );
    let expected = format!(
        "<CONFIG><SET><maxmemory-policy><noeviction>\n<CONFIG><SET><maxmemory><1gb>\n<CONFIG><REWRITE>\n\
         <CONFIG><SET><bind><127.0.0.1 -::1>\n<CONFIG><REWRITE>\n<ACL><SAVE>\n{{{line}\n}}\n42\n"
    );
    assert_eq!(run(&audit), expected);
    let text = commands(&audit, CLI);
    assert!(text.starts_with("# Printed, never applied"), "{text}");
    assert!(text.contains("\n# needs a restart: put `databases 1` into redis.conf\n"), "{text}");
    assert!(text.contains("\n# echo note\n"), "{text}");
}

#[test]
fn a_server_reads_the_fragment_as_it_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let fragment = folder.path().join("with space.conf");
    let password = "a \"b\" $c #d \\ 'e'";
    let fixes = [
        Fix::set("maxmemory-policy", "noeviction"),
        Fix::set("save", "3600 1 300 100"),
        Fix::set("client-output-buffer-limit", "pubsub 33mb 8mb 60"),
        Fix::set("masterauth", password),
        Fix::at_start("databases", "3"),
        Fix::act("port 1"),
        Fix::shell("port 2"),
    ];
    let mut danger = broken("memory.a", Severity::Danger, fixes);
    danger.must = "A sentence\nport 1 is a trap.".into();
    let note = broken("memory.n", Severity::Note, [Fix::set("hz", "77"), Fix::set("save", "7 7")]);
    std::fs::write(&fragment, conf(&of(vec![differing("maxmemory", "64mb")], vec![danger, note]))).unwrap();
    let include = Conf::from_iter([("include", fragment.to_str().unwrap())]);
    let server = Server::start(&ServerBinary::find(None).unwrap(), &include).unwrap();
    let get = |name: &str| ask::<(String, String)>(&server, &format!("CONFIG GET {name}")).unwrap().1;
    assert_eq!(get("maxmemory"), "67108864");
    assert_eq!(get("maxmemory-policy"), "noeviction");
    assert_eq!(get("save"), "3600 1 300 100");
    assert!(get("client-output-buffer-limit").contains("pubsub 34603008 8388608 60"));
    assert_eq!(get("masterauth"), password);
    assert_eq!((get("databases"), get("hz")), ("3".into(), "10".into()));
}

#[test]
fn a_script_ends_at_the_first_answer_that_is_no_success() {
    let fixes = [Fix::set("hz", "10"), Fix::set("maxmemory", "1gb")];
    let script = commands(&of(vec![], vec![broken("memory.a", Severity::Danger, fixes)]), "fake");
    for (answer, says) in
        [("NOAUTH Authentication required.", "NOAUTH"), ("ERR Unknown option", "ERR"), ("", "no answer")]
    {
        let fake = format!("fake() {{ echo \"$*\" >&2; echo '{answer}'; }}\n{script}");
        let output = Command::new("sh").args(["-c", &fake]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(says), "{said}");
        assert!(!said.contains("maxmemory"), "nothing is asked after that: {said}");
    }
}

#[test]
fn the_aof_is_whole_before_what_it_replaces_is_given_up() {
    let fixes = [Fix::set("save", ""), Fix::set("appendonly", "yes")];
    let audit = of(vec![], vec![broken("persistence.a", Severity::Danger, fixes)]);
    assert_eq!(
        steps(&commands(&audit, "x")),
        ["ask CONFIG SET appendonly yes", "until_rewritten", "ask CONFIG SET save ''", "ask CONFIG REWRITE"]
    );
    let asked = run(&audit);
    assert!(asked.find("<INFO>") < asked.find("<save>"), "{asked}");
    let without_file = Audit { config_file: Some(String::new()), ..audit };
    let script = commands(&without_file, "x");
    assert!(!script.contains("REWRITE") && script.contains("The server has no redis.conf"), "{script}");
    assert!(conf(&without_file).contains("# Not by this line and a restart"));
}

#[test]
fn no_word_of_an_address_is_taken_by_the_shell_for_its_own() {
    let address =
        forebay::buffer::connect::Address::parse("redis://o';touch${IFS}x;':pw@127.0.0.1:1/3").unwrap();
    let words: Vec<String> =
        address.redis_cli().iter().map(|word| forebay_proof::audit::remedy::sh_word(word)).collect();
    let output =
        Command::new("sh").args(["-c", &format!("printf '%s\\n' {}", words.join(" "))]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), address.redis_cli(), "{words:?}");
    assert!(said.contains("o';touch${IFS}x;'") && !said.contains("pw") && said.contains("-n\n3"), "{said}");
}
