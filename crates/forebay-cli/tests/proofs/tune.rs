//! What is claimed of the tuning: settings that are applied can be set back to the letter, what is somebody else's is left
//! alone, settings that harm are not proposed, and experiments on somebody's server leave it as it was.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use forebay::buffer::connect::Address;
use forebay_proof::claim::{Control, Verdict};
use forebay_proof::report::{Report, json};
use forebay_proof::tune::Saved;
use forebay_rig::server::{Server, ServerBinary};

use crate::cli_support::{Ran, profile_with, run, run_at_once};

/// A server as it is by default.
fn server() -> (Server, Address) {
    let binary = ServerBinary::find(None).unwrap();
    let conf = [("appendonly", "yes"), ("requirepass", "")].into_iter().collect();
    let server = Server::start(&binary, &conf).unwrap();
    let address = Address::parse(&server.url()).unwrap();
    (server, address)
}

fn settings(address: &Address) -> BTreeMap<String, String> {
    let pairs: Vec<(String, String)> =
        redis::cmd("CONFIG").arg("GET").arg("*").query(&mut address.dial().unwrap()).unwrap();
    pairs.into_iter().collect()
}

fn set(address: &Address, name: &str, value: &str) {
    redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(&mut address.dial().unwrap()).unwrap();
}

fn wanted(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn report(ran: &Ran) -> Report {
    json::from_str(&String::from_utf8_lossy(&ran.out)).unwrap_or_else(|why| panic!("{why}: {}", ran.err))
}

#[test]
fn what_was_applied_is_set_back_and_config_get_is_the_same_to_the_letter() {
    let (server, address) = server();
    let before = settings(&address);
    let saved =
        Saved::of(&address, &wanted(&[("stream-node-max-bytes", "65536"), ("hz", "20"), ("timeout", "0")]))
            .unwrap();
    let names: Vec<&str> = saved.changed.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["stream-node-max-bytes", "hz"], "what is so already is not changed");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("back.json");
    saved.write(&file).unwrap();
    saved.apply(&address).unwrap();
    assert_eq!(settings(&address)["stream-node-max-bytes"], "65536");

    let ran = run(&["tune", "--url", &server.url(), "--rollback", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(String::from_utf8_lossy(&ran.out), "stream-node-max-bytes 4096 (was 65536)\nhz 10 (was 20)\n");
    assert_eq!(settings(&address), before);
    // Once more does no harm.
    let ran = run(&["tune", "--url", &server.url(), "--rollback", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(settings(&address), before);
}

#[test]
fn what_somebody_has_changed_since_is_theirs() {
    let (server, address) = server();
    let saved = Saved::of(&address, &wanted(&[("hz", "20"), ("stream-node-max-bytes", "65536")])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("back.json");
    saved.write(&file).unwrap();
    saved.apply(&address).unwrap();
    set(&address, "hz", "30");
    let now = settings(&address);
    let ran = run(&["tune", "--url", &server.url(), "--rollback", file.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("hz is 30, and was set to 20"), "{}", ran.err);
    assert_eq!(settings(&address), now, "nothing is set back in part");

    // What was changed beside it is told, and left.
    set(&address, "hz", "20");
    set(&address, "maxclients", "500");
    let ran = run(&["tune", "--url", &server.url(), "--rollback", file.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("not of our making: maxclients was 10000 and is 500"), "{}", ran.err);
    assert_eq!(settings(&address)["maxclients"], "500");
    assert_eq!(settings(&address)["stream-node-max-bytes"], "4096");
}

#[test]
fn a_value_that_is_refused_leaves_nothing_set_and_a_file_that_is_there_is_kept() {
    let (_server, address) = server();
    let before = settings(&address);
    let saved = Saved::of(&address, &wanted(&[("hz", "20"), ("maxmemory-policy", "no-such")])).unwrap();
    let error = format!("{:#}", saved.apply(&address).unwrap_err());
    assert!(error.contains("maxmemory-policy no-such") && error.contains("set back"), "{error}");
    assert_eq!(settings(&address), before);
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = format!("{:#}", saved.write(file.path()).unwrap_err());
    assert!(error.contains("nothing is changed"), "{error}");
    assert_eq!(std::fs::read(file.path()).unwrap(), b"", "somebody's way back was overwritten");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("back.json");
    set(&address, "requirepass", "secret-word");
    let url = address.to_string().replace("redis://", "redis://:secret-word@");
    let address = Address::parse(&url).unwrap();
    Saved::of(&address, &wanted(&[("hz", "20")])).unwrap().write(&file).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("secret-word"));
    assert!(Saved::of(&address, &wanted(&[("no-such", "1")])).is_err());
}

#[test]
fn a_file_that_is_none_of_ours_is_told_and_a_server_must_be_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\"hz\": 10}").unwrap();
    let (server, address) = server();
    let before = settings(&address);
    let path = file.path().to_str().unwrap();
    let ran = run(&["tune", "--url", &server.url(), "--rollback", path]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("was not written by `forebay tune --apply`"), "{}", ran.err);
    assert_eq!(settings(&address), before);
    let (_other, other) = self::server();
    let theirs = tempfile::tempdir().unwrap();
    let theirs = theirs.path().join("theirs.json");
    Saved::of(&other, &wanted(&[("hz", "20")])).unwrap().write(&theirs).unwrap();
    let ran = run(&["tune", "--url", &server.url(), "--rollback", theirs.to_str().unwrap()]);
    assert!(ran.code == 2 && ran.err.contains("this file is of"), "{}", ran.err);
    assert_eq!(settings(&address), before);
    for (arguments, says) in [
        (&["tune", "--rollback", path][..], "was not written by"),
        (&["tune", "--apply", "--saved", "x.json"], "--url names it"),
        (&["tune", "--url", "redis://127.0.0.1:1", "--apply", "--saved", path], "it must be a new file"),
        (&["tune", "--only", "no-such"], "no candidate no-such"),
        (&["tune", "--url", "redis://127.0.0.1:1"], "--allow-load"),
    ] {
        let ran = run_at_once(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn the_candidates_can_be_listed() {
    let ran = run(&["tune", "--list"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let text = String::from_utf8(ran.out).unwrap();
    for id in ["no-appendfsync-on-rewrite", "stream-node-64k", "linger-500ms", "pool-64"] {
        assert!(text.lines().any(|line| line == id), "{id}: {text}");
    }
}

#[test]
fn a_setting_that_harms_is_rejected_by_its_guard_and_the_controls_are_refuted() {
    // What its guard loses does not depend on how much the profile holds.
    let dir = tempfile::tempdir().unwrap();
    let few = profile_with(dir.path(), &[("2_700_000", "4_000"), ("hours = 8", "hours = 0.01")]);
    let only = "no-appendfsync-on-rewrite,activedefrag";
    let ran = run(&["tune", "--scale", "smallest", "--profile", &few, "--only", only, "--json", "--quiet"]);
    let report = report(&ran);
    let claim =
        |id: &str| report.claims.iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("{id}"));
    let harm = claim("tune.harm");
    assert_eq!(harm.verdict(), Verdict::Proven, "{}", harm.why);
    assert!(harm.why.contains("no-appendfsync-on-rewrite"), "{}", harm.why);
    let text = String::from_utf8_lossy(&ran.out);
    assert!(
        text.contains("durability.power-long-rewrite.everysec"),
        "its guard must have seen the loss: {text}"
    );
    assert_eq!(claim("tune.together").verdict(), Verdict::Untested);
    for claim in report.claims.iter().filter(|claim| claim.verdict() != Verdict::Untested) {
        assert!(claim.control().is_some_and(Control::is_refuted), "{}: {ran:?}", claim.id, ran = ran.err);
    }
}

#[test]
fn experiments_on_somebody_s_server_leave_it_as_it_was() {
    let (server, address) = server();
    redis::cmd("SET").arg("theirs").arg("1").exec(&mut address.dial().unwrap()).unwrap();
    let before = settings(&address);
    let only = "stream-node-64k,appendfsync-no,io-threads-2,read-ahead,rdb-preamble-off";
    // It holds little, so legs are short: too short to find anything in, on a busy machine.
    let dir = tempfile::tempdir().unwrap();
    let few = profile_with(dir.path(), &[("2_700_000", "4_000"), ("hours = 8", "hours = 0.01")]);
    let url = server.url();
    let place = ["--url", &url, "--allow-load"];
    let fixed = ["tune", "--scale", "smallest", "--profile", &few, "--only", only, "--json"];
    let ran = run(&[&fixed[..], &place].concat());
    assert!([0, 1].contains(&ran.code), "{}", ran.err);
    assert!(ran.err.contains("gets settings to be tried"), "{}", ran.err);
    assert_eq!(settings(&address), before);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut address.dial().unwrap()).unwrap();
    assert_eq!(keys, ["theirs"]);
    let text = String::from_utf8_lossy(&ran.out);
    for why in ["it is read at the start only", "it takes restarts", "it could harm what others have"] {
        assert!(text.contains(why), "{why}: {text}");
    }
}
