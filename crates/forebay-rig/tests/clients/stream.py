"""Reads events of the second protocol's stream with the package atproto, and writes what it made of each, one a line.

python stream.py BASE COUNT CURSOR: the first line says whether frames came compressed. An error is written by its name.
"""

import sys
import threading

from atproto_jetstream import JetstreamClient
from atproto_jetstream.exceptions import JetstreamError

base, count, cursor = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
client = JetstreamClient(params={"cursor": cursor}, base_uri=base, recv_timeout=20)
lines = []


def take(event):
    kind = event.py_type.partition("#")[2]
    if kind == "commit":
        words = [event.operation, event.collection, event.rkey, event.rev, event.cid or "-"]
    elif kind in ("account", "identity"):
        words = [str(getattr(event, kind).seq)]
    else:
        words = [event.name]
    seq = getattr(event, "seq", 0)
    lines.append(" ".join([str(seq), kind, getattr(event, "did", "-"), *words]))
    if len(lines) >= count:
        client.stop()


# A client that waits for ever would be a test that waits for ever.
watchdog = threading.Timer(60, client.stop)
watchdog.daemon = True
watchdog.start()
try:
    client.start(take)
except JetstreamError as error:
    lines.append(type(error).__name__)
print("compressed" if client.compressed else "plain")
print("\n".join(lines))
