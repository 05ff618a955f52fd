"""Map definitions of the old form: `struct bpf_map_def` in section `maps` (or `maps/...`), for loaders before libbpf 1.0.

A definition is five numbers: type, key size, value size, entries, flags. What loaders put after them (an id, a way to pin, a
node; the index of an inner map) changes no map that we make, except of maps of maps, which the old form cannot describe.
Nothing is known of the types in them: the value has no layout and no lock.
"""

import struct
from typing import Final

from services.verifier.errors import Malformed, Unsupported
from services.verifier.frontend import elf
from services.verifier.frontend.definitions import Defined, completed
from unibpf.formats.bpf import MAPS_OF_MAPS
from unibpf.formats.bundle import BundleMap

_NUMBERS: Final = struct.Struct("<IIII")
_FLAGS: Final = struct.Struct("<I")
_LARGEST: Final = 64  # bytes of a definition; iproute2's has 36
_KINDS: Final = (elf.STT_NOTYPE, elf.STT_OBJECT)  # old compilers gave variables no type


def is_section(name: str) -> bool:
    """Whether a section of that name holds such definitions."""
    return name == "maps" or name.startswith("maps/")


def read(obj: elf.ObjectFile) -> dict[tuple[int, int], Defined]:
    """Return the maps by section and offset."""
    found: dict[tuple[int, int], Defined] = {}
    for section in obj.sections:
        if not is_section(section.name) or not section.size:
            continue
        names = {s.value: s.name for s in obj.symbols if s.section == section.index and s.kind in _KINDS and s.name}
        size = _definition_size(section, len(names))
        for offset in sorted(names):
            found[section.index, offset] = _map(names[offset], section.data, offset, size)
    return found


def _definition_size(section: elf.Section, maps: int) -> int:
    size = len(section.data) // max(1, maps)
    if not _NUMBERS.size <= size <= _LARGEST or size * maps != len(section.data):
        raise Malformed(
            "map-definition",
            f"section `{section.name:.80}` is no table of map definitions: got {len(section.data)} bytes for {maps} maps",
        )
    return size


def _map(name: str, data: memoryview, offset: int, size: int) -> Defined:
    if offset % size or offset + size > len(data):
        raise Malformed("map-definition", f"map `{name:.80}` begins at no definition: got byte {offset}")
    kind, key_size, value_size, max_entries = _NUMBERS.unpack_from(data, offset)
    flags = _FLAGS.unpack_from(data, offset + _NUMBERS.size)[0] if size >= _NUMBERS.size + _FLAGS.size else 0
    entry = BundleMap(
        name=name, type=kind, key_size=key_size, value_size=value_size, max_entries=max_entries, flags=flags
    )
    return Defined(completed(entry), missing=_missing(name) if kind in MAPS_OF_MAPS else None)


def _missing(name: str) -> Unsupported:
    return Unsupported(
        "legacy-maps",
        f"map `{name:.80}` is a map of maps in the old form (struct bpf_map_def)",
        hint=f"name a map that is like its maps, `--inner {name:.80}=MAP`, or define it through BTF: "
        '`struct { __uint(type, ...); __array(values, ...); } name SEC(".maps")`',
    )
