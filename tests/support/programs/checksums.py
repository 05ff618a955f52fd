"""Internet checksums (RFC 1071) of Ethernet frames with IPv4 without options and UDP."""

IP, UDP, PAYLOAD = 14, 34, 42


def folded(data: bytes) -> int:
    """The ones' complement sum of 16-bit words; a packet with its checksum in it sums up to 0xFFFF."""
    padded = data + bytes(len(data) % 2)
    total = sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def sums(frame: bytes) -> tuple[int, int]:
    """The sums of the IPv4 header and of UDP with its pseudo header (RFC 768)."""
    length = (len(frame) - UDP).to_bytes(4, "big")
    return folded(frame[IP:UDP]), folded(frame[IP + 12 : UDP] + length + b"\0\x11" + frame[UDP:])


def with_checksums(frame: bytes) -> bytes:
    """The frame with its UDP length and both checksums filled in."""
    length = (len(frame) - UDP).to_bytes(2, "big")
    blank = frame[: IP + 10] + bytes(2) + frame[IP + 12 : UDP + 4] + length + bytes(2) + frame[PAYLOAD:]
    header, datagram = (((0xFFFF - total) or 0xFFFF).to_bytes(2, "big") for total in sums(blank))
    return blank[: IP + 10] + header + blank[IP + 12 : UDP + 6] + datagram + blank[PAYLOAD:]
