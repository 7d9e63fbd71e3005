"""Runs the SQL of docs/pipeline.md that is about /srv/events on files of a drain: python3 tools/pipeline.py FOLDER"""

import pathlib
import re
import sys

import duckdb

folder = pathlib.Path(sys.argv[1])
text = pathlib.Path("docs/pipeline.md").read_text()
queries = [query for block in re.findall(r"```sql\n(.*?)```", text, re.S) for query in block.split(";") if "/srv/events" in query]
if not queries:
    sys.exit("docs/pipeline.md has no SQL")
for query in queries:
    print(query.strip())
    print(duckdb.sql(query.replace("/srv/events", str(folder))))
