"""The maps of an object: those that its `.maps` section defines through BTF, and its global data.

A BTF-defined map is a variable of a struct type whose members carry numbers in their types: `int (*type)[2]` says type 2,
`__u32 *key` says that keys have the type `__u32` (libbpf's __uint and __type). Global data sections are array maps of one
entry that carry the section's name (schemas/bundle.cddl).
"""

from collections.abc import Callable
from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from services.verifier import elf
from services.verifier.btf import Btf, Kind
from services.verifier.errors import Malformed, Rejection, Unsupported
from services.verifier.layout import Layout
from unibpf.bundle import BPF_F_RDONLY_PROG, MAP_ARRAY, MAX_MAPS, BundleMap

MAPS_SECTION: Final = ".maps"
MAX_GLOBAL_DATA: Final = 512 << 10
MAX_DEFINITIONS: Final = 1024
MAP_PROG_ARRAY: Final = 3


class MapTable(Struct, frozen=True):
    """Maps by where a relocation points: `defined` by (section, offset), `data` by section. Ids order them in a bundle."""

    defined: dict[tuple[int, int], BundleMap]
    data: dict[int, BundleMap]


def read(obj: elf.ObjectFile, btf: Btf | None) -> MapTable:
    """Collect every map of the object; raises Malformed or Unsupported by the map's name."""
    legacy = obj.section("maps")
    if legacy is not None:
        raise Unsupported(
            "legacy-maps",
            "section `maps` holds map definitions of the old form (struct bpf_map_def)",
            hint='define maps through BTF: `struct { __uint(type, ...); ... } name SEC(".maps")`',
            at=_first_use(obj, legacy.index),
        )
    variables = _variables(obj)
    return MapTable(_defined(obj, btf, variables), _data(obj, btf, variables))


def _variables(obj: elf.ObjectFile) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for symbol in obj.symbols:
        if symbol.kind == elf.STT_OBJECT:
            found.setdefault(symbol.section, {})[symbol.name] = symbol.value
    return found


# --- BTF-defined maps -----------------------------------------------------------------------------------------------------


def _defined(
    obj: elf.ObjectFile, btf: Btf | None, variables: dict[int, dict[str, int]]
) -> dict[tuple[int, int], BundleMap]:
    section = obj.section(MAPS_SECTION)
    if section is None:
        return {}
    if btf is None:
        raise Unsupported(
            "btf-missing", "section `.maps` cannot be read: the object has no `.BTF`", hint="compile with `clang -g`"
        )
    offsets = variables.get(section.index, {})
    _check_initialisers(obj, section, offsets)
    maps: dict[tuple[int, int], BundleMap] = {}
    definitions = btf.variables(MAPS_SECTION)
    if len(definitions) > MAX_DEFINITIONS:
        raise Unsupported("limits", f"too many maps: got {len(definitions)}, expected at most {MAX_DEFINITIONS}")
    for variable in definitions:
        if variable.name not in offsets:
            raise Malformed("map-definition", f"map `{variable.name:.80}` has no symbol in `.maps`")
        offset = offsets[variable.name]
        try:
            maps[section.index, offset] = _Definition(btf, variable.name).read(variable.type)
        except Rejection as error:
            error.at = _first_use(obj, section.index, offset)
            raise
    return dict(sorted(maps.items()))


def _first_use(obj: elf.ObjectFile, section: int, offset: int | None = None) -> tuple[str, int] | None:
    """Return the first instruction that names the variable: BTF has source lines of code and none of variables."""
    for index, rows in sorted(obj.relocations.items()):
        if not obj.sections[index].executable:
            continue
        for at, relocation in sorted(rows.items()):
            if relocation.symbol.section == section and offset in (None, relocation.symbol.value):
                return obj.sections[index].name, at
    return None


def _check_initialisers(obj: elf.ObjectFile, section: elf.Section, offsets: dict[str, int]) -> None:
    for at in obj.relocations.get(section.index, {}):
        offset, name = max((offset, name) for name, offset in [*offsets.items(), ("?", -1)] if offset <= at)
        raise Unsupported(
            "map-values",
            f"map `{name:.80}` is initialised with programs or maps (`values`)",
            at=_first_use(obj, section.index, offset),
        )


class _Definition:
    """Reads one definition member by member into a BundleMap; `_MEMBERS` is the whole vocabulary."""

    def __init__(self, btf: Btf, name: str) -> None:
        self.btf = btf
        self.map = BundleMap(name=name, type=0, key_size=0, value_size=0, max_entries=0)

    def read(self, number: int) -> BundleMap:
        found = self.btf.resolve(number)
        if found.kind is not Kind.STRUCT:
            raise self.bad(f"is no struct: got {found.kind.name}")
        for member in islice(self.btf.members(found), len(_MEMBERS)):
            reader = _MEMBERS.get(member.name)
            if reader is None:
                raise Unsupported(
                    "map-definition", f"map `{self.map.name:.80}` has the unknown member `{member.name:.80}`"
                )
            reader(self, member.type)
        if self.map.type == 0:
            raise self.bad("says no `type`")
        return self.map

    def set(self, **fields: int | str | None) -> None:
        self.map = replace(self.map, **fields)

    def bad(self, message: str) -> Malformed:
        return Malformed("map-definition", f"map `{self.map.name:.80}` {message}")

    def number(self, number: int) -> int:
        pointer = self.btf.resolve(number)
        target = self.btf.resolve(pointer.argument) if pointer.kind is Kind.PTR else pointer
        if pointer.kind is not Kind.PTR or target.kind is not Kind.ARRAY:
            raise self.bad("has a number that is not written as `__uint(name, value)`")
        return self.btf.array(target)[1]

    def pointee(self, number: int) -> int:
        pointer = self.btf.resolve(number)
        if pointer.kind is not Kind.PTR:
            raise self.bad("has a type that is not written as `__type(name, type)`")
        return pointer.argument

    def key_type(self, number: int) -> None:
        self.set(key_size=self.btf.size_of(self.pointee(number)))

    def value_type(self, number: int) -> None:
        target = self.pointee(number)
        self.set(value_size=self.btf.size_of(target), layout=Layout(self.btf).text(target))

    def values(self, _number: int) -> None:
        if self.map.type != MAP_PROG_ARRAY:
            raise Unsupported("map-values", f"map `{self.map.name:.80}` holds maps (`values`)")
        self.set(value_size=4)

    def extra(self, number: int) -> None:
        if self.number(number):
            raise Unsupported("map-definition", f"map `{self.map.name:.80}` sets `map_extra`")


def _number_into(field: str) -> Callable[[_Definition, int], None]:
    return lambda definition, number: definition.set(**{field: definition.number(number)})


# `pinning` and `numa_node` change nothing here: an element's maps are kept by name, and a guest has one node.
_MEMBERS: Final[dict[str, Callable[[_Definition, int], None]]] = {
    "type": _number_into("type"),
    "max_entries": _number_into("max_entries"),
    "key_size": _number_into("key_size"),
    "value_size": _number_into("value_size"),
    "map_flags": _number_into("flags"),
    "key": _Definition.key_type,
    "value": _Definition.value_type,
    "values": _Definition.values,
    "map_extra": _Definition.extra,
    "pinning": lambda _definition, _number: None,
    "numa_node": lambda _definition, _number: None,
}


# --- global data ----------------------------------------------------------------------------------------------------------


def is_global_data(name: str) -> bool:
    """Whether a section of that name holds the program's global variables or constants."""
    return any(name == word or name.startswith(f"{word}.") for word in (".rodata", ".data", ".bss"))


def _data(obj: elf.ObjectFile, btf: Btf | None, variables: dict[int, dict[str, int]]) -> dict[int, BundleMap]:
    sections = [s for s in obj.sections if s.size and is_global_data(s.name) and s.flags & elf.SHF_ALLOC]
    total = sum(section.size for section in sections)
    if total > MAX_GLOBAL_DATA or len(sections) > MAX_MAPS:
        raise Unsupported(
            "limits",
            f"too much global data: got {total} bytes in {len(sections)} sections, "
            f"expected at most {MAX_GLOBAL_DATA} in {MAX_MAPS}",
        )
    return {section.index: _data_map(section, btf, variables.get(section.index, {})) for section in sections}


def _data_map(section: elf.Section, btf: Btf | None, offsets: dict[str, int]) -> BundleMap:
    return BundleMap(
        name=section.name,
        type=MAP_ARRAY,
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
    return section.name.startswith(".rodata")
