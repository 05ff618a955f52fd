"""Reads and writes captures in the classic format (draft-ietf-opsawg-pcap): strictly, of either byte order, Ethernet only.

A packet is either whole or the file is refused: what was cut when it was captured would not be what a guest sees.
"""

import struct
from collections.abc import Sequence
from typing import Final

MAX_BYTES: Final = 64 << 20
_MAGICS: Final = {
    b"\xa1\xb2\xc3\xd4": ">", b"\xd4\xc3\xb2\xa1": "<",  # timestamps in microseconds
    b"\xa1\xb2\x3c\x4d": ">", b"\x4d\x3c\xb2\xa1": "<",  # in nanoseconds
}  # fmt: skip
ETHERNET: Final = 1
_FILE_HEADER: Final = 24
_RECORD_HEADER: Final = 16
_SNAP: Final = 1 << 18  # longer than any frame


class PcapError(ValueError):
    """These bytes are no capture that can be read; the text is the reason."""


def packets(data: bytes) -> list[bytes]:
    """Return the packets in their order; raises PcapError."""
    if len(data) > MAX_BYTES:
        raise PcapError(f"a capture is too large: got more than {MAX_BYTES} bytes")
    order = _MAGICS.get(data[:4])
    if order is None or len(data) < _FILE_HEADER:
        raise PcapError(f"no capture in the classic format begins with `{data[:4].hex()}`")
    _, major, minor, _, _, _, link = struct.unpack_from(order + "IHHiIII", data)
    if (major, minor) != (2, 4):
        raise PcapError(f"got a capture of version {major}.{minor}, expected 2.4")
    if link & 0x0FFF_FFFF != ETHERNET:  # the highest four bits tell the length of the check sequence
        raise PcapError(f"got link type {link & 0x0FFF_FFFF}, expected {ETHERNET} (Ethernet)")
    return _records(data, order)


def encode(frames: Sequence[bytes]) -> bytes:
    """A capture of Ethernet frames, little endian, all at the time 0: the same frames give the same bytes."""
    head = struct.pack("<4sHHiIII", b"\xd4\xc3\xb2\xa1", 2, 4, 0, 0, _SNAP, ETHERNET)
    return head + b"".join(struct.pack("<IIII", 0, 0, len(one), len(one)) + one for one in frames)


def _records(data: bytes, order: str) -> list[bytes]:
    found: list[bytes] = []
    at = _FILE_HEADER
    while at < len(data):
        if at + _RECORD_HEADER > len(data):
            raise PcapError(f"packet {len(found)} has no whole header")
        captured, original = struct.unpack_from(order + "II", data, at + 8)
        at += _RECORD_HEADER
        if captured != original:
            raise PcapError(f"packet {len(found)} was cut when captured: got {captured} of {original} bytes")
        if at + captured > len(data):
            raise PcapError(f"packet {len(found)} passes the end: got {len(data) - at} bytes, expected {captured}")
        found.append(data[at : at + captured])
        at += captured
    return found
