"""Values by the canonical text of their layout (frontend/debug/layout.py makes it): bytes to named fields and back. Pure.

    struct{u64 packets;u32[4] hits;}      {"packets": 7, "hits": [1, 0, 0, 0]}

Everything is little endian. Members of an anonymous struct or union stand among their neighbours, as in C; an array of u8 is
hex. A union is shown by all its members. When encoding, fields that are left out are zero, and every field that was given must
read back as given: so two members of a union go together only if they agree.
"""

import ipaddress
import math
import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

MAX_NESTING: Final = 32
ARROW: Final = "=>"  # between the layouts of a map's keys and of its values
_TOKEN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[{}\[\];:@# ]")
_SCALAR: Final = re.compile(r"[usbf](8|16|32|64|128)|n(16|32|64|128)")
_ADDRESSES: Final = frozenset({4, 16})  # sizes
_PAIRS: Final = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2})+")
_FLOATS: Final = {4: "<f", 8: "<d"}


class LayoutError(ValueError):
    """The text is no layout, or the value does not fit it; the message names the field."""


class Scalar(Struct, frozen=True):
    """`letter`: u, s, b (bool), f, p (pointer, shown as a number), or n (network order: an address, or a number)."""

    letter: str
    size: int

    @property
    def alignment(self) -> int:
        """Natural."""
        return self.size


class Array(Struct, frozen=True):
    """`count` elements."""

    element: "Layout"
    count: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.element.size * self.count

    @property
    def alignment(self) -> int:
        """The element's."""
        return self.element.alignment


class Member(Struct, frozen=True):
    """`offset` is in bits from the start of the aggregate; `width` is 0 but for a bit field; `name` may be empty."""

    name: str
    layout: "Layout"
    offset: int
    width: int


class Aggregate(Struct, frozen=True):
    """A struct or a union."""

    members: tuple[Member, ...]
    size: int
    alignment: int


Layout = Scalar | Array | Aggregate


def parse(text: str) -> Layout:
    """Raises LayoutError."""
    reader = _Reader(text)
    found = reader.layout(MAX_NESTING)
    if reader.left():
        raise reader.fault("the end")
    return found


def split(text: str | None) -> tuple[str | None, str | None]:
    """The layouts of a map's keys and of its values, from the one text that the bundle has of both."""
    if text is None or ARROW not in text:
        return None, text
    key, _, value = text.partition(ARROW)
    return key or None, value or None


def decode(layout: Layout, data: bytes) -> Any:
    """The value in `data`, as JSON has it."""
    if len(data) != layout.size:
        raise LayoutError(f"got {len(data)} bytes, expected {layout.size}")
    return _decode(layout, data)


def expect_all(layout: Layout, value: Any, where: str = "") -> None:
    """Raises LayoutError where a field is left out: what is written of a value may be a part, a key is looked for whole."""
    if not isinstance(layout, Aggregate) or not isinstance(value, Mapping):
        return
    is_struct = sum(one.offset == 0 for one in layout.members) <= 1  # all members of a union lie at 0
    for member in layout.members:
        if member.name in value and member.name:
            expect_all(member.layout, value[member.name], f"{where}{member.name}.")
        elif member.name and is_struct:
            raise LayoutError(f"`value` has no field `{where}{member.name}`, expected {_listed(layout)}")


def encode(layout: Layout, value: Any) -> bytes:
    """The bytes of `value`; raises LayoutError."""
    data = bytearray(layout.size)
    _write(layout, value, data, 0, "value")
    _check_read_back(layout, value, bytes(data), "value")
    return bytes(data)


# --- the text -------------------------------------------------------------------------------------------------------------


class _Reader:
    """Recursive descent over the tokens; the grammar is that of the module text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise LayoutError(f"`{text:.80}` is no layout: got `{text[at]}` at {at}")
            self._tokens.append(found[0])
            at = found.end()
        self._tokens.reverse()

    def left(self) -> bool:
        return bool(self._tokens)

    def fault(self, expected: str) -> LayoutError:
        got = self._tokens[-1] if self._tokens else "nothing"
        return LayoutError(f"`{self._text:.80}` is no layout: got `{got}`, expected {expected}")

    def layout(self, depth: int) -> Layout:
        if depth == 0:
            raise LayoutError(f"`{self._text:.80}` nests too deep")
        found = self._base(depth)
        while self._accept("["):
            found = Array(found, self._number())
            self._expect("]")
        return found

    def _base(self, depth: int) -> Layout:
        word = self._tokens.pop() if self._tokens else ""
        if word in {"struct", "union"}:
            return self._aggregate(word, depth)
        if word == "ptr":
            return Scalar("p", 8)
        if _SCALAR.fullmatch(word):
            return Scalar(word[0], int(word[1:]) // 8)
        self._tokens += [word] if word else []
        raise self.fault("a type")

    def _aggregate(self, word: str, depth: int) -> Aggregate:
        self._expect("{")
        members: list[Member] = []
        end, alignment = 0, 1
        while not self._accept("}"):
            layout = self.layout(depth - 1)
            name = self._tokens.pop() if self._accept(" ") and self._tokens else ""
            natural = 0 if word == "union" else _round_up(end, layout.alignment)
            width = self._number() if self._accept(":") else 0
            offset = (self._number() * (1 if width else 8)) if self._accept("@") else natural * 8
            self._expect(";")
            members.append(Member(name, layout, offset, width))
            end = max(end, offset // 8 + layout.size)
            alignment = max(alignment, layout.alignment)
        size = self._number() if self._accept("#") else _round_up(end, alignment)
        if any(_last_bit(member) > size * 8 for member in members):
            raise self.fault("members inside their aggregate")
        return Aggregate(tuple(members), size, alignment)

    def _accept(self, token: str) -> bool:
        is_next = bool(self._tokens) and self._tokens[-1] == token
        if is_next:
            self._tokens.pop()
        return is_next

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise self.fault(f"`{token}`")

    def _number(self) -> int:
        if not self._tokens or not self._tokens[-1].isdecimal():
            raise self.fault("a number")
        return int(self._tokens.pop())


def _last_bit(member: Member) -> int:
    return member.offset + (member.width or member.layout.size * 8)


def _round_up(value: int, alignment: int) -> int:
    return (value + alignment - 1) // alignment * alignment


# --- bytes to values ------------------------------------------------------------------------------------------------------


def _decode(layout: Layout, data: bytes) -> Any:
    match layout:
        case Scalar(letter=letter):
            return _scalar(letter, data)
        case Array(element=Scalar(letter="u", size=1)):
            return data.hex()
        case Array(element=element, count=count):
            return [_decode(element, data[n * element.size : (n + 1) * element.size]) for n in range(count)]
        case Aggregate(members=members):
            found: dict[str, Any] = {}
            for member in members:
                value = _member(member, data)
                found |= {member.name: value} if member.name else value if isinstance(value, dict) else {}
            return found


def _scalar(letter: str, data: bytes) -> int | float | bool | str:
    if letter == "f" and len(data) in _FLOATS:
        number: float = struct.unpack(_FLOATS[len(data)], data)[0]
        return number
    if letter == "n":
        return str(ipaddress.ip_address(data)) if len(data) in _ADDRESSES else int.from_bytes(data, "big")
    number_in = int.from_bytes(data, "little", signed=letter == "s")
    return bool(number_in) if letter == "b" and number_in in {0, 1} else number_in


def _member(member: Member, data: bytes) -> Any:
    if not member.width:
        at = member.offset // 8
        return _decode(member.layout, data[at : at + member.layout.size])
    bits = int.from_bytes(data, "little") >> member.offset & ((1 << member.width) - 1)
    is_negative = isinstance(member.layout, Scalar) and member.layout.letter == "s" and bits >> (member.width - 1)
    return bits - (1 << member.width) if is_negative else bits


# --- values to bytes ------------------------------------------------------------------------------------------------------


def _write(layout: Layout, value: Any, data: bytearray, at: int, where: str) -> None:
    match layout:
        case Scalar():
            data[at : at + layout.size] = _scalar_bytes(layout, value, where)
        case Array(element=Scalar(letter="u", size=1)) if isinstance(value, str):
            data[at : at + layout.size] = _hex(value, layout.size, where)
        case Array(element=element, count=count):
            if not isinstance(value, list) or len(value) != count:
                raise LayoutError(f"`{where}`: got {_shown(value)}, expected a list of {count}")
            for number, one in enumerate(value):
                _write(element, one, data, at + number * element.size, f"{where}[{number}]")
        case Aggregate():
            for member, given, name in _given(layout, value, where):
                _write_member(member, given, data, at, name)


def _given(layout: Aggregate, value: Any, where: str) -> Iterator[tuple[Member, Any, str]]:
    """The members that `value` has something for, anonymous ones with all of it that is theirs."""
    if not isinstance(value, Mapping):
        raise LayoutError(f"`{where}`: got {_shown(value)}, expected an object with {_listed(layout)}")
    unknown = sorted(set(value) - _names(layout))
    if unknown:
        raise LayoutError(f"`{where}`: got `{unknown[0]}`, expected {_listed(layout)}")
    for member in layout.members:
        if member.name in value and member.name:
            yield member, value[member.name], f"{where}.{member.name}"
        elif not member.name and isinstance(member.layout, Aggregate):
            inner = {name: value[name] for name in _names(member.layout) if name in value}
            if inner:
                yield member, inner, where


def _write_member(member: Member, value: Any, data: bytearray, at: int, where: str) -> None:
    if not member.width:
        _write(member.layout, value, data, at + member.offset // 8, where)
        return
    is_signed = isinstance(member.layout, Scalar) and member.layout.letter == "s"
    low = -(1 << (member.width - 1)) if is_signed else 0
    if not isinstance(value, int) or not low <= value < low + (1 << member.width):
        raise LayoutError(f"`{where}`: got {_shown(value)}, expected {member.width} bits")
    mask = ((1 << member.width) - 1) << member.offset
    whole = int.from_bytes(data[at:], "little") & ~mask | value << member.offset & mask
    data[at:] = whole.to_bytes(len(data) - at, "little")


def _scalar_bytes(layout: Scalar, value: Any, where: str) -> bytes:
    if layout.letter == "f" and layout.size in _FLOATS and isinstance(value, int | float):
        return struct.pack(_FLOATS[layout.size], value)
    if isinstance(value, str) and layout.letter in {"u", "n"} and layout.size in _ADDRESSES:
        return _address(value, layout.size, where)
    if not isinstance(value, int):
        raise LayoutError(f"`{where}`: got {_shown(value)}, expected a number")
    try:
        order: Literal["big", "little"] = "big" if layout.letter == "n" else "little"
        return int(value).to_bytes(layout.size, order, signed=layout.letter == "s")
    except OverflowError:
        raise LayoutError(f"`{where}`: got {value}, expected {layout.letter}{layout.size * 8}") from None


def _hex(text: str, size: int, where: str) -> bytes:
    """Bytes in hex, as `02:00:...`, or an address where there is room for just that."""
    if _PAIRS.fullmatch(text) and len(text) == 3 * size - 1:
        return bytes.fromhex(text.replace(":", ""))
    try:
        data = bytes.fromhex(text.removeprefix("hex:"))
    except ValueError:
        data = b""
    if len(data) != size and size in _ADDRESSES:
        return _address(text, size, where)
    if len(data) != size:
        raise LayoutError(f"`{where}`: got `{text:.40}`, expected {size} bytes in hex")
    return data


def _address(text: str, size: int, where: str) -> bytes:
    try:
        data = ipaddress.ip_address(text).packed
    except ValueError:
        data = b""
    if len(data) != size:
        family = "IPv4" if size == 4 else "IPv6"
        raise LayoutError(f"`{where}`: got `{text:.60}`, expected {size} bytes in hex, or an {family} address")
    return data


def _check_read_back(layout: Layout, value: Any, data: bytes, where: str) -> None:
    match layout:
        case Scalar() if not _reads_back(layout, value, data, where):
            raise LayoutError(f"`{where}`: got {_shown(value)} beside another member of the same union")
        case Array(element=element) if isinstance(value, list):
            for number, one in enumerate(value):
                part = data[number * element.size : (number + 1) * element.size]
                _check_read_back(element, one, part, f"{where}[{number}]")
        case Array() if isinstance(value, str) and _hex(value, len(data), where) != data:
            raise LayoutError(f"`{where}`: got `{value:.40}` beside another member of the same union")
        case Aggregate():
            for member, given, name in _given(layout, value, where):
                if member.width and _member(member, data) != given:
                    raise LayoutError(f"`{name}`: got {_shown(given)} beside another member of the same union")
                if not member.width:
                    at = member.offset // 8
                    _check_read_back(member.layout, given, data[at : at + member.layout.size], name)


def _reads_back(layout: Scalar, value: Any, data: bytes, where: str) -> bool:
    if isinstance(value, str) or layout.letter == "n":
        return _scalar_bytes(layout, value, where) == data
    return _same(_decode(layout, data), value)


def _same(read: Any, given: Any) -> bool:
    if isinstance(given, float) and isinstance(read, float):
        return math.isclose(read, given, rel_tol=1e-6) or (math.isnan(read) and math.isnan(given))
    return bool(read == given)


def _names(layout: Aggregate) -> set[str]:
    found: set[str] = set()
    for member in layout.members:
        if member.name:
            found.add(member.name)
        elif isinstance(member.layout, Aggregate):
            found |= _names(member.layout)
    return found


def _listed(layout: Aggregate) -> str:
    return ", ".join(f"`{name}`" for name in sorted(_names(layout)))


def _shown(value: Any) -> str:
    return f"`{value!r:.60}`"
