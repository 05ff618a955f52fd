"""What maps hold before the first packet: programs in program arrays, maps in maps of maps.

Slots (maps.py) say where an entry lies in the object; here it becomes a function that is linked into the same bundle, or a
map of the bundle. The programs of one chain of tail calls are one unit: they share the bundle's maps and have one kind.
"""

from msgspec import Struct
from msgspec.structs import replace

from services.verifier.errors import Ambiguous, Malformed, Unsupported
from services.verifier.frontend import elf
from services.verifier.frontend.maps import MapTable, Slot
from unibpf.formats.bpf import ARRAYS, BPF_F_INNER_MAP, MAPS_OF_MAPS, MapType
from unibpf.formats.bundle import BundleMap
from unibpf.push.loading import Loading, Tail

MapKey = tuple[int, int]  # section and offset of a map's variable


class Function(Struct, frozen=True):
    """One function of the object: `start` and `size` are bytes in its section."""

    name: str
    section: int
    start: int
    size: int


Functions = dict[tuple[int, int], Function]  # by section and start


class Initial(Struct, frozen=True):
    """What one map holds: functions or maps by index."""

    functions: tuple[tuple[int, Function], ...] = ()
    maps: tuple[tuple[int, MapKey], ...] = ()


def of_map(obj: elf.ObjectFile, maps: MapTable, key: MapKey, known: Functions, followers: frozenset[int]) -> Initial:
    """Return what the map of `key` holds; `followers` are the sections whose programs a program array may hold."""
    slots = maps.slots.get(key, ())
    entry = maps.defined.get(key)
    if not slots or entry is None:
        return Initial()
    if entry.type == MapType.PROG_ARRAY:
        return Initial(functions=tuple((slot.index, _function(obj, entry, slot, known, followers)) for slot in slots))
    if entry.type in MAPS_OF_MAPS and entry.key_size == 4:
        return Initial(maps=tuple((slot.index, _map(entry, slot, maps)) for slot in slots))
    raise Unsupported(
        "map-values", f"map `{entry.name}` has initial values and keys of {entry.key_size} bytes, expected 4"
    )


def _function(
    obj: elf.ObjectFile, entry: BundleMap, slot: Slot, known: Functions, followers: frozenset[int]
) -> Function:
    found = known.get((slot.section, slot.offset))
    if found is None:
        raise Malformed("map-definition", f"entry {slot.index} of map `{entry.name:.80}` is no function")
    if found.section not in followers:
        raise Unsupported(
            "map-values",
            f"entry {slot.index} of map `{entry.name}` is of another kind: got `{found.name:.80}` "
            f"of section `{obj.sections[found.section].name:.80}`",
            hint="the programs of a chain of tail calls have one kind",
        )
    return found


def _map(entry: BundleMap, slot: Slot, maps: MapTable) -> MapKey:
    key = slot.section, slot.offset
    held = maps.defined.get(key)
    if held is None:
        raise Malformed("map-definition", f"entry {slot.index} of map `{entry.name:.80}` is no map")
    if not _fits(held, entry):
        raise Unsupported(
            "map-values", f"map `{held.name:.80}` is not what the maps of map `{entry.name:.80}` are defined to be"
        )
    return key


def _fits(held: BundleMap, outer: BundleMap) -> bool:
    """As Linux compares: the same type, sizes and flags; an array of another length only where its flags allow that."""
    inner = outer.inner
    if inner is None:
        return False
    same = ("type", "key_size", "value_size", "flags")
    any_length = held.type not in ARRAYS or bool(held.flags & BPF_F_INNER_MAP)
    return all(getattr(held, name) == getattr(inner, name) for name in same) and (
        any_length or held.max_entries == inner.max_entries
    )


def filled(maps: MapTable, loading: Loading, known: Functions) -> MapTable:
    """Put the programs and maps where the pusher chose, as a loader would after it loaded the object."""
    slots = dict(maps.slots)
    for tail in loading.tails:
        key, entry = _program_array(maps, tail)
        if tail.index >= entry.max_entries:
            raise Ambiguous(
                "tail-choice", f"map `{tail.map}` has no entry {tail.index}, expected below {entry.max_entries}"
            )
        found = next((function for function in known.values() if function.name == tail.function), None)
        if found is None:
            raise Ambiguous("tail-choice", f"no function of the object is named `{tail.function}`")
        slots[key] = _put(slots.get(key, ()), Slot(tail.index, found.section, found.start))
    for inner in loading.inner_maps:
        if inner.index is not None:  # that both are there sizing.py has seen
            outer, held = (_named(maps, name) for name in (inner.map, inner.held))
            slots[outer] = _put(slots.get(outer, ()), Slot(inner.index, *held))
    return replace(maps, slots=slots)


def _put(slots: tuple[Slot, ...], added: Slot) -> tuple[Slot, ...]:
    others = [slot for slot in slots if slot.index != added.index]
    return tuple(sorted([*others, added], key=lambda slot: slot.index))


def _named(maps: MapTable, name: str) -> MapKey:
    return next(key for key, entry in maps.defined.items() if entry.name == name)


def _program_array(maps: MapTable, tail: Tail) -> tuple[MapKey, BundleMap]:
    arrays = {entry.name: (key, entry) for key, entry in maps.defined.items() if entry.type == MapType.PROG_ARRAY}
    if tail.map not in arrays:
        names = ", ".join(f"`{name}`" for name in arrays) or "none"
        raise Ambiguous("tail-choice", f"no program array is named `{tail.map}`: the object has {names}")
    return arrays[tail.map]
