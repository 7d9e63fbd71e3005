//! What is claimed of the durability proof: every fault befalls the server, what is lost is counted against what is
//! promised, every control is refuted; somebody's server is killed only where that is permitted, by their own commands, is
//! up again afterwards, and holds nothing of ours.

use std::path::{Path, PathBuf};

use forebay::proof::claim::{Claim, Control, Evidence, Verdict};
use forebay::report::{Report, json};
use forebay::server::Server;

use super::cli_support::{Ran, run};
use rustix::process::{Pid, Signal, kill_process};

use super::support::{ask, server, tell, until};

fn report(ran: &Ran) -> Report {
    json::from_str(&String::from_utf8_lossy(&ran.out)).unwrap_or_else(|error| panic!("{error}: {}", ran.err))
}

fn claim<'a>(report: &'a Report, id: &str) -> &'a Claim {
    report.claims.iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no claim {id}"))
}

fn tables(claim: &Claim) -> Vec<&Vec<Vec<String>>> {
    let tables = claim.evidence.iter().filter_map(|evidence| match evidence {
        Evidence::Table { rows, .. } => Some(rows),
        _ => None,
    });
    tables.collect()
}

fn number(cell: &str) -> u64 {
    cell.replace(',', "").parse().unwrap_or_else(|_| panic!("{cell:?} is no count"))
}

#[test]
fn every_fault_is_held_against_its_promise_and_every_control_is_refuted() {
    let ran = run(&["durability", "--json", "--quiet"]);
    let report = report(&ran);
    for claim in &report.claims {
        if claim.verdict() == Verdict::Untested {
            // The server of the tests may have no WAITAOF; and there may be no FUSE.
            assert!(claim.why.contains("WAITAOF") || claim.why.contains("FUSE"), "{claim:?}");
            continue;
        }
        assert!(claim.control().is_some_and(Control::is_refuted), "{claim:?}");
        // Durations are the machine's; that nothing is lost is not.
        if claim.required == 0.0 {
            assert_eq!(claim.verdict(), Verdict::Proven, "{claim:?}");
        }
    }
    let first = &report.claims[0];
    let [cost, _, times, left_out, ..] = &tables(first)[..] else { panic!("{first:?}") };
    let has_disk = report.claims.iter().all(|claim| !claim.why.contains("FUSE"));
    assert!(cost.len() >= if has_disk { 24 } else { 13 }, "{cost:?}");
    assert_eq!(cost.len(), times.len());
    for row in *cost {
        let [fault, fsync, acknowledged, promised, lost, _] = &row[..] else { panic!("{row:?}") };
        assert!(number(acknowledged) > 1_000, "{row:?}: nothing happened to it");
        assert!(promised != "0" || number(lost) == 0, "{row:?}");
        // Flat out, all since the last fsync goes.
        assert!(fault != "power" || fsync != "no" || number(lost) > 0, "{row:?}: the power was not cut");
    }
    assert!(left_out.iter().all(|row| !row[0].is_empty() && number(&row[1]) > 0), "{left_out:?}");
}

/// A server that is somebody's: what the shell needs to kill it and to start it, with its process id in a file.
struct Theirs {
    server: Server,
    pid: PathBuf,
    conf: String,
    _dir: tempfile::TempDir,
}

impl Theirs {
    fn start(settings: &[(&str, &str)]) -> Self {
        // On a disk that is busy with other tests an fsync may be slow, and a kill then costs something under everysec.
        let memory = ["/dev/shm", "/tmp"].map(Path::new).into_iter().find(|path| path.is_dir());
        let dir = tempfile::tempdir_in(memory.unwrap()).unwrap();
        let server = server(&[settings, &[("dir", dir.path().to_str().unwrap())]].concat());
        let pid = server.dir().join("their.pid");
        std::fs::write(&pid, server.pid().to_string()).unwrap();
        tell(&server, "SET somebody else");
        let told: String = ask(&server, "INFO server").unwrap();
        let conf = told.lines().find_map(|line| line.strip_prefix("config_file:")).unwrap().trim().to_owned();
        Self { server, pid, conf, _dir: dir }
    }

    fn kill(&self) -> String {
        format!("kill -9 $(cat '{}')", self.pid.display())
    }

    fn start_again(&self) -> String {
        let program = std::env::var("FOREBAY_SERVER").unwrap_or_else(|_| "redis-server".into());
        let (conf, pid) = (&self.conf, self.pid.display());
        format!("'{program}' '{conf}' --daemonize yes --pidfile '{pid}'")
    }

    fn durability(&self, kill: &str, start: &str) -> Ran {
        let url = self.server.url();
        run(&[
            "durability",
            "--json",
            "--quiet",
            "--url",
            &url,
            "--allow-faults",
            "--kill-cmd",
            kill,
            "--start-cmd",
            start,
        ])
    }

    fn keys(&self) -> u64 {
        ask(&self.server, "DBSIZE").unwrap()
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        // The one that the commands have started is nobody's child.
        let pid = std::fs::read_to_string(&self.pid).ok().and_then(|text| text.trim().parse::<i32>().ok());
        let is_ours = |pid: &i32| {
            let line =
                std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&self.server.port().to_string())
        };
        if let Some(pid) = pid.filter(is_ours).and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[test]
fn somebodys_server_is_killed_by_their_commands_and_is_up_again() {
    let theirs = Theirs::start(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
    let url = theirs.server.url();
    let refused = run(&["durability", "--url", &url, "--allow-load"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("--kill-cmd"), "{}", refused.err);
    let refused = run(&["durability", "--url", &url, "--kill-cmd", "true", "--start-cmd", "true"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("--allow-faults"), "{}", refused.err);
    assert!(theirs.server.is_running());

    let ran = theirs.durability(&theirs.kill(), &theirs.start_again());
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.everysec");
    assert_eq!(kill.verdict(), Verdict::Proven, "{kill:?}");
    assert!(kill.control().is_some_and(Control::is_refuted), "{kill:?}");
    assert!(!theirs.server.is_running(), "it was killed");
    assert_eq!(theirs.keys(), 1, "it is up, with what is theirs, and without what is ours");
}

#[test]
fn a_server_without_an_aof_is_refuted_and_a_command_that_ends_nothing_is_a_wrong_one() {
    let theirs = Theirs::start(&[("appendonly", "no"), ("save", "")]);
    let ran = theirs.durability(&theirs.kill(), &theirs.start_again());
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.everysec");
    assert_eq!((kill.verdict(), ran.code), (Verdict::Refuted, 1), "{kill:?}");
    assert!(kill.measured().is_some_and(|lost| lost > 1_000.0), "{kill:?}");

    let theirs = Theirs::start(&[("appendonly", "yes")]);
    for (kill, said) in [("true", "still answers"), ("echo no such container; exit 7", "no such container")] {
        let ran = theirs.durability(kill, "true");
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{}", ran.err);
        assert!(theirs.server.is_running());
        assert_eq!(theirs.keys(), 1);
    }
}

#[test]
fn a_server_that_comes_back_with_other_settings_shows_nothing() {
    let theirs = Theirs::start(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
    // Not in its configuration file, so the start forgets it.
    tell(&theirs.server, "CONFIG SET appendfsync always");
    let ran = theirs.durability(&theirs.kill(), &theirs.start_again());
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.always");
    assert_eq!((kill.verdict(), kill.measured()), (Verdict::Untested, None), "{kill:?}");
    assert!(kill.why.contains("appendfsync always") && kill.why.contains("appendfsync everysec"), "{kill:?}");
    assert_eq!(theirs.keys(), 1);
}

/// Ends a run by a signal as soon as a file is there, and waits for its end.
fn interrupt(theirs: &Theirs, kill: &str, start: &str, at: &Path) -> std::process::ExitStatus {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_forebay"));
    command.args(["durability", "--quiet", "--url", &theirs.server.url(), "--allow-faults"]);
    command.args(["--kill-cmd", kill, "--start-cmd", start]).stdout(std::process::Stdio::null());
    let mut run = command.spawn().unwrap();
    until("the command runs", || at.exists() || run.try_wait().unwrap().is_some());
    assert_eq!(run.try_wait().unwrap(), None, "it ended before {}", at.display());
    kill_process(Pid::from_child(&run), Signal::INT).unwrap();
    let mut status = None;
    until("the run has ended", || {
        status = run.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

#[test]
fn a_run_that_is_interrupted_leaves_the_server_up() {
    let theirs = Theirs::start(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
    let (killing, starting) = (theirs.server.dir().join("killing"), theirs.server.dir().join("starting"));
    // In the middle of a command that ends it late, and of one that starts it late.
    let late = format!("touch '{}'; sleep 3; {}", killing.display(), theirs.kill());
    let status = interrupt(&theirs, &late, &theirs.start_again(), &killing);
    assert_eq!(status.code(), Some(130));
    assert!(theirs.server.is_running(), "it was killed although the run had ended");
    assert_eq!(theirs.keys(), 1, "nothing of ours is left");

    let late = format!("touch '{}'; sleep 1; {}", starting.display(), theirs.start_again());
    let status = interrupt(&theirs, &theirs.kill(), &late, &starting);
    assert_eq!(status.code(), Some(130));
    assert!(!theirs.server.is_running(), "the one of before was killed");
    assert_eq!(theirs.keys(), 1, "it was started again, and nothing of ours is left");
}

#[test]
fn a_server_that_does_not_start_again_is_told_with_what_the_command_said() {
    let theirs = Theirs::start(&[("appendonly", "yes")]);
    let flag = theirs.server.dir().join("tried");
    // The first time it fails, as where a volume is not there yet; whoever ends the run tries again.
    let start = format!(
        "if [ -e '{0}' ]; then {1}; else touch '{0}'; echo no volume >&2; exit 3; fi",
        flag.display(),
        theirs.start_again()
    );
    let ran = theirs.durability(&theirs.kill(), &start);
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.everysec");
    assert_eq!((kill.verdict(), ran.code), (Verdict::Refuted, 1), "{kill:?}");
    assert!(kill.why.contains("no volume") && kill.why.contains("exit status: 3"), "{}", kill.why);
    assert_eq!(theirs.keys(), 1, "it was not left down");
}

#[test]
fn a_start_command_that_starts_nothing_is_told_and_what_is_left_on_the_server_is_named() {
    let theirs = Theirs::start(&[("appendonly", "yes")]);
    let ran = theirs.durability(&theirs.kill(), "true");
    let report = report(&ran);
    let kill = claim(&report, "durability.kill.everysec");
    assert_eq!((kill.verdict(), ran.code), (Verdict::Refuted, 1), "{kill:?}");
    assert!(kill.why.contains("`true` has ended, and did not start it"), "{}", kill.why);
    assert!(ran.err.contains("keys are still on"), "{}", ran.err);
}
