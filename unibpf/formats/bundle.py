"""The bundle: the canonical form of one program (schemas/bundle.cddl), between frozen Structs and bytes.

Invariants:
- `decode` accepts exactly what `encode` makes: `encode(decode(b)) == b` for every `b` that it accepts. The CBOR layer
  refuses what is not deterministic (RFC 8949 4.2.1); this layer unknown keys, wrong types and values out of range.
- A `Bundle` that came out of `decode` obeys every rule that bundle.cddl states, in its types or its comments; `encode`
  checks the same rules, so that nobody can write what nobody would read.
- Nothing here looks inside an instruction: that is the decoder's work, in the analyser and in the guest.

Errors: `BundleError`, whose `rule` is size, shape, abi or limits.
"""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Final, TypeVar, get_args

from msgspec import Struct

from unibpf.formats import cbor
from unibpf.formats.bpf import (
    ABI_VERSION,
    INSN_BYTES,
    MAPS_OF_MAPS,
    MAX_BUNDLE_BYTES,
    MAX_CODE_BYTES,
    MAX_MAPS,
    MAX_OUTPUTS,
    MAX_STACK,
    MapType,
)
from unibpf.messages.base import Kind

FORMAT_VERSION: Final = 1
U32_MAX: Final = 0xFFFF_FFFF

LOCK_BYTES: Final = 4  # sizeof(struct bpf_spin_lock)

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)  # the index is the number on the wire

T = TypeVar("T")

_PROGRAM_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_MAP_NAME: Final = re.compile(r"[A-Za-z0-9_.]{1,63}")


class BundleError(ValueError):
    """These bytes, or these Structs, are no bundle; `rule` names what was broken."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class InnerMap(Struct, frozen=True, kw_only=True):
    """What each map of a map of maps is."""

    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0


class BundleMap(Struct, frozen=True, kw_only=True):
    """One map. `type` and `flags` are Linux' numbers, sizes are bytes; `data` is global data's initial value.

    `entries` are (index, target) pairs: a program array's target is the instruction where a function begins, that of a map of
    maps an index into the bundle's maps. `lock` is the offset of a `struct bpf_spin_lock` in the value.
    """

    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    layout: str | None = None
    data: bytes | None = None
    entries: tuple[tuple[int, int], ...] = ()
    inner: InnerMap | None = None
    lock: int | None = None


class Line(Struct, frozen=True, gc=False):
    """From instruction `insn` on, until the next row, code came from `files[file]`, `line`, `column` (0: unknown)."""

    insn: int
    file: int
    line: int
    column: int


class LineInfo(Struct, frozen=True, kw_only=True):
    """Where instructions came from; files are named as the compiler named them."""

    files: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()


class Bundle(Struct, frozen=True, kw_only=True):
    """One program with its maps. `code` is RFC 9669, little endian; `stack` is bytes of the deepest call chain."""

    name: str
    kind: Kind
    code: bytes
    maps: tuple[BundleMap, ...] = ()
    helpers: tuple[int, ...] = ()
    outputs: int = 1
    stack: int = 0
    line_info: LineInfo = LineInfo()
    abi: int = ABI_VERSION


def encode(bundle: Bundle) -> bytes:
    """Return the bundle's only encoding; raises BundleError when it breaks a rule of bundle.cddl."""
    _check(bundle)
    data = cbor.encode(
        {
            0: FORMAT_VERSION,
            1: bundle.name,
            2: KINDS.index(bundle.kind),
            3: bundle.code,
            4: [_map_item(entry) for entry in bundle.maps],
            5: list(bundle.helpers),
            6: bundle.outputs,
            7: bundle.stack,
            8: [
                list(bundle.line_info.files),
                [[row.insn, row.file, row.line, row.column] for row in bundle.line_info.lines],
            ],
            9: bundle.abi,
        }
    )
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleError("size", f"bundle is too large: got {len(data)} bytes, expected at most {MAX_BUNDLE_BYTES}")
    return data


def decode(data: bytes) -> Bundle:
    """Read foreign bytes; raises BundleError on anything that `encode` would not have written."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleError("size", f"bundle is too large: got {len(data)} bytes, expected at most {MAX_BUNDLE_BYTES}")
    try:
        item = cbor.decode(data, max_bytes=MAX_BUNDLE_BYTES)
    except cbor.CborError as error:
        raise BundleError("shape", f"bundle is not deterministic CBOR: {error}") from error
    bundle = _bundle(_keyed(item, "bundle", required=range(10)))
    _check(bundle)
    return bundle


# --- from CBOR items to Structs: types only, ranges are `_check`'s --------------------------------------------------


def _bundle(item: Mapping[int, Any]) -> Bundle:
    if _uint(item[0], "format version") != FORMAT_VERSION:
        raise BundleError("shape", f"bundle has an unknown format version: got {item[0]}, expected {FORMAT_VERSION}")
    kind = _uint(item[2], "kind")
    if kind >= len(KINDS):
        raise BundleError("shape", f"bundle has an unknown kind: got {kind}, expected 0 to {len(KINDS) - 1}")
    return Bundle(
        name=_typed(item[1], str, "program name"),
        kind=KINDS[kind],
        code=_typed(item[3], bytes, "instructions"),
        maps=_each(item[4], _map, "maps"),
        helpers=_each(item[5], lambda value: _uint(value, "helper"), "helpers"),
        outputs=_uint(item[6], "outputs"),
        stack=_uint(item[7], "stack need"),
        line_info=_line_info(item[8]),
        abi=_uint(item[9], "ABI version"),
    )


def _map(item: Any) -> BundleMap:
    fields = _keyed(item, "map", required=range(6), optional=range(6, 11))
    return BundleMap(
        name=_typed(fields[0], str, "map name"),
        type=_uint(fields[1], "map type"),
        key_size=_uint(fields[2], "key size"),
        value_size=_uint(fields[3], "value size"),
        max_entries=_uint(fields[4], "max entries"),
        flags=_uint(fields[5], "map flags"),
        layout=_typed(fields[6], str, "map layout") if 6 in fields else None,
        data=_typed(fields[7], bytes, "map data") if 7 in fields else None,
        entries=_entries(fields[8]) if 8 in fields else (),
        inner=_inner(fields[9]) if 9 in fields else None,
        lock=_uint(fields[10], "lock offset") if 10 in fields else None,
    )


def _entries(item: Any) -> tuple[tuple[int, int], ...]:
    if not _array(item, "initial entries"):
        raise BundleError("shape", "an empty list of initial entries must be left out")
    return _each(item, _entry, "initial entries")


def _entry(item: Any) -> tuple[int, int]:
    index, target = _array(item, "initial entry", length=2)
    return _uint(index, "initial entry"), _uint(target, "initial entry")


def _inner(item: Any) -> InnerMap:
    kind, key_size, value_size, max_entries, flags = (
        _uint(value, "inner map") for value in _array(item, "inner map", length=5)
    )
    return InnerMap(type=kind, key_size=key_size, value_size=value_size, max_entries=max_entries, flags=flags)


def _map_item(entry: BundleMap) -> dict[int, Any]:
    item: dict[int, Any] = {
        0: entry.name,
        1: entry.type,
        2: entry.key_size,
        3: entry.value_size,
        4: entry.max_entries,
        5: entry.flags,
    }
    if entry.layout is not None:
        item[6] = entry.layout
    if entry.data is not None:
        item[7] = entry.data
    if entry.entries:
        item[8] = [list(pair) for pair in entry.entries]
    if entry.inner is not None:
        inner = entry.inner
        item[9] = [inner.type, inner.key_size, inner.value_size, inner.max_entries, inner.flags]
    if entry.lock is not None:
        item[10] = entry.lock
    return item


def _line_info(item: Any) -> LineInfo:
    files, lines = _array(item, "line info", length=2)
    return LineInfo(
        files=_each(files, lambda value: _typed(value, str, "file name"), "files"),
        lines=_each(lines, _line, "lines"),
    )


def _line(item: Any) -> Line:
    return Line(*(_uint(value, "line row") for value in _array(item, "line row", length=4)))


def _typed(value: Any, expected: type[T], what: str) -> T:
    if type(value) is not expected:
        raise BundleError(
            "shape", f"{what} has the wrong type: got `{type(value).__name__}`, expected `{expected.__name__}`"
        )
    return value


def _uint(value: Any, what: str) -> int:
    if type(value) is not int or value < 0:
        raise BundleError("shape", f"{what} has the wrong type: got `{value!r:.40}`, expected an unsigned integer")
    return value


def _array(value: Any, what: str, *, length: int | None = None) -> list[Any]:
    items = _typed(value, list, what)
    if length is not None and len(items) != length:
        raise BundleError("shape", f"{what} has the wrong length: got {len(items)} items, expected {length}")
    return items


def _each(value: Any, read: Callable[[Any], T], what: str) -> tuple[T, ...]:
    return tuple(read(item) for item in _array(value, what))


def _keyed(value: Any, what: str, *, required: range, optional: range = range(0)) -> dict[int, Any]:
    fields = _typed(value, dict, what)
    missing = [key for key in required if key not in fields]
    unknown = [key for key in fields if type(key) is not int or not (key in required or key in optional)]
    if missing or unknown:
        raise BundleError("shape", f"{what} has the wrong keys: missing {missing}, unknown {unknown!r:.60}")
    return fields


# --- the rules of bundle.cddl that types cannot say -----------------------------------------------------------------


def _check(bundle: Bundle) -> None:
    if not _PROGRAM_NAME.fullmatch(bundle.name):
        raise BundleError(
            "shape", f"program name is not valid: got `{bundle.name:.60}`, expected `{_PROGRAM_NAME.pattern}`"
        )
    if bundle.abi != ABI_VERSION:
        raise BundleError(
            "abi", f"bundle is for another program interface: got version {bundle.abi}, expected {ABI_VERSION}"
        )
    if len(bundle.code) % INSN_BYTES:
        raise BundleError(
            "shape", f"instructions are cut: got {len(bundle.code)} bytes, expected a multiple of {INSN_BYTES}"
        )
    _within("instructions", len(bundle.code), INSN_BYTES, MAX_CODE_BYTES, "bytes")
    _within("maps", len(bundle.maps), 0, MAX_MAPS, "maps")
    _within("outputs", bundle.outputs, 1, MAX_OUTPUTS, "outputs")
    _within("stack need", bundle.stack, 0, MAX_STACK, "bytes")
    for helper in bundle.helpers:
        _within("helper", helper, 0, U32_MAX, "as its number")
    if not _rising(bundle.helpers):
        raise BundleError("shape", f"helpers are not ascending without duplicates: got {list(bundle.helpers)!r:.80}")
    _check_maps(bundle)
    _check_lines(bundle.line_info, len(bundle.code) // INSN_BYTES)


def _check_maps(bundle: Bundle) -> None:
    maps = bundle.maps
    if len({entry.name for entry in maps}) != len(maps):
        raise BundleError("shape", f"map names are not unique: got {[entry.name for entry in maps]!r:.200}")
    for entry in maps:
        if not _MAP_NAME.fullmatch(entry.name):
            raise BundleError("shape", f"map name is not valid: got `{entry.name:.80}`, expected `{_MAP_NAME.pattern}`")
        for what in ("type", "key_size", "value_size", "max_entries", "flags"):
            _within(f"{what} of map `{entry.name}`", getattr(entry, what), 0, U32_MAX, "as a 32-bit number")
        if entry.data is not None and len(entry.data) != entry.value_size:
            raise BundleError(
                "shape",
                f"initial data of map `{entry.name}` does not fill its value: "
                f"got {len(entry.data)} bytes, expected {entry.value_size}",
            )
        _check_inner(entry)
        _check_lock(entry)
        _check_entries(entry, len(bundle.code) // INSN_BYTES if entry.type == MapType.PROG_ARRAY else len(maps))


def _check_inner(entry: BundleMap) -> None:
    if (entry.inner is not None) != (entry.type in MAPS_OF_MAPS):
        raise BundleError(
            "shape", f"map `{entry.name}` is of type {entry.type}: maps of maps, and no others, have `inner`"
        )
    if entry.inner is not None:
        for what in ("type", "key_size", "value_size", "max_entries", "flags"):
            _within(f"inner {what} of map `{entry.name}`", getattr(entry.inner, what), 0, U32_MAX, "as a 32-bit number")


def _check_lock(entry: BundleMap) -> None:
    if entry.lock is not None and (entry.lock % 4 or entry.lock + LOCK_BYTES > entry.value_size):
        raise BundleError(
            "shape", f"lock of map `{entry.name}` is not 4 aligned bytes of its value: got offset {entry.lock}"
        )


def _check_entries(entry: BundleMap, targets: int) -> None:
    """`targets`: how many instructions, or maps, an entry can name; that a function begins there is the decoder's matter."""
    if entry.entries and entry.type not in (MapType.PROG_ARRAY, *MAPS_OF_MAPS):
        raise BundleError("shape", f"map `{entry.name}` has initial entries, but holds neither programs nor maps")
    if not _rising([index for index, _ in entry.entries]):
        raise BundleError("shape", f"initial entries of map `{entry.name}` are not ascending")
    for index, target in entry.entries:
        if index >= entry.max_entries or target >= targets:
            raise BundleError(
                "shape",
                f"an initial entry of map `{entry.name}` points outside: got index {index} and target {target}, "
                f"expected below {entry.max_entries} and {targets}",
            )


def _check_lines(info: LineInfo, instructions: int) -> None:
    if not _rising([row.insn for row in info.lines]):
        raise BundleError("shape", "line info is not ascending by instruction")
    for row in info.lines:
        if row.file >= len(info.files) or row.insn >= instructions:
            raise BundleError(
                "shape",
                f"line info points outside: got file {row.file} and instruction {row.insn}, "
                f"expected below {len(info.files)} and {instructions}",
            )


def _within(what: str, value: int, low: int, high: int, unit: str) -> None:
    if not low <= value <= high:
        raise BundleError("limits", f"{what} out of range: got {value}, expected {low} to {high} {unit}")


def _rising(values: tuple[int, ...] | list[int]) -> bool:
    return all(left < right for left, right in pairwise(values))
