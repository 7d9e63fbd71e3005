"""What one would write by hand: the blocks of a buffer into Parquet files by redis-py, zstandard and pyarrow, a file a lane.

usage: consumer.py URL BUFFER FOLDER
Blocks in encoding 1 alone. It writes each line and what its commit says, groups of 122,880 rows, zstd 3, and syncs each file. It
plans nothing, acknowledges nothing, and checks of a block only how many lines it has. Printed: rows, and seconds without imports.
"""

import io
import json
import os
import sys
import time

import pyarrow
import pyarrow.json
import pyarrow.parquet
import redis
import zstandard

GROUP = 122_880
TEXT = pyarrow.string()
COMMIT = ["rev", "operation", "collection", "rkey", "cid"]
EVENT = pyarrow.schema(
    [("did", TEXT), ("time_us", pyarrow.int64()), ("kind", TEXT)]
    + [("commit", pyarrow.struct([(name, TEXT) for name in COMMIT]))]
)
FILE = pyarrow.schema(
    [("time", pyarrow.timestamp("us", "UTC")), ("did", TEXT), ("kind", TEXT)]
    + [(name, TEXT) for name in COMMIT]
    + [("line", TEXT)]
)


def blocks(server, key):
    after, unpack = "-", zstandard.ZstdDecompressor().decompress
    while entries := server.xrange(key, after, count=100):
        for id, fields in entries:
            after = "(" + id.decode()
            assert fields[b"f"] == b"1", "a block in another encoding"
            content = unpack(fields[b"d"])
            assert content.count(b"\n") + 1 == int(fields[b"n"]), "another number of lines"
            yield content, int(fields[b"n"])


def table(contents):
    data = b"\n".join(contents)
    parse = pyarrow.json.ParseOptions(explicit_schema=EVENT, unexpected_field_behavior="ignore")
    read = pyarrow.json.ReadOptions(use_threads=False, block_size=len(data) + 1)
    events = pyarrow.json.read_json(io.BytesIO(data), read, parse)
    commit = events["commit"].combine_chunks()
    columns = [events["time_us"].cast(FILE.field("time").type), events["did"], events["kind"]]
    columns += [commit.field(name) for name in COMMIT]
    columns.append(pyarrow.array(data.split(b"\n"), pyarrow.binary()).cast(TEXT))
    return pyarrow.table(columns, schema=FILE)


def lane(server, key, path):
    rows, waiting, waiting_rows = 0, [], 0
    with open(path, "wb") as file:
        with pyarrow.parquet.ParquetWriter(file, FILE, compression="zstd", compression_level=3) as writer:
            for content, count in blocks(server, key):
                waiting.append(content)
                waiting_rows += count
                if waiting_rows >= GROUP:
                    writer.write_table(table(waiting), row_group_size=GROUP)
                    rows, waiting, waiting_rows = rows + waiting_rows, [], 0
            if waiting:
                writer.write_table(table(waiting), row_group_size=GROUP)
        file.flush()
        os.fsync(file.fileno())
    return rows + waiting_rows


def main():
    url, buffer, folder = sys.argv[1:]
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    started, server, rows = time.monotonic(), redis.Redis.from_url(url), 0
    for stream in json.loads(server.hget("forebay:{%s}" % buffer, "streams")):
        rows += lane(server, stream["key"], os.path.join(folder, stream["lane"] + ".parquet"))
    print(json.dumps({"rows": rows, "seconds": time.monotonic() - started}))


main()
