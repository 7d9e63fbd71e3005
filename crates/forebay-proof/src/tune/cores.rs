//! Server and client on cores of their own while they are measured. Where they share cores, a leg is as fast as the places are
//! good that its dozen threads happen to get, and legs of the same settings differ by a seventh.

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps this thread, and those that it starts, off the servers' cores. Dropped, it may run on all of its own again.
pub struct Cores {
    before: CpuSet,
}

impl Cores {
    /// Gives these servers one half of the cores that this thread may run on, and it the other. None where there is one core
    /// only, or the system does not permit it: then they share, and intervals are wider.
    pub fn apart(servers: &[u32]) -> Option<Self> {
        let before = sched_getaffinity(None).ok()?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| before.is_set(*core)).collect();
        if cores.len() < 2 {
            return None;
        }
        let (ours, theirs) = cores.split_at(cores.len() / 2);
        let (ours, theirs) = (set(ours), set(theirs));
        let is_apart =
            servers.iter().all(|server| keep(*server, &theirs)) && sched_setaffinity(None, &ours).is_ok();
        if !is_apart {
            // One side alone would be another experiment.
            for server in servers {
                keep(*server, &before);
            }
            return None;
        }
        Some(Self { before })
    }
}

/// Keeps every thread of a process on these cores; whether that was permitted. A thread that has ended needs none.
fn keep(process: u32, cores: &CpuSet) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return false };
    let ids = threads.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut all = ids.filter_map(Pid::from_raw);
    all.all(|thread| matches!(sched_setaffinity(Some(thread), cores), Ok(()) | Err(Errno::SRCH)))
}

impl Drop for Cores {
    fn drop(&mut self) {
        // It was allowed to run there before.
        let _ = sched_setaffinity(None, &self.before);
    }
}

fn set(cores: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use forebay_rig::server::{Conf, Server, ServerBinary};

    #[test]
    fn a_server_and_this_thread_are_apart_until_it_is_dropped() {
        let before = sched_getaffinity(None).unwrap();
        let server = Server::start(&ServerBinary::find(None).unwrap(), &Conf::new()).unwrap();
        let Some(cores) = Cores::apart(&[server.pid()]) else {
            assert_eq!(before.count(), 1, "it is permitted where there are two cores");
            return;
        };
        let ours = std::thread::spawn(|| sched_getaffinity(None).unwrap()).join().unwrap();
        let theirs = sched_getaffinity(Pid::from_raw(server.pid().cast_signed())).unwrap();
        assert!((0..CpuSet::MAX_CPU).all(|core| !(ours.is_set(core) && theirs.is_set(core))));
        assert!(ours.count() > 0 && theirs.count() > 0);
        drop(cores);
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
