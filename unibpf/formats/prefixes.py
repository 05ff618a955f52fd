"""Keys of longest-prefix-match maps as prefixes: `10.0.0.0/8`. Pure.

Linux' key is a little-endian length in bits and the bytes that it counts from, in network order (`struct bpf_lpm_trie_key`).
A key is shown as a prefix where these bytes are one IPv4 or one IPv6 address; one of several fields is shown by these.
"""

import ipaddress
import re
from typing import Final

from unibpf.formats.layout import Aggregate, Array, Layout, Scalar

LENGTH_BYTES: Final = 4
_SIZES: Final = {4: "IPv4", 16: "IPv6"}
_PREFIX: Final = re.compile(r"([0-9a-fA-F:.]*[.:][0-9a-fA-F:.]*)(?:/([0-9]{1,3}))?")


class PrefixError(ValueError):
    """The text is a prefix that cannot be a key of this map."""


def room(size: int, shape: Layout | None) -> int | None:
    """How many bytes of address a key has, or None where its bytes are no address."""
    rest = size - LENGTH_BYTES
    if rest not in _SIZES:
        return None
    return rest if shape is None or _is_one_address(shape) else None


def read(text: str, rest: int) -> bytes | None:
    """The key that `text` names, with all its bits as given; None where it is no prefix and no address of that family."""
    found = _PREFIX.fullmatch(text)
    try:
        address = ipaddress.ip_address(found[1]) if found is not None else None
    except ValueError:
        address = None
    if found is None or address is None or len(address.packed) != rest:
        if "/" in text:
            raise PrefixError(f"`{text:.60}`: expected an {_SIZES[rest]} prefix, as ADDRESS/LENGTH")
        return None
    length = int(found[2]) if found[2] is not None else rest * 8
    if length > rest * 8:
        raise PrefixError(f"`{text:.60}`: got a length of {length} bits, expected at most {rest * 8}")
    return length.to_bytes(LENGTH_BYTES, "little") + address.packed


def shown(key: bytes, rest: int) -> str | None:
    """The prefix that a key is; None where its length is none."""
    length = int.from_bytes(key[:LENGTH_BYTES], "little")
    return f"{ipaddress.ip_address(key[LENGTH_BYTES:])}/{length}" if length <= rest * 8 else None


def _is_one_address(shape: Layout) -> bool:
    """Whether a length of four bytes is followed by one member that is an address, however it is declared."""
    if not isinstance(shape, Aggregate) or len(shape.members) != 2:
        return False
    length, rest = shape.members
    is_placed = length.offset == 0 and rest.offset == 8 * LENGTH_BYTES and not length.width and not rest.width
    return is_placed and length.layout.size == LENGTH_BYTES and _is_address(rest.layout)


def _is_address(shape: Layout) -> bool:
    match shape:
        case Scalar():
            return shape.size in _SIZES
        case Array(element=Scalar()):
            return shape.size in _SIZES
        case Aggregate(members=(only,)):
            return _is_address(only.layout)
    return False
