//! What is claimed of runs that are killed while they have changed somebody's server: what it had is on disk before the first
//! change, the next run refuses to go on, `--restore` sets everything back, and an audit names it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use forebay_rig::server::Server;

use crate::cli_support::{Ran, forebay, holds, profile_with};
use crate::support::{ask, server, tell, until};

/// Settings that a pressure run changes, and one that a tuning does.
const NAMES: [&str; 4] = ["maxmemory", "maxmemory-policy", "notify-keyspace-events", "stream-node-max-bytes"];

/// A server that is somebody's, and a state folder of its own.
struct Theirs {
    server: Server,
    folder: tempfile::TempDir,
    before: Vec<String>,
}

impl Theirs {
    fn start() -> Self {
        let server = server(&[("maxmemory", "900mb"), ("maxmemory-policy", "allkeys-lfu")]);
        let mut theirs = Self { server, folder: tempfile::tempdir().unwrap(), before: Vec::new() };
        theirs.before = theirs.settings();
        theirs
    }

    fn settings(&self) -> Vec<String> {
        let setting = |name: &str| ask::<Vec<String>>(&self.server, &format!("CONFIG GET {name}")).unwrap();
        NAMES.iter().map(|name| setting(name)[1].clone()).collect()
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let url = self.server.url();
        let mut command = forebay(&[args, &["--url", &url]].concat());
        command.env("XDG_STATE_HOME", self.folder.path());
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("forebay/undo")).into_iter().flatten();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect()
    }

    /// Whether a way back with settings in it is on disk.
    fn has_way_back(&self) -> bool {
        // A file may go while it is looked at.
        let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        self.files().iter().any(|path| text(path).contains("maxmemory") || text(path).contains("stream-node"))
    }

    fn keys(&self) -> Vec<String> {
        ask(&self.server, "KEYS forebay:*").unwrap()
    }

    /// Begins a pressure run, which is killed as soon as this is so.
    fn kill_pressure(&self, what: &str, is_so: impl Fn() -> bool) {
        let profile = profile(self.folder.path());
        let args = ["pressure", "--quiet", "--allow-faults", "--profile", &profile];
        kill(self.command(&args), what, is_so);
    }

    /// What a killed run has changed is named, refused and set back.
    fn is_restored(&self, what: &str) {
        let (changed, keys) = (self.settings() != self.before, self.keys());
        for path in self.files() {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
            let folder = path.parent().unwrap().metadata().unwrap();
            assert_eq!(folder.permissions().mode() & 0o777, 0o700, "{}", path.display());
        }
        assert!(!changed || self.has_way_back(), "{what}: changed, and no way back is on disk");
        if changed {
            let audit = self.run(&["audit", "--quiet"]);
            holds(&audit.err, &["was killed and left", "maxmemory", "--restore"]);
            let refused = self.run(&["pressure", "--quiet", "--allow-faults"]);
            assert_eq!(refused.code, 2, "{what}: {}", refused.err);
            holds(&refused.err, &["is not as it was", "--restore"]);
        }
        if !keys.is_empty() {
            holds(&self.run(&["audit", "--quiet"]).err, &[&keys[0]]);
        }
        let restored = self.run(&["pressure", "--restore"]);
        assert_eq!(restored.code, 0, "{what}: {}", restored.err);
        assert_eq!(self.settings(), self.before, "{what}");
        assert_eq!(self.keys(), Vec::<String>::new(), "{what}");
        assert_eq!(self.files(), Vec::<PathBuf>::new(), "{what}");
        assert!(!changed || String::from_utf8_lossy(&restored.out).contains("maxmemory"), "{what}");
    }
}

/// Little memory, and a pace that fills it soon.
fn profile(dir: &Path) -> String {
    profile_with(dir, &[("2_700_000", "20_000"), ("hours = 8", "hours = 0.05"), ("\"2gb\"", "\"10mb\"")])
}

/// Runs a command and kills it (SIGKILL) as soon as this is so.
fn kill(mut command: std::process::Command, what: &str, is_so: impl Fn() -> bool) {
    let mut run: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(what, || {
        assert!(run.try_wait().unwrap().is_none(), "it ended before {what}");
        is_so()
    });
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_pressure_run_that_is_killed_is_found_named_and_set_back() {
    let theirs = Theirs::start();
    theirs.kill_pressure("the way back is on disk", || theirs.has_way_back());
    theirs.is_restored("before or at the first change");
    tell(&theirs.server, "SET somebody else");
    theirs.kill_pressure("the server is filled", || theirs.keys().len() > 3);
    theirs.is_restored("in the midst of a run");
    assert_eq!(ask::<u64>(&theirs.server, "DBSIZE").unwrap(), 1, "what is somebody's is still there");
}

#[test]
fn a_way_back_of_a_run_that_goes_on_is_not_taken_for_a_left_one() {
    let theirs = Theirs::start();
    let (profile, is_set) = (profile(theirs.folder.path()), || theirs.settings() != theirs.before);
    let mut run = theirs.command(&["pressure", "--quiet", "--allow-faults", "--profile", &profile]);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("its settings are set", is_set);
    let restored = theirs.run(&["pressure", "--restore"]);
    assert!(restored.err.contains("nothing to set back"), "{}", restored.err);
    assert!(is_set(), "they are the run's");
    run.kill().unwrap();
    run.wait().unwrap();
    theirs.is_restored("killed afterwards");
}

#[test]
fn without_a_place_for_the_way_back_nothing_is_changed() {
    let theirs = Theirs::start();
    let profile = profile(theirs.folder.path());
    let mut command = theirs.command(&["pressure", "--quiet", "--allow-faults", "--profile", &profile]);
    let ran: Ran = command.env_remove("XDG_STATE_HOME").env_remove("HOME").output().unwrap().into();
    assert_eq!(ran.code, 2, "{}", ran.err);
    holds(&ran.err, &["no place for the way back", "HOME"]);
    assert_eq!(theirs.settings(), theirs.before);
}

#[test]
#[ignore = "nightly"]
fn nightly_a_tuning_or_pressure_run_that_is_killed_at_any_moment_is_set_back() {
    let mut restored = 0;
    for moment in 0..10_u64 {
        let theirs = Theirs::start();
        let since = std::cell::Cell::new(None);
        let is_so = || {
            if theirs.has_way_back() && since.get().is_none() {
                since.set(Some(std::time::Instant::now()));
            }
            since.get().is_some_and(|since| since.elapsed().as_millis() >= u128::from(moment * 37))
        };
        if moment % 2 == 0 {
            theirs.kill_pressure("a moment of a pressure run", is_so);
        } else {
            let args = ["tune", "--quiet", "--allow-load", "--only", "stream-node-64k"];
            kill(theirs.command(&args), "a moment of a tuning", is_so);
        }
        let changed = theirs.settings() != theirs.before;
        let ran = theirs.run(&["tune", "--restore"]);
        assert_eq!((ran.code, theirs.settings()), (0, theirs.before.clone()), "{}", ran.err);
        assert_eq!((theirs.keys(), theirs.files()), (Vec::new(), Vec::new()));
        restored += u32::from(changed);
    }
    println!("nightly undo: 10 runs killed, {restored} with settings changed, all as before");
}
