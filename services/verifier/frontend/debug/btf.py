"""BTF and BTF.ext (Linux Documentation/bpf/btf.rst) with strict bounds: types, variables of sections, line info.

Invariants:
- Types are read once, in file order, into a flat table; ids are checked when they are followed, not before, because
  forward references are legal.
- Following types never loops for ever: modifiers at most MAX_MODIFIERS deep, containment at most MAX_NESTING deep.
- Everything raises Malformed and nothing else, whatever the bytes.
"""

import posixpath
import struct
from collections.abc import Iterator
from enum import IntEnum
from operator import attrgetter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from services.verifier.errors import Malformed

MAX_TYPES: Final = 262_144
MAX_RECORDS: Final = 262_144
MAX_STRING: Final = 4096
MAX_MODIFIERS: Final = 32
MAX_NESTING: Final = 16

_MAGIC: Final = 0xEB9F
_HEADER: Final = struct.Struct("<HBBIIIII")
_TYPE: Final = struct.Struct("<III")
_TRIPLE: Final = struct.Struct("<III")
_EXT_HEADER: Final = struct.Struct("<HBBIIIII")
_LINE: Final = struct.Struct("<IIII")


class Kind(IntEnum):
    """BTF_KIND_*."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


# Bytes after the common head: (fixed, for each of vlen).
_TAIL: Final[dict[Kind, tuple[int, int]]] = {
    Kind.INT: (4, 0),
    Kind.ARRAY: (12, 0),
    Kind.STRUCT: (0, 12),
    Kind.UNION: (0, 12),
    Kind.ENUM: (0, 8),
    Kind.FUNC_PROTO: (0, 8),
    Kind.VAR: (4, 0),
    Kind.DATASEC: (0, 12),
    Kind.DECL_TAG: (4, 0),
    Kind.ENUM64: (0, 12),
}
_MODIFIERS: Final = {Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG}
_SIZED: Final = {Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.FLOAT, Kind.ENUM64, Kind.DATASEC}


class Type(Struct, frozen=True):
    """One row: `argument` is a size or a type id by kind, `tail` the bytes after the head, `flag` the kind's flag bit."""

    kind: Kind
    name: int
    argument: int
    flag: bool
    tail: memoryview


class Member(Struct, frozen=True):
    """A member of a struct or union; offset and width in bits, width 0 when it is no bit field."""

    name: str
    type: int
    offset: int
    width: int


class Variable(Struct, frozen=True):
    """A variable of a data section; its offset is the symbol table's business."""

    name: str
    type: int
    size: int


class Btf(Struct, frozen=True):
    """The type table; id 0 is void."""

    types: tuple[Type, ...]
    strings: memoryview
    sections: dict[str, Type] = {}

    def string(self, offset: int) -> str:
        """Return the string at `offset` of the string table."""
        if offset >= len(self.strings):
            raise Malformed(
                "btf-malformed", f"a BTF string lies outside the table: got {offset} of {len(self.strings)}"
            )
        head, end, _ = bytes(self.strings[offset : offset + MAX_STRING + 1]).partition(b"\0")
        if not end:
            raise Malformed("btf-malformed", f"a BTF string is too long: expected at most {MAX_STRING} bytes")
        return head.decode(errors="replace")

    def type(self, number: int) -> Type:
        """Return the type with that id."""
        if number >= len(self.types):
            raise Malformed("btf-malformed", f"a BTF type id is unknown: got {number} of {len(self.types)}")
        return self.types[number]

    def resolve(self, number: int) -> Type:
        """Return the type behind typedefs and qualifiers."""
        for _ in range(MAX_MODIFIERS):
            found = self.type(number)
            if found.kind not in _MODIFIERS:
                return found
            number = found.argument
        raise Malformed("btf-malformed", f"BTF type {number} hides behind more than {MAX_MODIFIERS} typedefs")

    def size_of(self, number: int) -> int:
        """Return a type's size in bytes."""
        count = 1
        for _ in range(MAX_NESTING):
            found = self.resolve(number)
            if found.kind in _SIZED:
                return count * found.argument
            if found.kind is Kind.PTR:
                return count * 8
            if found.kind is not Kind.ARRAY:
                raise Malformed("btf-malformed", f"BTF type {number} has no size: got {found.kind.name}")
            number, elements = self.array(found)
            count *= elements
        raise Malformed("btf-malformed", f"BTF arrays nest more than {MAX_NESTING} deep")

    def array(self, found: Type) -> tuple[int, int]:
        """Return an array's element type and length."""
        element, _, length = _TRIPLE.unpack(found.tail)
        return element, length

    def members(self, found: Type) -> Iterator[Member]:
        """Yield the members of a struct or union in order."""
        for name, number, offset in _TRIPLE.iter_unpack(found.tail):
            bits, width = (offset & 0xFFFFFF, offset >> 24) if found.flag else (offset, 0)
            yield Member(self.string(name), number, bits, width)

    def variables(self, section: str) -> list[Variable]:
        """Return the variables of a data section; none when BTF does not know the section."""
        found = self.sections.get(section)
        rows = _TRIPLE.iter_unpack(found.tail) if found else ()
        return [self._variable(number, size) for number, _, size in rows]

    def _variable(self, number: int, size: int) -> Variable:
        found = self.type(number)
        if found.kind is not Kind.VAR:
            raise Malformed("btf-malformed", f"a BTF section lists type {number}: got {found.kind.name}, expected VAR")
        return Variable(self.string(found.name), found.argument, size)


def read(data: memoryview) -> Btf:
    """Read a `.BTF` section."""
    types, strings = _parts(data, _HEADER, ".BTF")
    rows = [Type(Kind.VOID, 0, 0, False, data[:0])]
    at = 0
    while at < len(types):
        row, at = _type(types, at)
        rows.append(row)
        if len(rows) > MAX_TYPES:
            raise Malformed("btf-malformed", f"too many BTF types: expected at most {MAX_TYPES}")
    table = Btf(tuple(rows), strings)
    return replace(table, sections={table.string(row.name): row for row in rows if row.kind is Kind.DATASEC})


def _type(types: memoryview, at: int) -> tuple[Type, int]:
    if len(types) - at < _TYPE.size:
        raise Malformed("btf-malformed", f"BTF type table is cut at byte {at} of {len(types)}")
    name, info, argument = _TYPE.unpack_from(types, at)
    number, count = info >> 24 & 31, info & 0xFFFF
    if not Kind.INT <= number <= Kind.ENUM64:
        raise Malformed("btf-malformed", f"a BTF type has an unknown kind: got {number}")
    kind = Kind(number)
    fixed, each = _TAIL.get(kind, (0, 0))
    start, end = at + _TYPE.size, at + _TYPE.size + fixed + each * count
    if end > len(types):
        raise Malformed("btf-malformed", f"a BTF type lies outside the table: got end {end} of {len(types)}")
    return Type(kind, name, argument, bool(info >> 31), types[start:end]), end


class LineRecord(Struct, frozen=True, gc=False):
    """One row of line info; `offset` is bytes into the section, `text` the source line."""

    offset: int
    file: str
    text: str
    line: int
    column: int


class CoreRecord(Struct, frozen=True):
    """A CO-RE relocation: the instruction at `offset` of its section depends on `type` in the manner of `kind`.

    `access` is the offset of a string that says which part of the type is meant.
    """

    offset: int
    type: int
    access: int
    kind: int


class Extension(Struct, frozen=True):
    """What `.BTF.ext` says, by section name: line rows and CO-RE relocations, by rising offset."""

    lines: dict[str, list[LineRecord]] = {}
    core: dict[str, list[CoreRecord]] = {}


def read_extension(data: memoryview, btf: Btf) -> Extension:
    """Read a `.BTF.ext` section."""
    if len(data) < _EXT_HEADER.size:
        raise Malformed("btf-malformed", f"`.BTF.ext` is cut: got {len(data)} bytes, expected {_EXT_HEADER.size}")
    magic, version, _, header_size, _, _, line_at, line_size = _EXT_HEADER.unpack_from(data)
    _check_head(magic, version, header_size, len(data), ".BTF.ext")
    core_at, core_size = 0, 0
    if header_size >= _EXT_HEADER.size + 8:
        core_at, core_size = struct.unpack_from("<II", data, _EXT_HEADER.size)
    body = data[header_size:]
    return Extension(
        lines={name: _lines(rows, btf) for name, rows in _records(_slice(body, line_at, line_size), btf)},
        core={
            name: [CoreRecord(*row) for row in sorted(rows)]
            for name, rows in _records(_slice(body, core_at, core_size), btf)
        },
    )


def _lines(rows: list[tuple[int, ...]], btf: Btf) -> list[LineRecord]:
    files: dict[int, str] = {}
    texts: dict[int, str] = {}
    found: list[LineRecord] = []
    for at, file, line, place in rows:  # each string is read once: a line of a loop has many rows
        if file not in files:
            files[file] = _file(btf.string(file))
        if line not in texts:
            texts[line] = btf.string(line).strip()
        found.append(LineRecord(at, files[file], texts[line], place >> 10, place & 0x3FF))
    return sorted(found, key=attrgetter("offset"))


def _file(name: str) -> str:
    """clang names a file as its folder and the name in the source: `././firewall.h`."""
    return posixpath.normpath(name) if name else ""


def _records(table: memoryview, btf: Btf) -> Iterator[tuple[str, list[tuple[int, ...]]]]:
    """Yield (section name, records); only the four words that every record kind begins with are read."""
    if not table:
        return
    record_size, at = _word(table, 0), 4
    if len(table) > MAX_RECORDS * _LINE.size:
        raise Malformed("btf-malformed", f"`.BTF.ext` is too large: expected at most {MAX_RECORDS} records")
    if record_size < _LINE.size or record_size % 4:
        raise Malformed("btf-malformed", f"`.BTF.ext` records have a wrong size: got {record_size}")
    while at < len(table):
        name, count = _word(table, at), _word(table, at + 4)
        at += 8
        if count * record_size > len(table) - at:
            raise Malformed("btf-malformed", f"`.BTF.ext` records lie outside the table: got {count} at {at}")
        yield btf.string(name), [_LINE.unpack_from(table, at + row * record_size) for row in range(count)]
        at += count * record_size


def _word(table: memoryview, at: int) -> int:
    if at + 4 > len(table):
        raise Malformed("btf-malformed", f"`.BTF.ext` is cut at byte {at} of {len(table)}")
    return int.from_bytes(table[at : at + 4], "little")


def _parts(data: memoryview, header: struct.Struct, name: str) -> tuple[memoryview, memoryview]:
    if len(data) < header.size:
        raise Malformed("btf-malformed", f"`{name}` is cut: got {len(data)} bytes, expected {header.size}")
    magic, version, _, header_size, type_at, type_size, string_at, string_size = header.unpack_from(data)
    _check_head(magic, version, header_size, len(data), name)
    body = data[header_size:]
    return _slice(body, type_at, type_size), _slice(body, string_at, string_size)


def _check_head(magic: int, version: int, header_size: int, size: int, name: str) -> None:
    if magic != _MAGIC or version != 1 or not _HEADER.size <= header_size <= size:
        raise Malformed(
            "btf-malformed",
            f"`{name}` has a wrong header: got magic {magic:#06x}, version {version}, header of {header_size} bytes, "
            f"expected magic {_MAGIC:#06x}, version 1",
        )


def _slice(body: memoryview, at: int, size: int) -> memoryview:
    if at > len(body) or size > len(body) - at:
        raise Malformed(
            "btf-malformed", f"a BTF part lies outside its section: got {size} bytes at {at} of {len(body)}"
        )
    return body[at : at + size]
