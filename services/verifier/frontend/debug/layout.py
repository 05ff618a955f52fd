"""The canonical text of a C type's layout, from BTF: `struct{u64 packets;u32[4] hits;}`.

Two values may be carried over from one program to the next when their texts are equal, so the text says exactly what the
bytes mean and nothing else: no type names, no qualifiers, no padding. A member that does not lie where natural alignment
puts it carries `@<byte offset>`, a bit field `:<width>@<bit offset>`, and an aggregate of unnatural size `#<bytes>`.

Of keys the text also says what stands in network order, since that decides how they are shown: `n16`, `n32` (an IPv4 address),
`n128` (an IPv6 address), by the names of Linux' types. A key that is one plain number has no text. Both of a map are joined as
`KEY=>VALUE` (`joined`).

The text is None when the type has no such description (a function, an unfinished type) or when it would be longer than
MAX_TEXT or nest deeper than MAX_NESTING; a migration then has to treat the value as opaque.
"""

import re
from typing import Final

from services.verifier.errors import Malformed
from services.verifier.frontend.debug.btf import MAX_NESTING, Btf, Kind, Type

MAX_TEXT: Final = 4096
ARROW: Final = "=>"
_NETWORK_ORDER: Final = {"__be16": 2, "__be32": 4, "__be64": 8, "in_addr_t": 4, "in_port_t": 2}
_IPV6: Final = "in6_addr"
_PLAIN: Final = re.compile(r"[usb][0-9]+")
_SIGNED: Final = 1
_BOOL: Final = 4


class _Opaque(Exception):  # noqa: N818 - control flow inside this module, no error
    """This type has no canonical text."""


class Layout:
    """Describes types of one BTF table; `work` bounds the total effort, since types may contain each other often."""

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self.work = 0

    def text(self, number: int) -> str | None:
        """Return the canonical text of type `number`, or None."""
        self.work = 0
        try:
            return self._describe(number, MAX_NESTING)[0]
        except (_Opaque, Malformed):
            return None

    def variables(self, placed: list[tuple[str, int, int]], size: int) -> str | None:
        """Return the text of a data section as a struct of its (name, type, byte offset), sorted by offset."""
        self.work = 0
        rows = sorted(placed, key=lambda row: row[2])
        try:
            return self._aggregate(
                "struct", [(name, number, at * 8, 0) for name, number, at in rows], size, MAX_NESTING
            )[0]
        except (_Opaque, Malformed):
            return None

    def _describe(self, number: int, depth: int) -> tuple[str, int, int]:
        """Return (text, size, alignment)."""
        found = self.btf.resolve(number)
        self.work += 1
        if depth == 0 or self.work > MAX_TEXT:
            raise _Opaque
        match found.kind:
            case Kind.INT:
                return _integer(found)
            case Kind.ENUM | Kind.ENUM64:
                return _scalar("s" if found.flag else "u", found.argument)
            case Kind.FLOAT:
                return _scalar("f", found.argument)
            case Kind.PTR:
                return "ptr", 8, 8
            case Kind.ARRAY:
                return self._array(found, depth)
            case Kind.STRUCT | Kind.UNION:
                rows = [(m.name, m.type, m.offset, m.width) for m in self.btf.members(found)]
                return self._aggregate(found.kind.name.lower(), rows, found.argument, depth)
        raise _Opaque

    def _array(self, found: Type, depth: int) -> tuple[str, int, int]:
        element, count = self.btf.array(found)
        text, size, alignment = self._describe(element, depth - 1)
        return f"{text}[{count}]", size * count, alignment

    def _aggregate(
        self, word: str, rows: list[tuple[str, int, int, int]], size: int, depth: int
    ) -> tuple[str, int, int]:
        parts: list[str] = []
        end, alignment, length = 0, 1, 0
        for name, number, offset, width in rows:
            text, member_size, member_alignment = self._describe(number, depth - 1)
            natural = 0 if word == "union" else _round_up(end, member_alignment)
            place = f":{width}@{offset}" if width else "" if offset == natural * 8 else f"@{offset // 8}"
            parts.append(f"{text} {name}{place};" if name else f"{text}{place};")
            length += len(parts[-1])
            if length > MAX_TEXT:
                raise _Opaque
            end = max(end, offset // 8 + member_size)
            alignment = max(alignment, member_alignment)
        mark = "" if size == _round_up(end, alignment) else f"#{size}"
        return f"{word}{{{''.join(parts)}}}{mark}", size, alignment


class KeyLayout(Layout):
    """Describes keys: what Linux' names of types say of the order of bytes is kept."""

    def text(self, number: int) -> str | None:
        """Return the canonical text of a key, or None where it is one plain number or has none."""
        found = super().text(number)
        return None if found is None or _PLAIN.fullmatch(found) else found

    def _describe(self, number: int, depth: int) -> tuple[str, int, int]:
        size = self._network_order(number)
        if size is not None:
            self.work += 1
            return _scalar("n", size)
        return super()._describe(number, depth)

    def _network_order(self, number: int) -> int | None:
        for _ in range(MAX_NESTING):
            found = self.btf.type(number)
            name = self.btf.string(found.name) if found.kind in (Kind.TYPEDEF, Kind.STRUCT) else ""
            if found.kind is Kind.TYPEDEF and name in _NETWORK_ORDER:
                return _NETWORK_ORDER[name] if self.btf.size_of(number) == _NETWORK_ORDER[name] else None
            if found.kind is Kind.STRUCT:
                return 16 if name == _IPV6 and found.argument == 16 else None
            if found.kind not in (Kind.TYPEDEF, Kind.CONST, Kind.VOLATILE, Kind.TYPE_TAG):
                return None
            number = found.argument
        return None


def joined(key: str | None, value: str | None) -> str | None:
    """Return the text of a map: the value's alone where the key has none."""
    return value if key is None else f"{key}{ARROW}{value or ''}"


def _integer(found: Type) -> tuple[str, int, int]:
    encoding = found.tail[3] & 0xF  # BTF_INT_ENCODING: bits 24..27 of the word after the head
    return _scalar("s" if encoding & _SIGNED else "b" if encoding & _BOOL else "u", found.argument)


def _scalar(letter: str, size: int) -> tuple[str, int, int]:
    if size not in (1, 2, 4, 8, 16):
        raise _Opaque
    return f"{letter}{size * 8}", size, size


def _round_up(value: int, alignment: int) -> int:
    return (value + alignment - 1) // alignment * alignment
