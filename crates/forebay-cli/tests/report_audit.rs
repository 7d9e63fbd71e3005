//! Claims about the audit in a report: every outcome is told, and nothing overflows or escapes its place.

use std::fmt::Write as _;

use forebay_proof::audit::outcome::{Audit, Finding, Outcome, Setting};
use forebay_proof::audit::rule::{Fix, Rule, Section, Severity, State};
use forebay_proof::audit::version::Versions;
use forebay_proof::report::terminal::audit::{explain, list};
use forebay_proof::report::{Report, html, json, junit, terminal};
use textwrap::core::display_width;

use super::report::{named, parsed, sample};

fn setting(name: &str, required: &str, found: Option<&str>, outcome: Outcome) -> Setting {
    let fixes = if outcome == Outcome::Broken { vec![Fix::set(name, required)] } else { vec![] };
    let why = if outcome == Outcome::NotShown { NO_CONFIG } else { "" };
    let found = found.map(Into::into);
    Setting { name: name.into(), required: required.into(), found, outcome, why: why.into(), fixes }
}

/// A rule's finding; the section is the id's.
pub fn finding(id: &str, severity: Severity, must: &str, outcome: Outcome, read: &str) -> Finding {
    let section = Section::ALL.into_iter().find(|section| id.starts_with(section.word())).unwrap();
    Finding {
        id: id.into(),
        section,
        severity,
        must: must.into(),
        outcome,
        read: read.into(),
        why: String::new(),
        fixes: Vec::new(),
        source: "redis.conf of 7.0".into(),
    }
}

fn broken(
    id: &str,
    severity: Severity,
    [must, read, why]: [&str; 3],
    fixes: impl IntoIterator<Item = Fix>,
) -> Finding {
    let fixes = fixes.into_iter().collect();
    Finding { why: why.into(), fixes, ..finding(id, severity, must, Outcome::Broken, read) }
}

const NO_CONFIG: &str = "the user forebay may not run CONFIG GET (NOPERM)";
const OTHER_MACHINE: &str = "the server runs on another machine";

fn memory() -> Vec<Finding> {
    use Severity::{Danger, Note, Warn};
    vec![
        finding("memory.limit", Danger, "maxmemory is set.", Outcome::Ok, "maxmemory 2gb"),
        broken(
            "memory.headroom",
            Warn,
            [
                "What the machine has left holds the copy of a fork.",
                "maxmemory is 92.1 % of 2.16 GiB of memory",
                "While the append-only file is rewritten, pages that change are there twice. Without room for them \
                 the kernel ends the server, and it comes back with what was on disk.",
            ],
            [
                Fix::act("Give the machine 3.00 GiB of memory, or the buffer a smaller limit."),
                Fix::set("maxmemory", "1468006400"),
            ],
        ),
        broken(
            "memory.policy",
            Danger,
            [
                "Nothing is evicted.",
                "maxmemory-policy allkeys-lru",
                "At its limit the server deletes whole lanes, acknowledged events and all, and says nothing.",
            ],
            [Fix::set("maxmemory-policy", "noeviction")],
        ),
        broken(
            "memory.fragmentation",
            Note,
            [
                "Memory is given back by active defragmentation.",
                "activedefrag no",
                "After a large trim the memory stays with the process.",
            ],
            [Fix::set("activedefrag", "yes")],
        ),
        finding(
            "memory.output-buffers",
            Warn,
            "A consumer that is slow cannot fill the memory with answers that wait for it",
            Outcome::Ok,
            "client-output-buffer-limit normal 64mb 32mb 60\nclient-output-buffer-limit pubsub 32mb 8mb 60",
        ),
    ]
}

fn persistence() -> Vec<Finding> {
    use Severity::{Danger, Note, Warn};
    vec![
        broken(
            "persistence.aof",
            Danger,
            [
                "Every write goes to the append-only file.",
                "appendonly no",
                "After a restart the buffer is what the last snapshot had: minutes of events are gone.",
            ],
            [
                Fix::set("appendonly", "yes"),
                Fix::at_start("appenddirname", "appendonly dir"),
                Fix::shell(
                    "tail -n 100 /var/log/redis/redis-server.log | grep -i 'append only' || journalctl -u redis",
                ),
            ],
        ),
        broken(
            "persistence.snapshots",
            Note,
            [
                "There are snapshots beside the append-only file.",
                "save \"\"",
                "A backup is a copy of one file where there is a snapshot.",
            ],
            [Fix::set("save", "3600 1 300 100")],
        ),
        finding(
            "persistence.last-write",
            Danger,
            "The last write went well",
            Outcome::Ok,
            "aof_last_write_status:ok",
        ),
        finding("persistence.fsync", Warn, "appendfsync is not no", Outcome::NotShown, NO_CONFIG),
    ]
}

fn others() -> Vec<Finding> {
    use Severity::{Danger, Note, Warn};
    let mut found = vec![
        broken(
            "network.default-user",
            Danger,
            [
                "Nobody may log in without a password.",
                "user default on nopass ~* &* +@all",
                "Whoever reaches the port may run FLUSHALL.",
            ],
            [
                Fix::command("ACL SETUSER default resetpass \">a password, long\""),
                Fix::command("ACL SAVE"),
                Fix::act("Tell every client its new password."),
            ],
        ),
        finding(
            "observability.slowlog",
            Note,
            "Slow commands are kept",
            Outcome::Ok,
            "slowlog-log-slower-than 10000",
        ),
        finding("replication.link", Danger, "The link is up", Outcome::DoesNotApply, "it is no replica"),
        finding("replication.min", Warn, "A replica must ack", Outcome::DoesNotApply, "it has no replicas"),
        finding("version.faults", Warn, "No known fault", Outcome::Ok, "redis 7.0.15"),
        finding(
            "use.clients",
            Note,
            "No client holds a group for long",
            Outcome::NotShown,
            "XINFO said NOPERM",
        ),
    ];
    for id in
        ["host.overcommit", "host.thp", "host.swap", "host.backlog", "host.disk", "host.files", "host.clock"]
    {
        found.push(finding(id, Warn, "The machine is fit", Outcome::NotShown, OTHER_MACHINE));
    }
    found
}

/// An audit with every outcome and severity in it.
pub fn audit() -> Audit {
    let mut settings = vec![
        setting("maxmemory", "2gb", Some("2147483648"), Outcome::Ok),
        setting("appendfsync", "everysec", Some("everysec"), Outcome::Ok),
        setting("maxmemory-policy", "noeviction", Some("allkeys-lru"), Outcome::Broken),
        setting("save", "", Some("3600 1 300 100 60 10000"), Outcome::Broken),
        setting("auto-aof-rewrite-min-size", "64mb", None, Outcome::NotShown),
    ];
    settings[3].fixes.push(Fix::at_start("stop-writes-on-bgsave-error", "no"));
    Audit {
        of: "redis://127.0.0.1:6379".into(),
        is_file: false,
        config_file: Some("/etc/redis/redis.conf".into()),
        uptime_seconds: Some(3 * 3600),
        settings,
        rules: [memory(), persistence(), others()].concat(),
    }
}

fn with(audit: Audit) -> Report {
    Report { audit: Some(audit), ..sample() }
}

/// What the terminal says of an audit alone.
fn said(audit: Audit, width: usize, colour: bool) -> String {
    let mut report = with(audit);
    report.claims.clear();
    report.conflicts.clear();
    report.warnings.clear();
    let text = terminal::render(&report, width, colour);
    let from = text.find("Audit of").unwrap();
    text[from..text.find("\nHow it was measured").unwrap()].into()
}

#[test]
fn terminal_says_what_to_do_in_80_columns() {
    insta::assert_snapshot!(said(audit(), 80, false));
}

#[test]
fn no_line_of_an_audit_is_wider_than_the_terminal() {
    let mut long = audit();
    let policy = &mut long.rules[2];
    policy.must = "x".repeat(200);
    policy.fixes.push(Fix::shell(format!("echo {}", "word ".repeat(60))));
    policy.fixes.push(Fix::act("宽".repeat(90)));
    policy.fixes.push(Fix::set("dir", "y".repeat(150)));
    long.rules[0].read = "宽".repeat(120);
    long.rules[8].read = "z".repeat(150);
    long.settings[1].required = "w".repeat(150);
    for audit in [audit(), long] {
        for width in [32, 60, 80, 100] {
            for text in said(audit.clone(), width, false).lines() {
                assert!(display_width(text) <= width, "{} columns of {width}: {text}", display_width(text));
            }
        }
    }
}

#[test]
fn a_kept_rule_takes_one_line_and_a_command_is_broken_nowhere() {
    for width in [60, 80, 100] {
        let text = said(audit(), width, false);
        let kept = text.lines().filter(|line| line.starts_with("  [ok]")).count();
        assert_eq!(kept, audit().count(Outcome::Ok) + 2, "settings of the profile among them:\n{text}");
        assert!(text.contains("\n  [ok]      maxmemory is set: maxmemory 2gb\n"), "{text}");
        for line in ["CONFIG SET maxmemory-policy noeviction", "CONFIG SET save \"\"", "ACL SAVE"] {
            assert!(text.lines().any(|one| one.trim_start() == line), "{line} at {width}:\n{text}");
        }
    }
    let long = "tail -n 100 /var/log/redis/redis-server.log | grep -i 'append only' || journalctl -u redis";
    // Where a line has no room under its place, there is some further to the left.
    for width in [long.len() + 14, long.len() + 13, long.len() + 4, long.len() + 3, long.len()] {
        let text = said(audit(), width, false);
        let whole = text.lines().filter(|line| line.trim_start() == long).count();
        assert_eq!(whole, 2, "among the rules and in what to do first, at {width}:\n{text}");
    }
}

#[test]
fn each_reason_for_not_looking_is_given_once() {
    let text = said(audit(), 80, false);
    for reason in [NO_CONFIG, OTHER_MACHINE] {
        assert_eq!(text.matches(reason).count(), 1, "{reason}:\n{text}");
    }
    assert!(text.contains("    auto-aof-rewrite-min-size, persistence.fsync\n"), "{text}");
    assert!(text.contains("2 rules do not apply here.") && !text.contains("replication.link"), "{text}");
}

#[test]
fn young_counters_are_told_from_those_of_a_day() {
    let at = |uptime_seconds| said(Audit { uptime_seconds, ..audit() }, 100, false);
    assert!(
        at(Some(3 * 3600)).contains("the server has been up for 3 h; what has not happened yet may still.")
    );
    assert!(at(Some(86_399)).contains("Counters are young"));
    assert!(!at(Some(86_400)).contains("Counters are young") && !at(None).contains("Counters are young"));
}

#[test]
fn a_file_is_mended_in_the_file() {
    let text = said(Audit { of: "/etc/redis/redis.conf".into(), is_file: true, ..audit() }, 80, false);
    assert!(text.starts_with("Audit of /etc/redis/redis.conf, without a server\n"), "{text}");
    assert!(
        !text.contains("CONFIG SET") && text.contains("\n              maxmemory-policy noeviction\n"),
        "{text}"
    );
}

#[test]
fn an_audit_that_found_nothing_asks_for_nothing() {
    let mut good = audit();
    good.rules.retain(|finding| finding.outcome == Outcome::Ok);
    good.settings.retain(|setting| setting.outcome == Outcome::Ok);
    let text = said(good, 80, false);
    assert!(
        !text.contains("Do first") && !text.contains("mend") && !text.contains("CONFIG REWRITE"),
        "{text}"
    );
    assert!(
        text.ends_with(
            "Summary\n    5 ok         is as a buffer needs it\n  2 of 2 settings are as the profile asks.\n"
        ),
        "{text}"
    );
}

#[test]
fn colour_of_an_audit_adds_nothing_but_colour() {
    let (plain, coloured) = (said(audit(), 80, false), said(audit(), 80, true));
    assert!(!plain.contains('\x1b'));
    let mut stripped = coloured.clone();
    for code in ["1;31", "1;33", "1;36", "32", "2", "0"] {
        stripped = stripped.replace(&format!("\x1b[{code}m"), "");
    }
    assert_eq!(stripped, plain);
    assert!(coloured.contains("\x1b[1;31m[danger]\x1b[0m") && coloured.contains("\x1b[32m[ok]\x1b[0m"));
}

#[test]
fn what_an_audit_read_does_not_steer_the_terminal() {
    let mut evil = audit();
    for finding in &mut evil.rules {
        finding.read = "\x1b[2J\u{202e}".into();
        finding.fixes.push(Fix::shell("\x1b[2J"));
    }
    evil.settings[0].found = Some("\x1b[2J\r".into());
    let text = said(evil, 80, false);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{text:?}");
}

static POLICY: Rule = Rule {
    id: "memory.policy",
    severity: Severity::Danger,
    must: "Nothing is evicted: the policy is noeviction, so that a full server refuses writes and the writer waits.",
    why: "At its limit the server deletes whole lanes, acknowledged events and all, and says nothing.",
    remedy: "CONFIG SET maxmemory-policy noeviction, and the same line in redis.conf.",
    source: "redis.conf, section MEMORY MANAGEMENT",
    versions: Versions::From((7, 0, 0)),
    check: |_| Ok(State::Kept(String::new())),
};
static CLOCK: Rule = Rule {
    id: "host.clock",
    severity: Severity::Note,
    must: "The clock is kept right.",
    versions: Versions::All,
    ..POLICY
};

#[test]
fn a_rule_is_explained_whole_and_listed_in_a_line() {
    let text = explain(&POLICY, 80, false);
    let listed = list([&POLICY, &CLOCK].into_iter(), 80);
    insta::assert_snapshot!(format!("{text}\n{listed}"));
    assert_eq!(listed.lines().count(), 2);
    for width in [60, 80, 100] {
        let mut text = explain(&POLICY, width, false);
        write!(text, "{}", list([&POLICY, &CLOCK].into_iter(), width)).unwrap();
        assert!(text.lines().all(|line| display_width(line) <= width), "{width}:\n{text}");
    }
    assert!(explain(&POLICY, 80, true).starts_with("\x1b[1;31m[danger]\x1b[0m"));
}

#[test]
fn json_of_an_audit_comes_back_as_it_went() {
    let report = with(audit());
    assert!(json::from_str(&json::to_string(&report)).unwrap() == report);
    assert!(!json::to_string(&sample()).contains("\"audit\""), "a report without an audit is as it was");
}

#[test]
fn page_opens_what_is_broken_and_folds_the_rest() {
    let text = html::render(&with(audit()));
    let page = parsed(&text);
    let details = named(&page, "details");
    let rules: Vec<_> =
        details.iter().filter(|node| node.attribute("class").is_some_and(|of| of.contains("rule"))).collect();
    assert_eq!(rules.len(), audit().rules.iter().filter(|finding| finding.is_broken()).count());
    assert!(rules.iter().all(|node| node.attribute("open").is_some()));
    let kept: Vec<_> = details.iter().filter(|node| node.attribute("class") == Some("fold ok")).collect();
    assert_eq!(kept.len(), 4, "sections with rules that are kept");
    assert!(kept.iter().all(|node| node.attribute("open").is_none()));
    let lines: Vec<_> = named(&page, "pre")
        .iter()
        .map(|node| node.descendants().filter_map(|of| of.text()))
        .map(String::from_iter)
        .collect();
    assert!(lines.iter().any(|line| line.contains("CONFIG SET maxmemory-policy noeviction")), "{lines:?}");
    let ids: Vec<_> = page.descendants().filter_map(|node| node.attribute("id")).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "an id is there twice: {ids:?}");
    let levels: Vec<u8> = page
        .descendants()
        .filter_map(|node| node.tag_name().name().strip_prefix('h')?.parse().ok())
        .collect();
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "a heading level is skipped: {levels:?}");
}

const EVIL: &str = "<script>alert(1)</script>\"'&]]>";

/// An audit in which every text is this one.
fn all_of(text: &str) -> Audit {
    let mut audit = audit();
    audit.of = text.into();
    for setting in &mut audit.settings {
        setting.why = text.into();
        setting.required = text.into();
        setting.found = Some(text.into());
    }
    for finding in &mut audit.rules {
        for field in
            [&mut finding.id, &mut finding.must, &mut finding.read, &mut finding.why, &mut finding.source]
        {
            *field = text.into();
        }
    }
    for fixes in audit.rules.iter_mut().map(|finding| &mut finding.fixes).filter(|fixes| !fixes.is_empty()) {
        *fixes = vec![Fix::shell(text), Fix::act(text), Fix::set(text, text), Fix::at_start(text, text)];
    }
    audit
}

#[test]
fn page_shows_markup_that_an_audit_read_as_text() {
    let text = html::render(&with(all_of(EVIL)));
    assert!(!text.contains("<script"), "markup got through");
    let page = parsed(&text);
    let shown = |name| {
        named(&page, name)
            .iter()
            .flat_map(roxmltree::Node::descendants)
            .filter_map(|of| of.text())
            .any(|text| text.contains(EVIL))
    };
    for name in ["dd", "li", "pre", "td", "h2", "h4"] {
        assert!(shown(name), "{name} does not show it");
    }
}

#[test]
fn junit_has_a_case_for_every_setting_and_rule() {
    let text = junit::to_string(&audit());
    insta::assert_snapshot!(text);
    let page = roxmltree::Document::parse(&text).unwrap();
    assert_eq!(named(&page, "testcase").len(), audit().rules.len() + audit().settings.len());
    let types: Vec<_> = named(&page, "failure").iter().map(|node| node.attribute("type").unwrap()).collect();
    assert_eq!(types, ["differs", "differs", "warn", "danger", "danger", "danger"]);
    assert_eq!(named(&page, "system-out").len(), 2, "notes pass and say so");
}

#[test]
fn junit_holds_whatever_was_read() {
    for text in [EVIL, "\0\x01\x1b[2J\u{fffe}\u{ffff}\x0b", "a\nb\tc", "\u{1f600}"] {
        let xml = junit::to_string(&all_of(text));
        let page = roxmltree::Document::parse(&xml).expect("it is well-formed");
        assert_eq!(named(&page, "testcase").len(), audit().rules.len() + audit().settings.len());
    }
    let xml = junit::to_string(&all_of(EVIL));
    let page = roxmltree::Document::parse(&xml).unwrap();
    assert!(named(&page, "failure").iter().any(|node| node.attribute("message") == Some(EVIL)));
}
