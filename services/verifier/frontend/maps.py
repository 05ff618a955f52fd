"""The maps of an object: those that its `.maps` section defines through BTF, and its global data.

A BTF-defined map is a variable whose type says everything (definitions.py), but for the programs and maps that it holds at
first: these are relocations of `.maps`. Maps of the old form are legacy.py's. Global data sections are array maps of one
entry that carry the section's name (schemas/bundle.cddl).
"""

from bisect import bisect_right
from typing import Final

from msgspec import Struct

from services.verifier.errors import Malformed, Rejection, Unsupported
from services.verifier.frontend import capacity, elf, externs, legacy, sizing
from services.verifier.frontend.debug.btf import Btf
from services.verifier.frontend.debug.layout import Layout
from services.verifier.frontend.definitions import Defined, define
from unibpf.formats.bpf import BPF_F_RDONLY_PROG, MAX_MAPS, MapType
from unibpf.formats.bundle import BundleMap
from unibpf.push.loading import NOTHING, Loading

MAPS_SECTION: Final = ".maps"
MAX_GLOBAL_DATA: Final = {"guest": 512 << 10, "linux-xdp": 128 << 20}  # bytes of an object
MAX_DEFINITIONS: Final = 1024
_POINTER: Final = 8


class Slot(Struct, frozen=True):
    """What a map holds at `index` at first: the function or map at byte `offset` of `section`."""

    index: int
    section: int
    offset: int


class MapTable(Struct, frozen=True):
    """Maps by where a relocation points: `defined` by (section, offset), `data` by section. Ids order them in a bundle.

    `slots`: what program arrays and maps of maps hold at first, by the map's (section, offset). `refused`: definitions that
    cannot be used, a fault only of a program that names them.
    """

    defined: dict[tuple[int, int], BundleMap]
    data: dict[int, BundleMap]
    slots: dict[tuple[int, int], tuple[Slot, ...]] = {}
    refused: dict[tuple[int, int], Unsupported] = {}


def read(
    obj: elf.ObjectFile, btf: Btf | None, loading: Loading = NOTHING, platform: capacity.Platform = "guest"
) -> MapTable:
    """Collect every map of the object, sized as `loading` says; raises a Rejection by the map's name."""
    variables = variables_of(obj)
    found, refused = _defined(obj, btf, variables)
    sized = sizing.apply(found | legacy.read(obj), loading)
    for key, defined in sized.items():
        if defined.missing is not None:
            refused[key] = defined.missing
    known = {key: defined for key, defined in sized.items() if key not in refused}
    section = obj.section(MAPS_SECTION)
    return MapTable(
        {key: capacity.of_platform(defined.map, platform) for key, defined in known.items()},
        _data(obj, btf, variables, platform),
        _slots(obj, section, known, refused) if section else {},
        refused,
    )


def variables_of(obj: elf.ObjectFile) -> dict[int, dict[str, int]]:
    """Return where the symbols say that variables lie, by section: the offsets in BTF are an assembler's zeroes."""
    found: dict[int, dict[str, int]] = {}
    for symbol in obj.symbols:
        if symbol.kind == elf.STT_OBJECT:
            found.setdefault(symbol.section, {})[symbol.name] = symbol.value
    return found


# --- BTF-defined maps -----------------------------------------------------------------------------------------------------


def _defined(
    obj: elf.ObjectFile, btf: Btf | None, variables: dict[int, dict[str, int]]
) -> tuple[dict[tuple[int, int], Defined], dict[tuple[int, int], Unsupported]]:
    section = obj.section(MAPS_SECTION)
    if section is None:
        return {}, {}
    if btf is None:
        raise Unsupported(
            "btf-missing", "section `.maps` cannot be read: the object has no `.BTF`", hint="compile with `clang -g`"
        )
    offsets = variables.get(section.index, {})
    found: dict[tuple[int, int], Defined] = {}
    refused: dict[tuple[int, int], Unsupported] = {}
    definitions = btf.variables(MAPS_SECTION)
    if len(definitions) > MAX_DEFINITIONS:
        raise Unsupported("limits", f"too many maps: got {len(definitions)}, expected at most {MAX_DEFINITIONS}")
    for variable in definitions:
        if variable.name not in offsets:
            raise Malformed("map-definition", f"map `{variable.name:.80}` has no symbol in `.maps`")
        offset = offsets[variable.name]
        try:
            found[section.index, offset] = define(btf, variable.name, variable.type)
        except Unsupported as error:
            refused[section.index, offset] = error
        except Rejection as error:
            error.at = _first_use(obj, section.index, offset)
            raise
    return dict(sorted(found.items())), refused


def _first_use(obj: elf.ObjectFile, section: int, offset: int | None = None) -> tuple[str, int] | None:
    """Return the first instruction that names the variable: BTF has source lines of code and none of variables."""
    for index, rows in sorted(obj.relocations.items()):
        if not obj.sections[index].executable:
            continue
        for at, relocation in sorted(rows.items()):
            if relocation.symbol.section == section and offset in (None, relocation.symbol.value):
                return obj.sections[index].name, at
    return None


def _slots(
    obj: elf.ObjectFile,
    section: elf.Section,
    found: dict[tuple[int, int], Defined],
    refused: dict[tuple[int, int], Unsupported],
) -> dict[tuple[int, int], tuple[Slot, ...]]:
    """Return what the relocations of `.maps` put where: programs into program arrays, maps into maps of maps."""
    slots: dict[tuple[int, int], list[Slot]] = {}
    starts = sorted(offset for index, offset in (*found, *refused) if index == section.index)
    for at, relocation in sorted(obj.relocations.get(section.index, {}).items()):
        before = bisect_right(starts, at)
        key = section.index, starts[before - 1] if before else -1
        if key in refused:
            continue
        defined = found.get(key)
        index = _slot_index(defined, at - key[1])
        if defined is not None and index is not None and index >= defined.map.max_entries > 0:
            raise Malformed(
                "map-definition",
                f"map `{defined.map.name:.80}` has a value at index {index}, expected below {defined.map.max_entries}",
            )
        # LLVM before 13 had one kind for the addresses in instructions and in data.
        if (
            index is None
            or relocation.kind not in (elf.R_BPF_64_ABS64, elf.R_BPF_64_64)
            or at + _POINTER > len(section.data)
        ):
            raise Malformed("map-definition", f"an address stands at byte {at} of `.maps`, outside every `values`")
        addend = int.from_bytes(section.data[at : at + _POINTER], "little")
        if relocation.symbol.section == elf.SHN_UNDEF:
            raise Unsupported("extern-symbol", f"`{relocation.symbol.name:.80}` is declared but not defined")
        slots.setdefault(key, []).append(Slot(index, relocation.symbol.section, relocation.symbol.value + addend))
    return {key: tuple(rows) for key, rows in slots.items()}


def _slot_index(defined: Defined | None, at: int) -> int | None:
    if defined is None or defined.values_at is None or at < defined.values_at or (at - defined.values_at) % _POINTER:
        return None
    return (at - defined.values_at) // _POINTER


# --- global data ----------------------------------------------------------------------------------------------------------


def is_maps(name: str) -> bool:
    """Whether a section of that name holds definitions of maps."""
    return name == MAPS_SECTION or legacy.is_section(name)


def is_global_data(name: str) -> bool:
    """Whether a section of that name holds the program's global variables or constants."""
    words = (".rodata", ".data", ".bss")
    return name == externs.SECTION or any(name == word or name.startswith(f"{word}.") for word in words)


def _data(
    obj: elf.ObjectFile, btf: Btf | None, variables: dict[int, dict[str, int]], platform: capacity.Platform
) -> dict[int, BundleMap]:
    sections = [s for s in obj.sections if s.size and is_global_data(s.name) and s.flags & elf.SHF_ALLOC]
    total, most = sum(section.size for section in sections), MAX_GLOBAL_DATA[platform]
    if total > most or len(sections) > MAX_MAPS:
        largest = max(sections, key=lambda section: section.size)
        raise Unsupported(
            "map-size",
            f"too much global data: got {total} bytes in {len(sections)} sections, `{largest.name:.80}` has "
            f"{largest.size} of them, expected at most {most} in {MAX_MAPS}",
            hint="keep large tables in maps",
        )
    return {section.index: _data_map(section, btf, variables.get(section.index, {})) for section in sections}


def _data_map(section: elf.Section, btf: Btf | None, offsets: dict[str, int]) -> BundleMap:
    return BundleMap(
        name=section.name,
        type=MapType.ARRAY,
        key_size=4,
        value_size=section.size,
        max_entries=1,
        flags=BPF_F_RDONLY_PROG if _constant(section) else 0,
        layout=_data_layout(section, btf, offsets),
        data=None if section.kind == elf.SHT_NOBITS else bytes(section.data),
    )


def _data_layout(section: elf.Section, btf: Btf | None, offsets: dict[str, int]) -> str | None:
    if btf is None or _constant(section):
        return None
    placed = [(v.name, v.type, offsets[v.name]) for v in btf.variables(section.name) if v.name in offsets]
    return Layout(btf).variables(placed, section.size) if placed else None


def _constant(section: elf.Section) -> bool:
    return section.name.startswith(".rodata") or section.name == externs.SECTION
