//! The machine beneath a server, where it is this one: what the kernel says of memory, files, clocks and disks.
//! Read from `/proc` and `/sys` under a root, so that tests can put another machine there.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

pub use super::disk::{Disk, NFS, TMPFS};
pub use super::unread::{Read, Unread};
use forebay::buffer::connect::{Address, Facts};
use forebay::buffer::limit::{Known, Memory};
use forebay::buffer::measure::Machine;
use forebay::buffer::stat::Stat;

/// The socket of a line of `/proc/net/tcp`, as a link of a process names it, where it listens on one of the ports.
fn listening(line: &str, ports: &[u64]) -> Option<String> {
    const LISTENING: &str = "0A";
    let mut fields = line.split_whitespace().skip(1);
    let port = u64::from_str_radix(fields.next()?.rsplit(':').next()?, 16).ok()?;
    let is_one = fields.nth(1) == Some(LISTENING) && port > 0 && ports.contains(&port);
    let inode = fields.nth(5).unwrap_or_default();
    is_one.then(|| format!("socket:[{inode}]"))
}

/// The machine.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
    pid: u64,
    /// The disk that the server writes to.
    pub disk: Read<Disk>,
}

/// What a version of cgroups calls its files, and the pages of files that have not been used lately.
struct CgroupNames {
    limit: &'static str,
    used: &'static str,
    idle: &'static str,
}

const CGROUP_1: CgroupNames = CgroupNames {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    idle: "total_inactive_file ",
};
const CGROUP_2: CgroupNames =
    CgroupNames { limit: "memory.max", used: "memory.current", idle: "inactive_file " };

/// A cgroup that limits memory.
struct Cgroup {
    folder: String,
    names: &'static CgroupNames,
    limit: u64,
}

/// What is known of the machine beneath a buffer: nothing, unless it is this one.
pub fn machine_of(address: &Address, now: &Stat) -> Machine {
    let host = Host::beneath(address, &now.facts, now.conf.dir.as_deref().ok());
    let known = |read: Read<u64>| -> Known<u64> { read.map_err(|why| why.0) };
    let memory = host.as_ref().map_err(|why| why.0.clone()).and_then(|host| {
        let limit_bytes = known(host.memory().map(|(limit, _)| limit))?;
        Ok(Memory { limit_bytes, available_bytes: known(host.available())? })
    });
    let free_bytes = host.map_err(|why| why.0).and_then(|host| {
        now.conf.dir.as_ref().map_err(Clone::clone)?;
        known(host.disk().map(|disk| disk.free_bytes))
    });
    Machine { memory, free_bytes }
}

impl Host {
    /// The machine of a server that answers at `address` and says this of itself, if it is this machine. `dir` is
    /// where it writes to. Over a tunnel or out of a container a server may answer on loopback and yet run elsewhere:
    /// only a process with its id that began when it did is taken for it.
    pub fn beneath(address: &Address, info: &Facts, dir: Option<&str>) -> Read<Self> {
        if !address.is_loopback() {
            return Err(Unread("the server runs on another machine".into()));
        }
        let number =
            |name| info.number(name).ok_or_else(|| Unread(format!("INFO of this server has no {name}")));
        let (pid, now) = (number("process_id")?, number("server_time_usec")? as f64 / 1e6);
        let started = now - number("uptime_in_seconds")? as f64;
        let host = Self::of(Path::new("/"), pid, started, dir)?;
        let ports = ["tcp_port", "tls_port"].map(|name| info.number(name).unwrap_or(0));
        host.runs(info.get("executable").unwrap_or_default(), &ports)?;
        Ok(host)
    }

    /// Whether the process is that server, and not another that has its id in this container: its program has the same
    /// name, and the socket that listens on its port is its own, where that can be seen.
    pub fn runs(&self, executable: &str, ports: &[u64]) -> Read<()> {
        let other = |what: &str| {
            Err(Unread(format!(
                "process {} here is {what}: the server runs on another machine, or in a container",
                self.pid
            )))
        };
        let name = executable.rsplit('/').next().unwrap_or_default();
        let comm = self.needed(&format!("proc/{}/comm", self.pid))?;
        // The kernel keeps 15 bytes of it.
        if name.is_empty()
            || !name.as_bytes().starts_with(comm.trim_end().as_bytes())
            || comm.trim().is_empty()
        {
            return other("another program");
        }
        match self.listens(ports) {
            Some(false) => other("not the one that listens on the server's port"),
            _ => Ok(()),
        }
    }

    /// Whether a socket that listens on one of the ports is the process's own; none where nobody listens on them as
    /// far as can be seen from here, or where its files cannot be seen.
    fn listens(&self, ports: &[u64]) -> Option<bool> {
        let process = self.root.join(format!("proc/{}", self.pid));
        let mut found = None;
        for table in
            ["tcp", "tcp6"].into_iter().filter_map(|table| File::open(process.join("net").join(table)).ok())
        {
            // The kernel lists the sockets that listen first. Whoever stops there is spared all that are connected.
            for line in BufReader::new(table).lines().map_while(Result::ok) {
                let Some(socket) = listening(&line, ports) else { continue };
                let files = std::fs::read_dir(process.join("fd")).ok()?;
                let mut links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
                if links.any(|link| link.as_os_str() == socket.as_str()) {
                    return Some(true);
                }
                found = Some(false);
            }
        }
        found
    }

    /// The machine of the server with that process id, if it is the one whose `/proc` lies under `root`: a server in
    /// a container has another id there. `started` is when it says it began, in seconds since 1970.
    pub fn of(root: &Path, pid: u64, started: f64, dir: Option<&str>) -> Read<Self> {
        let host = Self {
            root: root.into(),
            pid,
            disk: dir.map_or_else(|| Err(Unread("dir cannot be read".into())), Disk::of),
        };
        let elsewhere = || Unread("the server runs on another machine, or in a container".into());
        let began = host.began().ok_or_else(elsewhere)?;
        // Clocks of seconds, each rounded its own way.
        if (began - started).abs() > 3.0 { Err(elsewhere()) } else { Ok(host) }
    }

    /// When the process began, in seconds since 1970.
    fn began(&self) -> Option<f64> {
        let stat = self.file(&format!("proc/{}/stat", self.pid))?;
        // The second field is a name in parentheses, which may hold anything; the 22nd is what is wanted.
        let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        let boot = self.file("proc/stat")?;
        let boot: f64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Some(boot + ticks / rustix::param::clock_ticks_per_second() as f64)
    }

    /// A number that `sysctl` knows by this name.
    pub fn number(&self, sysctl: &str) -> Read<u64> {
        let path = format!("proc/sys/{}", sysctl.replace('.', "/"));
        self.needed(&path)?.trim().parse().map_err(|_| Unread(format!("/{path} is not a number")))
    }

    /// The setting in brackets of a file like `always [madvise] never`.
    pub fn chosen(&self, path: &str) -> Read<String> {
        let text = self.needed(path)?;
        let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        chosen
            .map(|(chosen, _)| chosen.to_owned())
            .ok_or_else(|| Unread(format!("/{path} has no choice in brackets")))
    }

    /// The first line of a file.
    pub fn line(&self, path: &str) -> Read<String> {
        Ok(self.needed(path)?.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Memory that the server may have, and what limits it.
    pub fn memory(&self) -> Read<(u64, &'static str)> {
        let machine = self.meminfo("MemTotal")?;
        self.sees_cgroup()?;
        Ok(self
            .cgroup_limit()
            .filter(|limit| *limit < machine)
            .map_or((machine, "the machine has"), |limit| (limit, "its cgroup allows")))
    }

    /// Memory that the machine, and the server's cgroup with whatever else runs in it, could still give without
    /// swapping, in bytes.
    pub fn available(&self) -> Read<u64> {
        let machine = self.meminfo("MemAvailable")?;
        self.sees_cgroup()?;
        Ok(self.cgroups().iter().filter_map(|group| self.left_of(group)).fold(machine, u64::min))
    }

    /// Swap that the machine has, in bytes.
    pub fn swap(&self) -> Read<u64> {
        self.meminfo("SwapTotal")
    }

    /// A size of the server's own process, in bytes: `VmSwap`.
    pub fn process(&self, name: &str) -> Read<u64> {
        self.kib(&format!("proc/{}/status", self.pid), name)
    }

    /// Whether transparent huge pages are on for the server's process, where the kernel says it.
    pub fn has_huge_pages(&self) -> Option<bool> {
        let status = self.file(&format!("proc/{}/status", self.pid))?;
        let word = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"))?;
        Some(word.trim() == "1")
    }

    /// Files that the server may have open.
    pub fn files_max(&self) -> Read<u64> {
        let path = format!("proc/{}/limits", self.pid);
        let text = self.needed(&path)?;
        let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().next());
        match soft {
            Some("unlimited") => Ok(u64::MAX),
            soft => soft
                .and_then(|soft| soft.parse().ok())
                .ok_or_else(|| Unread(format!("/{path} has no limit of open files"))),
        }
    }

    /// The disk.
    pub fn disk(&self) -> Read<&Disk> {
        self.disk.as_ref().map_err(Clone::clone)
    }

    fn meminfo(&self, name: &str) -> Read<u64> {
        self.kib("proc/meminfo", name)
    }

    /// `Name:   123 kB` in a file, in bytes.
    fn kib(&self, path: &str, name: &str) -> Read<u64> {
        let text = self.needed(path)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib: Option<u64> = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
        kib.map(|kib| kib << 10).ok_or_else(|| Unread(format!("/{path} has no {name}")))
    }

    /// The least memory limit of the server's cgroup and those above it.
    fn cgroup_limit(&self) -> Option<u64> {
        self.cgroups().iter().map(|group| group.limit).min()
    }

    /// Whether the server's cgroup can be seen from here. In a container of one's own that of another process has a path
    /// which leads nowhere, and the limit of the whole machine says nothing about it.
    fn sees_cgroup(&self) -> Read<()> {
        let hidden = self.cgroup_paths().into_iter().find(|(base, path, _)| {
            let is_root = path.trim_matches('/').is_empty();
            !is_root
                && (path.contains("..") || !self.root.join(base).join(path.trim_start_matches('/')).is_dir())
        });
        hidden.map_or(Ok(()), |(_, path, _)| {
            Err(Unread(format!(
                "the server's cgroup {path} cannot be seen from here, so neither can its memory limit"
            )))
        })
    }

    /// Where the server's cgroups for memory are: the file system, the path in it, and the names of its files. Beside a
    /// controller of its own the common hierarchy limits no memory.
    fn cgroup_paths(&self) -> Vec<(&'static str, String, &'static CgroupNames)> {
        let groups = self.file(&format!("proc/{}/cgroup", self.pid)).unwrap_or_default();
        let path_of = |line: &str| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?.to_owned());
            match controllers {
                "" => Some(("sys/fs/cgroup", path, &CGROUP_2)),
                _ if controllers.split(',').any(|name| name == "memory") => {
                    Some(("sys/fs/cgroup/memory", path, &CGROUP_1))
                }
                _ => None,
            }
        };
        let mut all: Vec<_> = groups.lines().filter_map(path_of).collect();
        if all.iter().any(|(base, ..)| base.ends_with("/memory")) {
            all.retain(|(base, ..)| base.ends_with("/memory"));
        }
        all
    }

    /// The server's cgroup and those above it, as far as they limit memory.
    fn cgroups(&self) -> Vec<Cgroup> {
        let mut found = Vec::new();
        for (base, path, names) in self.cgroup_paths() {
            for above in Path::new(path.trim_start_matches('/')).ancestors() {
                let folder = format!("{base}/{}", above.display());
                let limit = self.file(&format!("{folder}/{}", names.limit));
                let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
                found.extend(limit.map(|limit| Cgroup { folder, names, limit }));
            }
        }
        found
    }

    /// What a cgroup has left, without the pages of files that it can do without.
    fn left_of(&self, group: &Cgroup) -> Option<u64> {
        let used: u64 = self.file(&format!("{}/{}", group.folder, group.names.used))?.trim().parse().ok()?;
        let stat = self.file(&format!("{}/memory.stat", group.folder)).unwrap_or_default();
        let idle = stat.lines().find_map(|line| line.strip_prefix(group.names.idle)?.trim().parse().ok());
        Some(group.limit.saturating_sub(used.saturating_sub(idle.unwrap_or(0))))
    }

    fn needed(&self, path: &str) -> Read<String> {
        self.file(path).ok_or_else(|| Unread(format!("/{path} cannot be read")))
    }

    fn file(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }
}

#[cfg(test)]
mod tests;
