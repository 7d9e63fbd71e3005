"""Reads a tree in layout met with one of the readers that people have, as loaders of `bluesky-research` do, and prints what it
makes of it as JSON.

usage: met.py pyarrow|pandas|duckdb|polars FOLDER
Printed: rows by record type and date, types by column, and a hash over what the rows say, sorted.
"""

import glob
import hashlib
import json
import sys

# The schema that the loaders give for a record type; `partition_date` comes of the folder.
POST = "uri cid author py_type created_at text embed entities facets labels langs tags record_type synctimestamp".split()
REPLY = "uri cid author py_type created_at text embed entities facets reply labels langs tags record_type synctimestamp".split()
LIKE = "uri cid author py_type created_at subject record_type synctimestamp".split()
SCHEMAS = {"post": POST, "reply": REPLY, "like": LIKE, "repost": LIKE, "follow": LIKE, "block": LIKE}
COMPARED = ["uri", "cid", "author", "py_type", "created_at", "text", "langs", "tags", "record_type", "synctimestamp"]


def rows_of_pyarrow(folder):
    import pyarrow.dataset

    data = pyarrow.dataset.dataset(folder, partitioning="hive")
    return {field.name: str(field.type) for field in data.schema}, data.to_table().to_pylist()


def rows_of_pandas(folder):
    import pandas
    import pyarrow

    rows, types = [], {}
    for kind, columns in SCHEMAS.items():
        files = sorted(glob.glob(f"{folder}/{kind}/partition_date=*/*.parquet"))
        schema = pyarrow.schema([(name, pyarrow.string()) for name in [*columns, "partition_date"]])
        filters = [("partition_date", ">=", "2000-01-01")]
        frame = pandas.read_parquet(path=files, schema=schema, filters=filters)
        rows += frame.astype(object).where(frame.notna(), None).to_dict("records")
        # Without a schema too, by files and by folder.
        assert len(pandas.read_parquet(files)) == len(pandas.read_parquet(f"{folder}/{kind}")) == len(frame)
    others = pandas.read_parquet(f"{folder}/other", columns=[*COMPARED, "subject", "reply", "partition_date"])
    rows += others.astype(object).where(others.notna(), None).to_dict("records")
    return types, rows


def rows_of_duckdb(folder):
    import duckdb

    tree = f"'{folder}/*/partition_date=*/*.parquet'"
    # As it is written today, and with what DuckDB is told by others.
    for option in ("", ", hive_partitioning = true", ", hive_partitioning = false"):
        data = duckdb.sql(f"SELECT * FROM read_parquet({tree}{option})")
        uris = duckdb.sql(
            f"""SELECT count(*), count(json_extract_string(subject, '$.uri')) FROM read_parquet({tree}{option})
            WHERE record_type IN ('like', 'repost')"""
        ).fetchall()[0]
        assert uris[0] == uris[1] > 0, uris
    data = duckdb.sql(f"SELECT * FROM read_parquet({tree}, hive_partitioning = true)")
    dated = duckdb.sql(f"SELECT count(*) FROM read_parquet({tree}) WHERE partition_date >= '2000-01-01'").fetchall()[0][0]
    rows = [dict(zip(data.columns, row)) for row in data.fetchall()]
    assert dated == len(rows), dated
    return dict(zip(data.columns, map(str, data.types))), rows


def rows_of_polars(folder):
    import polars

    data = polars.scan_parquet(folder, hive_partitioning=True).collect()
    plain = polars.scan_parquet(f"{folder}/**/*.parquet", hive_partitioning=False).collect()
    assert plain.height == data.height
    return {name: str(kind) for name, kind in data.schema.items()}, data.to_dicts()


def said(row):
    """What a row says, with what the loaders take out of its JSON."""
    subject, reply = row.get("subject"), row.get("reply")
    if row["record_type"] in ("like", "repost"):
        subject = json.loads(subject)["uri"]
    if reply is not None:
        reply = [json.loads(reply)[name]["uri"] for name in ("parent", "root")]
    date = str(row["partition_date"])[:10]
    return [date, *(row.get(name) for name in COMPARED), subject, reply]


def main():
    reader, folder = sys.argv[1:]
    types, rows = globals()[f"rows_of_{reader}"](folder)
    counts, texts = {}, []
    for row in rows:
        place = f"{row['record_type']} {str(row['partition_date'])[:10]}"
        counts[place] = counts.get(place, 0) + 1
        texts.append(json.dumps(said(row), ensure_ascii=False, separators=(",", ":")))
    digest = hashlib.sha256("".join(text + "\n" for text in sorted(texts)).encode())
    print(json.dumps({"types": types, "rows": counts, "hash": digest.hexdigest()}))


main()
