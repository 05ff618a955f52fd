"""Packets for tests: random ones, and those that end where a header does."""

import random

from tests.support.programs.vnf import ipv4


def random_packets(rng: random.Random, count: int) -> list[bytes]:
    """Return packets of 14 to about 300 bytes (the kernel's test run takes no shorter ones).

    Mostly Ethernet with IPv4 and ports from a small range, some cut short, some pure noise.
    """
    return [_packet(rng) for _ in range(count)]


def boundary_packets() -> list[bytes]:
    """Frames of several protocols, cut after each byte up to the payload."""
    vlan = bytes(12) + b"\x81\x00\x00\x05\x08\x00" + ipv4(protocol=17, port=53, payload=4)[14:]
    ipv6 = bytes(12) + b"\x86\xdd\x60" + bytes(3) + b"\x00\x18\x06\x40" + bytes(32) + bytes(20)
    whole = [
        ipv4(protocol=6, port=80, payload=14),
        ipv4(protocol=17, port=53, payload=8),
        ipv4(protocol=6, port=443, options=10, payload=4),
        vlan,
        ipv6,
    ]
    return [frame[:size] for frame in whole for size in range(len(frame) + 1)]


def _packet(rng: random.Random) -> bytes:
    if rng.random() < 0.15:
        return rng.randbytes(rng.randint(14, 300))
    payload = rng.randbytes(rng.randint(0, 200))
    ports = rng.randint(0, 300).to_bytes(2) + rng.randint(0, 300).to_bytes(2)
    transport = ports + (8 + len(payload)).to_bytes(2) + rng.randbytes(2) + payload
    protocol = rng.choice([6, 17, 17, 17, 1, rng.randint(0, 255)])
    header = (
        bytes([0x45, 0]) + (20 + len(transport)).to_bytes(2) + rng.randbytes(4) + bytes([rng.randint(0, 255), protocol])
    )
    packet = rng.randbytes(12) + b"\x08\x00" + header + rng.randbytes(10) + transport
    return packet if rng.random() < 0.8 else packet[: rng.randint(14, len(packet))]
