//! A server that is somebody's, as the tests of proofs on one need it, and what they read of a report.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::path::{Path, PathBuf};

use forebay_proof::claim::Claim;
use forebay_proof::report::{Report, json};
use forebay_rig::server::Server;
use rustix::process::{Pid, Signal, kill_process};

use super::cli_support::{Ran, run};
use super::support::{ask, server, tell};

pub fn report(ran: &Ran) -> Report {
    json::from_str(&String::from_utf8_lossy(&ran.out)).unwrap_or_else(|error| panic!("{error}: {}", ran.err))
}

pub fn claim<'a>(report: &'a Report, id: &str) -> &'a Claim {
    report.claims.iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no claim {id}"))
}

/// A server that is somebody's: what the shell needs to kill it and to start it, with its process id in a file.
pub struct Theirs {
    pub server: Server,
    pid: PathBuf,
    conf: String,
    dir: tempfile::TempDir,
}

impl Theirs {
    pub fn start(settings: &[(&str, &str)]) -> Self {
        // On a disk that is busy with other tests an fsync may be slow, and a kill then costs something under everysec.
        let memory = ["/dev/shm", "/tmp"].map(Path::new).into_iter().find(|path| path.is_dir());
        let dir = tempfile::tempdir_in(memory.unwrap()).unwrap();
        let server = server(&[settings, &[("dir", dir.path().to_str().unwrap())]].concat());
        let pid = server.dir().join("their.pid");
        std::fs::write(&pid, server.pid().to_string()).unwrap();
        tell(&server, "SET somebody else");
        let told: String = ask(&server, "INFO server").unwrap();
        let conf = told.lines().find_map(|line| line.strip_prefix("config_file:")).unwrap().trim().to_owned();
        Self { server, pid, conf, dir }
    }

    pub fn kill(&self) -> String {
        format!("kill -9 $(cat '{}')", self.pid.display())
    }

    /// The same, after so many seconds.
    pub fn kill_after(&self, seconds: f64) -> String {
        format!("sleep {seconds}; {}", self.kill())
    }

    /// And half of what the log had by then is gone, once the process is: it may stay a while as one that has ended.
    pub fn kill_and_cut(&self, seconds: f64) -> String {
        let (kill, dir) = (self.kill_after(seconds), self.dir.path().display());
        format!(
            "{kill}; while readlink /proc/$(cat '{}')/exe; do sleep 0.01; done; \
             for file in '{dir}'/appendonlydir/*.incr.aof; do truncate -s $(($(stat -c %s $file) / 2)) $file; done",
            self.pid.display()
        )
    }

    pub fn start_again(&self) -> String {
        let program = std::env::var("FOREBAY_SERVER").unwrap_or_else(|_| "redis-server".into());
        let (conf, pid) = (&self.conf, self.pid.display());
        format!("'{program}' '{conf}' --daemonize yes --pidfile '{pid}'")
    }

    pub fn durability(&self, kill: &str, start: &str) -> Ran {
        let url = self.server.url();
        run(&[
            "durability",
            "--scale",
            "smallest",
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

    pub fn keys(&self) -> u64 {
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
