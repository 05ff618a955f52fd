"""Captures of the newer format: both byte orders, both packet blocks, and a reason for every file that is none."""

import struct

import pytest

from unibpf.formats.pcap import MAX_BYTES, PcapError
from unibpf.formats.pcapng import packets

PACKETS = [bytes(range(60)), b"\xff" * 14, b""]


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<", link: int = 1) -> bytes:
    head = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    return head + block(1, struct.pack(order + "HHI", link, 0, 0), order)


def enhanced(data: bytes, order: str = "<", *, interface: int = 0, original: int | None = None) -> bytes:
    whole = len(data) if original is None else original
    return block(6, struct.pack(order + "IIIII", interface, 0, 0, len(data), whole) + data, order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_packets_come_out_whole_and_in_order(order: str) -> None:
    assert packets(section(order) + b"".join(enhanced(one, order) for one in PACKETS)) == PACKETS


def test_simple_packets_have_their_length() -> None:
    assert packets(section() + b"".join(block(3, struct.pack("<I", len(one)) + one) for one in PACKETS)) == PACKETS


def test_sections_of_both_orders_may_follow_each_other_and_other_blocks_are_passed_by() -> None:
    names = block(4, bytes(8))
    data = section("<") + names + enhanced(PACKETS[0]) + section(">") + enhanced(PACKETS[1], ">")
    assert packets(data) == PACKETS[:2]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (section()[:11], "a block is cut at byte 0"),
        (section()[:20], "a block at byte 0 has a wrong length: got 28"),
        (section()[:8] + bytes(4) + section()[12:], "a section at byte 0 has an unknown byte order"),
        (section() + block(6, bytes(19))[:-4] + bytes(4), "a block at byte 48 does not end as it begins"),
        (section() + block(6, bytes(16)), "a block at byte 48 is too short: got 16 bytes"),
        (section() + struct.pack("<III", 6, 8, 8), "wrong length: got 8"),
        (section() + enhanced(b"", interface=1), "packet 0 names no interface: got 1 of 1"),
        (section(link=113) + enhanced(b""), "got link type 113, expected 1"),
        (section() + enhanced(bytes(60), original=1500), "packet 0 was cut when captured: got 60 of 1500 bytes"),
        (
            section() + block(6, struct.pack("<IIIII", 0, 0, 0, 8, 8)),
            "packet 0 passes the end: got 0 bytes, expected 8",
        ),
        (bytes(MAX_BYTES + 1), "a capture is too large"),
    ],
    ids=[
        "header-cut",
        "block-cut",
        "order",
        "length-twice",
        "short",
        "tiny",
        "interface",
        "link",
        "snapped",
        "end",
        "size",
    ],
)
def test_what_is_no_whole_capture_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(PcapError, match=reason):
        packets(data)
