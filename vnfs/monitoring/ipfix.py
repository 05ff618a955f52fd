"""Makes IPFIX (RFC 7011) of drained flow records: `unibpf map drain GUEST monitor records --json | ipfix.py >flows.ipfix`.

The guest's clock counts from its start, so times are told as the flow's duration and as milliseconds since then
(systemInitTimeMilliseconds is the exporter's to add). IPv4 flows and IPv6 flows have a template each.
"""

import json
import struct
import sys
from collections.abc import Iterable, Iterator
from typing import Final

RECORD: Final = struct.Struct("<16s16s2s2sHBBQQQQBBBxI")  # struct record of program.c
MAPPED: Final = bytes(10) + b"\xff\xff"
_TEMPLATE_SET: Final = 2
# Information elements (RFC 5102, RFC 7012) and their lengths, after the two addresses.
_REST: Final = ((7, 2), (11, 2), (4, 1), (5, 1), (6, 2), (58, 2), (1, 8), (2, 8), (161, 4), (136, 1))
_FIELDS: Final = {256: ((8, 4), (12, 4), *_REST), 257: ((27, 16), (28, 16), *_REST)}
_MOST_BYTES: Final = 1400  # of a message, so that it fits a datagram


def message(parts: Iterable[bytes], *, sequence: int, when: int = 0, domain: int = 1) -> bytes:
    body = b"".join(parts)
    return struct.pack(">HHIII", 10, 16 + len(body), when, sequence, domain) + body


def templates() -> bytes:
    rows = b""
    for number, fields in _FIELDS.items():
        rows += struct.pack(">HH", number, len(fields)) + b"".join(struct.pack(">HH", *field) for field in fields)
    return struct.pack(">HH", _TEMPLATE_SET, 4 + len(rows)) + rows


def data_record(record: bytes) -> tuple[int, bytes]:
    """Template and bytes of one record of the ring."""
    source, destination, sport, dport, vlan, protocol, version, start, last, *rest = RECORD.unpack(record)
    packets, octets, flags, tos, end, _ = rest
    addresses = source + destination if version == 6 else source[12:] + destination[12:]
    fixed = struct.pack(
        ">BBHHQQIB", protocol, tos, flags, vlan, octets, packets, min((last - start) // 1_000_000, 0xFFFF_FFFF), end
    )
    return (257 if version == 6 else 256), addresses + sport + dport + fixed


def messages(records: Iterable[bytes]) -> Iterator[bytes]:
    """The templates, then messages of data as full as they may be."""
    yield message([templates()], sequence=0)
    waiting: dict[int, list[bytes]] = {}
    sent = 0
    for record in records:
        number, data = data_record(record)
        if 16 + sum(4 + sum(map(len, rows)) for rows in waiting.values()) + 4 + len(data) > _MOST_BYTES:
            yield message(_sets(waiting), sequence=sent)
            sent += sum(map(len, waiting.values()))
            waiting = {}
        waiting.setdefault(number, []).append(data)
    if waiting:
        yield message(_sets(waiting), sequence=sent)


def _sets(waiting: dict[int, list[bytes]]) -> Iterator[bytes]:
    for number, rows in waiting.items():
        body = b"".join(rows)
        yield struct.pack(">HH", number, 4 + len(body)) + body


if __name__ == "__main__":
    lines = (json.loads(line) for line in sys.stdin if line.strip())
    for one in messages(bytes.fromhex(line["record"]) for line in lines):
        sys.stdout.buffer.write(one)
