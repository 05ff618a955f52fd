"""Whether a platform has a map: its type, its flags, and how much memory it takes.

The numbers are those of guest/bpf/bundle/abi.hpp (offers.py, and a test that compares). A map that fits nowhere is a fault
only of a program that names it. On Linux the kernel's memory is the limit, which is not ours to know.
"""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec.structs import replace

from services.verifier.errors import Unsupported
from services.verifier.frontend import offers
from unibpf.formats.bpf import ARRAYS, DEVICE_MAPS, MAPS_OF_MAPS, MapType
from unibpf.formats.bundle import BundleMap, InnerMap

Platform = Literal["guest", "linux-xdp"]

MAX_KEY_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 1 << 16
MAX_ENTRIES: Final = 1 << 20
MAX_MAP_BYTES: Final = 64 << 20
ENTRY_BYTES: Final = 32  # of each entry, besides key and value
_NUMA_NODE: Final = 1 << 2


def of_platform(entry: BundleMap, platform: Platform) -> BundleMap:
    """Return the map as the platform makes it: a guest has one node of memory."""
    return replace(entry, flags=entry.flags & ~_NUMA_NODE) if platform == "guest" else entry


def check(entry: BundleMap, platform: Platform) -> None:
    """Raise Unsupported, by the map's name, for what the platform does not have."""
    allowed = offers.MAP_FLAGS[platform].get(entry.type)
    if allowed is None:
        kind = offers.MAP_NAMES.get(entry.type, f"type {entry.type}")
        raise Unsupported(
            "map-type",
            f"map `{entry.name:.80}` is of a type that {_who(platform)} not have: got {kind}",
            hint=f"they have {', '.join(offers.MAP_NAMES[number] for number in sorted(offers.MAP_FLAGS[platform]))}",
        )
    if entry.flags & ~allowed:
        names = ", ".join(name for bit, name in enumerate(offers.FLAG_NAMES) if entry.flags & ~allowed & 1 << bit)
        raise Unsupported(
            "map-type",
            f"map `{entry.name:.80}` has flags that {_who(platform)} not have for its type: "
            f"got {names or hex(entry.flags & ~allowed)}",
            hint="leave them out of its `map_flags`",
        )
    _check_form(entry)
    if entry.inner is not None:
        fields = {name: getattr(entry.inner, name) for name in InnerMap.__struct_fields__}
        check(BundleMap(name=f"{entry.name}.inner", **fields), platform)
    if platform == "guest":
        _check_sizes(entry)


# What keys and values of a type are, where that is not any number of bytes: from, to (Linux' map_alloc_check of each type).
_WORD: Final = (4, 4)
_NOTHING: Final = (0, 0)
_PREFIX: Final = (5, 260)  # a number of bits, then 1 to 256 bytes
_DEVICE: Final = (4, 8)  # an interface, then perhaps a program
_ITEMS: Final = {MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER, MapType.RINGBUF}
_NUMBERED: Final = {*ARRAYS, *DEVICE_MAPS, MapType.PROG_ARRAY, MapType.PERF_EVENT_ARRAY, MapType.ARRAY_OF_MAPS}
_KEYS: Final = (
    dict.fromkeys(_ITEMS, _NOTHING)
    | dict.fromkeys((*_NUMBERED, MapType.CPUMAP, MapType.XSKMAP), _WORD)
    | {MapType.LPM_TRIE: _PREFIX}
)
_VALUES: Final = (
    dict.fromkeys((MapType.PROG_ARRAY, MapType.PERF_EVENT_ARRAY, MapType.XSKMAP, *MAPS_OF_MAPS), _WORD)
    | dict.fromkeys((*DEVICE_MAPS, MapType.CPUMAP), _DEVICE)
    | {MapType.RINGBUF: _NOTHING}
)
_ANY: Final = (1, 1 << 31)


def _check_form(entry: BundleMap) -> None:
    kind = MapType(entry.type)
    rows = (("keys", entry.key_size, _KEYS.get(kind, _ANY)), ("values", entry.value_size, _VALUES.get(kind, _ANY)))
    for what, size, (least, most) in rows:
        if not least <= size <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}" if most < _ANY[1] else f"{least} or more"
            raise Unsupported(
                "map-size",
                f"map `{entry.name:.80}` has {what} that are none of its type, {kind.name.lower()}: got {size} bytes, "
                f"expected {wanted}",
                hint=f"give it {what} of that size in its definition",
            )


def check_data(entry: BundleMap, platform: Platform) -> None:
    """The same for a section of global variables, which is one value."""
    if platform == "guest" and entry.value_size > MAX_VALUE_BYTES:
        raise Unsupported(
            "map-size",
            f"section `{entry.name:.80}` has more global variables than a guest holds in one: got {entry.value_size} bytes, "
            f"expected at most {MAX_VALUE_BYTES}",
            hint='keep large tables in maps, or in a section of their own, `SEC(".data.table")`',
        )


def _who(platform: Platform) -> str:
    return "guests do" if platform == "guest" else "XDP programs on Linux do"


def _check_sizes(entry: BundleMap) -> None:
    for what, size, most in (("keys", entry.key_size, MAX_KEY_BYTES), ("values", entry.value_size, MAX_VALUE_BYTES)):
        if size > most:
            raise Unsupported(
                "map-size",
                f"map `{entry.name:.80}` has {what} that are too large for a guest: got {size} bytes, "
                f"expected at most {most}",
                hint="spread it over several entries of an array",
            )
    each = _each(entry)
    most = MAX_MAP_BYTES // each
    most = min(most, MAX_ENTRIES) if entry.type != MapType.RINGBUF else most
    if entry.max_entries > most:
        raise Unsupported(
            "map-size",
            f"map `{entry.name:.80}` is too large for a guest: got {entry.max_entries} entries, "
            f"{entry.max_entries * each} bytes, expected at most {most} entries in {MAX_MAP_BYTES} bytes",
            hint=f"make it smaller when it is loaded: `--max-entries {entry.name:.80}={most}`",
        )


def check_memory(maps: Sequence[BundleMap], memory_mib: int) -> None:
    """Raise Unsupported where a guest's memory could not hold the maps, whatever else is in it; the largest is named."""
    needed = sum(map(_bytes, maps))
    if needed <= memory_mib << 20:
        return
    largest = max(maps, key=_bytes)
    room = max((memory_mib << 20) - needed + _bytes(largest), 0)
    entries = room // _each(largest)
    if largest.type == MapType.RINGBUF:
        entries = 1 << entries.bit_length() - 1 if entries else 0
    smaller = f"make it smaller when it is loaded, `--max-entries {largest.name:.80}={entries}`, or "
    raise Unsupported(
        "map-size",
        f"map `{largest.name:.80}` is too large for guests of {memory_mib} MiB: got {largest.max_entries} entries, "
        f"{_bytes(largest)} bytes, of {needed} bytes for all maps",
        hint=f"{smaller if entries else ''}give the guests more `memory_mib`",
    )


def _bytes(entry: BundleMap) -> int:
    return entry.max_entries * _each(entry)


def _each(entry: BundleMap) -> int:
    return 1 if entry.type == MapType.RINGBUF else entry.key_size + entry.value_size + ENTRY_BYTES
