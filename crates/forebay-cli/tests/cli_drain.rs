//! What is claimed of `forebay drain`, `replay` and `files verify`: lines go into files and come out byte for byte, also of
//! other streams, while events come and through signals, and what cannot be is refused with the way out.

use std::path::Path;

use crate::cli_support::{append, forebay, profile_of, run, said};
use crate::support::{server, tell, until};

/// Synthetic events, as text.
fn synth(count: &str, seed: &str) -> String {
    String::from_utf8(run(&["synth", "--count", count, "--seed", seed]).out).unwrap()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn replayed(to: &str, more: &[&str]) -> String {
    let ran = run(&[&["replay", to, "--quiet"][..], more].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    String::from_utf8(ran.out).unwrap()
}

#[test]
fn lines_go_into_files_and_come_out_byte_for_byte() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let (url, to) = (server.url(), folder.path().join("files"));
    let to = to.to_str().unwrap();
    let lines = synth("3000", "5");
    assert_eq!(append(&server, lines.as_bytes(), &["--buffer", "demo"]).code, 0);
    let drained = run(&["drain", "--url", &url, "--buffer", "demo", "--to", to, "--once"]);
    assert_eq!(drained.code, 0, "{}", drained.err);
    assert!(drained.err.contains("3,000 events in 6 files"), "{}", drained.err);
    assert_eq!(sorted(&replayed(to, &[])), sorted(&lines));
    let likes = replayed(to, &["--lane", "likes"]);
    assert!(!likes.is_empty() && likes.lines().all(|line| line.contains("app.bsky.feed.like")));
    let why = said(&["replay", to, "--lane", "likes", "--lane", "nolane"], 2);
    assert!(why.contains("\"nolane\": there are blocks, follows, likes"), "{why}");
    assert_eq!(replayed(to, &["--to", "2020-01-01T00:00:00Z"]), "");
    assert_eq!(replayed(to, &["--from", "2020-01-01T00:00:00Z"]).lines().count(), 3_000);

    let verified = run(&["files", "verify", to]);
    let said = String::from_utf8(verified.out).unwrap();
    assert_eq!(verified.code, 0, "{said}");
    assert!(said.contains("3,000 events in 6 whole files") && said.contains("as it was committed"), "{said}");
    let against = run(&["files", "verify", to, "--url", &url, "--buffer", "demo"]);
    let said = String::from_utf8(against.out).unwrap();
    assert_eq!(against.code, 0, "{said}");
    assert!(said.contains("0 events wait in the buffer") && said.contains("as it was committed"), "{said}");
    assert_eq!(run(&["files", "verify", to, "--url", &url, "--buffer", "other"]).code, 2);
    std::fs::write(Path::new(to).join("events/lane=likes/stray.parquet"), "no file").unwrap();
    let verified = run(&["files", "verify", to, "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&verified.out).unwrap();
    assert_eq!((verified.code, said["faults"].as_u64()), (1, Some(1)), "{said}");
}

#[test]
fn events_of_any_stream_have_the_columns_that_are_asked_for() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let (url, to) = (server.url(), folder.path().join("files"));
    let to = to.to_str().unwrap();
    let stream = "[stream]\ntime = \"/ts\"\nunit = \"rfc3339\"\ndefault = \"log\"\n";
    let profile = profile_of(folder.path(), stream);
    let lines = "{\"ts\":\"2026-11-28T10:00:00Z\",\"level\":\"warn\"}\n{\"ts\":\"2026-11-29T10:00:00Z\"}\n";
    let appended = append(&server, lines.as_bytes(), &["--buffer", "logs", "--profile", &profile]);
    assert_eq!(appended.code, 0, "{}", appended.err);
    let drain =
        ["drain", "--url", &url, "--buffer", "logs", "--to", to, "--once", "--column", "level=/level"];
    let drained = run(&drain);
    assert_eq!(drained.code, 0, "{}", drained.err);
    assert_eq!(replayed(to, &[]), lines);
    for day in ["2026-11-28", "2026-11-29"] {
        assert!(Path::new(to).join(format!("events/lane=log/date={day}")).is_dir(), "{day}");
    }
    // What comes later is in further files, which become one with the first.
    let more = "{\"ts\":\"2026-11-29T11:00:00Z\",\"level\":\"error\"}\n";
    let appended = append(&server, more.as_bytes(), &["--buffer", "logs", "--profile", &profile]);
    assert_eq!((appended.code, run(&drain).code), (0, 0));
    let recent = run(&["files", "compact", to, "--older-than", "1d"]);
    assert!(String::from_utf8(recent.out).unwrap().contains("nothing to do"));
    let compacted = run(&["files", "compact", to]);
    let said = String::from_utf8(compacted.out).unwrap();
    assert_eq!(compacted.code, 0, "{}", compacted.err);
    assert!(said.contains("2 files of 1 folders are 1 now, with the same 2 events"), "{said}");
    assert_eq!(replayed(to, &[]), format!("{lines}{more}"));
    assert_eq!(run(&["files", "verify", to]).code, 0);
    let refused = run(&["files", "compact", "s3://lake/logs"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    // Other columns are another destination.
    let other = run(&drain[..drain.len() - 2]);
    assert_eq!(other.code, 2, "{}", other.err);
    assert!(other.err.contains("give another destination"), "{}", other.err);
}

#[test]
fn a_pipeline_says_the_layout_and_its_files_come_out_byte_for_byte() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let lines = synth("2000", "11");
    assert_eq!(append(&server, lines.as_bytes(), &["--buffer", "demo"]).code, 0);
    let config = folder.path().join("pipeline.toml");
    let text = format!(
        "[buffer]\nurl = \"{}\"\nname = \"demo\"\n[sink]\nto = \"files\"\nlayout = \"met\"\n",
        server.url()
    );
    std::fs::write(&config, text).unwrap();
    let drain = ["drain", "--config", config.to_str().unwrap(), "--once"];
    let drained = run(&drain);
    assert_eq!(drained.code, 0, "{}", drained.err);
    let to = folder.path().join("files");
    for kind in ["post", "reply", "like", "repost", "follow", "other"] {
        assert!(to.join("events").join(kind).is_dir(), "{kind}");
    }
    assert_eq!(run(&["files", "verify", to.to_str().unwrap()]).code, 0);
    assert_eq!(sorted(&replayed(to.to_str().unwrap(), &[])), sorted(&lines));
    let why = said(&[&drain[..], &["--layout", "hive"]].concat(), 2);
    assert!(why.contains("in layout met") && why.contains("in layout hive"), "{why}");
}

#[test]
fn a_signal_puts_what_is_there_into_files() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let (url, to) = (server.url(), folder.path().join("files"));
    let lines = synth("500", "6");
    assert_eq!(append(&server, lines.as_bytes(), &["--buffer", "demo"]).code, 0);
    let child = forebay(&["drain", "--url", &url, "--buffer", "demo", "--to", to.to_str().unwrap()]);
    let mut child = { child }.spawn().unwrap();
    until("it has begun", || to.join("forebay/destination.json").exists());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(sorted(&replayed(to.to_str().unwrap(), &[])), sorted(&lines));
}

/// The drains of a buffer, as `stat --json` has them.
fn drains(url: &str) -> serde_json::Value {
    let ran = run(&["stat", "--url", url, "--buffer", "demo", "--json", "--over", "0s"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    serde_json::from_slice::<serde_json::Value>(&ran.out).unwrap()["drains"].take()
}

#[test]
fn stat_has_the_figures_of_a_drain_and_those_of_all_its_runs() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let (url, to) = (server.url(), folder.path().join("files"));
    let to = to.to_str().unwrap();
    let drain =
        ["drain", "--url", &url, "--buffer", "demo", "--to", to, "--once", "--json", "--max-age", "5m"];
    let (mut rows, mut bytes) = (0, 0);
    for seed in ["8", "9"] {
        assert_eq!(append(&server, synth("3000", seed).as_bytes(), &["--buffer", "demo"]).code, 0);
        if rows == 0 {
            assert_eq!(drains(&url), serde_json::json!([]), "nobody has drained it");
        }
        let drained = run(&drain);
        assert_eq!(drained.code, 0, "{}", drained.err);
        let said: serde_json::Value = serde_json::from_slice(&drained.out).unwrap();
        (rows, bytes) = (rows + 3_000, bytes + said["bytes"].as_u64().unwrap());
        let drains = drains(&url);
        let [of] = drains.as_array().unwrap().as_slice() else { panic!("{drains}") };
        assert_eq!((&of["group"], &of["to"], &of["state"]), (&"files".into(), &to.into(), &"ended".into()));
        assert_eq!((of["rows"].as_u64(), of["bytes"].as_u64()), (Some(rows), Some(bytes)), "{of}");
        assert_eq!(
            (of["waiting_events"].as_u64(), of["oldest_age_s"].as_f64()),
            (Some(0), Some(0.0)),
            "{of}"
        );
        assert_eq!((of["failures"].as_u64(), of["max_age_s"].as_f64()), (Some(0), Some(300.0)), "{of}");
        let of_lines = of["compression_ratio"].as_f64().unwrap();
        assert!((0.05..1.0).contains(&of_lines), "{of}");
        for figure in ["sign_age_s", "last_commit_age_s", "last_commit_s", "last_commit_rows", "free_bytes"] {
            assert!(of[figure].is_number(), "{figure}: {of}");
        }
        assert!(of["trouble"].is_null() && of["success_ratio"] == 1.0, "{of}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_the_way_out() {
    let server = server(&[]);
    let url = server.url();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("files");
    let to = to.to_str().unwrap();
    let drain = |more: &[&str]| said(&[&["drain", "--url", &url, "--buffer", "demo"][..], more].concat(), 2);
    for (more, says) in [
        (&["--once"][..], "--to DIR"),
        (&["--to", "gs://lake/prefix"], "neither a folder nor s3://BUCKET/PREFIX"),
        (&["--to", to, "--layout", "tree"], "layouts are hive and met"),
        (&["--to", "s3:lake/x"], "is ./s3:lake/x"),
        (&["--to", to, "--staging", to], "--staging is for a bucket"),
        (&["--to", to, "--max-file", "1kb"], "from 1 MiB to 112 MiB"),
        (&["--to", to, "--column", "level"], "NAME=POINTER"),
        (&["--to", to, "--column", "level=log"], "JSON pointer"),
        (&["--to", to, "--once"], "there is no buffer demo"),
    ] {
        let why = drain(more);
        assert!(why.contains(says), "{more:?}: {why}");
    }
    assert_eq!(append(&server, synth("50", "7").as_bytes(), &["--buffer", "demo"]).code, 0);
    let why = drain(&["--to", to, "--once", "--column", "level=/level"]);
    assert!(why.contains("are fixed"), "{why}");
    // A group that somebody reads as is no drain's.
    tell(&server, "XGROUP CREATE forebay:{demo.likes.0} readers 0");
    tell(&server, "XREADGROUP GROUP readers somebody COUNT 1 STREAMS forebay:{demo.likes.0} >");
    let why = drain(&["--to", to, "--once", "--group", "readers"]);
    assert!(why.contains("readers"), "{why}");
    assert!(!Path::new(to).exists(), "whoever is refused leaves nothing");
    said(&["replay", folder.path().join("nothing").to_str().unwrap()], 2);
}
