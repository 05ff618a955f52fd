"""Random packets: mostly Ethernet with IPv4 and ports from a small range, some cut short, some pure noise."""

import random


def random_packets(rng: random.Random, count: int) -> list[bytes]:
    """Return packets of 14 to about 300 bytes (the kernel's test run takes no shorter ones)."""
    return [_packet(rng) for _ in range(count)]


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
