"""An eBPF object file as plain tables: sections, symbols, relocations.

Everything is unpacked here (System V ABI, chapter 4), because foreign counts and offsets must be capped before anything is
built from them.

Invariants:
- Every count and size is compared with its cap, and every range with the file's end, before it is used.
- No byte is copied: section contents are views of the object, so overlapping sections cost nothing.
- Nothing is decompressed (a compressed section is refused), no name is longer than MAX_NAME.
- `read` raises Malformed or Unsupported and nothing else, whatever the bytes.
"""

import struct
from typing import Final, NamedTuple

from msgspec import Struct

from services.verifier.errors import Malformed, Unsupported

MAX_OBJECT: Final = 16 << 20
MAX_SECTIONS: Final = 4096
MAX_SYMBOLS: Final = 65_536
MAX_RELOCATIONS: Final = 262_144
MAX_NAME: Final = 512

# The System V ABI's numbers, and those of llvm/include/llvm/BinaryFormat/ELFRelocs/BPF.def.
ELF_HEADER_BYTES: Final = 64
SECTION_HEADER_BYTES: Final = 64
EM_BPF: Final = 247
ET_REL: Final = 1
SHT_SYMTAB: Final = 2
SHT_RELA: Final = 4
SHT_NOBITS: Final = 8
SHT_REL: Final = 9
SHF_WRITE: Final = 1
SHF_ALLOC: Final = 2
SHF_EXECINSTR: Final = 4
SHF_COMPRESSED: Final = 0x800
SHN_UNDEF: Final = 0
SHN_LORESERVE: Final = 0xFF00
STT_NOTYPE: Final = 0
STT_FUNC: Final = 2
STT_OBJECT: Final = 1
STB_LOCAL: Final = 0
STB_WEAK: Final = 2
R_BPF_64_64: Final = 1
R_BPF_64_ABS64: Final = 2
R_BPF_64_32: Final = 10

_SECTION: Final = struct.Struct("<IIQQQQII16x")
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_REL: Final = struct.Struct("<QQ")


class _SectionHeader(NamedTuple):
    """Elf64_Shdr, less the alignment and the size of entries."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int


class Section(Struct, frozen=True):
    """One section; `data` is empty for sections without bytes in the file (.bss), whose `size` still counts."""

    index: int
    name: str
    kind: int
    flags: int
    size: int
    link: int
    info: int
    data: memoryview

    @property
    def executable(self) -> bool:
        """Whether the section holds instructions."""
        return bool(self.flags & SHF_EXECINSTR)


class Symbol(Struct, frozen=True):
    """One symbol; `section` is an index, SHN_UNDEF for externs."""

    name: str
    kind: int
    bind: int
    section: int
    value: int
    size: int


class Relocation(Struct, frozen=True):
    """At `offset` of its section, patch in `symbol` in the manner of `kind`."""

    offset: int
    kind: int
    symbol: Symbol


class ObjectFile(Struct, frozen=True):
    """The object; `relocations` is keyed by the index of the section they apply to, then by offset."""

    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocations: dict[int, dict[int, Relocation]]

    def section(self, name: str) -> Section | None:
        """Return the first section of that name."""
        return next((section for section in self.sections if section.name == name), None)


def read(data: bytes) -> ObjectFile:
    """Read a foreign object."""
    _check_header(data)
    sections = _sections(data)
    symbols = _symbols(sections)
    return ObjectFile(sections, symbols, _relocations(sections, symbols))


def _check_header(data: bytes) -> None:
    if len(data) > MAX_OBJECT:
        raise Malformed("object-size", f"object is too large: got {len(data)} bytes, expected at most {MAX_OBJECT}")
    if data[:4] != b"\x7fELF":
        raise Malformed(
            "not-elf",
            f"not an ELF file: got the first bytes `{data[:4].hex(' ')}`, expected `7f 45 4c 46`",
            hint="push the object that `clang -target bpf -c` writes",
        )
    if len(data) < ELF_HEADER_BYTES:
        raise Malformed("elf-truncated", f"ELF header is cut: got {len(data)} bytes, expected {ELF_HEADER_BYTES}")
    if data[4:7] != b"\x02\x01\x01":
        raise Malformed(
            "elf-class",
            f"ELF file has the wrong format: got class {data[4]}, byte order {data[5]}, version {data[6]}, "
            "expected 64-bit little-endian version 1",
        )
    kind, machine = struct.unpack_from("<HH", data, 16)
    if machine != EM_BPF:
        raise Malformed(
            "elf-machine",
            f"ELF file is for another machine: got {machine}, expected {EM_BPF} (BPF)",
            hint="compile with `clang -target bpf`",
        )
    if kind != ET_REL:
        raise Malformed("elf-type", f"ELF file is no relocatable object: got type {kind}, expected {ET_REL}")


def _sections(data: bytes) -> tuple[Section, ...]:
    view = memoryview(data)
    headers = _section_headers(data)
    if not headers:
        raise Malformed("elf-sections", "ELF file has no sections")
    names_index = struct.unpack_from("<H", data, 62)[0]
    if names_index >= len(headers):
        raise Malformed("elf-malformed", f"section names lie outside the table: got index {names_index}")
    names = _range(view, headers[names_index], "section names")
    return tuple(_section(view, index, header, names) for index, header in enumerate(headers))


def _section_headers(data: bytes) -> "list[_SectionHeader]":
    offset, entry_size, count = *struct.unpack_from("<Q", data, 40), *struct.unpack_from("<HH", data, 58)
    if count > MAX_SECTIONS:
        raise Malformed("elf-limits", f"too many sections: got {count}, expected at most {MAX_SECTIONS}")
    if count and (entry_size != SECTION_HEADER_BYTES or offset + count * entry_size > len(data)):
        raise Malformed(
            "elf-truncated",
            f"section headers lie outside the file: got {count} of {entry_size} bytes at {offset} "
            f"in a file of {len(data)} bytes",
        )
    return [_SectionHeader(*row) for row in _SECTION.iter_unpack(data[offset : offset + count * SECTION_HEADER_BYTES])]


def _section(view: memoryview, index: int, header: "_SectionHeader", names: memoryview) -> Section:
    name = _name(names, header.name)
    flags = header.flags
    if flags & SHF_COMPRESSED and flags & SHF_ALLOC:
        raise Unsupported("section-compressed", f"section `{name}` is compressed")
    kind = header.type
    return Section(
        index=index,
        name=name,
        kind=kind,
        flags=flags,
        size=header.size,
        link=header.link,
        info=header.info,
        data=view[:0] if index == 0 or kind == SHT_NOBITS else _range(view, header, f"section `{name}`"),
    )


def _range(view: memoryview, header: "_SectionHeader", what: str) -> memoryview:
    start, size = header.offset, header.size
    if start > len(view) or size > len(view) - start:
        raise Malformed(
            "elf-truncated", f"{what} lies outside the file: got {size} bytes at {start} in a file of {len(view)} bytes"
        )
    return view[start : start + size]


def _name(strings: memoryview, offset: int) -> str:
    if offset >= len(strings):
        if offset == 0:
            return ""
        raise Malformed("elf-malformed", f"a name lies outside its table: got {offset} of {len(strings)} bytes")
    head, end, _ = bytes(strings[offset : offset + MAX_NAME + 1]).partition(b"\0")
    if not end:
        raise Malformed("elf-limits", f"a name is too long: expected at most {MAX_NAME} bytes")
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        raise Malformed("elf-malformed", "a name is not UTF-8") from error


def _symbols(sections: tuple[Section, ...]) -> tuple[Symbol, ...]:
    tables = [section for section in sections if section.kind == SHT_SYMTAB]
    if not tables:
        return ()
    if len(tables) > 1:
        raise Malformed("elf-malformed", f"more than one symbol table: got {len(tables)}")
    table = tables[0]
    _check_table(table, _SYMBOL.size, MAX_SYMBOLS, "symbols")
    if table.link >= len(sections):
        raise Malformed("elf-malformed", f"symbol names lie in an unknown section: got {table.link}")
    strings = sections[table.link].data
    return tuple(
        Symbol(_name(strings, name), info & 15, info >> 4, index, value, size)
        for name, info, _, index, value, size in _SYMBOL.iter_unpack(table.data)
    )


def _relocations(sections: tuple[Section, ...], symbols: tuple[Symbol, ...]) -> dict[int, dict[int, Relocation]]:
    found: dict[int, dict[int, Relocation]] = {}
    for table in sections:
        if table.kind not in (SHT_REL, SHT_RELA) or not _applies(table, sections):
            continue
        if table.kind == SHT_RELA:
            raise Unsupported("relocation-kind", f"section `{table.name}` holds relocations with addends (RELA)")
        _check_table(table, _REL.size, MAX_RELOCATIONS, "relocations")
        rows = found.setdefault(table.info, {})
        for offset, info in _REL.iter_unpack(table.data):
            if info >> 32 >= len(symbols):
                raise Malformed("elf-malformed", f"a relocation names an unknown symbol: got {info >> 32}")
            rows[offset] = Relocation(offset, info & 0xFFFF_FFFF, symbols[info >> 32])
    return found


def _applies(table: Section, sections: tuple[Section, ...]) -> bool:
    """Only what is loaded matters: relocations of debug sections and of BTF are the linker's bookkeeping."""
    if table.info >= len(sections):
        raise Malformed("elf-malformed", f"section `{table.name}` relocates an unknown section: got {table.info}")
    return bool(sections[table.info].flags & SHF_ALLOC)


def _check_table(table: Section, entry: int, most: int, what: str) -> None:
    if table.size % entry or table.size // entry > most:
        raise Malformed(
            "elf-limits",
            f"section `{table.name}` holds no valid number of {what}: got {table.size} bytes, "
            f"expected up to {most} of {entry} bytes",
        )
