"""Whether a platform has a map: its type, its flags, and how much memory it takes.

The numbers are those of guest/bpf/bundle/abi.hpp (offers.py, and a test that compares). A map that fits nowhere is a fault
only of a program that names it. On Linux the kernel's memory is the limit, which is not ours to know.
"""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec.structs import replace

from services.verifier.errors import Unsupported
from services.verifier.frontend import offers
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap

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
    if platform == "guest":
        _check_sizes(entry)


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
