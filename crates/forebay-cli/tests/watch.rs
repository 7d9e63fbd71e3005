//! What is claimed of `forebay watch`: it tells what is there, and on bad days says what it does not know.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use serde_json::Value;

use forebay::buffer::connect::Address;
use forebay::buffer::look;
use forebay::buffer::writer;
use forebay::event::jetstream;
use forebay_watch::deploy::rules::rules;
use forebay_watch::metrics::families;
use forebay_watch::probe::Counted;
use forebay_watch::profile::{self, Profile};
use forebay_watch::view::View;
use forebay_watch::{Subject, serve};

use super::support::{
    Ledger, add, address, connection, drain, filled, info, likes, name, open, options, places, server,
    taking_over, tell, until,
};
use super::watch_support::{EVERY, Watched};

#[test]
fn it_shows_what_is_held_by_lane_and_by_group() {
    let (server, ledger) = filled(20);
    let held = ledger.lane(jetstream::LIKES).len() as f64;
    let mut reader = likes(&address(&server), Some(("g\"1\\\n<b>", "c")));
    let given = drain(&mut reader);
    reader.acknowledge(places(&given).into_iter().take(5)).unwrap();
    let watched = Watched::start(&address(&server));
    let stat = look::look(&address(&server), &name()).unwrap();
    watched.until("it shows what the server has", |shown| shown["events"].as_u64() == stat.events());
    let likes = r#"{buffer="test",lane="likes"}"#;
    assert_eq!(watched.sample(&format!("forebay_lane_appended_events_total{likes}")), Some(held));
    assert_eq!(
        watched.sample(&format!("forebay_lane_blocks{likes}")),
        stat.lanes
            .iter()
            .find(|lane| lane.lane == jetstream::LIKES)
            .and_then(|lane| Some(lane.blocks? as f64))
    );
    // A name is somebody's input: it comes as text, in quotes.
    let group = r#"{buffer="test",lane="likes",group="g\"1\\\n<b>"}"#;
    assert_eq!(watched.sample(&format!("forebay_group_unread_events{group}")), Some(0.0));
    assert_eq!(watched.sample(&format!("forebay_group_pending_blocks{group}")), Some(15.0));
    assert_eq!(watched.sample("forebay_server_up"), Some(1.0));
    assert_eq!(watched.sample(r#"forebay_buffer_present{buffer="test"}"#), Some(1.0));
    assert!(watched.get("/metrics").ends_with("# EOF\n"));
}

#[test]
fn a_buffer_that_is_not_there_yet_has_no_figures_and_gets_them() {
    let server = server(&[]);
    let watched = Watched::start(&address(&server));
    watched.until("it says so", |stat| stat["present"] == false);
    let stat = watched.stat();
    assert!(stat["verdict"]["text"].as_str().unwrap().contains("no buffer test"), "{stat}");
    assert_eq!(watched.sample(r#"forebay_buffer_present{buffer="test"}"#), Some(0.0));
    for absent in
        ["forebay_buffer_events", "forebay_buffer_oldest_age_seconds", "forebay_buffer_full_seconds"]
    {
        assert!(!watched.get("/metrics").contains(absent), "{absent}");
    }
    let mut ledger = Ledger { padding: 30, ..Ledger::default() };
    let mut writer = open(&address(&server), &options(4, 4));
    ledger.push_many(&mut writer, jetstream::LIKES, 40).unwrap();
    writer.close().unwrap();
    watched.until("it has them", |stat| stat["events"] == 40);
}

#[test]
fn a_buffer_that_goes_back_is_told_of_and_its_counters_stay() {
    let (server, mut ledger) = filled(20);
    let (stream, hash) = (name().stream(jetstream::LIKES), name().writer(jetstream::LIKES));
    let mut own = connection(&server);
    let drop_oldest = |own: &mut redis::Connection, ever: u64| {
        redis::cmd("HSET").arg(&hash).arg("trimmed").arg(format!("1 {ever}")).exec(own).unwrap();
    };
    drop_oldest(&mut own, 500);
    let watched = Watched::start(&address(&server));
    let counter =
        |name: &str| watched.sample(&format!("forebay_{name}_total{{buffer=\"test\",lane=\"likes\"}}"));
    let (appended, trimmed) = (|| counter("lane_appended_events"), || counter("lane_trimmed_unread_events"));
    let setbacks = || watched.sample(r#"forebay_buffer_setbacks_total{buffer="test"}"#);
    watched.until("it sees the buffer", |stat| stat["events"] == 40);
    assert_eq!((appended(), trimmed(), setbacks()), (Some(40.0), Some(500.0), Some(0.0)));

    // Less than before.
    let mut less = redis::pipe();
    less.atomic().cmd("DEL").arg(&stream).cmd("HSET").arg(&hash).arg("e").arg(10);
    less.cmd("HSET").arg(&hash).arg("trimmed").arg("1 100").exec(&mut own).unwrap();
    until("a setback is counted", || setbacks() == Some(1.0));
    assert_eq!((appended(), trimmed()), (Some(40.0), Some(500.0)));
    redis::pipe().cmd("HSET").arg(&hash).arg("e").arg(13).exec(&mut own).unwrap();
    until("what is added to that is counted", || appended() == Some(43.0));
    drop_oldest(&mut own, 101);
    until("what is dropped then is counted", || trimmed() == Some(501.0));

    // Gone altogether, and back as a backup has it.
    tell(&server, "FLUSHALL");
    watched.until("it says that it was here", |stat| {
        let text = stat["verdict"]["text"].as_str().unwrap();
        text.starts_with("It was here until ")
            && stat["gone_since_ms"].is_u64()
            && stat["verdict"]["level"] == "bad"
    });
    assert!(watched.stat()["warnings"].to_string().contains("less of this buffer than it had"));
    assert_eq!((appended(), trimmed(), setbacks()), (Some(43.0), Some(501.0), Some(2.0)));
    drop_oldest(&mut own, 9_000);
    add(&server, &mut ledger, 10);
    watched
        .until("it sees the buffer again", |stat| stat["present"] == true && stat["gone_since_ms"].is_null());
    until("all of it", || watched.stat()["events"] == 20);
    assert_eq!(trimmed(), Some(501.0), "dropped long ago");
    assert!(appended() < Some(43.0 + 20.0 + 1.0) && setbacks() == Some(2.0));
}

#[test]
fn a_server_that_is_killed_is_a_problem_with_the_last_figures_marked_as_old() {
    let (mut server, _) = filled(5);
    let watched = Watched::start(&address(&server));
    watched.until("it sees the buffer", |stat| stat["events"].as_u64() > Some(0));
    let before = watched.stat();
    assert!(before["old_since_ms"].is_null(), "{before}");
    server.kill().unwrap();
    // Killed in the middle of a look, it may have answered the first half of it.
    let is_away = |stat: &Value| {
        stat["verdict"]["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("The server has not answered for "))
    };
    watched.until("it says that the server is away", is_away);
    let first = watched.stat();
    watched
        .until("and looks again", |stat| is_away(stat) && stat["at_ms"].as_u64() > first["at_ms"].as_u64());
    let stat = watched.stat();
    // Between the look of before and the kill there may have been another, of the same events.
    for kept in ["events", "present"] {
        assert_eq!(stat[kept], before[kept], "{kept}");
    }
    for kept in ["events", "bytes", "present", "lanes", "limits"] {
        assert_eq!(stat[kept], first[kept], "{kept}");
    }
    let since_ms = stat["old_since_ms"].as_u64().unwrap();
    assert!(before["at_ms"].as_u64().unwrap() <= since_ms && since_ms <= stat["at_ms"].as_u64().unwrap());
    assert_eq!(stat["verdict"]["level"], "bad");
    let text = stat["verdict"]["text"].as_str().unwrap();
    assert!(text.starts_with("The server has not answered for "), "{text}");
    assert_eq!(watched.sample(r#"forebay_buffer_verdict{buffer="test"}"#), Some(3.0));
    assert_eq!(watched.sample("forebay_server_up"), Some(0.0));
    let text = watched.get("/metrics");
    assert!(!text.contains("forebay_buffer_events") && !text.contains("forebay_server_memory"), "{text}");
    assert_eq!(watched.get("/healthz"), "ok\n");
    server.restart().unwrap();
    watched.until("it sees the server again", |stat| stat["server"]["up"] == true);
    assert!(watched.stat()["old_since_ms"].is_null());
    assert_eq!(watched.sample("forebay_server_restarts_total"), Some(1.0));
    assert_eq!(watched.sample("forebay_server_up"), Some(1.0));
}

#[test]
fn a_server_that_stands_still_hangs_no_answer() {
    let (server, _) = filled(5);
    let watched = Watched::start(&address(&server));
    watched.until("it sees the buffer", |stat| stat["events"].as_u64() > Some(0));
    server.pause().unwrap();
    // All the while answers come, until the look under way has waited long enough.
    watched.until("it says that the server gives no answer", |stat| stat["server"]["up"] == false);
    // Stopped in the middle of a look, it may have answered the first half of it.
    until("the metric says so", || watched.sample("forebay_server_up") == Some(0.0));
    let slow = |le: &str| watched.sample(&format!("forebay_probe_seconds_bucket{{le=\"{le}\"}}")).unwrap();
    until("the PING that waits is counted with its wait", || slow("+Inf") > slow("1.0"));
    server.resume().unwrap();
    watched.until("it sees the server again", |stat| stat["server"]["up"] == true);
    assert_eq!(watched.sample("forebay_server_restarts_total"), Some(0.0));
}

#[test]
fn no_password_is_shown_and_a_changed_one_is_told() {
    let server = server(&[]);
    tell(&server, "CONFIG SET requirepass sesame-42");
    let url = format!("redis://:sesame-42@127.0.0.1:{}", server.port());
    let watched = Watched::start(&Address::parse(&url).unwrap());
    watched.until("it is let in", |stat| stat["server"]["up"] == true);
    let mut own = redis::Client::open(url).unwrap().get_connection().unwrap();
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("other-77").exec(&mut own).unwrap();
    redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .arg("SKIPME")
        .arg("yes")
        .exec(&mut own)
        .unwrap();
    redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub").exec(&mut own).unwrap();
    watched.until("it says that it is not let in", |stat| {
        stat["server"]["why"].as_str().is_some_and(|why| why.contains("refuses the login"))
    });
    for path in ["/metrics", "/api/stat", "/api/history", "/"] {
        let text = watched.get(path);
        assert!(!text.contains("sesame") && !text.contains("other-77"), "{path}");
    }
}

#[test]
fn what_the_server_refuses_is_named_and_has_no_figure() {
    let (server, _) = filled(5);
    drop(likes(&address(&server), Some(("g", "c"))));
    tell(
        &server,
        "ACL SETUSER watcher on >pw ~* &* +@all -memory|usage -slowlog|len -xpending -latency|histogram -subscribe",
    );
    let url = format!("redis://watcher:pw@127.0.0.1:{}", server.port());
    let watched = Watched::start(&Address::parse(&url).unwrap());
    watched.until("it sees the buffer", |stat| stat["events"].as_u64() > Some(0));
    watched.until("it names what it cannot see", |stat| {
        let unknown = stat["unknown"].to_string();
        ["MEMORY USAGE", "SLOWLOG LEN", "XPENDING", "writers are not heard"]
            .iter()
            .all(|command| unknown.contains(command))
    });
    let text = watched.get("/metrics");
    for absent in [
        "forebay_lane_bytes{",
        "forebay_buffer_bytes{",
        "forebay_server_slowlog_entries ",
        "forebay_group_pending_blocks{",
        "forebay_server_command_seconds_count{",
        "forebay_writers{",
    ] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert!(watched.sample("forebay_watch_unknown").unwrap() >= 4.0);
}

#[test]
fn a_thousand_groups_are_not_a_thousand_labels() {
    let (server, _) = filled(5);
    for group in 0..1_000 {
        tell(&server, &format!("XGROUP CREATE forebay:{{test.likes.0}} group-{group:04} 0"));
    }
    let watched = Watched::start(&address(&server));
    watched.until("it sees the buffer", |stat| stat["events"].as_u64() > Some(0));
    assert_eq!(watched.sample(r#"forebay_groups_hidden{buffer="test"}"#), Some(900.0));
    let text = watched.get("/metrics");
    assert_eq!(text.matches("forebay_group_unread_events{").count(), 100);
    assert_eq!(watched.stat()["groups_more"], 900);
}

#[test]
fn what_writers_say_is_counted_by_lane_and_fate_also_while_the_server_is_full() {
    let server = server(&[]);
    let watched = Watched::start(&address(&server));
    watched.until_it_listens();
    let of_shed = || watched.sample(r#"forebay_writer_events_total{buffer="test",lane="likes",fate="shed"}"#);
    assert_eq!(of_shed(), Some(0.0), "a counter that begins above 0 would not be seen to grow");
    let shed = writer::Options { overflow: forebay::buffer::overflow::Overflow::Shed, ..options(4, 2) };
    let mut writer = open(&address(&server), &shed);
    tell(&server, "CONFIG SET maxmemory 1");
    let mut ledger = Ledger { padding: 30, ..Ledger::default() };
    ledger.push_many(&mut writer, jetstream::LIKES, 400).unwrap();
    watched.until("the writer is heard to be held back", |stat| stat["writers"][0]["state"] == "held back");
    until("what it sheds is heard", || of_shed() > Some(0.0));
    tell(&server, "CONFIG SET maxmemory 0");
    let counts = writer.close().unwrap();
    until("all that it shed is heard", || of_shed() == Some(counts.shed as f64));
    watched.until("it is heard to have ended", |stat| stat["writers"][0]["state"] == "closed");
    assert_eq!(watched.sample(r#"forebay_writer_ends_total{buffer="test",how="closed"}"#), Some(1.0));
}

#[test]
fn a_writer_that_is_fenced_says_so() {
    let server = server(&[]);
    let watched = Watched::start(&address(&server));
    watched.until_it_listens();
    let mut first = open(&address(&server), &options(4, 2));
    let mut ledger = Ledger { padding: 30, ..Ledger::default() };
    let second = open(&address(&server), &taking_over(4, 2));
    until("it notices", || {
        ledger.push_many(&mut first, jetstream::LIKES, 8).is_err() || first.check().is_err()
    });
    drop(first);
    let fenced = || watched.sample(r#"forebay_writer_ends_total{buffer="test",how="fenced"}"#);
    until("it is heard", || fenced() == Some(1.0));
    second.close().unwrap();
}

#[test]
fn a_page_that_follows_hears_of_each_look() {
    let (server, _) = filled(5);
    let watched = Watched::start(&address(&server));
    let answer = ureq::get(watched.url("/api/live")).call().unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let lines = BufReader::new(answer.into_body().into_reader()).lines();
    let data = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let looks: Vec<Value> = data.take(3).map(|data| serde_json::from_str(&data).unwrap()).collect();
    assert!(looks.iter().all(|look| look["buffer"] == "test"));
    assert!(looks[2]["at_ms"].as_u64() > looks[0]["at_ms"].as_u64());
}

#[test]
fn every_metric_is_in_the_documentation_and_none_else() {
    let profile = Profile::load(profile::DEFAULT).unwrap();
    let address = Address::parse("redis://127.0.0.1:1").unwrap();
    let subject =
        Subject { address, name: name(), profile, is_profile_chosen: false, every: Duration::from_secs(1) };
    let told = families(&View::new(&subject), &subject, &Counted::default());
    let told: BTreeSet<String> = told.into_iter().map(|family| family.name).collect();
    let docs = include_str!("../../../docs/monitoring.md");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `forebay_"));
    let documented: BTreeSet<String> =
        rows.filter_map(|row| row.split('`').next()).map(|name| format!("forebay_{name}")).collect();
    assert_eq!(told, documented);
}

#[test]
fn the_lines_that_rules_have_for_latency_are_bounds_of_the_probe() {
    let server = server(&[]);
    for p95_ms in [50, 37, 3, 4_000] {
        let mut profile = Profile::load(profile::DEFAULT).unwrap();
        profile.load.p95_max = Duration::from_millis(p95_ms);
        let rules = rules(&profile, 1.0);
        let lines = rules.iter().filter(|rule| rule.expr.contains("forebay_probe_seconds_bucket"));
        let lines: Vec<f64> =
            lines.map(|rule| rule.expr.rsplit("> ").next().unwrap().parse().unwrap()).collect();
        assert_eq!(lines.len(), 2, "{rules:?}");
        let served = serve::Served::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let watched = Watched::held_to(profile, served, &address(&server), EVERY);
        let text = watched.get("/metrics");
        let buckets = text.lines().filter_map(|line| line.strip_prefix("forebay_probe_seconds_bucket{le=\""));
        let bounds: Vec<f64> =
            buckets.map(|line| line.split('"').next().unwrap().parse().unwrap_or(f64::INFINITY)).collect();
        assert!(lines.iter().all(|line| bounds.contains(line)), "{lines:?} in {bounds:?}");
        assert!(bounds.is_sorted() && bounds.windows(2).all(|two| two[0] < two[1]), "{bounds:?}");
    }
}

#[test]
fn less_than_the_profiles_hours_is_a_warning() {
    let (server, _) = filled(20);
    let used: u64 = info(&server, "used_memory").parse().unwrap();
    // Room for some ten thousand events, of which forty came in a moment.
    tell(&server, &format!("CONFIG SET maxmemory {}", used + (30 << 20)));
    let watched = Watched::start(&address(&server));
    watched.until("it is told", |stat| {
        stat["verdict"]["text"].as_str().is_some_and(|text| text.contains("the profile asks for 8 h"))
    });
    assert_eq!(watched.stat()["verdict"]["level"], "warn");
    // A server that nobody wants to hold so long is not short of anything.
    let subject = Subject {
        address: address(&server),
        name: name(),
        profile: Profile::load(profile::DEFAULT).unwrap(),
        is_profile_chosen: false,
        every: EVERY,
    };
    let watched = Watched::over(serve::Served::bind("127.0.0.1:0".parse().unwrap()).unwrap(), subject);
    watched.until("it holds", |stat| stat["verdict"]["level"] == "good");
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(serve::Served::bind(taken.local_addr().unwrap()).is_err());
}
