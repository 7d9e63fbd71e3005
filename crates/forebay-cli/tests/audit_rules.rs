//! What is claimed of the audit's rules: on a real server each finds what is planted for it, is silent on a server
//! without it, and is silenced by its own remedy.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::event::jetstream;
use forebay_proof::audit::judge;
use forebay_proof::audit::look::Look;
use forebay_proof::audit::negative_controls::seeded_faults::{FaultSource, MODEL, PLANTS, SeededFault};
use forebay_proof::audit::negative_controls::{machine, made_up, on_a_server, start};
use forebay_proof::audit::outcome::{Audit, Finding, Outcome};
use forebay_proof::audit::rule::{Fix, Severity};
use forebay_proof::audit::rules;
use forebay_proof::audit::snapshot::{AuditSnapshot, Read};
use forebay_rig::server::{Server, ServerBinary};
use forebay_watch::machine::Host;
use forebay_watch::profile::Profile;

fn profile() -> Profile {
    Profile::load("bluesky-8h").unwrap()
}

pub fn name() -> Name {
    "rules".parse().unwrap()
}

pub fn binary() -> ServerBinary {
    ServerBinary::find(None).unwrap()
}

/// A healthy machine. Its files are read when a rule asks, so the folder stays, under cargo's own.
static HEALTHY: LazyLock<Read<Host>> =
    LazyLock::new(|| machine::host(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("healthy"), &[]));

/// What an audit sees of a server, on a healthy machine.
pub fn seen(address: &Address) -> AuditSnapshot {
    let (profile, name) = (profile(), name());
    let look = Look { profile: &profile, buffer: &name, probe_disk: false, is_own: false };
    let mut seen = look.at(address).unwrap();
    seen.host.clone_from(&HEALTHY);
    seen.fsync = Ok(machine::fsync(&[]));
    seen
}

fn audit(seen: &AuditSnapshot) -> Audit {
    judge::audit(seen, "test", false)
}

pub fn finding(seen: &AuditSnapshot, id: &str) -> Finding {
    audit(seen).rules.into_iter().find(|finding| finding.id == id).unwrap()
}

pub fn ask(address: &Address, words: &[&str]) -> redis::RedisResult<redis::Value> {
    redis::cmd(words[0]).arg(&words[1..]).query(&mut address.dial().unwrap())
}

/// Does what a remedy says, on a server that is running. What is only read at the start is given back.
pub fn apply(address: &Address, fixes: &[Fix]) -> Vec<(&'static str, &'static str)> {
    let mut at_start = Vec::new();
    for fix in fixes {
        match fix {
            Fix::Set { directive, value } => {
                ask(address, &["CONFIG", "SET", directive, value])
                    .unwrap_or_else(|why| panic!("{fix:?}: {why}"));
            }
            Fix::SetAtStart { directive, value } => {
                let keep = |text: &str| -> &'static str { String::leak(text.to_owned()) };
                at_start.push((keep(directive), keep(value)));
            }
            Fix::Command { line } => {
                ask(address, &line.split(' ').collect::<Vec<_>>())
                    .unwrap_or_else(|why| panic!("{fix:?}: {why}"));
            }
            Fix::Shell { .. } | Fix::Do { .. } => {}
        }
    }
    at_start
}

/// Plants that a server on loopback can be given.
fn on_a_real_server(plant: &SeededFault) -> bool {
    // A node needs a port: it has a file of its own.
    if plant.is_of_node() {
        return false;
    }
    let is_open_to_all =
        |pairs: &[(&str, &str)]| pairs.iter().any(|(name, value)| *name == "bind" && *value != "127.0.0.1");
    plant.how.iter().all(|how| match how {
        FaultSource::Settings(pairs) => !is_open_to_all(pairs),
        FaultSource::Commands(_) | FaultSource::DefaultUser(_) | FaultSource::Running(..) => true,
        _ => false,
    })
}

/// What a person does where the remedy is in words.
fn by_hand(rule: &str, address: &Address) -> bool {
    let name = name();
    let lane = |lane| name.stream(lane);
    let words: Vec<String> = match rule {
        "network.protected-mode" => {
            vec!["CONFIG".into(), "SET".into(), "protected-mode".into(), "yes".into()]
        }
        "network.password" => {
            vec!["ACL".into(), "SETUSER".into(), "default".into(), "resetpass".into(), ">long".into()]
        }
        "network.default-user" => {
            vec!["ACL".into(), "SETUSER".into(), "default".into(), "-@dangerous".into(), "resetkeys".into()]
        }
        "network.dangerous-commands" => {
            vec!["ACL".into(), "SETUSER".into(), "default".into(), "-@all".into(), "+ping".into()]
        }
        "replication.role" => vec!["REPLICAOF".into(), "NO".into(), "ONE".into()],
        "use.other-writers" | "use.no-group" => vec!["DEL".into(), lane(jetstream::LIKES)],
        "use.xdel" => vec!["DEL".into(), lane(jetstream::REPOSTS)],
        "use.other-keys" => vec!["DEL".into(), "stray".into()],
        _ => return false,
    };
    ask(address, &words.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    true
}

#[test]
fn a_model_server_breaks_no_rule() {
    let (_server, address) = start(&binary(), &[], &name()).unwrap();
    let audit = audit(&seen(&address));
    // What it is, and how it was built, is not ours to choose: Debian's refuses to defragment.
    let given = ["memory.allocator", "memory.activedefrag"];
    let chosen =
        |finding: &&Finding| !finding.id.starts_with("version.") && !given.contains(&finding.id.as_str());
    let broken: Vec<_> = audit.rules.iter().filter(|finding| finding.is_broken()).filter(chosen).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let unread: Vec<_> = audit.rules.iter().filter(|finding| finding.outcome == Outcome::NotShown).collect();
    assert!(unread.is_empty(), "{unread:#?}");
}

#[test]
fn a_rule_finds_its_fault_on_a_real_server_and_its_remedy_silences_it() {
    let binary = binary();
    let facts = |address: &Address| seen(address).info.unwrap();
    let mut tried = 0;
    for plant in PLANTS.iter().filter(|plant| on_a_real_server(plant)) {
        let rule = rules::find(plant.rule).unwrap();
        let (server, address) = start(&binary, plant.how, &name()).unwrap();
        if !rule.versions.have(&facts(&address)) {
            continue;
        }
        let found = finding(&seen(&address), plant.rule);
        if plant.rule == "memory.activedefrag"
            && ask(&address, &["CONFIG", "SET", "activedefrag", "yes"]).is_err()
        {
            continue;
        }
        assert!(found.is_broken() && !found.fixes.is_empty(), "{found:#?}");
        let names = match plant.rule {
            "use.other-keys" => "1 other keys",
            "use.emptied" => "flushdb 1 times",
            "network.dangerous-commands" => "flushall, flushdb",
            rule if rule.starts_with("use.") => "forebay:{rules.",
            _ => "",
        };
        assert!(found.read.contains(names), "{found:#?}");
        silence(&binary, plant, &found, (server, address));
        tried += 1;
    }
    assert!(tried > 35, "only {tried} were tried");
}

/// Applies what a finding says, and looks again.
fn silence(
    binary: &ServerBinary,
    plant: &SeededFault,
    found: &Finding,
    (server, address): (Server, Address),
) {
    let at_start = apply(&address, &found.fixes);
    let is_by_hand = by_hand(plant.rule, &address);
    let words_only = found.fixes.iter().all(|fix| matches!(fix, Fix::Do { .. }));
    let (server, address) = if at_start.is_empty() {
        (server, address)
    } else {
        drop(server);
        let how: Vec<FaultSource> =
            plant.how.iter().copied().chain([FaultSource::Settings(at_start.leak())]).collect();
        start(binary, &how, &name()).unwrap()
    };
    // The keys of a command are taken from the file by hand: such a server is another.
    if words_only && !is_by_hand {
        assert!(["network.commands", "network.tls"].contains(&plant.rule), "{} has words only", plant.rule);
        return;
    }
    let after = finding(&seen(&address), plant.rule);
    assert!(!after.is_broken(), "{} after {:?}: {after:#?}", plant.rule, found.fixes);
    drop(server);
}

#[test]
fn every_remedy_that_is_a_setting_silences_its_rule() {
    for plant in PLANTS.iter().filter(|plant| plant.is_data()) {
        let root = tempfile::tempdir().unwrap();
        let mut seen = made_up(&profile(), root.path(), plant.how);
        let found = finding(&seen, plant.rule);
        assert!(found.is_broken(), "{found:#?}");
        let mut is_setting = false;
        for fix in &found.fixes {
            match fix {
                Fix::Set { directive, value } | Fix::SetAtStart { directive, value } => {
                    is_setting = true;
                    seen.settings.as_mut().unwrap().set(directive, value);
                }
                Fix::Shell { line } => is_setting |= shell(root.path(), line),
                Fix::Command { .. } | Fix::Do { .. } => {}
            }
        }
        // What INFO counted stays until CONFIG RESETSTAT.
        let is_counted = found.fixes.iter().any(|fix| matches!(fix, Fix::Command { .. }));
        if is_setting
            && !is_counted
            && !["memory.near-full", "network.file-limit", "memory.clients", "memory.fragmentation"]
                .contains(&plant.rule)
        {
            assert!(!finding(&seen, plant.rule).is_broken(), "{} after {:?}", plant.rule, found.fixes);
        }
    }
}

/// Does a shell line on a machine made of files; whether it was one that can be.
fn shell(root: &Path, line: &str) -> bool {
    if let Some((name, value)) = line.strip_prefix("sysctl -w ").and_then(|rest| rest.split_once('=')) {
        std::fs::write(root.join(format!("proc/sys/{}", name.replace('.', "/"))), value).unwrap();
        return true;
    }
    if line == "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled" {
        std::fs::write(root.join("sys/kernel/mm/transparent_hugepage/enabled"), "always [madvise] never")
            .unwrap();
        return true;
    }
    false
}

#[test]
fn the_settings_that_are_shipped_break_no_rule_beyond_notes() {
    for (profile, dangers) in [
        ("bluesky-8h", vec![]),
        ("full-network", vec![]),
        ("met-001", vec!["memory.eviction"]),
        ("bluesky-cluster", vec![]),
    ] {
        let profile = Profile::load(profile).unwrap();
        let conf: forebay_rig::server::Conf = profile.conf_settings().into_iter().collect();
        let server = Server::start(&binary(), &conf).unwrap();
        let audit = audit(&seen(&Address::parse(&server.url()).unwrap()));
        let chosen = |finding: &&Finding| finding.is_broken() && !finding.id.starts_with("version.");
        let grave = audit.rules.iter().filter(chosen).filter(|finding| finding.severity != Severity::Note);
        assert_eq!(grave.map(|finding| &finding.id).collect::<Vec<_>>(), dangers, "{}", profile.name);
    }
}

/// What each rule says of a healthy server, and of one with its fault.
#[test]
fn every_rule_says_what_it_read_and_what_mends_it() {
    let mut said = String::new();
    for rule in rules::all() {
        let root = tempfile::tempdir().unwrap();
        let healthy = finding(&made_up(&profile(), root.path(), &[]), rule.id);
        writeln!(said, "{}: {} {}", rule.id, healthy.tag(), healthy.read).unwrap();
        for plant in PLANTS.iter().filter(|plant| plant.rule == rule.id).filter(|plant| plant.is_data()) {
            let root = tempfile::tempdir().unwrap();
            let found = finding(&made_up(&profile(), root.path(), plant.how), rule.id);
            let fixes: Vec<String> = found.fixes.iter().map(Fix::line).collect();
            writeln!(said, "    {} {} => {}", found.tag(), found.read, fixes.join("; ")).unwrap();
        }
    }
    insta::assert_snapshot!(said);
}

#[test]
fn faults_planted_together_on_a_server_are_all_named_and_nothing_else_is() {
    let control = on_a_server(&binary(), &profile()).unwrap();
    assert!(control.is_refuted(), "{control:?}");
}

#[test]
fn every_rule_is_whole_and_has_a_name_of_its_own() {
    let mut ids: Vec<&str> = rules::all().map(|rule| rule.id).collect();
    for rule in rules::all() {
        assert!(rule.id.starts_with(&format!("{}.", rule.section().word())), "{}", rule.id);
        for text in [rule.must, rule.why, rule.remedy, rule.source] {
            assert!(text.len() > 3 && !text.ends_with(' ') && !text.contains("  "), "{}: {text:?}", rule.id);
        }
        assert!(rule.why.ends_with('.') && !rule.must.ends_with('.'), "{}", rule.id);
    }
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert!(all == ids.len() && all > 50, "{all} rules");
    assert!(MODEL.len() > 40);
}

/// What an attack found: each is held here.
#[test]
fn what_looks_safe_and_is_not_is_found() {
    use FaultSource::{DefaultUser, Says, Settings};
    let broken = |rule: &str, how: &[FaultSource]| {
        let root = tempfile::tempdir().unwrap();
        finding(&made_up(&profile(), root.path(), how), rule)
    };
    // Before 7.0 any bind of one's own turns protected mode off.
    let bound =
        [DefaultUser("on nopass ~* &* +@all"), Settings(&[("bind", "0.0.0.0"), ("protected-mode", "yes")])];
    assert!(!broken("network.open", &bound).is_broken());
    let old = [bound[0], bound[1], Says(&[("redis_version", "6.2.5")])];
    let found = broken("network.open", &old);
    assert!(
        found.is_broken() && found.fixes.iter().all(|fix| !fix.line().contains("protected-mode")),
        "{found:#?}"
    );
    // No limit above what the machine has, and none below what is in use.
    let full = [Settings(&[("maxmemory", "0")]), Says(&[("used_memory", "14000000000")])];
    let found = broken("memory.maxmemory", &full);
    assert!(found.is_broken() && matches!(found.fixes[..], [Fix::Do { .. }]), "{found:#?}");
    let found = broken("memory.machine", &[Settings(&[("maxmemory", "100gb")])]);
    assert_eq!(found.fixes[0].line(), "maxmemory 13107mb");
    // A server that asks for replicas and never looks for them refuses nothing.
    let unasked = [Settings(&[("min-replicas-to-write", "3"), ("min-replicas-max-lag", "0")])];
    assert!(!broken("replication.too-few", &unasked).is_broken());
    let late = [
        Settings(&[("min-replicas-to-write", "1")]),
        Says(&[("connected_slaves", "1"), ("min_slaves_good_slaves", "0")]),
    ];
    assert!(broken("replication.too-few", &late).is_broken());
    // Refused calls emptied nothing.
    let refused = [Says(&[("cmdstat_flushall", "calls=0,usec=0,rejected_calls=1")])];
    assert!(!broken("use.emptied", &refused).is_broken());
    assert!(broken("use.emptied", &[Says(&[("cmdstat_flushall", "calls=2,usec=0")])]).is_broken());
}

#[test]
fn a_profile_that_would_stop_the_buffer_is_not_set_without_a_word() {
    let mut profile = profile();
    profile.settings.insert("maxmemory".into(), toml::Value::String("10mb".into()));
    let root = tempfile::tempdir().unwrap();
    let mut seen = made_up(&profile, root.path(), &[FaultSource::Says(&[("db3", "keys=1,expires=0")])]);
    seen.settings.as_mut().unwrap().set("databases", "16");
    let audit = audit(&seen);
    for (name, says) in [("maxmemory", "drain the buffer"), ("databases", "database 3")] {
        let setting = audit.settings.iter().find(|setting| setting.name == name).unwrap();
        let [Fix::Do { text }] = &setting.fixes[..] else { panic!("{setting:#?}") };
        assert!(text.contains(says), "{text}");
    }
}
