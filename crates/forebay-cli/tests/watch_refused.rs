//! What is claimed of a watch whose user may not use some command: the look goes on, says which command it is, and has no
//! figure of what only that would tell.

use forebay::buffer::connect::Address;
use forebay_rig::server::Server;
use serde_json::Value;

use super::support::{address, filled, likes, tell};
use super::watch_support::Watched;

/// A command taken away as ACL rules say it, what it is called, what must be missing without it, and what must not.
type Row = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const EVENTS: &str = "forebay_buffer_events{";
const OLDEST: &str = "forebay_buffer_oldest_age_seconds{";
const BLOCKS: &str = "forebay_lane_blocks{";
const UNREAD: &str = "forebay_group_unread_events{";
const BEHIND: &str = "forebay_group_behind_seconds{";
const MEMORY: &str = "forebay_server_memory_used_bytes ";

/// Every command that a look uses.
const COMMANDS: [Row; 14] = [
    ("-info", "INFO", &[MEMORY, "forebay_server_info"], &[EVENTS, OLDEST]),
    ("-time", "TIME", &[], &[EVENTS, OLDEST, BEHIND]),
    ("-config|get", "CONFIG GET", &[], &[EVENTS, OLDEST]),
    ("-type", "TYPE", &[], &[EVENTS, BLOCKS, UNREAD]),
    (
        "-hmget",
        "HMGET",
        &["forebay_lane_writer_epoch{", "forebay_lane_trimmed_unread_events_total{"],
        &[EVENTS, BLOCKS],
    ),
    (
        "-xrange",
        "XRANGE",
        &[EVENTS, OLDEST, UNREAD, BEHIND],
        &[BLOCKS, "forebay_lane_appended_events_total{"],
    ),
    ("-xrevrange", "XREVRANGE", &[UNREAD], &[EVENTS, BLOCKS, OLDEST]),
    ("-xlen", "XLEN", &[BLOCKS], &[EVENTS, OLDEST, UNREAD]),
    ("-memory|usage", "MEMORY USAGE", &["forebay_lane_bytes{", "forebay_buffer_bytes{"], &[EVENTS]),
    ("-xinfo|groups", "XINFO GROUPS", &[UNREAD, "forebay_groups_hidden{"], &[EVENTS]),
    ("-xpending", "XPENDING", &["forebay_group_pending_blocks{"], &[EVENTS, UNREAD]),
    ("-slowlog|len", "SLOWLOG LEN", &["forebay_server_slowlog_entries "], &[EVENTS]),
    ("-latency|histogram", "LATENCY HISTOGRAM", &["forebay_server_command_seconds_count{"], &[EVENTS]),
    (
        "-time -info",
        "TIME",
        &[OLDEST, BEHIND, "forebay_watch_clock_offset_seconds "],
        &[EVENTS, BLOCKS, UNREAD],
    ),
];

fn watched_without(server: &Server, rule: &str) -> Watched {
    tell(server, &format!("ACL SETUSER watcher reset on >pw ~* &* +@all {rule}"));
    let url = format!("redis://watcher:pw@127.0.0.1:{}", server.port());
    Watched::start(&Address::parse(&url).unwrap())
}

/// Whether a command is told to be refused.
fn names(stat: &Value, called: &str) -> bool {
    stat["unknown"].as_array().unwrap().iter().any(|text| {
        let text = text.as_str().unwrap();
        text.starts_with(&format!("the server refuses {called} "))
    })
}

#[test]
fn a_look_goes_on_without_any_of_its_commands_and_names_it() {
    let (server, _) = filled(5);
    drop(likes(&address(&server), Some(("g", "c"))));
    for (rule, called, missing, there) in COMMANDS {
        let watched = watched_without(&server, rule);
        let stat = watched.stat();
        assert!(stat["server"]["up"] == true && names(&stat, called), "{rule}: {stat}");
        let text = watched.get("/metrics");
        assert!(text.contains("forebay_server_up 1.0\n") && text.ends_with("# EOF\n"), "{rule}: {text}");
        for name in missing {
            assert!(!text.contains(name), "{rule}: {name} is there:\n{text}");
        }
        for name in there {
            assert!(text.contains(name), "{rule}: no {name}:\n{text}");
        }
        assert!(watched.sample("forebay_watch_unknown") >= Some(1.0), "{rule}");
        assert_eq!(watched.sample(r#"forebay_buffer_setbacks_total{buffer="test"}"#), Some(0.0), "{rule}");
        assert!(watched.get("/").contains("<title>"), "{rule}");
    }
}

#[test]
fn what_only_refused_commands_would_tell_is_not_told_to_be_absent() {
    let (server, _) = filled(5);
    let watched = watched_without(&server, "-type -hmget -xrange -xrevrange -xlen");
    let stat = watched.stat();
    assert!(stat["present"].is_null() && stat["events"].is_null(), "{stat}");
    assert_eq!(stat["verdict"]["level"], "unknown");
    let text = stat["verdict"]["text"].as_str().unwrap();
    assert_eq!(text, "Whether there is a buffer test on this server is unknown.");
    assert!(["TYPE", "HMGET", "XRANGE"].iter().all(|called| names(&stat, called)), "{stat}");
    let text = watched.get("/metrics");
    for absent in ["forebay_buffer_present", "forebay_lane_", "forebay_buffer_full_seconds"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
}

#[test]
fn a_permission_that_is_taken_away_is_no_setback() {
    let (server, _) = filled(5);
    let watched = watched_without(&server, "");
    watched.until("it sees the buffer", |stat| stat["events"] == 10);
    tell(&server, "ACL SETUSER watcher -type -hmget -xrange -xrevrange -xlen");
    watched.until("it sees nothing", |stat| stat["present"].is_null() && stat["server"]["up"] == true);
    tell(&server, "ACL SETUSER watcher +@all");
    watched.until("it sees the buffer again", |stat| stat["events"] == 10);
    assert_eq!(watched.sample(r#"forebay_buffer_setbacks_total{buffer="test"}"#), Some(0.0));
    let appended = r#"forebay_lane_appended_events_total{buffer="test",lane="likes"}"#;
    assert_eq!(watched.sample(appended), Some(10.0));
}
