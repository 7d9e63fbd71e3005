//! Faults to plant: for every rule one way to break it.

use forebay_watch::machine;

pub use super::model::MODEL;

/// How a fault is planted.
#[derive(Debug, Clone, Copy)]
pub enum FaultSource {
    /// Settings, from the start.
    Settings(&'static [(&'static str, &'static str)]),
    /// A setting that is changed while the server runs.
    Running(&'static str, &'static str),
    /// Commands to the server; `{likes}` stands for the stream of that lane.
    Commands(&'static [&'static str]),
    /// A file of the machine.
    Machine(&'static str, &'static str),
    /// The rules of the default user, in place of those that it has.
    DefaultUser(&'static str),
    /// What INFO says.
    Says(&'static [(&'static str, &'static str)]),
    /// The file system that the server writes to, by its magic number.
    Disk(u32),
    /// The time that each fsync takes, in milliseconds.
    FsyncMs(f64),
    /// A node of a healthy cluster, which the faults behind it spoil.
    InCluster,
    /// What CLUSTER INFO says.
    ClusterSays(&'static [(&'static str, &'static str)]),
    /// What CLUSTER NODES says.
    ClusterNodes(&'static str),
    /// What INFO says of every other node of the cluster.
    OthersSay(&'static [(&'static str, &'static str)]),
    /// A line of a redis.conf that a server refuses, or that none knows.
    Line(&'static str),
}

/// A fault, and the rule that must find it.
#[derive(Debug, Clone, Copy)]
pub struct SeededFault {
    /// The rule.
    pub rule: &'static str,
    /// How it is broken.
    pub how: &'static [FaultSource],
    /// Whether it can stand beside the others that say so, each found and none hidden by another.
    pub together: bool,
}

impl SeededFault {
    /// Whether it can be planted into data: commands need a server.
    pub fn is_data(&self) -> bool {
        !self.how.iter().any(|how| matches!(how, Commands(_)))
    }

    /// Whether it is a setting of a cluster's node: no rule is about it elsewhere.
    pub fn is_of_node(&self) -> bool {
        self.how.iter().any(|how| matches!(how, Settings(pairs) if pairs.contains(&NODE)))
    }

    /// Whether it is a setting of the server, which any server can be given.
    pub fn is_setting(&self) -> bool {
        self.how.iter().all(|how| matches!(how, Settings(pairs) if pairs[0].0 != "rename-command"))
    }
}

const fn alone(rule: &'static str, how: &'static [FaultSource]) -> SeededFault {
    SeededFault { rule, how, together: false }
}

const fn together(rule: &'static str, how: &'static [FaultSource]) -> SeededFault {
    SeededFault { rule, how, together: true }
}

use FaultSource::{
    ClusterNodes, ClusterSays, Commands, DefaultUser, Disk, FsyncMs, InCluster, Line, Machine, OthersSay,
    Running, Says, Settings,
};

/// What makes a server a node of a cluster.
const NODE: (&str, &str) = ("cluster-enabled", "yes");
/// What servers have for these unless they are told otherwise.
const FACTOR: (&str, &str) = ("cluster-replica-validity-factor", "10");
const PING: (&str, &str) = ("repl-ping-replica-period", "10");

/// A user that may do everything, without a password: what a server has unless told otherwise.
const OPEN: &str = "on nopass ~* &* +@all";

/// A replica as INFO tells of it.
const REPLICA: (&str, &str) = ("slave0", "ip=127.0.0.1,port=7001,state=online,offset=14,lag=0");

/// At least one way for every rule; a test holds that none is missing.
pub const PLANTS: &[SeededFault] = &[
    alone("file.readable", &[Line("maxmemory lots")]),
    alone("file.known", &[Line("maxmemroy 2gb")]),
    alone("file.starts", &[Line("databases 0")]),
    alone("memory.maxmemory", &[Settings(&[("maxmemory", "0")])]),
    together("memory.machine", &[Machine("proc/meminfo", "MemTotal: 1048576 kB\nSwapTotal: 2097152 kB\n")]),
    together("memory.eviction", &[Settings(&[("maxmemory-policy", "allkeys-lru")])]),
    alone("memory.eviction-volatile", &[Settings(&[("maxmemory-policy", "volatile-ttl")])]),
    alone("memory.evicted", &[Says(&[("evicted_keys", "3")])]),
    alone("memory.near-full", &[Settings(&[("maxmemory", "300kb")])]),
    alone(
        "memory.fragmentation",
        &[Says(&[("used_memory", "1000000000"), ("used_memory_rss", "1900000000")])],
    ),
    together("memory.activedefrag", &[Settings(&[("activedefrag", "no")])]),
    alone("memory.allocator", &[Says(&[("mem_allocator", "libc")])]),
    together("memory.clients-bounded", &[Settings(&[("maxmemory-clients", "0")])]),
    alone("memory.clients", &[Says(&[("mem_clients_normal", "900000000")])]),
    together(
        "memory.output-buffer",
        &[Settings(&[("client-output-buffer-limit", "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60")])],
    ),
    together("memory.query-buffer", &[Settings(&[("client-query-buffer-limit", "1mb")])]),
    together("memory.bulk-length", &[Settings(&[("proto-max-bulk-len", "1mb")])]),
    together("memory.lazyfree", &[Settings(&[("lazyfree-lazy-user-del", "no")])]),
    together("memory.stream-nodes", &[Settings(&[("stream-node-max-bytes", "4kb")])]),
    alone("memory.not-counted", &[Says(&[("mem_not_counted_for_evict", "900000000")])]),
    alone("persistence.aof", &[Settings(&[("appendonly", "no")])]),
    together("persistence.fsync-never", &[Settings(&[("appendfsync", "no")])]),
    alone("persistence.fsync-everysec", &[Settings(&[("appendfsync", "everysec")])]),
    together("persistence.fsync-on-rewrite", &[Settings(&[("no-appendfsync-on-rewrite", "yes")])]),
    together("persistence.rewrite-never", &[Settings(&[("auto-aof-rewrite-percentage", "0")])]),
    alone("persistence.rewrite-percentage", &[Settings(&[("auto-aof-rewrite-percentage", "900")])]),
    together("persistence.rewrite-min-size", &[Settings(&[("auto-aof-rewrite-min-size", "64gb")])]),
    together("persistence.rdb-preamble", &[Settings(&[("aof-use-rdb-preamble", "no")])]),
    together("persistence.rdb-compression", &[Settings(&[("rdbcompression", "yes")])]),
    together("persistence.load-truncated", &[Settings(&[("aof-load-truncated", "yes")])]),
    together("persistence.timestamps", &[Settings(&[("aof-timestamp-enabled", "no")])]),
    together("persistence.incremental-fsync", &[Settings(&[("aof-rewrite-incremental-fsync", "no")])]),
    together("persistence.save-beside-aof", &[Settings(&[("save", "3600 1 300 100")])]),
    together("persistence.stop-writes", &[Settings(&[("stop-writes-on-bgsave-error", "no")])]),
    together("persistence.lasting", &[Running("maxmemory", "1900mb")]),
    alone("persistence.config-file", &[Says(&[("config_file", "")])]),
    alone("persistence.last-write", &[Says(&[("aof_last_write_status", "err")])]),
    alone("persistence.last-rewrite", &[Says(&[("aof_last_bgrewrite_status", "err")])]),
    alone("persistence.last-save", &[Says(&[("rdb_last_bgsave_status", "err")])]),
    alone("persistence.delayed-fsync", &[Says(&[("aof_delayed_fsync", "4")])]),
    alone("persistence.disk-room", &[Settings(&[("auto-aof-rewrite-percentage", "2000000000")])]),
    together("persistence.dir-in-memory", &[Disk(machine::TMPFS)]),
    alone("persistence.dir-on-network", &[Disk(machine::NFS)]),
    together("persistence.fsync-latency", &[FsyncMs(900.0)]),
    alone("network.open", &[DefaultUser(OPEN), Settings(&[("bind", "0.0.0.0"), ("protected-mode", "no")])]),
    together("network.protected-mode", &[DefaultUser(OPEN), Settings(&[("protected-mode", "no")])]),
    together("network.password", &[DefaultUser(OPEN)]),
    alone("network.bind", &[Settings(&[("bind", "0.0.0.0")])]),
    alone("network.tls", &[Settings(&[("bind", "0.0.0.0")])]),
    together("network.default-user", &[DefaultUser(OPEN)]),
    together("network.dangerous-commands", &[DefaultUser(OPEN)]),
    together("network.debug-command", &[Settings(&[("enable-debug-command", "yes")])]),
    together("network.protected-configs", &[Settings(&[("enable-protected-configs", "yes")])]),
    together("network.commands", &[Settings(&[("rename-command", "XAUTOCLAIM hidden")])]),
    together("network.timeout", &[Settings(&[("timeout", "60")])]),
    together("network.keepalive", &[Settings(&[("tcp-keepalive", "0")])]),
    together("network.maxclients", &[Settings(&[("maxclients", "20")])]),
    alone("network.rejected", &[Says(&[("rejected_connections", "7")])]),
    together("network.backlog", &[Settings(&[("tcp-backlog", "100")])]),
    together("network.somaxconn", &[Machine("proc/sys/net/core/somaxconn", "16\n")]),
    together(
        "network.file-limit",
        &[Machine("limits", "Max open files            1024      1024      files\n")],
    ),
    together("host.overcommit", &[Machine("proc/sys/vm/overcommit_memory", "0\n")]),
    together(
        "host.huge-pages",
        &[
            Machine("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
            Machine("status", "VmSwap:\t       0 kB\nTHP_enabled:\t1\n"),
        ],
    ),
    together("host.swappiness", &[Machine("proc/sys/vm/swappiness", "60\n")]),
    together("host.swapped", &[Machine("status", "VmSwap:\t  300000 kB\nTHP_enabled:\t1\n")]),
    together(
        "host.clock",
        &[Machine("sys/devices/system/clocksource/clocksource0/current_clocksource", "acpi_pm\n")],
    ),
    together("host.oom-order", &[Settings(&[("oom-score-adj", "no")])]),
    together("observability.latency-monitor", &[Settings(&[("latency-monitor-threshold", "0")])]),
    together("observability.slowlog", &[Settings(&[("slowlog-log-slower-than", "-1")])]),
    together("observability.latency-tracking", &[Settings(&[("latency-tracking", "no")])]),
    together("observability.hz", &[Settings(&[("hz", "1")])]),
    together("observability.log", &[Settings(&[("loglevel", "warning")])]),
    together("observability.crash-log", &[Settings(&[("crash-log-enabled", "no")])]),
    alone("replication.role", &[Commands(&["REPLICAOF 127.0.0.1 1"])]),
    alone("replication.too-few", &[Settings(&[("min-replicas-to-write", "3")])]),
    together("replication.replica-evicts", &[Settings(&[("replica-ignore-maxmemory", "no")])]),
    alone(
        "replication.empty-restart",
        &[Says(&[("connected_slaves", "1"), REPLICA]), Settings(&[("appendonly", "no")])],
    ),
    alone(
        "replication.backlog",
        &[Says(&[("connected_slaves", "1"), REPLICA]), Settings(&[("repl-backlog-size", "1mb")])],
    ),
    alone("replication.min-replicas", &[Says(&[("connected_slaves", "1"), REPLICA])]),
    alone(
        "replication.lag",
        &[Says(&[
            ("connected_slaves", "1"),
            ("slave0", "ip=127.0.0.1,port=7001,state=online,offset=14,lag=60"),
        ])],
    ),
    alone(
        "replication.output-buffer",
        &[
            Says(&[("connected_slaves", "1"), REPLICA]),
            Settings(&[(
                "client-output-buffer-limit",
                "normal 256mb 64mb 60 slave 1mb 1mb 60 pubsub 32mb 8mb 60",
            )]),
        ],
    ),
    alone("replication.empty-restart", &[InCluster, OthersSay(&[("aof_enabled", "0")])]),
    alone("replication.min-replicas", &[Says(&[("role", "slave")])]),
    together("replication.priority", &[Settings(&[("replica-priority", "50")])]),
    alone("replication.cluster-coverage", &[Settings(&[NODE, ("cluster-require-full-coverage", "yes")])]),
    alone("replication.cluster-migration", &[Settings(&[NODE, ("cluster-allow-replica-migration", "yes")])]),
    alone("replication.cluster-no-failover", &[Settings(&[NODE, ("cluster-replica-no-failover", "yes")])]),
    alone("replication.cluster-timeout", &[Settings(&[NODE, ("cluster-node-timeout", "15000")])]),
    alone("replication.cluster-timeout", &[Settings(&[NODE, ("cluster-node-timeout", "500")])]),
    // With all that it hangs on: what a server has beside may make good of one of them alone.
    alone(
        "replication.cluster-validity",
        &[Settings(&[NODE, ("cluster-node-timeout", "15000"), FACTOR, PING])],
    ),
    alone("replication.cluster-validity", &[Settings(&[NODE, ("cluster-replica-validity-factor", "0")])]),
    alone(
        "replication.cluster-validity",
        &[Settings(&[
            NODE,
            ("cluster-node-timeout", "5000"),
            ("cluster-replica-validity-factor", "1"),
            PING,
        ])],
    ),
    alone("replication.cluster-state", &[InCluster, ClusterSays(&[("cluster_state", "fail")])]),
    alone("replication.cluster-slots", &[InCluster, ClusterSays(&[("cluster_slots_assigned", "16383")])]),
    alone("replication.cluster-slots", &[InCluster, ClusterSays(&[("cluster_slots_fail", "1")])]),
    alone(
        "replication.cluster-nodes",
        &[
            InCluster,
            ClusterNodes(
                "a 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-16383\n\
                 b 10.0.0.2:6379@16379 slave,fail a 0 0 1 connected\n",
            ),
        ],
    ),
    alone(
        "replication.cluster-quorum",
        &[
            InCluster,
            ClusterNodes(
                "a 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-8191\n\
                 b 10.0.0.2:6379@16379 master - 0 0 2 connected 8192-16383\n",
            ),
        ],
    ),
    alone(
        "replication.cluster-replicas",
        &[
            InCluster,
            ClusterNodes(
                "a 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-16383\n\
                 b 10.0.0.2:6379@16379 slave a 0 0 1 disconnected\n",
            ),
        ],
    ),
    alone("replication.cluster-versions", &[InCluster, OthersSay(&[("valkey_version", "8.0.6")])]),
    alone(
        "replication.unknown-replica",
        &[
            InCluster,
            Says(&[("connected_slaves", "2"), ("slave1", "ip=10.0.9.9,port=0,state=online,offset=14,lag=0")]),
        ],
    ),
    alone("version.failover", &[InCluster, Says(&[("redis_version", "7.2.4"), ("valkey_version", "8.1.1")])]),
    alone("version.old", &[Says(&[("redis_version", "6.0.16")])]),
    alone("version.unmaintained", &[Says(&[("redis_version", "7.0.15")])]),
    alone(
        "version.waitaof",
        &[Says(&[("redis_version", "7.4.1")]), Settings(&[("appendfsync", "everysec")])],
    ),
    alone("version.rewrite-fsync", &[Says(&[("redis_version", "7.0.3")])]),
    alone("version.xautoclaim", &[Says(&[("redis_version", "7.0.3")])]),
    alone("version.scripts", &[Says(&[("redis_version", "7.4.5")])]),
    alone("version.lag", &[Says(&[("redis_version", "7.2.4")])]),
    alone("version.trim-acked", &[Says(&[("redis_version", "8.2.3")])]),
    together("use.emptied", &[Commands(&["FLUSHDB"])]),
    together("use.other-writers", &[Commands(&["XADD {likes} 1-1 by hand", "XADD {likes} 2-1 by hand"])]),
    together("use.ttl", &[Commands(&["XADD {likes} 3-1 by hand", "EXPIRE {likes} 100000"])]),
    together("use.wrong-type", &[Commands(&["SET {posts} 1"])]),
    together(
        "use.xdel",
        &[Commands(&["XADD {reposts} 1-1 by hand", "XADD {reposts} 2-1 by hand", "XDEL {reposts} 1-1"])],
    ),
    together("use.other-keys", &[Commands(&["SET stray 1"])]),
    together("use.no-group", &[Commands(&["XADD {likes} 4-1 by hand"])]),
];
