//! A machine made of files: healthy, but for what is planted.

use std::io;
use std::path::Path;

use super::seeded_faults::FaultSource;
use crate::audit::fsync::Fsync;
use crate::audit::rule::Unread;
use crate::audit::snapshot::Read;
use forebay_watch::machine::{Disk, Host};

/// Process of the server on that machine, and when it began.
const SERVER: (u64, f64) = (4_711, 1_000_000_000.0);

/// Files of a healthy machine; names without a folder are the server's own under `/proc`.
const HEALTHY: [(&str, &str); 11] = [
    ("proc/stat", "btime 1000000000\n"),
    ("stat", "4711 (redis-server) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0\n"),
    ("status", "VmSwap:\t       0 kB\nTHP_enabled:\t0\n"),
    ("limits", "Max open files            65536                65536                files\n"),
    ("cgroup", "0::/\n"),
    ("proc/meminfo", "MemTotal: 16777216 kB\nSwapTotal: 2097152 kB\n"),
    ("proc/sys/vm/overcommit_memory", "1\n"),
    ("proc/sys/vm/swappiness", "1\n"),
    ("proc/sys/net/core/somaxconn", "4096\n"),
    ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
    ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
];

/// Writes a machine under `root` and reads it as an audit does.
pub fn host(root: &Path, faults: &[FaultSource]) -> Read<Host> {
    let planted = faults.iter().filter_map(|how| match how {
        FaultSource::Machine(path, text) => Some((*path, *text)),
        _ => None,
    });
    for (path, text) in HEALTHY.into_iter().chain(planted) {
        write(root, path, text).map_err(|error| Unread(format!("{}: {error}", root.display())))?;
    }
    let mut host = Host::of(root, SERVER.0, SERVER.1, None)?;
    let magic =
        faults.iter().find_map(|how| if let FaultSource::Disk(magic) = how { Some(*magic) } else { None });
    host.disk = Ok(Disk::new("/var/lib/redis", 1 << 40, magic.unwrap_or(0xef53)));
    Ok(host)
}

/// How long fsyncs take on it.
pub fn fsync(faults: &[FaultSource]) -> Fsync {
    let slow =
        faults.iter().find_map(|how| if let FaultSource::FsyncMs(time) = how { Some(*time) } else { None });
    Fsync::of(vec![slow.unwrap_or(1.0); 100])
}

fn write(root: &Path, path: &str, text: &str) -> io::Result<()> {
    let path =
        if path.contains('/') { root.join(path) } else { root.join(format!("proc/{}/{path}", SERVER.0)) };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
