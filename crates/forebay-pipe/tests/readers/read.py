"""Reads a tree of Parquet files with one of the readers that people have, and prints what it makes of them as JSON.

usage: read.py pyarrow|duckdb|polars|fastparquet FOLDER
Printed: types by column, rows by lane and date, and a hash over the rows in the order of block and index.
"""

import glob
import hashlib
import json
import sys

COLUMNS = ["block", "index", "time", "did", "cursor", "created", "text", "langs", "record", "raw"]


def rows_of_pyarrow(folder):
    import pyarrow.dataset

    data = pyarrow.dataset.dataset(folder, partitioning="hive")
    types = {field.name: str(field.type) for field in data.schema}
    return types, data.to_table().to_pylist()


def rows_of_duckdb(folder):
    import duckdb

    data = duckdb.sql(f"SELECT * FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = true)")
    types = dict(zip(data.columns, map(str, data.types)))
    # Without a zone of its own, it would show the machine's.
    duckdb.sql("SET TimeZone = 'UTC'")
    return types, [dict(zip(data.columns, row)) for row in data.fetchall()]


def rows_of_polars(folder):
    import polars

    data = polars.scan_parquet(folder, hive_partitioning=True).collect()
    return {name: str(kind) for name, kind in data.schema.items()}, data.to_dicts()


def rows_of_fastparquet(folder):
    import fastparquet

    data = fastparquet.ParquetFile(sorted(glob.glob(f"{folder}/**/*.parquet", recursive=True)), root=folder)
    frame = data.to_pandas()
    types = {name: str(kind) for name, kind in frame.dtypes.items()}
    return types, frame.astype(object).where(frame.notna(), None).to_dict("records")


def micros(value):
    """A time in microseconds since 1970, whatever the reader makes times."""
    import datetime

    if value is None:
        return None
    # fastparquet leaves out the zone.
    value = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
    zero = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (value - zero) // datetime.timedelta(microseconds=1)


def plain(name, value):
    if name in ("time", "created"):
        return micros(value)
    if name == "langs":
        return None if value is None else [str(word) for word in value]
    if name in ("block", "index", "cursor"):
        return None if value is None else int(value)
    return value.decode() if isinstance(value, bytes) else value


def main():
    reader, folder = sys.argv[1:]
    types, rows = globals()[f"rows_of_{reader}"](folder)
    rows.sort(key=lambda row: (int(row["block"]), int(row["index"])))
    counts, digest = {}, hashlib.sha256()
    for row in rows:
        place = f"{row['lane']} {str(row['date'])[:10]}"
        counts[place] = counts.get(place, 0) + 1
        values = [plain(name, row[name]) for name in COLUMNS]
        digest.update(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    print(json.dumps({"types": types, "rows": counts, "hash": digest.hexdigest()}))


main()
