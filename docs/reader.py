"""Reads a Forebay buffer of layout 2 by docs/format.md: python3 reader.py redis://127.0.0.1:6379 BUFFER [LANE] > events.ndjson

It needs the packages redis and zstandard, and changes nothing. What is missing or damaged is named on stderr; then it exits with 1."""
import base64, datetime, hashlib, json, sys, zlib
import redis, zstandard

TID = "234567abcdefghijklmnopqrstuvwxyz"
(SHAPE, FIRST_TIME, NEXT_TIME, DID, CID, OWN, REV_TIME, REV_CLOCK, RKEY_TIME, RKEY_MICROS, RKEY_CLOCK, KEY_TIME, KEY_MICROS,
 KEY_CLOCK, TID_TIME, TID_BACK, TID_MICROS, TID_CLOCK, CREATED, CREATED_WITH_KEY, INT) = range(21)

def varint(data, at):
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    value, at = varint(data, at + 1)
    return byte & 127 | value << 7, at

def unpack(frame, **options):
    content = (zstd := zstandard.ZstdDecompressor(**options).decompressobj()).decompress(frame)
    assert zstd.eof and not zstd.unused_data, "a zstd frame that is cut, or has something behind it"
    return content

def base32(data):
    return base64.b32encode(data).decode().lower().rstrip("=").encode()

def head(major, n):
    size = next(i for i in range(4) if n < 1 << (8 << i))
    return bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | 24 + size]) + n.to_bytes(1 << size, "big")

def cbor(value):
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if list(value) == ["$link"]:
        return b"\xd8\x2a" + head(2, 37) + b"\0" + base64.b32decode(value["$link"][1:].upper() + "======")
    if list(value) == ["$bytes"]:
        data = base64.b64decode(value["$bytes"] + "==")
        return head(2, len(data)) + data
    entries = sorted((len(key.encode()), key.encode(), item) for key, item in value.items())
    return head(5, len(entries)) + b"".join(head(3, size) + key + cbor(item) for size, key, item in entries)

class Dictionary:
    def __init__(self, data):
        self.codes = []
        for role in range(data[0]):
            packed = data[1 + 33 * role : 34 + 33 * role]
            lengths = [packed[c // 2] >> 4 * (c % 2) & 15 for c in range(65)]
            code, last, table = 0, 0, {}
            for length, cls in sorted((length, c) for c, length in enumerate(lengths)):
                table[length, code << length - last] = cls
                code, last = (code << length - last) + 1, length
            self.codes.append(table)
        at = 1 + 33 * data[0]
        end = at + 2 + int.from_bytes(data[at : at + 2], "little")
        self.skeletons = unpack(data[at + 2 : end]).split(b"\n")
        self.zstd = {"dict_data": zstandard.ZstdCompressionDict(data[end:]), "format": zstandard.FORMAT_ZSTD1_MAGICLESS}

class Frame:  # of encoding 2
    def __init__(self, data, dictionaries):
        dictionary_id, at = varint(data, 1)
        self.dictionary = dictionaries(dictionary_id)
        self.events, at = varint(data, at)
        self.size, at = varint(data, at)
        self.crc = int.from_bytes(data[at : at + 4], "little")
        length, at = varint(data, at + 4)
        texts = unpack(data[at : at + length], **self.dictionary.zstd) if length else b""
        self.texts = iter(texts.split(b"\n")[:-1])
        self.values, self.value_at, self.bits, self.bit_at = data[at + length :], 0, data[: at + length - 1 : -1], 0
        self.time, self.rev, self.anchor, self.is_first = 1767225600000000, 0, 0, True
        self.dids, self.hashes, self.tids = [], [], []

    def bit(self):
        at, self.bit_at = self.bit_at, self.bit_at + 1
        return self.bits[at // 8] >> at % 8 & 1

    def number(self, role):
        code, length, table = self.bit(), 1, self.dictionary.codes[role]
        while (length, code) not in table:
            code, length = code << 1 | self.bit(), length + 1
        cls = table[length, code]
        return cls if cls < 2 else 1 << cls - 1 | sum(self.bit() << i for i in range(cls - 1))

    def signed(self, role):
        n = self.number(role)
        return n - 1 if n else -1 - self.number(role)

    def value(self, size):
        self.value_at += size
        assert self.value_at <= len(self.values), "it ends too early"
        return self.values[self.value_at - size : self.value_at]

    def known(self, role, values, new):
        back = self.number(role)
        if not back:
            values.append(new())
        return values[-(back or 1)]

    def new_tid(self, start, time, micros, clock):
        micros = (start // 1000 - self.signed(time)) * 1000 + self.number(micros)
        return (micros << 10 | self.number(clock) & 1023) & 2**64 - 1

    def tid(self, mark):
        if mark == 8:
            return self.known(TID_BACK, self.tids, lambda: self.new_tid(self.time, TID_TIME, TID_MICROS, TID_CLOCK))
        if mark == 5:
            micros = self.time - self.signed(REV_TIME)
            tid = self.rev = (micros << 10 | self.number(REV_CLOCK) & 1023) & 2**64 - 1
        elif mark == 6:
            rev = self.rev >> 10
            micros = (rev // 1000 - self.signed(RKEY_TIME)) * 1000 + (self.number(RKEY_MICROS) + rev) % 1000
            tid = (micros << 10 | (self.number(RKEY_CLOCK) ^ self.rev) & 1023) & 2**64 - 1
        else:
            tid = self.new_tid(self.rev >> 10, KEY_TIME, KEY_MICROS, KEY_CLOCK)
        self.anchor = (tid >> 10) // 1000
        return tid

    def text(self, mark, event):
        if mark == 1:
            return b"did:plc:" + base32(self.known(DID, self.dids, lambda: self.value(15)))
        if mark in (2, 3):
            digest = self.known(CID, self.hashes, lambda: self.value(32))
            return b"b" + base32((b"\1\x71\x12\x20" if mark == 2 else b"\1\x55\x12\x20") + digest)
        if mark == 4:
            record = bytes(event[event.index(b'"record":') + 9 : -len(b',"cid":"')])
            digest = self.value(32) if self.number(OWN) else hashlib.sha256(cbor(json.loads(record))).digest()
            return b"b" + base32(b"\1\x71\x12\x20" + digest)
        if 5 <= mark <= 8:
            tid = self.tid(mark)
            return "".join(TID[tid >> 5 * i & 31] for i in range(12, -1, -1)).encode()
        if mark == 9:
            self.time += self.signed(FIRST_TIME if self.is_first else NEXT_TIME)
            self.anchor, self.is_first = self.time // 1000, False
            return b"%d" % self.time
        if mark in (11, 12):
            ms = datetime.timedelta(milliseconds=self.anchor - self.signed(CREATED if mark == 11 else CREATED_WITH_KEY))
            return (datetime.datetime(1970, 1, 1) + ms).isoformat(timespec="milliseconds").encode() + b"Z"
        if mark == 14:
            return next(self.texts)
        assert mark == 15, "a mark that stands for nothing"
        return b"%d" % self.number(INT)

    def read(self):
        skeletons, events = self.dictionary.skeletons, []
        shapes = list(range(len(skeletons) + 1))
        for _ in range(self.events):
            shapes.insert(0, shapes.pop(self.number(SHAPE)))
            skeleton = iter(skeletons[shapes[0]] if shapes[0] < len(skeletons) else next(self.texts))
            event = bytearray()
            for byte in skeleton:
                is_mark = 1 <= byte <= 15 and byte != 10
                event += self.text(byte, event) if is_mark else bytes([next(skeleton) if byte == 16 else byte])
            events.append(bytes(event))
        content = b"\n".join(events)
        assert len(content) == self.size and zlib.crc32(content) == self.crc, "its events are not those that were written"
        used = self.value_at + (self.bit_at + 7) // 8
        assert used == len(self.values) and next(self.texts, None) is None, "something stands behind its events"
        return content

def content(fields, has_time_us, dictionaries):
    encoding, frame = int(fields[b"f"]), fields[b"d"]
    assert encoding in (1, 2), f"encoding {encoding}"
    content = Frame(frame, dictionaries).read() if encoding == 2 else unpack(frame)
    lines = content.split(b"\n")
    assert len(lines) == int(fields[b"n"]), "another number of events than its entry says"
    if has_time_us:
        times = [json.loads(line)["time_us"] for line in lines]
        assert [min(times), max(times)] == [int(fields[b"a"]), int(fields[b"z"])], "other times than its entry says"
    return content

def read(server, buffer, lane, tell):
    meta, known = server.hgetall("forebay:{%s}" % buffer), {}
    assert meta.get(b"layout") == b"2", f"buffer {buffer} is not there, or of another layout"

    has_time_us = json.loads(meta[b"lanes"]).get("preset") == "jetstream"
    dictionaries = lambda number: known.get(number) or known.setdefault(number, Dictionary(meta[b"dict:%d" % number]))

    for stream in json.loads(meta[b"streams"]):
        after, last = "-", None
        while lane in (None, stream["lane"]) and (entries := server.xrange(stream["key"], after, count=100)):
            for id, fields in entries:
                after, place = "(" + id.decode(), f"{stream['key']} {id.decode()}"
                try:
                    number = int(fields[b"s"])
                    if last is not None and number > last + 1:
                        tell(f"{place}: blocks {last + 1} to {number - 1} are missing")
                    last = number
                    yield content(fields, has_time_us, dictionaries)
                except Exception as error:
                    tell(f"{place}: damaged: {error!r}")

if __name__ == "__main__":
    told = []
    for block in read(redis.Redis.from_url(sys.argv[1]), sys.argv[2], (sys.argv[3:] or [None])[0], told.append):
        sys.stdout.buffer.write(block + b"\n")
    sys.exit("\n".join(told) or 0)
