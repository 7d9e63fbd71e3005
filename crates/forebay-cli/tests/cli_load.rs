//! What is claimed of `forebay load`: what it refuses, what it prints and writes, its exit codes, and that it leaves
//! nothing behind however it ends.

use std::io::Write;
use std::path::Path;
use std::process::Child;

use serde_json::Value;

use super::cli_support::{Ran, forebay, holds, interrupt, run, said};
use super::support::*;

fn load(more: &[&str]) -> Ran {
    run(&[&["load"], more].concat())
}

fn refuses(more: &[&str], parts: &[&str]) {
    holds(&said(&[&["load"], more].concat(), 2), parts);
}

fn text(ran: &Ran) -> &str {
    std::str::from_utf8(&ran.out).unwrap()
}

fn json(ran: &Ran) -> Value {
    serde_json::from_slice(&ran.out).unwrap_or_else(|why| panic!("{why}: {} {}", text(ran), ran.err))
}

fn number(json: &Value, field: &str) -> u64 {
    json[field].as_u64().unwrap_or_else(|| panic!("{field} in {json}"))
}

fn keys(server: &forebay_rig::server::Server) -> u64 {
    ask(server, "DBSIZE").unwrap()
}

#[test]
fn a_rate_or_a_pattern_that_makes_no_sense_is_refused_before_anything_is_started() {
    for rate in ["0", "NaN", "inf", "-inf", "-5", "1e300", "10000001", "x", ""] {
        refuses(&[&format!("--rate={rate}")], &["--rate"]);
    }
    for pattern in [
        "",
        "const",
        "ramp:1",
        "ramp:0..0",
        "steps:",
        "steps:0",
        "spike:-1",
        "spike:nan",
        "sine:0",
        "burst:2",
    ] {
        refuses(&["--pattern", pattern], &["--pattern"]);
    }
    refuses(&["--pattern", "saturate", "--rate", "5"], &["--pattern saturate has no --rate"]);
    refuses(&["--op", "append", "--payload", "500"], &["--op append takes events"]);
    for odd in [["--op", "xack"], ["--op", "get=0"], ["--op", "get,get"], ["--op", ""], ["--payload", "15"]] {
        refuses(&odd, &[odd[0]]);
    }
    for odd in [["--connections", "0"], ["--pipeline", "0"], ["--duration", "1ms"], ["--duration", "31days"]]
    {
        refuses(&odd, &[odd[0]]);
    }
}

#[test]
fn a_file_to_replay_that_has_no_times_is_refused_by_its_line() {
    let file = |text: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    };
    let refused = |path: &Path, parts: &[&str]| {
        let pattern = format!("replay:{}", path.display());
        refuses(&["--pattern", &pattern], &[&[path.to_str().unwrap(), "--pattern replay"], parts].concat());
    };
    refused(Path::new("/nowhere/events.ndjson"), &["No such file"]);
    refused(file("").path(), &["no event"]);
    let good = |time: u64| format!("{{\"did\":\"did:plc:a\",\"time_us\":{time},\"kind\":\"identity\"}}\n");
    let bad = format!("{}{}no event\n", good(1_700_000_000_000_000), good(1_700_000_000_000_001));
    refused(file(&bad).path(), &["line 3"]);
    refused(file(&good(1_700_000_000_000_000)).path(), &["same time"]);
    refuses(&["--pattern", "replay:"], &["--pattern"]);
    refuses(&["--payload", "/nowhere/events.ndjson"], &["--payload", "No such file"]);
}

#[test]
fn the_times_of_a_file_are_followed() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for event in 0..100 {
        let time = 1_700_000_000_000_000_u64 + event * 5_000;
        writeln!(file, "{{\"did\":\"did:plc:a\",\"time_us\":{time},\"kind\":\"identity\"}}").unwrap();
    }
    let pattern = format!("replay:{}", file.path().display());
    let ran = load(&["--op", "set", "--pattern", &pattern, "--json"]);
    let json = json(&ran);
    assert_eq!((ran.code, number(&json, "due"), number(&json, "right")), (0, 100, 100), "{json}");
    assert_eq!(json["asked_seconds"].as_f64(), Some(0.5), "{json}");
}

#[test]
fn a_server_of_somebodys_is_not_written_to_unless_that_is_allowed() {
    let server = server(&[]);
    let url = server.url();
    let remedy = ["--allow-load permits that", "forebay:load-", "remove them afterwards", "mix for 10s"];
    refuses(&["--url", &url], &remedy);
    assert_eq!(keys(&server), 0);
    let written: String = ask(&server, "INFO commandstats").unwrap();
    assert!(!written.contains("cmdstat_set") && !written.contains("cmdstat_xgroup"), "{written}");

    let ran = load(&["--url", &url, "--allow-load", "--duration", "300ms"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    holds(&ran.err, &["forebay: writing to", "removed afterwards"]);
    assert_eq!(keys(&server), 0, "nothing is left");
    let written: String = ask(&server, "INFO commandstats").unwrap();
    assert!(written.contains("cmdstat_set") && written.contains("cmdstat_xgroup"), "the check sees writes");

    refuses(
        &["--url", "rediss://127.0.0.1:1", "--allow-load"],
        &["speaks no TLS; give a redis:// or unix://"],
    );
    holds(&said(&["load", "--quiet", "--url", "redis://127.0.0.1:1", "--allow-load"], 3), &["no server at"]);
}

#[test]
fn json_csv_and_histograms_have_the_figures_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, prefix) = (folder.path().join("seconds.csv"), folder.path().join("latency"));
    let files = ["--csv", csv.to_str().unwrap(), "--hgrm", prefix.to_str().unwrap()];
    let ran = load(
        &[&["--json", "--rate", "500", "--duration", "2500ms", "-c", "7", "-P", "3"][..], &files].concat(),
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let json = json(&ran);
    for (field, is) in [
        ("schema", 1),
        ("due", 1_250),
        ("sent", 1_250),
        ("right", 1_250),
        ("connections", 7),
        ("pipeline", 3),
    ] {
        assert_eq!(number(&json, field), is, "{field}: {json}");
    }
    for field in ["wrong", "unsent", "unanswered", "reconnects"] {
        assert_eq!(number(&json, field), 0, "{field}: {json}");
    }
    assert_eq!(
        (&json["op"], &json["pattern"], &json["rate_due"]),
        (&"mix".into(), &"constant".into(), &500.0.into())
    );
    assert_eq!((&json["interrupted"], &json["shortfall"]), (&false.into(), &Value::Null), "{json}");
    assert_eq!(json["target"]["origin"], "own");
    for which in ["response", "service", "send_jitter"] {
        assert_eq!(number(&json[which], "count"), 1_250, "{which}: {json}");
        let at = |percentile: &str| json[which][percentile].as_f64().unwrap();
        assert!(at("p50_ms") > 0.0 && at("p50_ms") <= at("p99_ms") && at("p99_ms") <= at("max_ms"), "{json}");
    }
    let commands = json["commands"].as_array().unwrap();
    assert_eq!(commands.iter().map(|command| number(command, "sent")).sum::<u64>(), 1_250, "{json}");
    assert!(commands.len() >= 7, "{json}");

    let rows = std::fs::read_to_string(&csv).unwrap();
    let mut rows = rows.lines();
    assert_eq!(rows.next(), Some("second,due,sent,right,failed,backlog,in_flight,p50_ms,p99_ms,max_ms"));
    let rows: Vec<Vec<f64>> =
        rows.map(|row| row.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    assert_eq!(rows.len(), json["series"].as_array().unwrap().len());
    assert!(rows.len() >= 3 && rows.iter().all(|row| row.len() == 10), "{rows:?}");
    assert_eq!((rows[0][0], rows[1][0]), (1.0, 2.0), "{rows:?}");
    let sum = |column: usize| rows.iter().map(|row| row[column]).sum::<f64>() as u64;
    assert_eq!([1, 2, 3, 4].map(sum), [1_250, 1_250, 1_250, 0], "{rows:?}");

    for which in ["response", "service"] {
        let text = std::fs::read_to_string(folder.path().join(format!("latency-{which}.hgrm"))).unwrap();
        holds(&text, &["Value", "Percentile", "TotalCount", "Total count    =         1250"]);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_the_result_is_not_lost() {
    refuses(&["--csv", "/nowhere/seconds.csv", "--duration", "100ms"], &["writing /nowhere/seconds.csv"]);
    let ran = load(&["--hgrm", "/nowhere/latency", "--duration", "100ms", "--json"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    holds(&ran.err, &["writing /nowhere/latency-response.hgrm"]);
    assert_eq!(number(&json(&ran), "right"), 100);
}

#[test]
fn the_output_fits_a_terminal_of_80_columns() {
    let ops: [&[&str]; 4] = [
        &["--op", "mix", "--duration", "3200ms"],
        &["--op", "set=1,get=9", "--pattern", "saturate", "--duration", "200ms"],
        &["--op", "append", "--pattern", "poisson", "--duration", "1200ms"],
        &["--op", "xadd", "--connections", "1", "--rate", "2000000", "--duration", "200ms"],
    ];
    for op in ops {
        let ran = load(op);
        let text = text(&ran);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        holds(text, &["requests/s answered", "p99.9", "closed loop", "server", "started for this run"]);
    }
}

#[test]
fn requests_that_fail_or_are_not_answered_give_exit_code_1() {
    let mut server = server(&[]);
    let url = server.url();
    let on = |more: &[&str]| load(&[&["--url", &url, "--allow-load", "--quiet", "--json"], more].concat());
    tell(&server, "CONFIG SET maxmemory-policy noeviction");
    tell(&server, "CONFIG SET maxmemory 1");
    for pattern in ["constant", "saturate"] {
        let ran = on(&["--op", "set", "--duration", "200ms", "--pattern", pattern]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        let json = json(&ran);
        assert_eq!(
            (number(&json, "right"), number(&json["errors"], "OOM")),
            (0, number(&json, "due")),
            "{json}"
        );
    }
    tell(&server, "CONFIG SET maxmemory 0");
    assert_eq!(on(&["--op", "set", "--duration", "200ms"]).code, 0);
    // A server that goes away for good: what was seen until then is told, whatever cannot be asked or removed any more.
    for op in ["set", "append"] {
        let folder = tempfile::tempdir().unwrap();
        let csv = folder.path().join("seconds.csv");
        let args =
            ["load", "--url", &url, "--allow-load", "--quiet", "--json", "--duration", "5s", "--op", op];
        let child = forebay(&args).arg("--csv").arg(&csv).spawn().unwrap();
        until("a second is over", || has_rows(&csv));
        server.kill().unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 1, "{op}: {}", ran.err);
        let json = json(&ran);
        assert!(number(&json, "right") > 0 && json["shortfall"].is_string(), "{op}: {json}");
        server.restart().unwrap();
    }
}

#[test]
fn a_login_that_is_refused_is_told_before_anything_is_sent() {
    let server = server(&[]);
    tell(&server, "CONFIG SET requirepass right");
    let host = format!("127.0.0.1:{}", server.port());
    for url in [format!("redis://{host}"), format!("redis://:wrong@{host}")] {
        for op in ["mix", "append"] {
            let said = said(&["load", "--quiet", "--op", op, "--url", &url, "--allow-load"], 3);
            assert!(said.contains("refuses the login") && !said.contains("wrong@"), "{said}");
        }
    }
}

/// Processes that this one started, by the system's list.
fn children(parent: u32) -> Vec<u32> {
    let is_child = |pid: &u32| {
        // The name may hold anything; after it stand the state and the parent.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(&parent.to_string())
    };
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(is_child).collect()
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn has_rows(csv: &Path) -> bool {
    std::fs::read_to_string(csv).is_ok_and(|text| text.lines().count() >= 2)
}

/// Waits for the end of a run that was told to end long before its time.
fn interrupted(child: Child) -> Ran {
    interrupt(&child);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.err);
    holds(text(&ran), &["INTERRUPTED", "requests/s answered"]);
    holds(&ran.err, &["ending with what there is"]);
    ran
}

#[test]
fn ctrl_c_gives_what_was_seen_and_leaves_neither_server_nor_folder() {
    for op in ["mix", "append"] {
        let folder = tempfile::tempdir().unwrap();
        let (temporary, csv) = (folder.path().join("tmp"), folder.path().join("seconds.csv"));
        std::fs::create_dir(&temporary).unwrap();
        let args = ["load", "--op", op, "--duration", "10m", "--csv", csv.to_str().unwrap()];
        let child = forebay(&args).env("TMPDIR", &temporary).spawn().unwrap();
        until("a second is over", || has_rows(&csv));
        let servers = children(child.id());
        assert_eq!(servers.len(), 1, "the check sees the server");
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 1, "the check sees its folder");
        interrupted(child);
        assert!(!runs(servers[0]));
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
    }
}

#[test]
fn ctrl_c_leaves_no_key_on_somebodys_server() {
    for op in ["mix", "append"] {
        for pattern in ["constant", "saturate"] {
            let server = server(&[]);
            let folder = tempfile::tempdir().unwrap();
            let csv = folder.path().join("seconds.csv");
            let (url, csv_arg) = (server.url(), csv.to_str().unwrap());
            let mut args =
                vec!["load", "--op", op, "--pattern", pattern, "--duration", "10m", "--csv", csv_arg];
            args.extend(["--url", &url, "--allow-load", "--pipeline", "500"]);
            let child = forebay(&args).spawn().unwrap();
            until("a second is over", || has_rows(&csv));
            assert!(keys(&server) > 0, "the check sees keys");
            interrupted(child);
            assert_eq!(keys(&server), 0, "{op} {pattern}");
        }
    }
}

#[test]
fn nobodys_keys_are_evicted_to_make_room_for_a_run() {
    let server = server(&[("maxmemory", "30mb"), ("maxmemory-policy", "allkeys-lru")]);
    tell(&server, "SET mine 1");
    for verb in [&["load", "--duration", "200ms"][..], &["baseline"], &["throughput"]] {
        let url = server.url();
        let ran = run(&[verb, &["--url", &url, "--allow-load"]].concat());
        assert_eq!(ran.code, 2, "{verb:?}: {}", ran.err);
        assert!(ran.err.contains("evict") && ran.err.contains("allkeys-lru"), "{verb:?}: {}", ran.err);
    }
    assert_eq!(ask::<u64>(&server, "DBSIZE").unwrap(), 1);
    // Where there is room, nobody loses by it.
    tell(&server, "CONFIG SET maxmemory 1gb");
    assert_eq!(run(&["load", "--duration", "200ms", "--url", &server.url(), "--allow-load"]).code, 0);
}
