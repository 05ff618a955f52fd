"""Reads the newer capture format (draft-ietf-opsawg-pcapng): strictly, of either byte order, Ethernet only.

Blocks that say nothing about packets are passed by. As with the classic format, a packet is whole or the file is refused.
"""

import struct
from typing import Final

from unibpf.formats.pcap import ETHERNET, MAX_BYTES, PcapError

MAGIC: Final = b"\x0a\x0d\x0d\x0a"  # the section header's block type, the same in either order
_ORDERS: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_BLOCK: Final = 12  # type, length, and the length again after the body


def packets(data: bytes) -> list[bytes]:
    """Return the packets in their order; raises PcapError."""
    if len(data) > MAX_BYTES:
        raise PcapError(f"a capture is too large: got more than {MAX_BYTES} bytes")
    reader = _Reader(data)
    while reader.at < len(data):
        reader.block()
    return reader.found


class _Reader:
    """`links` are the link types of the section's interfaces: packets name one."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.order = "<"
        self.links: list[int] = []
        self.found: list[bytes] = []

    def block(self) -> None:
        if len(self.data) - self.at < _BLOCK:
            raise PcapError(f"a block is cut at byte {self.at}")
        if self.data[self.at : self.at + 4] == MAGIC:
            self.section()
        kind, length = self.words(self.at, 2)
        if length < _BLOCK or length % 4 or length > len(self.data) - self.at:
            raise PcapError(f"a block at byte {self.at} has a wrong length: got {length}")
        if self.words(self.at + length - 4, 1) != (length,):
            raise PcapError(f"a block at byte {self.at} does not end as it begins")
        self.body(kind, self.data[self.at + 8 : self.at + length - 4])
        self.at += length

    def section(self) -> None:
        order = _ORDERS.get(self.data[self.at + 8 : self.at + 12])
        if order is None:
            raise PcapError(f"a section at byte {self.at} has an unknown byte order")
        self.order, self.links = order, []

    def body(self, kind: int, body: bytes) -> None:
        if kind == _INTERFACE:
            self.links.append(self.fields("H", body)[0])
        elif kind == _ENHANCED:
            interface, _, _, captured, original = self.fields("IIIII", body)
            self.packet(interface, body[20:], captured, original)
        elif kind == _SIMPLE:
            (original,) = self.fields("I", body)
            self.packet(0, body[4:], min(original, len(body) - 4), original)

    def packet(self, interface: int, body: bytes, captured: int, original: int) -> None:
        number = len(self.found)
        if interface >= len(self.links):
            raise PcapError(f"packet {number} names no interface: got {interface} of {len(self.links)}")
        if self.links[interface] != ETHERNET:
            raise PcapError(f"got link type {self.links[interface]}, expected {ETHERNET} (Ethernet)")
        if captured != original:
            raise PcapError(f"packet {number} was cut when captured: got {captured} of {original} bytes")
        if captured > len(body):
            raise PcapError(f"packet {number} passes the end: got {len(body)} bytes, expected {captured}")
        self.found.append(body[:captured])

    def words(self, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{self.order}{count}I", self.data, at)

    def fields(self, form: str, body: bytes) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self.order + form, body)
        except struct.error as error:
            raise PcapError(f"a block at byte {self.at} is too short: got {len(body)} bytes") from error
