"""Which maps of a new program cannot be kept, and what differs: the words for rule `map-policy`. Pure.

The guest says that there is one; its name and what differs come from the two bundles, or from the guest's own status where the
bytes of the old one are not at hand.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from unibpf.formats import layout
from unibpf.formats.bpf import BPF_F_RDONLY_PROG, MAPS_OF_MAPS, MapType
from unibpf.formats.bundle import Bundle, BundleMap
from unibpf.messages.status import MapStatus

RULE = "map-policy"
_NOT_KEPT = frozenset({MapType.PROG_ARRAY, *MAPS_OF_MAPS})  # they come with each program


class Shape(Struct, frozen=True, kw_only=True):
    """What is known of one map; None is not known."""

    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int | None = None
    key_layout: str | None = None
    value_layout: str | None = None


def of_bundle(bundle: Bundle) -> dict[str, Shape]:
    """The maps of a program that are kept over an update."""
    return {
        one.name: _shape(one) for one in bundle.maps if one.type not in _NOT_KEPT and not one.flags & BPF_F_RDONLY_PROG
    }


def of_status(rows: Iterable[MapStatus]) -> dict[str, Shape]:
    """The same from what the guest says."""
    return {
        one.name: Shape(type=one.type, key_size=one.key_size, value_size=one.value_size, max_entries=one.max_entries)
        for one in rows
    }


def sentences(old: Mapping[str, Shape], new: Mapping[str, Shape]) -> list[str]:
    """One for each map of both programs that differs: its name and what."""
    found = []
    for name, shape in new.items():
        differences = list(_differences(old[name], shape)) if name in old else []
        if differences:
            found.append(f"map `{name}`: {', '.join(differences)}")
    return found


def _differences(old: Shape, new: Shape) -> Iterator[str]:
    if old.type != new.type:
        yield f"type {_type(old.type)}, now {_type(new.type)}"
    for what, before, after in (
        ("key", (old.key_size, old.key_layout), (new.key_size, new.key_layout)),
        ("value", (old.value_size, old.value_layout), (new.value_size, new.value_layout)),
    ):
        if before[0] != after[0]:
            yield f"{what} of {before[0]} bytes{_text(before[1])}, now {after[0]}{_text(after[1])}"
        elif before[1] != after[1] and old.flags is not None:
            yield f"{what}{_text(before[1]) or ' of no known layout'}, now{_text(after[1]) or ' of no known layout'}"
    if old.max_entries != new.max_entries:
        yield f"at most {old.max_entries} entries, now {new.max_entries}"
    if None not in (old.flags, new.flags) and old.flags != new.flags:
        yield f"flags {old.flags}, now {new.flags}"


def _shape(one: BundleMap) -> Shape:
    keys, values = layout.split(one.layout)
    return Shape(
        type=one.type,
        key_size=one.key_size,
        value_size=one.value_size,
        max_entries=one.max_entries,
        flags=one.flags,
        key_layout=keys,
        value_layout=values,
    )


def _text(text: str | None) -> str:
    return f" `{text:.200}`" if text else ""


def _type(number: int) -> str:
    return MapType(number).name.lower() if number in set(MapType) else str(number)
