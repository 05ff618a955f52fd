"""Values of global variables, as people write them, by their types in BTF: words to bits.

    -3   0x1f   true   'a'     integers, booleans, characters, bit fields: within the range of the type
    DROP_ALL                   an enumerator of an enum
    10.0.0.1  fd00::1          an address in network order, where the type has 4 or 16 bytes
    02:00:00:00:01:01          a MAC address, where it has 6 bytes
    text:eth0                  an array of characters; what is left of it is zeroes
    hex:0a000001               the bytes of any type

Numbers are little endian, as on every machine that runs a guest. Whatever does not fit is refused, nothing is cut.
"""

import ipaddress
import re
from collections.abc import Iterator
from itertools import islice
from struct import Struct as Packed
from typing import Final

from msgspec import Struct

from services.verifier.errors import Ambiguous, Malformed
from services.verifier.frontend.debug.btf import MAX_MODIFIERS, Btf, Kind
from unibpf.push.loading import Constant

_NUMBER: Final = re.compile(r"-?(?:0x[0-9a-fA-F]{1,32}|0|[1-9][0-9]{0,38})")
_CHARACTER: Final = re.compile(r"'([ -~])'")
_WORDS: Final = {"false": 0, "true": 1}
_MAC: Final = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_ENUMERATOR: Final = Packed("<II")
_ENUMERATOR64: Final = Packed("<III")
_SIGNED, _BOOL = 1, 4  # BTF_INT_ENCODING
_ENUMS: Final = (Kind.ENUM, Kind.ENUM64)
_INTEGER_BYTES: Final = (1, 2, 4, 8, 16)
_AGGREGATES: Final = (Kind.STRUCT, Kind.UNION)
_ADDRESSES: Final = {4: "an IPv4 address", 6: "a MAC address", 16: "an IPv6 address"}
_MOST_SHOWN: Final = 8


class Bits(Struct, frozen=True):
    """A value as the low `width` bits of a little-endian number."""

    number: int
    width: int


def write(content: bytearray, at: int, bits: Bits) -> None:
    """Put the bits at bit `at`; what lies beside them stays."""
    first, shift = divmod(at, 8)
    end = first + (shift + bits.width + 7) // 8
    mask = ((1 << bits.width) - 1) << shift
    whole = int.from_bytes(content[first:end], "little") & ~mask | bits.number << shift
    content[first:end] = whole.to_bytes(end - first, "little")


def encode(btf: Btf, constant: Constant, number: int, width: int) -> Bits:
    """Return what `constant` sets in a place of BTF type `number`, a bit field if `width` is not 0; raises Ambiguous."""
    return _Encoder(btf, constant, number, width).encode()


def name_of(btf: Btf, number: int) -> str:
    """Return a type as C names it, near enough for a message."""
    suffix = ""
    for _ in range(MAX_MODIFIERS):
        found = btf.type(number)
        name = btf.string(found.name)[:60]
        match found.kind:
            case Kind.CONST | Kind.VOLATILE | Kind.RESTRICT | Kind.TYPE_TAG:
                number = found.argument
            case Kind.ARRAY:
                number, count = btf.array(found)
                suffix += f"[{count}]"
            case Kind.STRUCT | Kind.UNION | Kind.ENUM | Kind.ENUM64:
                word = "enum" if found.kind in _ENUMS else found.kind.name.lower()
                return f"{word} {name}".rstrip() + suffix
            case Kind.PTR:
                return "pointer" + suffix
            case _:
                return (name or found.kind.name.lower()) + suffix
    return "type"


class _Encoder:
    """One value and its type."""

    def __init__(self, btf: Btf, constant: Constant, number: int, width: int) -> None:
        self.btf = btf
        self.name, self.text = constant.name, constant.value
        self.number = number
        self.width = width
        self.type = btf.resolve(number)
        self.size = btf.size_of(number)
        self.is_enum = self.type.kind in _ENUMS
        self.is_integer = (self.is_enum or self.type.kind is Kind.INT) and self.size in _INTEGER_BYTES
        if width > self.size * 8:
            raise Malformed("btf-malformed", f"bit field `{self.name:.80}` is wider than its type")

    def encode(self) -> Bits:
        if self.type.kind is Kind.PTR:
            raise Ambiguous("constant-choice", f"`{self.name}` is a pointer, and global data holds no addresses")
        word, separator, rest = self.text.partition(":")
        if separator and word in ("hex", "text") and not self.width:
            return self.whole(self.hex(rest) if word == "hex" else self.characters(rest))
        found = self.integer() if self.is_integer else None
        if found is not None:
            return found
        packed = None if self.width or self.is_enum else _address(self.text)
        if packed is None or len(packed) != self.size:
            raise self.bad()
        return self.whole(packed)

    def whole(self, data: bytes) -> Bits:
        return Bits(int.from_bytes(data, "little"), self.size * 8)

    def hex(self, digits: str) -> bytes:
        if not re.fullmatch(r"([0-9a-fA-F]{2})*", digits) or len(digits) != 2 * self.size:
            raise self.bad(f"{2 * self.size} hexadecimal digits after `hex:`")
        return bytes.fromhex(digits)

    def characters(self, text: str) -> bytes:
        if not self.is_characters():
            raise self.bad()
        if len(text) > self.size:
            raise self.bad(f"at most {self.size} characters")
        return text.encode("ascii").ljust(self.size, b"\0")

    def is_characters(self) -> bool:
        if self.type.kind is not Kind.ARRAY:
            return False
        element = self.btf.resolve(self.btf.array(self.type)[0])
        return element.kind is Kind.INT and self.btf.string(element.name) == "char"

    # --- integers -----------------------------------------------------------------------------------------------------

    def integer(self) -> Bits | None:
        """None when the text is no number, and no name for one."""
        value = self.read()
        if value is None:
            return None
        low, high = self.range()
        if not low <= value <= high:
            raise self.bad()
        width = self.width or self.size * 8
        return Bits(value & ((1 << width) - 1), width)

    def read(self) -> int | None:
        if _NUMBER.fullmatch(self.text):
            return int(self.text, 0)
        character = _CHARACTER.fullmatch(self.text)
        if character:
            return ord(character[1])
        if self.text in _WORDS:
            return _WORDS[self.text]
        return next((value for name, value in self.enumerators() if name == self.text), None)

    def range(self) -> tuple[int, int]:
        bits = self.width or self.size * 8
        if self.type.kind is Kind.INT:
            encoding, offset, in_type = self.type.tail[3] & 0xF, self.type.tail[2], self.type.tail[0]
            if offset or in_type != self.size * 8:
                raise Ambiguous(
                    "constant-choice", f"`{self.name}` is a bit field of the old form and cannot be set by name"
                )
            if encoding & _BOOL:
                return 0, 1
            signed = bool(encoding & _SIGNED)
        else:
            signed = self.type.flag
        return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)

    def enumerators(self) -> Iterator[tuple[str, int]]:
        found = self.type
        if found.kind is Kind.ENUM:
            for name, value in _ENUMERATOR.iter_unpack(found.tail):
                yield self.btf.string(name), _signed(value, 32) if found.flag else value
        elif found.kind is Kind.ENUM64:
            for name, low, high in _ENUMERATOR64.iter_unpack(found.tail):
                yield self.btf.string(name), _signed(high << 32 | low, 64) if found.flag else high << 32 | low

    # --- messages -----------------------------------------------------------------------------------------------------

    def bad(self, expected: str | None = None) -> Ambiguous:
        kind = name_of(self.btf, self.number) + (f":{self.width}" if self.width else "")
        return Ambiguous(
            "constant-choice",
            f"`{self.name}` is of type `{kind}`: got `{self.text:.60}`, expected {expected or self.expected()}",
            hint=self.parts(),
        )

    def expected(self) -> str:
        words = [f"`{name:.60}`" for name, _ in islice(self.enumerators(), _MOST_SHOWN)]
        if self.is_integer:
            low, high = self.range()
            words.append(f"a number from {low} to {high}")
        elif not self.width:
            words.append(f"{self.size} bytes as `hex:...`")
        if self.is_characters():
            words.append(f"up to {self.size} characters as `text:...`")
        if not self.width and not self.is_enum and self.size in _ADDRESSES:
            words.append(_ADDRESSES[self.size])
        return ", ".join(words[:-1]) + (" or " if len(words) > 1 else "") + words[-1]

    def parts(self) -> str | None:
        if self.type.kind is Kind.ARRAY:
            count = self.btf.array(self.type)[1]
            return f"its elements are `{self.name}[0]` to `{self.name}[{count - 1}]`" if count else None
        if self.type.kind in _AGGREGATES:
            names = [member.name for member in islice(self.btf.members(self.type), _MOST_SHOWN) if member.name]
            return "its members are " + ", ".join(f"`{self.name}.{name:.60}`" for name in names) if names else None
        return None


def _address(text: str) -> bytes | None:
    if _MAC.fullmatch(text):
        return bytes.fromhex(text.replace(":", ""))
    try:
        return ipaddress.ip_address(text).packed
    except ValueError:
        return None


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
