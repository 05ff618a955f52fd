"""Objects with one defect each, made from a good object by changing the bytes in question; named by their defect.

`python -m tests.support.programs.bad_objects FOLDER` writes them out, for use by hand and as seeds for fuzzing.
"""

import struct
import sys
from collections.abc import Callable
from pathlib import Path

from services.verifier.frontend.elf import MAX_OBJECT
from tests.support.programs.programs import compiled

SECTION_HEADER = struct.Struct(
    "<IIQQQQIIQQ"
)  # name, type, flags, address, offset, size, link, info, alignment, entry size
OFFSET, SIZE, INFO = 4, 5, 7
COUNT_AT, NAMES_AT, TABLE_AT = 60, 62, 40


class Object:
    """A good object whose headers can be found and changed by section name."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def header_at(self, name: str) -> int:
        table, count, names = self.word("<Q", TABLE_AT), self.word("<H", COUNT_AT), self.word("<H", NAMES_AT)
        strings = SECTION_HEADER.unpack_from(self.data, table + names * SECTION_HEADER.size)[OFFSET]
        for at in range(table, table + count * SECTION_HEADER.size, SECTION_HEADER.size):
            start = strings + self.word("<I", at)
            if self.data[start : self.data.index(0, start)].decode() == name:
                return at
        raise KeyError(name)

    def start(self, name: str) -> int:
        return int(SECTION_HEADER.unpack_from(self.data, self.header_at(name))[OFFSET])

    def set_header(self, name: str, field: int, value: int) -> bytes:
        at = self.header_at(name)
        row = list(SECTION_HEADER.unpack_from(self.data, at))
        row[field] = value
        SECTION_HEADER.pack_into(self.data, at, *row)
        return bytes(self.data)

    def set(self, form: str, at: int, value: int) -> bytes:
        struct.pack_into(form, self.data, at, value)
        return bytes(self.data)

    def word(self, form: str, at: int) -> int:
        return int(struct.unpack_from(form, self.data, at)[0])


def _good() -> Object:
    return Object(compiled("maps"))


# defect: (rule, how the object is made)
DEFECTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("not-elf", lambda: b""),
    "text-file": ("not-elf", lambda: b"#!/bin/sh\necho no object\n"),
    "header-cut": ("elf-truncated", lambda: compiled("maps")[:40]),
    "section-headers-cut": ("elf-truncated", lambda: compiled("maps")[:-64]),
    "half-of-the-file": ("elf-truncated", lambda: compiled("maps")[: len(compiled("maps")) // 2]),
    "above-the-size-cap": ("object-size", lambda: compiled("maps") + bytes(MAX_OBJECT)),
    "32-bit": ("elf-class", lambda: _good().set("<B", 4, 1)),
    "big-endian": ("elf-class", lambda: _good().set("<B", 5, 2)),
    "for-x86-64": ("elf-machine", lambda: _good().set("<H", 18, 62)),
    "executable-not-object": ("elf-type", lambda: _good().set("<H", 16, 2)),
    "no-sections": ("elf-sections", lambda: _good().set("<H", COUNT_AT, 0)),
    "too-many-sections": ("elf-limits", lambda: _good().set("<H", COUNT_AT, 0xFFFF)),
    "section-names-nowhere": ("elf-malformed", lambda: _good().set("<H", NAMES_AT, 0xFFF0)),
    "section-header-size-wrong": ("elf-truncated", lambda: _good().set("<H", 58, 40)),
    "section-table-far-away": ("elf-truncated", lambda: _good().set("<Q", TABLE_AT, 1 << 63)),
    "code-outside-the-file": ("elf-truncated", lambda: _good().set_header("xdp", OFFSET, 1 << 62)),
    "code-larger-than-the-file": ("elf-truncated", lambda: _good().set_header("xdp", SIZE, (1 << 64) - 1)),
    "symbols-cut": ("elf-limits", lambda: _good().set_header(".symtab", SIZE, 100)),
    "relocations-of-an-unknown-section": ("elf-malformed", lambda: _good().set_header(".relxdp", INFO, 9999)),
    "relocation-of-an-unknown-symbol": (
        "elf-malformed",
        lambda: (good := _good()).set("<I", good.start(".relxdp") + 12, 1 << 31),
    ),
    "relocation-of-an-unknown-kind": (
        "relocation-kind",
        lambda: (good := _good()).set("<I", good.start(".relxdp") + 8, 99),
    ),
    "map-reference-between-maps": (
        "map-reference",
        lambda: (good := _good()).set("<i", good.start("xdp") + _first_load(good) + 4, 8),
    ),
    "old-maps-cut": ("map-definition", lambda: Object(compiled("old_maps")).set_header("maps", SIZE, 80)),
    "old-maps-of-nothing": ("map-definition", lambda: Object(compiled("old_maps")).set_header("maps", SIZE, 0x4)),
    "btf-empty": ("btf-malformed", lambda: _good().set_header(".BTF", SIZE, 0)),
    "btf-magic-wrong": ("btf-malformed", lambda: (good := _good()).set("<H", good.start(".BTF"), 0x1234)),
    "btf-types-outside": ("btf-malformed", lambda: (good := _good()).set("<I", good.start(".BTF") + 12, 1 << 31)),
    "btf-unknown-kind": ("btf-malformed", lambda: (good := _good()).set("<I", good.start(".BTF") + 28, 31 << 24)),
    "btf-ext-cut": ("btf-malformed", lambda: _good().set_header(".BTF.ext", SIZE, 10)),
    "line-info-outside": ("btf-malformed", lambda: (good := _good()).set("<I", good.start(".BTF.ext") + 20, 1 << 31)),
}


def _first_load(good: Object) -> int:
    """The offset in section xdp of the first relocated 64-bit load."""
    return good.word("<Q", good.start(".relxdp"))


def make(name: str) -> bytes:
    """The object with that defect."""
    return DEFECTS[name][1]()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for defect in DEFECTS:
        (folder / f"{defect}.o").write_bytes(make(defect))
