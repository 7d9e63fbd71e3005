//! What is claimed of the machine beneath a server: the least limit counts, and what cannot be seen is not made up.

use super::*;

/// A machine of these files, on which a server with id 7 began 5 s after the start.
fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Read<Host>) {
    let root = tempfile::tempdir().unwrap();
    let ticks = 5 * rustix::param::clock_ticks_per_second();
    let stat = format!("7 (odd) name) (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {ticks} 0 0\n");
    for (path, text) in
        [("proc/7/stat", stat.as_str()), ("proc/stat", "cpu 1\nbtime 1000\n")].iter().chain(files)
    {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let host = Host::of(root.path(), 7, 1_005.0, None);
    (root, host)
}

#[test]
fn the_least_limit_of_a_cgroup_and_those_above_it_counts() {
    let meminfo = ("proc/meminfo", "MemTotal: 8000000 kB\n");
    let gib = |files: &[(&str, &str)]| {
        let all: Vec<_> = [meminfo].into_iter().chain(files.iter().copied()).collect();
        let (_root, host) = machine(&all);
        host.unwrap().memory().unwrap().0 >> 20
    };
    let two = ("proc/7/cgroup", "0::/a/b\n");
    assert_eq!(gib(&[]), 7_812);
    let deep = ("sys/fs/cgroup/a/b/memory.stat", "");
    assert_eq!(gib(&[two, ("sys/fs/cgroup/a/b/memory.max", "max\n")]), 7_812);
    assert_eq!(
        gib(&[
            two,
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.max", "1073741824\n")
        ]),
        1_024
    );
    let one = ("proc/7/cgroup", "4:cpu,memory:/docker/x\n0::/\n");
    assert_eq!(gib(&[one, ("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "2147483648\n")]), 2_048);
    let inner = ("sys/fs/cgroup/memory/docker/x/memory.stat", "");
    assert_eq!(
        gib(&[one, inner, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")]),
        7_812
    );
    assert_eq!(gib(&[("proc/7/cgroup", "0::/\n"), deep]), 7_812);
}

#[test]
fn a_cgroup_that_cannot_be_seen_is_not_the_machine() {
    let meminfo = ("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n");
    for cgroup in ["0::/docker/x\n", "0::/../x\n", "4:cpu,memory:/docker/x\n0::/\n"] {
        let (_root, host) =
            machine(&[meminfo, ("proc/7/cgroup", cgroup), ("sys/fs/cgroup/memory.max", "max\n")]);
        let host = host.unwrap();
        for read in [host.memory().map(|(limit, _)| limit), host.available()] {
            assert!(read.clone().unwrap_err().0.contains("cannot be seen"), "{cgroup}: {read:?}");
        }
    }
}

#[test]
fn a_process_of_the_same_id_is_the_server_only_by_its_name_and_its_port() {
    let comm = |name: &'static str| ("proc/7/comm", name);
    let table = ("proc/7/net/tcp", " sl local rem st\n 0: 0100007F:18EB 00000000:0000 0A 0 0 0 0 0 77 1\n");
    let runs = |files: &[(&str, &str)], socket: Option<&str>| {
        let (root, host) = machine(files);
        if let Some(socket) = socket {
            let fd = root.path().join("proc/7/fd");
            std::fs::create_dir_all(&fd).unwrap();
            std::os::unix::fs::symlink(socket, fd.join("6")).unwrap();
        }
        host.unwrap().runs("/usr/bin/redis-server", &[6_379, 0])
    };
    assert!(runs(&[comm("redis-server\n")], None).is_ok());
    assert!(runs(&[comm("redis-server\n"), table], None).is_ok(), "its files cannot be seen");
    assert!(runs(&[comm("redis-server\n"), table], Some("socket:[77]")).is_ok());
    assert!(runs(&[comm("redis-server\n"), table], Some("socket:[78]")).unwrap_err().0.contains("port"));
    for other in ["forebay\n", "sh\n", "\n"] {
        assert!(runs(&[comm(other)], None).unwrap_err().0.contains("another program"), "{other:?}");
    }
    assert!(runs(&[], None).is_err(), "nothing is known of it");
}

#[test]
fn what_others_in_the_cgroup_hold_is_not_available() {
    let left = |files: &[(&str, &str)]| {
        let meminfo = ("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n");
        let all: Vec<_> = [meminfo].into_iter().chain(files.iter().copied()).collect();
        let (_root, host) = machine(&all);
        host.unwrap().available().unwrap()
    };
    let two = ("proc/7/cgroup", "0::/a/b\n");
    let limit = ("sys/fs/cgroup/a/memory.max", "1000000\n");
    let used = ("sys/fs/cgroup/a/memory.current", "900000\n");
    let inner = ("sys/fs/cgroup/a/b/memory.stat", "");
    assert_eq!(left(&[two, inner]), 4_000_000 << 10);
    assert_eq!(left(&[two, inner, limit, used]), 100_000);
    let stat = ("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 300000\nactive_file 9\n");
    assert_eq!(left(&[two, inner, limit, used, stat]), 400_000);
    let one = ("proc/7/cgroup", "4:cpu,memory:/x\n");
    let files = [
        one,
        ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1000000\n"),
        ("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "700000\n"),
        ("sys/fs/cgroup/memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 50000\n"),
    ];
    assert_eq!(left(&files), 350_000);
}

#[test]
fn what_is_not_there_is_told_by_its_path() {
    let (root, host) = machine(&[
        ("proc/7/status", "VmSwap:\t 12 kB\n"),
        ("proc/7/limits", "Max open files  unlimited  unlimited  files\n"),
    ]);
    let host = host.unwrap();
    assert_eq!(host.number("vm.swappiness").unwrap_err().0, "/proc/sys/vm/swappiness cannot be read");
    assert_eq!((host.process("VmSwap").unwrap(), host.files_max().unwrap()), (12 << 10, u64::MAX));
    assert_eq!(host.has_huge_pages(), None, "an old kernel does not say");
    assert!(host.process("VmRSS").unwrap_err().0.contains("has no VmRSS"));
    assert!(host.disk().unwrap_err().0.contains("dir"));
    assert!(Host::of(root.path(), 7, 900.0, None).is_err(), "another began then");
    assert!(Host::of(root.path(), 8, 1_005.0, None).is_err(), "there is no such process");
}

#[test]
fn file_systems_are_told_apart() {
    let disk = |magic| Disk::new("/x", 1, magic);
    assert!(disk(TMPFS).is_in_memory() && !disk(TMPFS).is_remote());
    assert!(disk(NFS).is_remote() && !disk(NFS).is_in_memory());
    assert!(!disk(0xef53).is_in_memory() && !disk(0xef53).is_remote());
    assert!(Disk::of("/nonexistent/folder").is_err());
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    if mounts.lines().any(|line| line.starts_with("tmpfs /dev/shm tmpfs ")) {
        assert!(Disk::of("/dev/shm").unwrap().is_in_memory());
    }
}
