"""One BTF-defined map: a struct type whose members carry numbers in their types.

`int (*type)[2]` says type 2, `__u32 *key` that keys have the type `__u32` (libbpf's __uint and __type); `struct inner
*values[]` what the maps of a map of maps are, `int (*values[])(void *)` that a program array holds programs (__array). What
libbpf completes before it creates a map is completed here too.
"""

from collections.abc import Callable
from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from services.verifier.errors import Malformed, Unsupported
from services.verifier.frontend.debug.btf import Btf, Kind, Type
from services.verifier.frontend.debug.layout import KeyLayout, Layout, joined
from unibpf.formats.bpf import MAPS_OF_MAPS, MapType
from unibpf.formats.bundle import BundleMap, InnerMap

_PAGE: Final = 4096
_LOCK: Final = "bpf_spin_lock"
_MOST_MEMBERS: Final = 4096  # of a value that are searched for its lock


class Defined(Struct, frozen=True):
    """A definition; `values_at` is the byte of the variable where initial programs or maps begin.

    `missing`: why the map cannot be made unless a loader says more (sizing.py).
    """

    map: BundleMap
    values_at: int | None = None
    missing: Unsupported | None = None


def define(btf: Btf, name: str, number: int) -> Defined:
    """Read the definition of variable `name`, of BTF type `number`."""
    return _Definition(btf, name).read(number)


def completed(entry: BundleMap) -> BundleMap:
    """Return the map as libbpf creates it: a perf array has an entry a CPU, a ring whole pages, a power of two of them."""
    if entry.type == MapType.PERF_EVENT_ARRAY and entry.max_entries == 0:
        return replace(entry, max_entries=1)
    if entry.type == MapType.RINGBUF and entry.max_entries > 0:
        return replace(entry, max_entries=max(_PAGE, 1 << (entry.max_entries - 1).bit_length()))
    return entry


def described(like: BundleMap) -> InnerMap:
    """Return what a map of maps says of its maps: that they are like this one."""
    return InnerMap(
        type=like.type,
        key_size=like.key_size,
        value_size=like.value_size,
        max_entries=like.max_entries,
        flags=like.flags,
    )


class _Definition:
    """Reads one definition member by member into a BundleMap; `_MEMBERS` is the whole vocabulary."""

    def __init__(self, btf: Btf, name: str, *, inner: bool = False) -> None:
        self.btf = btf
        self.map = BundleMap(name=name, type=0, key_size=0, value_size=0, max_entries=0)
        self.inside = inner
        self.values_at: int | None = None
        self.missing: Unsupported | None = None
        self.held: Type | None = None  # what `values` points to
        self.key_layout: str | None = None

    def read(self, number: int) -> Defined:
        found = self.btf.resolve(number)
        if found.kind is not Kind.STRUCT:
            raise self.bad(f"is no struct: got {found.kind.name}")
        return self.read_struct(found)

    def read_struct(self, found: Type) -> Defined:
        for member in islice(self.btf.members(found), len(_MEMBERS)):
            reader = _MEMBERS.get(member.name)
            if reader is None:
                raise Unsupported(
                    "map-definition", f"map `{self.map.name:.80}` has the unknown member `{member.name:.80}`"
                )
            if reader is _Definition.values:
                self.values_at = member.offset // 8
            reader(self, member.type)
        if self.map.type == 0:
            raise self.bad("says no `type`")
        self.finish()
        return Defined(self.map, self.values_at, self.missing)

    def finish(self) -> None:
        """What depends on several members."""
        self.map = replace(completed(self.map), layout=joined(self.key_layout, self.map.layout))
        kind = self.map.type
        if kind in (MapType.PROG_ARRAY, *MAPS_OF_MAPS) and self.held is not None:
            self.set(value_size=4)
        self.check_held(kind)

    def check_held(self, kind: int) -> None:
        held = None if self.held is None else self.held.kind
        if kind in MAPS_OF_MAPS:
            if held is Kind.STRUCT:
                self.set_inner()
            else:
                self.missing = Unsupported(
                    "map-values",
                    f"map `{self.map.name:.80}` is a map of maps and does not say what its maps are",
                    hint=f"name a map that is like them, `--inner {self.map.name:.80}=MAP`, "
                    "or say it with `__array(values, struct inner)`",
                )
        elif held is not None and (kind != MapType.PROG_ARRAY or held is not Kind.FUNC_PROTO):
            raise self.bad("has `values`, but holds neither programs nor maps")

    def set_inner(self) -> None:
        if self.inside:
            raise Unsupported("map-values", f"map `{self.map.name:.80}` is a map of maps of maps")
        if self.held is None:
            raise AssertionError("check_held found a struct")
        inner = _Definition(self.btf, self.map.name, inner=True).read_struct(self.held)
        if inner.missing is not None:
            raise inner.missing
        self.map = replace(self.map, inner=described(inner.map))

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
        target = self.pointee(number)
        self.set(key_size=self.btf.size_of(target))
        self.key_layout = KeyLayout(self.btf).text(target)

    def value_type(self, number: int) -> None:
        target = self.pointee(number)
        self.set(value_size=self.btf.size_of(target), layout=Layout(self.btf).text(target), lock=self.lock_of(target))

    def lock_of(self, number: int) -> int | None:
        """Return where the value has its `struct bpf_spin_lock`: a member, and no member's member (as in Linux)."""
        found = self.btf.resolve(number)
        if found.kind is not Kind.STRUCT:
            return None
        for member in islice(self.btf.members(found), _MOST_MEMBERS):
            kind = self.btf.resolve(member.type)
            if kind.kind is Kind.STRUCT and self.btf.string(kind.name) == _LOCK:
                return member.offset // 8
        return None

    def values(self, number: int) -> None:
        array = self.btf.resolve(number)
        pointer = self.btf.resolve(self.btf.array(array)[0]) if array.kind is Kind.ARRAY else array
        if array.kind is not Kind.ARRAY or pointer.kind is not Kind.PTR:
            raise self.bad("has `values` that are not written as `__array(values, type)`")
        self.held = self.btf.resolve(pointer.argument)

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
