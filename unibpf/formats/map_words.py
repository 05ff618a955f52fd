"""Keys and values of maps as people write them, and as they are shown. Pure.

    53, 0x35          a number, little endian, as long as the key or value
    10.0.0.1, fd00::1 an IPv4 or IPv6 address, in network order
    02:00:00:00:01:01 bytes, as in a MAC address
    hex:0a000001      bytes
    10.0.0.0/8        a prefix: the key of a longest-prefix-match map
    {"packets": 1}    a key or a value by its named fields (unibpf.formats.layout), where the bundle knows its layout

In JSON files text may also be plain hex, as dumps have it. On the command line it may not: `10000000` would be both a number
and four bytes. Whatever does not fit is refused, nothing is cut or filled up.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from unibpf.formats import layout, prefixes
from unibpf.formats.bpf import ARRAYS, MapType
from unibpf.formats.layout import Array, Layout, LayoutError, Scalar

INTEGER_BYTES: Final = frozenset({1, 2, 4, 8, 16})
NUMBER_BYTES: Final = frozenset({1, 2, 4, 8})  # a key that has no layout of its own is one plain number
BYTE: Final = Scalar("u", 1)
MAC_BYTES: Final = 6
_NUMBER: Final = re.compile(r"-?[0-9]+|0x[0-9a-fA-F]+")
_FRACTION: Final = re.compile(r"-?[0-9]+\.[0-9]+")
_COLONS: Final = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2})+")


class WordError(ValueError):
    """A key or a value that cannot be used; the message names it and what was expected."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def read_word(text: str) -> Any:
    """A word of the command line: a number, JSON, or text."""
    if _NUMBER.fullmatch(text) and not re.fullmatch(r"-?0[0-9]+", text):
        return int(text, 0)
    if text[:1] in {"{", "["} or text in {"true", "false"} or _FRACTION.fullmatch(text):
        try:
            return json.loads(text)
        except ValueError as error:
            raise WordError(f"`{text:.60}` is not JSON: {error}") from error
    if re.fullmatch(r"([0-9a-fA-F]{2})+", text):
        raise WordError(f"`{text:.60}` may be bytes", f"write `hex:{text:.60}`")
    return text


def key_bytes(value: Any, size: int, *, shape: Layout | None = None, map_type: int = 0) -> bytes:
    """The bytes of a key: a prefix, by its layout where it is known, or as it stands there."""
    try:
        room = prefixes.room(size, shape) if map_type == MapType.LPM_TRIE else None
        found = prefixes.read(value, room) if room is not None and isinstance(value, str) else None
        if found is not None:
            return found
        if shape is None or (isinstance(value, str) and not _is_by_layout(value, shape)):
            return _plain_bytes(value, size, "key")
        data = layout.encode(shape, value)
        layout.expect_all(shape, value)
        return data
    except LayoutError as error:
        raise WordError(str(error).replace("`value", "`key", 1)) from error
    except prefixes.PrefixError as error:
        raise WordError(f"key {error}") from error


def _is_by_layout(text: str, shape: Layout) -> bool:
    """Whether text is an address for a key that is one; bytes are written as bytes everywhere."""
    is_bytes = text.startswith("hex:") or (re.fullmatch(r"[0-9a-fA-F]*", text) and len(text) == 2 * shape.size)
    return isinstance(shape, Scalar) and not is_bytes


def value_bytes(value: Any, size: int, shape: Layout | None) -> bytes:
    """The bytes of a value: by its layout where it is known and the value is no text."""
    if isinstance(value, str) or shape is None:
        return _plain_bytes(value, size, "value")
    try:
        return layout.encode(shape, value)
    except LayoutError as error:
        raise WordError(str(error)) from error


def read_changes(document: Any) -> list[tuple[Any, Any]]:
    """The entries of a JSON file, as [key, value]: a list of them, or what `map dump --json` prints; value null deletes."""
    rows = document.get("entries") if isinstance(document, Mapping) else document
    if not isinstance(rows, list):
        raise WordError(f"got {type(document).__name__}, expected a list of entries, or an object with `entries`")
    return [_entry(number, row) for number, row in enumerate(rows)]


def key_fields(key: str, map_type: int, shape: Layout | None) -> Any:
    """A key (hex) as `key_bytes` would take it: a number, a prefix, an address, an object by fields; None: bytes alone."""
    data = bytes.fromhex(key)
    room = prefixes.room(len(data), shape) if map_type == MapType.LPM_TRIE else None
    found = prefixes.shown(data, room) if room is not None else None
    if found is not None:
        return found
    if isinstance(shape, Array) and shape.element == BYTE:
        return data.hex(":") if len(data) == MAC_BYTES else f"hex:{key}"
    if shape is not None and shape.size == len(data):
        return layout.decode(shape, data)
    is_number = map_type in ARRAYS or (shape is None and len(data) in NUMBER_BYTES and map_type != MapType.LPM_TRIE)
    return int.from_bytes(data, "little") if is_number else None


def shown_key(key: str, map_type: int, shape: Layout | None = None) -> str:
    """A key (hex) for people, in the form in which a command takes it."""
    found = key_fields(key, map_type, shape)
    may_be_address = shape is None and len(key) == 8 and map_type not in ARRAYS  # a plain __u32 often is one
    if found is None or may_be_address:
        return f"hex:{key}"
    return json.dumps(found) if isinstance(found, dict | list) else str(found)


def shown_value(value: str, shape: Layout | None) -> str:
    """A value (hex) for people: by its layout where it is known."""
    return f"hex:{value}" if shape is None else json.dumps(layout.decode(shape, bytes.fromhex(value)))


def _entry(number: int, row: Any) -> tuple[Any, Any]:
    match row:
        case {"key": key, "value": value}:
            return key, value
        case [key, value]:
            return key, value
    raise WordError(f'entry {number}: got `{row!r:.60}`, expected `{{"key": ..., "value": ...}}`')


def _plain_bytes(value: Any, size: int, what: str) -> bytes:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise WordError(f"{what} `{json.dumps(value):.60}` has no layout here", f"write its {size} bytes as `hex:...`")
    data = _integer(value, size, what) if isinstance(value, int) else _text(value, what)
    if len(data) != size:
        raise WordError(f"{what} `{value:.60}`: got {len(data)} bytes, expected {size}")
    return data


def _integer(value: int, size: int, what: str) -> bytes:
    if size not in INTEGER_BYTES:
        raise WordError(f"{what} `{value}` is a number, expected {size} bytes", "write them as `hex:...`")
    try:
        return value.to_bytes(size, "little", signed=value < 0)
    except OverflowError:
        raise WordError(f"{what} `{value}` does not fit into {size} bytes") from None


def _text(text: str, what: str) -> bytes:
    if _COLONS.fullmatch(text):
        return bytes.fromhex(text.replace(":", ""))
    try:
        return bytes.fromhex(text.removeprefix("hex:"))
    except ValueError:
        pass
    try:
        return ipaddress.ip_address(text).packed
    except ValueError:
        expected = "a number, an address, bytes as `hex:...` or JSON"
        raise WordError(f"{what} `{text:.60}` cannot be read, expected {expected}") from None
