//! What is claimed of how an audit looks: it reads and nothing else, walks nothing, and what it may not read is not
//! shown, with the reason, and never ok.

use std::collections::BTreeSet;

use forebay::buffer::connect::Address;
use forebay::event::jetstream;
use forebay_proof::audit::judge;
use forebay_proof::audit::look::Look;
use forebay_proof::audit::negative_controls::{made_up, of_rules};
use forebay_proof::audit::outcome::{Audit, Outcome};
use forebay_rig::server::{Conf, Server};
use forebay_watch::machine::Host;
use forebay_watch::profile::Profile;

use crate::audit_rules::{ask, binary};
use crate::support::{address, name, open, options, server};

fn profile() -> Profile {
    Profile::load("bluesky-8h").unwrap()
}

fn audit(address: &Address) -> Audit {
    let (profile, name) = (profile(), name());
    let look = Look { profile: &profile, buffer: &name, probe_disk: false, is_own: false };
    judge::audit(&look.at(address).unwrap(), "test", false)
}

/// Calls by command since the server began.
fn calls(address: &Address) -> BTreeSet<String> {
    let text: String = redis::cmd("INFO").arg("commandstats").query(&mut address.dial().unwrap()).unwrap();
    text.lines()
        .filter_map(|line| Some(line.strip_prefix("cmdstat_")?.split(':').next()?.to_owned()))
        .collect()
}

/// A server with a block in each lane.
fn with_a_buffer() -> (Server, Address) {
    let server = server(&[]);
    let mut ledger = crate::support::Ledger::default();
    let mut writer = open(&address(&server), &options(2, 4));
    for lane in jetstream::ALL {
        ledger.push(&mut writer, lane).unwrap();
    }
    writer.close().unwrap();
    let address = address(&server);
    (server, address)
}

#[test]
fn an_audit_gives_only_commands_that_read_and_none_that_walks() {
    let (_server, address) = with_a_buffer();
    ask(&address, &["CONFIG", "RESETSTAT"]).unwrap();
    let before = calls(&address);
    assert!(audit(&address).rules.len() > 50);
    let given: BTreeSet<String> = calls(&address).difference(&before).cloned().collect();
    let mut reads: BTreeSet<String> = [
        "acl|list",
        "command|info",
        "config|get",
        "dbsize",
        "hget",
        "hmget",
        "info",
        "pttl",
        "type",
        "xinfo|stream",
        "client|setinfo",
    ]
    .map(str::to_owned)
    .into();
    // Redis 6.2 counts by command, without what follows.
    reads.extend(["acl", "command", "config", "xinfo", "client"].map(str::to_owned));
    // The connections of the test itself.
    reads.extend(["config|resetstat", "hello", "auth", "select"].map(str::to_owned));
    let strange: Vec<_> = given.difference(&reads).collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert!(given.contains("dbsize") && given.contains("hget"), "{given:?}");
}

#[test]
fn a_user_that_may_only_read_can_audit() {
    let (server, address) = with_a_buffer();
    let may = "on >pw ~* -@all +@read +@connection +info +dbsize +config +acl +command";
    let words: Vec<&str> = ["ACL", "SETUSER", "looker"].into_iter().chain(may.split(' ')).collect();
    ask(&address, &words).unwrap();
    let looker = Address::parse(&server.url().replace("redis://", "redis://looker:pw@")).unwrap();
    assert!(ask(&looker, &["SET", "a", "1"]).is_err(), "it may not write");
    let (all, narrow) = (audit(&address), audit(&looker));
    let outcomes =
        |audit: &Audit| audit.rules.iter().map(|rule| (rule.id.clone(), rule.outcome)).collect::<Vec<_>>();
    assert_eq!(outcomes(&all), outcomes(&narrow));
}

#[test]
fn what_may_not_be_read_is_not_shown_with_the_reason_and_never_ok() {
    let (server, address) = with_a_buffer();
    let may = "on >pw ~* -@all +info +@connection";
    let words: Vec<&str> = ["ACL", "SETUSER", "blind"].into_iter().chain(may.split(' ')).collect();
    ask(&address, &words).unwrap();
    let blind = audit(&Address::parse(&server.url().replace("redis://", "redis://blind:pw@")).unwrap());
    for rule in ["memory.query-buffer", "memory.bulk-length", "network.open", "use.ttl", "network.commands"] {
        let finding = blind.rules.iter().find(|finding| finding.id == rule).unwrap();
        assert_eq!(finding.outcome, Outcome::NotShown, "{finding:?}");
        assert!(finding.read.contains("NOPERM"), "{finding:?}");
    }
    let in_info = ["maxmemory", "maxmemory-policy", "appendonly"];
    let told = blind.settings.iter().filter(|setting| setting.outcome != Outcome::NotShown);
    assert!(told.clone().all(|setting| in_info.contains(&setting.name.as_str())), "INFO has no others");
    assert_eq!(told.count(), in_info.len());
    let evicted = blind.rules.iter().find(|finding| finding.id == "memory.evicted").unwrap();
    assert_eq!(evicted.outcome, Outcome::Ok, "INFO may be read");
}

#[test]
fn a_server_whose_config_command_is_renamed_shows_no_setting() {
    let mut conf = Conf::new();
    conf.set("rename-command", "CONFIG hidden").set("save", "");
    let server = Server::start(&binary(), &conf).unwrap();
    let audit = audit(&Address::parse(&server.url()).unwrap());
    let limit = audit.rules.iter().find(|finding| finding.id == "memory.query-buffer").unwrap();
    assert_eq!(limit.outcome, Outcome::NotShown);
    assert!(limit.read.contains("renamed or disabled"), "{limit:?}");
    let aof = audit.rules.iter().find(|finding| finding.id == "persistence.aof").unwrap();
    assert!(aof.is_broken(), "INFO says that there is none: {aof:?}");
    // What does not need it is still seen.
    assert!(audit.count(Outcome::Ok) > 10);
}

#[cfg(target_os = "linux")]
#[test]
fn the_machine_is_told_from_another_whose_process_has_the_same_id() {
    let server = server(&[]);
    let address = address(&server);
    let (profile, name) = (profile(), name());
    let look = Look { profile: &profile, buffer: &name, probe_disk: true, is_own: false };
    let seen = look.at(&address).unwrap();
    let host = seen.host.unwrap();
    assert!(host.memory().unwrap().0 > 0 && seen.fsync.unwrap().times() > 0);
    let pid = u64::from(std::process::id());
    let elsewhere = Host::of(std::path::Path::new("/"), pid, 1.0, None).unwrap_err();
    assert!(elsewhere.0.contains("another machine"), "{elsewhere:?}");
}

#[test]
fn a_rule_that_needs_what_could_not_be_read_is_never_ok() {
    let root = tempfile::tempdir().unwrap();
    let mut seen = made_up(&profile(), root.path(), &[]);
    let none = || forebay_proof::audit::rule::Unread("for this test".into());
    seen.settings = Err(none());
    seen.info = Err(none());
    seen.users = Err(none());
    seen.usage = Err(none());
    seen.host = Err(none());
    seen.fsync = Err(none());
    let audit = judge::audit(&seen, "test", false);
    let told: Vec<_> = audit.rules.iter().filter(|finding| finding.outcome != Outcome::NotShown).collect();
    assert!(told.iter().all(|finding| finding.id.starts_with("file.")), "{told:#?}");
    assert!(of_rules(&seen).is_refuted());
}
