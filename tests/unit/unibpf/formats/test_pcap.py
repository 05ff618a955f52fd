"""Captures: both byte orders, both resolutions, and a reason for every file that is none."""

import struct

import pytest

from unibpf.formats.pcap import MAX_BYTES, PcapError, encode, packets

PACKETS = [bytes(range(60)), b"\xff" * 14, b""]


def capture(order: str = "<", magic: int = 0xA1B2C3D4, version: tuple[int, int] = (2, 4), link: int = 1) -> bytes:
    """A capture of PACKETS."""
    records = [struct.pack(order + "IIII", 0, 0, len(one), len(one)) + one for one in PACKETS]
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, 65535, link) + b"".join(records)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_packets_come_out_whole_and_in_order(order: str, magic: int) -> None:
    assert packets(capture(order, magic)) == PACKETS


def test_a_check_sequence_length_beside_the_link_type_is_allowed() -> None:
    assert packets(capture(link=0x5000_0001)) == PACKETS


def test_what_is_written_is_read_again() -> None:
    assert packets(encode(PACKETS)) == PACKETS


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no capture in the classic format begins with ``"),
        (capture()[:23], "no capture in the classic format begins with `d4c3b2a1`"),
        (b"\x0a\x0d\x0d\x0a" + bytes(60), "begins with `0a0d0d0a`"),
        (capture(version=(2, 3)), "got a capture of version 2.3, expected 2.4"),
        (capture(link=113), "got link type 113, expected 1"),
        (capture()[:30], "packet 0 has no whole header"),
        (capture()[:50], "packet 0 passes the end: got 10 bytes, expected 60"),
        (
            capture()[:32] + struct.pack("<II", 60, 1500) + capture()[40:],
            "packet 0 was cut when captured: got 60 of 1500",
        ),
        (capture()[:32] + struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF) + capture()[40:], "packet 0 passes the end"),
        (bytes(MAX_BYTES + 1), "a capture is too large"),
    ],
    ids=[
        "empty",
        "header-cut",
        "pcapng",
        "version",
        "link-type",
        "record-cut",
        "packet-cut",
        "snapped",
        "length",
        "size",
    ],
)
def test_what_is_no_whole_capture_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(PcapError, match=reason):
        packets(data)
