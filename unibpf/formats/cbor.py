"""Deterministic CBOR: RFC 8949 4.2.1 core deterministic encoding, restricted to what schemas/*.cddl use.

Items are integers, byte strings, text, arrays, maps (keys: integers or text) and tags. No floats, no simple values, no
indefinite lengths. Keys are ordered by their encoded bytes (4.2.1), not by length first (the older 3.9 rule of RFC 7049).

Invariant: `encode(decode(data)) == data` for every `data` that `decode` accepts, so a digest over the bytes is a digest
over the value. `decode` never looks past `max_bytes`, never nests deeper than `max_depth`, and every refusal is a
`CborError` that names its rule: size, truncated, minimal, indefinite, major, text, key, duplicate-key, order, depth,
trailing, range, type.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

MAX_DEPTH: Final = 8
_U64: Final = (1 << 64) - 1
_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_SIZES: Final = {24: 1, 25: 2, 26: 4, 27: 8}
# By the bytes that a number has: additional information and bytes of the shortest form that holds them (RFC 8949 4.2.1).
_SIZE_OF: Final = tuple(next((info, size) for info, size in _SIZES.items() if size >= least) for least in range(9))


class CborError(ValueError):
    """The bytes or the value break one rule of the encoding; `rule` is its stable id."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class Tag(NamedTuple):
    """A tagged item (RFC 8949 3.4)."""

    number: int
    value: "Item"


Item = int | bytes | str | list["Item"] | dict[int | str, "Item"] | Tag


def encode(item: object) -> bytes:
    """Encode one item; tuples count as arrays. Booleans, None and floats are refused: the schemas have none."""
    out = bytearray()
    _write(out, item)
    return bytes(out)


def decode(data: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> Item:
    """Decode exactly one item from `data`; see the module text for what is refused."""
    if len(data) > max_bytes:
        raise CborError("size", f"the item is too large: got {len(data)} bytes, expected at most {max_bytes}")
    reader = _Reader(data)
    item = reader.item(max_depth)
    if reader.offset != len(data):
        raise CborError("trailing", f"{len(data) - reader.offset} bytes follow the item at offset {reader.offset}")
    return item


def _write_head(out: bytearray, major: int, value: int) -> None:
    if value < 24:
        out.append(major << 5 | value)
        return
    info, size = _SIZE_OF[(value.bit_length() + 7) // 8]
    out.append(major << 5 | info)
    out += value.to_bytes(size, "big")


def _short(value: int) -> bytes:
    out = bytearray()
    _write_head(out, _UINT, value)
    return bytes(out)


_SHORT_COUNT: Final = 4096
_SHORT: Final = tuple(_short(value) for value in range(_SHORT_COUNT))


_TWO_BYTES: Final = struct.Struct(">BH")
_FOUR_BYTES: Final = struct.Struct(">BI")
_U32: Final = (1 << 32) - 1
_ONLY_NUMBERS: Final = frozenset({int})


def _is_short_row(row: list[object]) -> bool:
    if not 0 < len(row) < 24 or not _ONLY_NUMBERS.issuperset(map(type, row)):
        return False
    numbers = cast("list[int]", row)
    return min(numbers) >= 0 and max(numbers) <= _U32


def _number(value: int) -> bytes:
    """Of one that has no place among the short ones, and no more than 32 bits."""
    return _TWO_BYTES.pack(_UINT << 5 | 25, value) if value < 1 << 16 else _FOUR_BYTES.pack(_UINT << 5 | 26, value)


def _write(out: bytearray, item: object) -> None:
    match item:
        case bool():
            raise CborError("type", "a `bool` has no place in this encoding")
        case int():
            _write_integer(out, item)
        case bytes():
            _write_head(out, _BYTES, len(item))
            out += item
        case str():
            text = item.encode()
            _write_head(out, _TEXT, len(text))
            out += text
        case Tag(number=number, value=value):
            _write_head(out, _TAG, number)
            _write(out, value)
        case list() | tuple():
            _write_head(out, _ARRAY, len(item))
            _write_elements(out, item)
        case dict():
            _write_map(out, item)
        case _:
            raise CborError("type", f"a `{type(item).__name__}` has no place in this encoding")


def _write_elements(out: bytearray, elements: Sequence[object]) -> None:
    """Line information is thousands of short rows of numbers: one lookup for most of these."""
    for element in elements:
        if type(element) is int and 0 <= element < _SHORT_COUNT:
            out += _SHORT[element]
        elif type(element) is list and _is_short_row(element):
            out.append(_ARRAY << 5 | len(element))
            out += b"".join([_SHORT[one] if one < _SHORT_COUNT else _number(one) for one in element])
        else:
            _write(out, element)


def _write_integer(out: bytearray, value: int) -> None:
    if not -_U64 - 1 <= value <= _U64:
        raise CborError("range", f"the integer does not fit in 64 bits: got {value}")
    _write_head(out, _UINT if value >= 0 else _NINT, value if value >= 0 else -1 - value)


def _write_map(out: bytearray, pairs: dict[object, object]) -> None:
    rows = sorted((_encode_key(key), value) for key, value in pairs.items())
    _write_head(out, _MAP, len(rows))
    for key, value in rows:
        out += key
        _write(out, value)


def _encode_key(key: object) -> bytes:
    if isinstance(key, bool) or not isinstance(key, int | str):
        raise CborError("key", f"a map key is an integer or text, got `{type(key).__name__}`")
    return encode(key)


class _Reader:
    """A cursor over the bytes; recursion is bounded by the depth that each call may still use."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, size: int) -> bytes:
        end = self.offset + size
        if end > len(self.data):
            raise CborError("truncated", f"the item ends early: got {len(self.data)} bytes, expected at least {end}")
        chunk = self.data[self.offset : end]
        self.offset = end
        return chunk

    def head(self) -> tuple[int, int]:
        at = self.offset
        initial = self.take(1)[0]
        major, info = initial >> 5, initial & 31
        if major > _TAG:
            raise CborError(
                "major", f"floats and simple values are not allowed: got byte 0x{initial:02x} at offset {at}"
            )
        if info < 24:
            return major, info
        if info not in _SIZES:
            rule, what = ("indefinite", "indefinite lengths") if info == 31 else ("major", "reserved lengths")
            raise CborError(rule, f"{what} are not allowed: got byte 0x{initial:02x} at offset {at}")
        size = _SIZES[info]
        value = int.from_bytes(self.take(size), "big")
        if value < (24 if size == 1 else 1 << (4 * size)):
            raise CborError("minimal", f"the head at offset {at} is not minimal: got {size} bytes for {value}")
        return major, value

    def item(self, depth: int) -> Item:
        major, value = self.head()
        if major <= _NINT:
            return value if major == _UINT else -1 - value
        if major <= _TEXT:
            return self.take(value) if major == _BYTES else self.text(value)
        if depth == 0:
            raise CborError("depth", f"items nest too deep at offset {self.offset}")
        if major == _ARRAY:
            return [self.item(depth - 1) for _ in range(self.count(value))]
        if major == _MAP:
            return self.map(self.count(value), depth - 1)
        return Tag(value, self.item(depth - 1))

    def count(self, value: int) -> int:
        """Every element takes a byte at least: a count beyond the bytes left is refused before anything is built."""
        if value > len(self.data) - self.offset:
            raise CborError("truncated", f"the container at offset {self.offset} claims {value} items")
        return value

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            raise CborError("text", f"the text before offset {self.offset} is not UTF-8") from error

    def map(self, count: int, depth: int) -> dict[int | str, Item]:
        pairs: dict[int | str, Item] = {}
        previous = b""
        for _ in range(count):
            start = self.offset
            key = self.item(depth)
            if not isinstance(key, int | str):
                raise CborError("key", f"a map key is an integer or text, got `{type(key).__name__}` at offset {start}")
            encoded = self.data[start : self.offset]
            if encoded <= previous:
                rule = "duplicate-key" if encoded == previous else "order"
                raise CborError(rule, f"map keys must rise: got `{key}` at offset {start} after a key not below it")
            previous = encoded
            pairs[key] = self.item(depth)
        return pairs
