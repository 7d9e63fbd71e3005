//! What is claimed of temporary folders: what a killed run has left is removed by the next, and nothing of the user's is.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, SystemTime};

use super::cli_support::forebay;
use super::support::until;
use super::verify_support::seen;

/// The verbs that look for what killed runs have left. No program is at the path, so each ends right after that.
const VERBS: [&[&str]; 10] = [
    &["verify", "--aof", "."],
    &["prove"],
    &["baseline"],
    &["capacity"],
    &["pressure"],
    &["durability"],
    &["throughput"],
    &["monitoring"],
    &["tune"],
    &["capacity", "--json", "--quiet"],
];

/// What users have that is called as folders of ours are: AOFs, snapshots, spilled events, and copies of ours.
fn users_folders(temporary: &Path, left: &Path) {
    for what in ["server", "aof", "spill", "disk"] {
        let folder = temporary.join(format!("forebay-{what}-backup"));
        fs::create_dir_all(folder.join("appendonlydir")).unwrap();
        for file in ["appendonly.aof", "appendonlydir/appendonly.aof.1.incr.aof", "dump.rdb", "likes.1.spill"]
        {
            fs::write(folder.join(file), "20,000 accepted events").unwrap();
        }
        // Whole, with the mark, as somebody does who wants to know what a run was doing.
        let copy = temporary.join(format!("forebay-{what}-copy"));
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(left).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
        fs::create_dir(temporary.join(format!("forebay-{what}-"))).unwrap();
    }
    fs::write(temporary.join("forebay-aof-file"), "a file").unwrap();
    let elsewhere = temporary.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("appendonly.aof"), "events").unwrap();
    std::os::unix::fs::symlink(&elsewhere, temporary.join("forebay-server-link")).unwrap();
    age(temporary);
}

/// Makes everything in a folder a year old.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            age(&entry.path());
        }
        if !entry.file_type().unwrap().is_symlink() {
            let then = SystemTime::now() - Duration::from_secs(365 * 86_400);
            File::open(entry.path()).unwrap().set_modified(then).unwrap();
        }
    }
}

/// A run that stands still with folders of its own, and those.
fn running(root: &Path, temporary: &Path) -> (Child, Vec<PathBuf>) {
    let (aof, mark, program) = (root.join("aof"), root.join("pid"), root.join("program"));
    let _ = fs::remove_file(&mark);
    fs::create_dir_all(&aof).unwrap();
    fs::write(aof.join("appendonly.aof"), "").unwrap();
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'Redis server v=7.2.0 sha=0'; exit; fi\n\
         echo $$ > {0}.part; mv {0}.part {0}; exec sleep 100\n",
        mark.display()
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let before = names(temporary);
    let mut command = forebay(&["verify", "--aof", aof.to_str().unwrap(), "--server-bin"]);
    let child = command.arg(&program).env("TMPDIR", temporary).spawn().unwrap();
    until("it has folders and runs a server", || mark.exists());
    let made: Vec<PathBuf> = names(temporary).into_iter().filter(|path| !before.contains(path)).collect();
    assert!(!made.is_empty());
    (child, made)
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn no_verb_removes_a_folder_of_the_users_and_each_removes_what_a_killed_run_left() {
    let root = tempfile::tempdir().unwrap();
    let temporary = root.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let (mut living, lives) = running(root.path(), &temporary);
    users_folders(&temporary, &lives[0]);
    let is_users = |path: &Path| !lives.iter().any(|own| path.starts_with(own));
    let users =
        || -> Vec<_> { seen(&temporary).into_iter().skip(1).filter(|(path, ..)| is_users(path)).collect() };
    let before = users();
    assert!(before.len() > 40, "{}", before.len());
    for verb in VERBS {
        let (mut killed, left) = running(root.path(), &temporary);
        killed.kill().unwrap();
        killed.wait().unwrap();
        let mut command = forebay(&[verb, &["--server-bin", "/nowhere/redis-server"]].concat());
        let output = command.env("TMPDIR", &temporary).current_dir(root.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{verb:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(left.iter().all(|path| !path.exists()), "{verb:?} left {left:?}");
        assert!(lives.iter().all(|path| path.exists()), "{verb:?} removed the folders of a run that lives");
        assert!(users() == before, "{verb:?} touched what is not ours");
    }
    living.kill().unwrap();
    living.wait().unwrap();
}
