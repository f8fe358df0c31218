"""A journal's bytes as a test may want them: with records changed, and checksums that are right."""

import json

SIZE = 256 * 1024


def crc32c(crc, data):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 & -(crc & 1))
    return crc ^ 0xFFFFFFFF


def read(path):
    """The records, as far as they look like some; [] when there is no file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    records = []
    while len(data) > 18 and data[8:9] == b" ":
        size = int(data[9:17], 16)
        try:
            records.append(json.loads(data[18:18 + size]))
        except ValueError:
            break
        data = data[18 + size:]
    return records


def rewrite(path, change):
    """Calls change for each record, which may alter it."""
    chain, data = 0, b""
    for record in read(path):
        change(record)
        text = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        body = b"%08x " % len(text) + text
        chain = crc32c(chain, body)
        data += b"%08x " % chain + body
    path.write_bytes(data.ljust(SIZE, b"\0"))
