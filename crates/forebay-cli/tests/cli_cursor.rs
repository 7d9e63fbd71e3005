//! What is claimed of `append --cursor`: where the source stands is stored, and said by append and stat; a pointer at which no line
//! has a number is told.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use crate::cli_support::{append, run};
use crate::support::server;

fn line(time_us: u64) -> String {
    format!("{{\"time_us\":{time_us},\"did\":\"x\"}}\n")
}

#[test]
fn where_the_source_stands_is_stored_and_said_by_stat_and_by_the_next_append() {
    let server = server(&[]);
    let input = [line(5), line(7), line(9)].concat();
    let ran = append(&server, input.as_bytes(), &["--cursor", "/time_us"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let stat = run(&["stat", "--json", "--over", "0s", "--url", &server.url()]);
    let json: serde_json::Value = serde_json::from_slice(&stat.out).unwrap();
    assert_eq!(json["low_watermark"], 9, "{json}");
    let lanes = json["lanes"].as_array().unwrap();
    let other = lanes.iter().find(|lane| lane["lane"] == "other").unwrap();
    assert_eq!((&other["cursor"], &other["low_watermark"]), (&9.into(), &9.into()));
    let text = run(&["stat", "--over", "0s", "--url", &server.url()]);
    assert!(
        String::from_utf8_lossy(&text.out).contains("cursor 9"),
        "{}",
        String::from_utf8_lossy(&text.out)
    );
    let again = append(&server, line(11).as_bytes(), &["--cursor", "/time_us"]);
    assert!(again.err.contains("up to cursor 9"), "{}", again.err);
}

#[test]
fn a_pointer_at_which_no_line_has_a_whole_number_is_told() {
    let server = server(&[]);
    for pointer in ["/nope", "/did"] {
        let ran = append(&server, line(5).as_bytes(), &["--cursor", pointer]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.err.contains("no line had a whole number") && ran.err.contains(pointer), "{}", ran.err);
    }
    let ran = append(&server, line(5).as_bytes(), &["--cursor", "time_us"]);
    assert!(ran.code == 2 && ran.err.contains("begins with a slash"), "{}", ran.err);
}
