"""SipHash-2-4 (Aumasson and Bernstein, 2012), to compare with a program's."""

from typing import Final

_MASK: Final = (1 << 64) - 1


def _rotated(word: int, by: int) -> int:
    return (word << by | word >> (64 - by)) & _MASK


def _rounds(v: list[int], count: int) -> None:
    for _ in range(count):
        for a, b, by, turned in ((0, 1, 13, 0), (2, 3, 16, None), (0, 3, 21, None), (2, 1, 17, 2)):
            v[a] = (v[a] + v[b]) & _MASK
            v[b] = _rotated(v[b], by) ^ v[a]
            if turned is not None:
                v[turned] = _rotated(v[turned], 32)


def siphash24(key: bytes, message: bytes) -> int:
    """The hash of a message under a key of 16 bytes."""
    k = [int.from_bytes(key[at : at + 8], "little") for at in (0, 8)]
    v = [k[0] ^ 0x736F6D6570736575, k[1] ^ 0x646F72616E646F6D, k[0] ^ 0x6C7967656E657261, k[1] ^ 0x7465646279746573]
    whole = message + bytes(-(len(message) + 1) % 8) + bytes([len(message) & 0xFF])
    for at in range(0, len(whole), 8):
        word = int.from_bytes(whole[at : at + 8], "little")
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
