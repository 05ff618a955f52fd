"""Pack the linked image: pack_image.py IMAGE.elf PACKED.bin

PACKED is the image's entry address and load address (4 bytes each, little endian), then its loaded bytes as one LZ4 block
(lz4_Block_format.md, 1.6): code and tables shrink by a third, and the decoder is 40 instructions (unpack.S). Run by CMake.
"""

import struct
import sys
from pathlib import Path

PT_LOAD = 1
SHORTEST = 4  # a match
LAST_LITERALS = 12  # the block format wants no match to begin in the last 12 bytes
FARTHEST = 65535
CHAIN = 32  # candidates tried for each position
UNPACKER = (
    0x200000  # where unpack.ld puts the packed bytes; the image must end a page below, which is the unpacker's stack
)


def loaded(elf: bytes) -> tuple[int, int, bytes]:
    """Entry address, load address and the bytes of all PT_LOAD segments, gaps filled with zeroes."""
    entry, table = struct.unpack_from("<QQ", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 54)
    segments = []
    for at in range(table, table + size * count, size):
        kind, _, offset, _, address, in_file, in_memory, _ = struct.unpack_from("<IIQQQQQQ", elf, at)
        if kind == PT_LOAD:
            segments.append((address, elf[offset : offset + in_file], address + in_memory))
    begin = min(address for address, _, _ in segments)
    if max(end for _, _, end in segments) > UNPACKER - 4096:
        raise SystemExit(f"pack_image: got an image that ends above {UNPACKER - 4096:#x}")
    image = bytearray(max(address + len(data) for address, data, _ in segments) - begin)
    for address, data, _ in segments:
        image[address - begin : address - begin + len(data)] = data
    return entry, begin, bytes(image)


def match_length(data: bytes, one: int, other: int, end: int) -> int:
    """How far the bytes at two places agree, `other` being the later one, which stays below `end`."""
    length = 0
    while other + length < end and data[one + length] == data[other + length]:
        length += 1
    return length


def find_match(data: bytes, seen: dict[bytes, list[int]], at: int) -> tuple[int, int]:
    """Length and position of the longest earlier match; the nearest of equals."""
    best, where = 0, 0
    for candidate in reversed(seen.get(data[at : at + SHORTEST], [])[-CHAIN:]):
        if at - candidate > FARTHEST:
            break
        length = match_length(data, candidate, at, len(data) - 5)
        if length > best:
            best, where = length, candidate
    return best, where


def length_bytes(length: int) -> bytes:
    """What follows a token whose four bits are all ones."""
    return b"\xff" * ((length - 15) // 255) + bytes([(length - 15) % 255]) if length >= 15 else b""


def sequence(literals: bytes, distance: int, length: int) -> bytes:
    """One sequence of the block: literals, then a match (none when `distance` is 0: the last sequence)."""
    extra = length - SHORTEST if distance else 0
    token = bytes([min(len(literals), 15) << 4 | min(extra, 15)])
    head = token + length_bytes(len(literals)) + literals
    return head + struct.pack("<H", distance) + length_bytes(extra) if distance else head


def compress(data: bytes) -> bytes:
    """One LZ4 block; a match is put off by one byte when the next one is longer."""
    seen: dict[bytes, list[int]] = {}
    out = bytearray()
    at = anchor = 0
    while at < len(data) - LAST_LITERALS:
        length, where = find_match(data, seen, at)
        seen.setdefault(data[at : at + SHORTEST], []).append(at)
        if length < SHORTEST or find_match(data, seen, at + 1)[0] > length:
            at += 1
            continue
        out += sequence(data[anchor:at], at - where, length)
        for inside in range(at + 1, at + length):
            seen.setdefault(data[inside : inside + SHORTEST], []).append(inside)
        at = anchor = at + length
    return bytes(out) + sequence(data[anchor:], 0, 0)


def main() -> None:
    """Pack argv[1] into argv[2]."""
    entry, begin, image = loaded(Path(sys.argv[1]).read_bytes())
    Path(sys.argv[2]).write_bytes(struct.pack("<II", entry, begin) + compress(image))


if __name__ == "__main__":
    main()
