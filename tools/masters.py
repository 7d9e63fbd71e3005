#!/usr/bin/env python3
"""How appending grows with the masters of a cluster, each held to a share of a core by a cgroup.

usage: masters.py FOREBAY REDIS_SERVER [SHARE_PERCENT] [EVENTS]

Each master is a process of its own on loopback in a cgroup (version 1 or 2, as root) that may use SHARE_PERCENT (10) of a core.
One, two and four masters get the same events (EVENTS, 400,000) in a buffer of 8 partitions a lane, five times in turn. The control
has four masters, of which one has all the slots: it must be no faster than one. Needs the Python client `redis`
(make setup-python).
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import redis

PORT, ROUNDS, SLOTS = 21700, 5, 16384
LANES = ["posts", "likes", "reposts", "follows", "blocks", "other"]


class Share:
    """A cgroup that may use a share of a core."""

    def __init__(self, name, percent):
        is_1 = os.path.isdir("/sys/fs/cgroup/cpu")
        self.path = f"/sys/fs/cgroup/{'cpu/' if is_1 else ''}{name}"
        os.makedirs(self.path, exist_ok=True)
        if is_1:
            self.write("cpu.cfs_period_us", 100000)
            self.write("cpu.cfs_quota_us", percent * 1000)
        else:
            self.write("cpu.max", f"{percent * 1000} 100000")

    def write(self, name, value):
        with open(f"{self.path}/{name}", "w") as file:
            file.write(str(value))

    def take(self, pid):
        self.write("cgroup.procs", pid)

    def end(self):
        os.rmdir(self.path)


class Cluster:
    """Masters without replicas; the first `owners` of them have the slots."""

    def __init__(self, server, count, owners, percent):
        self.folder = tempfile.TemporaryDirectory()
        self.shares, self.processes, self.clients = [], [], []
        for index in range(count):
            folder = f"{self.folder.name}/{index}"
            os.mkdir(folder)
            settings = {
                "port": PORT + index, "bind": "127.0.0.1", "dir": folder, "cluster-enabled": "yes", "save": "",
                "appendonly": "no", "cluster-node-timeout": 15000, "loglevel": "warning", "logfile": "log",
                "stream-node-max-bytes": "64kb",
            }
            words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
            process = subprocess.Popen([server, *words], cwd=folder)
            share = Share(f"forebay-masters-{os.getpid()}-{index}", percent)
            share.take(process.pid)
            self.processes.append(process)
            self.shares.append(share)
            self.clients.append(redis.Redis(port=PORT + index))
        for client in self.clients:
            until("a server answers", lambda client=client: answers(client))
        for index in range(owners):
            first, last = SLOTS * index // owners, SLOTS * (index + 1) // owners - 1
            slots = [str(slot) for slot in range(first, last + 1)]
            self.clients[index].execute_command("CLUSTER", "ADDSLOTS", *slots)
        for index, client in enumerate(self.clients):
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        for index in range(1, count):
            self.clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", PORT + index)
        until("the cluster is whole", lambda: all(is_whole(client, count) for client in self.clients))

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()
        for share in self.shares:
            until("a cgroup is empty", lambda share=share: ended(share))
        self.folder.cleanup()


def ended(share):
    try:
        share.end()
        return True
    except OSError:
        return False


def answers(client):
    try:
        return client.ping()
    except redis.RedisError:
        return False


def is_whole(client, count):
    info = client.execute_command("CLUSTER", "INFO")
    text = info.decode() if isinstance(info, bytes) else str(info)
    is_ok = "cluster_state:ok" in text or "'cluster_state': 'ok'" in text
    nodes = client.execute_command("CLUSTER", "NODES")
    return is_ok and len(nodes if isinstance(nodes, dict) else nodes.split(b"\n")[:-1]) == count


def until(what, condition):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"masters.py: after 60 s it is not so that {what}")
        time.sleep(0.05)


def rate(forebay, server, events, profile, count, owners, percent):
    """Events a second, from the append's own report."""
    cluster = Cluster(server, count, owners, percent)
    try:
        url = f"redis+cluster://127.0.0.1:{PORT}"
        command = [forebay, "append", "--url", url, "--buffer", "masters", "--profile", profile, "--json", events]
        began = time.monotonic()
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.monotonic() - began
        return json.loads(said.stdout)["acknowledged"] / seconds
    finally:
        cluster.end()


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    forebay, server = sys.argv[1:3]
    percent = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    count = sys.argv[4] if len(sys.argv) > 4 else "400000"
    with tempfile.TemporaryDirectory() as folder:
        events, profile = f"{folder}/events.ndjson", f"{folder}/profile.toml"
        with open(events, "wb") as file:
            subprocess.run([forebay, "synth", "--count", count], stdout=file, check=True)
        with open(f"{os.path.dirname(os.path.abspath(__file__))}/../profiles/bluesky-8h.toml") as file:
            usual = file.read()
        with open(profile, "w") as file:
            partitions = ", ".join(f"{lane} = 8" for lane in LANES)
            file.write(usual + '\n[stream]\npreset = "jetstream"\npartition_by = "/did"\n')
            file.write(f"partitions = {{ {partitions} }}\n")
        cells = {"1": (1, 1), "2": (2, 2), "4": (4, 4), "4, all slots on one": (4, 1)}
        rates = {name: [] for name in cells}
        for _ in range(ROUNDS):
            for name, (masters, owners) in cells.items():
                rates[name].append(rate(forebay, server, events, profile, masters, owners, percent))
        one = statistics.median(rates["1"])
        for name, found in rates.items():
            found.sort()
            middle = statistics.median(found)
            print(f"{name:20} {middle:10.0f} events/s ({found[0]:.0f} to {found[-1]:.0f}), {middle / one:.2f} of one")


if __name__ == "__main__":
    main()
