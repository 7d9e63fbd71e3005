"""Reads events of /subscribe with the package websockets, and writes each as it came, one a line.

python subscribe.py URL COUNT [DICTIONARY]: with a zstd dictionary in a file, frames are decompressed with it.
"""

import sys

import zstandard
from websockets.sync.client import connect

url, count = sys.argv[1], int(sys.argv[2])
decompressor = None
if len(sys.argv) > 3:
    with open(sys.argv[3], "rb") as file:
        decompressor = zstandard.ZstdDecompressor(zstandard.ZstdCompressionDict(file.read()))

with connect(url, compression=None, open_timeout=20) as socket:
    for _ in range(count):
        frame = socket.recv(timeout=20)
        if isinstance(frame, str):
            frame = frame.encode()
        elif decompressor is not None:
            frame = decompressor.decompress(frame, max_output_size=32 << 20)
        sys.stdout.buffer.write(frame + b"\n")
