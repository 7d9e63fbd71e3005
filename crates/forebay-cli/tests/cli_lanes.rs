//! What is claimed of lanes that are added to a buffer: what is there stays, groups get the new ones before the first event,
//! writers that run go on, readers that run end and say why, and nothing else can be changed.

use std::io::Write as _;
use std::process::Stdio;

use forebay_rig::server::Server;

use super::cli_support::{Ran, append, forebay, holds, lines, profile_of, run};
use super::support::{ask, server, tell, until};

const OLD: &str =
    "[stream]\ntime = \"arrival\"\nlane = \"/k\"\ndefault = \"rest\"\nlanes = { b = \"beta\" }\n";
const NEW: &str = "[stream]\ntime = \"arrival\"\nlane = \"/k\"\ndefault = \"rest\"\nlanes = { a = \"alpha\", b = \"beta\" }\n";

fn events(count: u64) -> Vec<u8> {
    let line =
        |number: u64| format!("{{\"k\":\"{}\",\"n\":{number}}}\n", ["a", "b", "c"][number as usize % 3]);
    (0..count).map(line).collect::<String>().into_bytes()
}

fn add(server: &Server, profile: &str) -> Ran {
    run(&["lanes", "add", "--url", &server.url(), "--profile", profile])
}

fn read(server: &Server, more: &[&str]) -> Ran {
    run(&[&["read", "--quiet", "--url", &server.url()], more].concat())
}

#[test]
fn a_lane_comes_with_its_groups_and_what_was_there_stays() {
    let (server, dir, newer) = (server(&[]), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (old, new) = (profile_of(dir.path(), OLD), profile_of(newer.path(), NEW));
    assert_eq!(append(&server, &events(30), &["--profile", &old]).code, 0);
    assert_eq!(read(&server, &["--group", "all", "--count", "1"]).code, 0);
    assert_eq!(read(&server, &["--group", "some", "--lane", "beta", "--count", "1"]).code, 0);
    let refused = append(&server, &events(3), &["--profile", &new]);
    assert_eq!(refused.code, 2);
    holds(&refused.err, &["add the lanes that it does not have", "forebay lanes add"]);

    let added = add(&server, &new);
    assert_eq!(added.code, 0, "{}", added.err);
    holds(
        &String::from_utf8(added.out).unwrap(),
        &["added to buffer events", "alpha", "start its writers again"],
    );
    let again = add(&server, &new);
    holds(&String::from_utf8(again.out).unwrap(), &["has all of these lanes already"]);

    let refused = append(&server, &events(3), &["--profile", &old]);
    assert_eq!(refused.code, 2);
    holds(&refused.err, &["lanes were added to it: open it again with those"]);
    assert_eq!(append(&server, &events(30), &["--profile", &new]).code, 0);
    assert_eq!(lines(&read(&server, &["--lane", "alpha"]).out).len(), 10);
    assert_eq!(lines(&read(&server, &[]).out).len(), 60);
    let groups = |lane: &str| -> Vec<String> {
        let rows: Vec<Vec<redis::Value>> =
            ask(&server, &format!("XINFO GROUPS forebay:{{events.{lane}.0}}")).unwrap();
        rows.iter().map(|row| redis::from_redis_value_ref(&row[1]).unwrap()).collect()
    };
    assert_eq!(groups("alpha"), ["all"], "one that reads a lane alone is not held up by another");
    // Nothing of it is trimmed before that group has it.
    tell(&server, "XGROUP DESTROY forebay:{events.beta.0} some");
    let ran = read(&server, &["--group", "all", "--consumer", "c", "--frames"]);
    assert!(String::from_utf8_lossy(&ran.out).contains("\"alpha/"), "{}", ran.err);
}

#[test]
fn what_would_change_or_leave_out_what_is_there_is_refused() {
    let (server, dir, other) = (server(&[]), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let new = profile_of(dir.path(), NEW);
    let missing = add(&server, &new);
    assert_eq!(missing.code, 2);
    holds(&missing.err, &["no buffer"]);
    assert_eq!(append(&server, &events(3), &["--profile", &new]).code, 0);
    for stream in
        [OLD, "", &NEW.replace("\"/k\"", "\"/kind\""), &NEW.replace("b = \"beta\"", "b = \"alpha\"")]
    {
        let ran = add(&server, &profile_of(other.path(), stream));
        assert_eq!(ran.code, 2, "{stream}: {}", ran.err);
        holds(&ran.err, &["lanes can only be added to buffer events", "alpha, beta, rest"]);
    }
}

#[test]
fn a_running_writer_goes_on_through_a_loss_and_a_running_reader_says_why_it_ends() {
    let (server, dir, newer) = (server(&[]), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (old, new) = (profile_of(dir.path(), OLD), profile_of(newer.path(), NEW));
    let url = server.url();
    let mut writer =
        forebay(&["append", "--url", &url, "--profile", &old]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    let held = || {
        let of = |lane: &str| ask::<u64>(&server, &format!("XLEN forebay:{{events.{lane}.0}}")).unwrap();
        of("beta") + of("rest")
    };
    stdin.write_all(&events(3)).unwrap();
    until("the first events are stored", || held() >= 2);
    let reader = forebay(&["read", "--url", &url, "--group", "g", "--follow", "--frames"]).spawn().unwrap();
    until("the reader is there", || {
        ask::<Vec<redis::Value>>(&server, "XINFO GROUPS forebay:{events.rest.0}")
            .is_ok_and(|groups| !groups.is_empty())
    });
    assert_eq!(add(&server, &new).code, 0);
    let ended: Ran = reader.wait_with_output().unwrap().into();
    assert_eq!(ended.code, 2, "{}", ended.err);
    holds(&ended.err, &["lanes were added to it: open it again with those"]);
    // A lane that the server loses is taken up again, and it is looked what the buffer is.
    tell(&server, "DEL forebay:{events.rest.0} forebay:{events.rest.0}:writer");
    stdin.write_all(&events(3)).unwrap();
    drop(stdin);
    let ended: Ran = writer.wait_with_output().unwrap().into();
    assert_eq!(ended.code, 1, "{}", ended.err);
    holds(&ended.err, &["came back without events"]);
    assert_eq!(
        lines(&read(&server, &["--lane", "beta"]).out),
        lines(b"{\"k\":\"b\",\"n\":1}\n{\"k\":\"b\",\"n\":1}\n")
    );
    assert_eq!(lines(&read(&server, &["--lane", "rest"]).out).len(), 2, "the later a and c");
    assert!(
        ask::<String>(&server, "HGET forebay:{events} lanes").unwrap().contains("alpha"),
        "its lanes stay"
    );
}

#[test]
fn what_an_older_writer_left_in_its_spill_folder_is_taken_by_one_with_more_lanes() {
    let (server, dir, newer) = (server(&[]), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (old, new) = (profile_of(dir.path(), OLD), profile_of(newer.path(), NEW));
    assert_eq!(append(&server, &events(3), &["--profile", &old]).code, 0);
    let spill = dir.path().join("spill");
    let spilling = |input: &[u8], profile: &str| {
        append(
            &server,
            input,
            &["--profile", profile, "--overflow", "spill", "--spill", spill.to_str().unwrap()],
        )
    };
    tell(&server, "CONFIG SET maxmemory 1");
    assert_eq!(spilling(&events(6), &old).code, 3);
    // A full server takes a lane all the same: there is nothing to append there yet, and no group that would need a key.
    let added = add(&server, &new);
    assert_eq!(added.code, 0, "{}", added.err);
    tell(&server, "CONFIG SET maxmemory 0");
    let ran = spilling(b"", &new);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(lines(&read(&server, &[]).out), lines(&[events(3), events(6)].concat()));
}

#[test]
fn a_full_server_that_makes_no_group_keeps_the_lanes_that_there_were() {
    let (server, dir, newer) = (server(&[]), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (old, new) = (profile_of(dir.path(), OLD), profile_of(newer.path(), NEW));
    assert_eq!(append(&server, &events(3), &["--profile", &old]).code, 0);
    assert_eq!(run(&["group", "add", "g", "--url", &server.url()]).code, 0);
    let lanes = || ask::<String>(&server, "HGET forebay:{events} lanes").unwrap();
    let before = lanes();
    tell(&server, "CONFIG SET maxmemory 1");
    let refused = add(&server, &new);
    assert_ne!(refused.code, 0);
    holds(&refused.err, &["making a group on forebay:{events.alpha.0}", "OOM"]);
    assert_eq!((lanes(), ask::<u64>(&server, "EXISTS forebay:{events.alpha.0}").unwrap()), (before, 0));
    tell(&server, "CONFIG SET maxmemory 0");
    assert_eq!(add(&server, &new).code, 0);
    assert_eq!(ask::<Vec<redis::Value>>(&server, "XINFO GROUPS forebay:{events.alpha.0}").unwrap().len(), 1);
}
