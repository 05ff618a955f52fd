"""What a settings file (TOML) says about maps, read strictly: addresses, ports, choices. Pure."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

Rows = dict[str, list[tuple[bytes, bytes]]]  # {map: [(key, value)]}
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAPPED_BITS: Final = 96  # of ::ffff:0:0/96 (RFC 4291 2.5.5.2)
PROTOCOLS: Final = {"any": 0, "icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "icmpv6": 58, "sctp": 132}
MOST_BYTES: Final = 4 << 20
LARGEST_PORT: Final = 0xFFFF
LARGEST_WORD: Final = 0xFFFFFFFF
LARGEST_PROTOCOL: Final = 0xFF


class SettingsError(Exception):
    """The file does not say what it should; the text names the place."""


def read(data: bytes) -> dict[str, Any]:
    """The file's tables; raises SettingsError."""
    if len(data) > MOST_BYTES:
        raise SettingsError(f"it has {len(data)} bytes, at most {MOST_BYTES} are read")
    try:
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(str(error)) from error


class Table:
    """One table of the file: each value is asked for by name and kind, and what nobody asked for is a fault."""

    def __init__(self, place: str, values: object) -> None:
        if not isinstance(values, Mapping):
            raise SettingsError(f"{place}: got {type(values).__name__}, expected a table")
        self.place = place
        self._values = dict(values)
        self._asked: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether the value is there at all."""
        return name in self._values

    def number(self, name: str, default: int | None = None, *, most: int = LARGEST_WORD, least: int = 0) -> int:
        """A number in its range."""
        value = self._take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._fault(name, value, f"a number from {least} to {most}")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> int:
        """The place of the value among the choices."""
        value = self._take(name, default)
        if value not in choices:
            raise self._fault(name, value, ", ".join(f"`{choice}`" for choice in choices))
        return choices.index(value)

    def text(self, name: str, default: str | None = None) -> str:
        """Any text."""
        value = self._take(name, default)
        if not isinstance(value, str):
            raise self._fault(name, value, "text")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts; without it, an empty one."""
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self._fault(name, value, "a list of texts")
        return value

    def protocol(self, name: str, default: str | None = None) -> int:
        """An IP protocol by name or number."""
        value = self._take(name, default)
        if isinstance(value, str) and value in PROTOCOLS:
            return PROTOCOLS[value]
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_PROTOCOL:
            return value
        raise self._fault(name, value, f"a number or one of {', '.join(PROTOCOLS)}")

    def address(self, name: str) -> Address:
        """An IPv4 or IPv6 address."""
        value = self.text(name)
        try:
            return ip_address(value)
        except ValueError:
            raise self._fault(name, value, "an address") from None

    def network(self, name: str, default: str | None = None) -> Network:
        """A prefix; bits after it are a fault."""
        value = self.text(name, default)
        try:
            return ip_network(value)
        except ValueError as error:
            raise self._fault(name, value, f"a prefix ({error})") from None

    def link(self, name: str, default: str | None = None) -> bytes:
        """Six bytes."""
        value = self.text(name, default)
        parts = value.split(":")
        try:
            found = bytes.fromhex("".join(parts))
        except ValueError:
            found = b""
        if len(parts) != 6 or len(found) != 6 or any(len(part) != 2 for part in parts):
            raise self._fault(name, value, "a link address, like 02:00:00:00:00:01")
        return found

    def tables(self, name: str) -> Iterator["Table"]:
        """The tables of a list, each with its place."""
        value = self._take(name, [])
        if not isinstance(value, list):
            raise self._fault(name, value, "a list of tables")
        for number, entry in enumerate(value):
            yield Table(f"{self.place}.{name}[{number}]" if self.place else f"{name}[{number}]", entry)

    def table(self, name: str) -> "Table":
        """A table within this one; without it, an empty one."""
        return Table(f"{self.place}.{name}" if self.place else name, self._take(name, {}))

    def done(self) -> None:
        """Refuse what nobody asked for."""
        for name in self._values.keys() - self._asked:
            raise SettingsError(f"{self.place or 'the file'}: `{name:.60}` is not known")

    def _take(self, name: str, default: Any) -> Any:
        self._asked.add(name)
        value = self._values.get(name, default)
        if value is None:
            raise SettingsError(f"{self.place or 'the file'}: `{name}` is missing")
        return value

    def _fault(self, name: str, value: object, expected: str) -> SettingsError:
        return SettingsError(f"{self.place or 'the file'}: `{name}` is {str(value)!r:.60}, expected {expected}")


def mapped(address: Address) -> bytes:
    """16 bytes: an IPv4 address as ::ffff:a.b.c.d, as vnfs/include/flow.h has it."""
    return bytes(10) + b"\xff\xff" + address.packed if address.version == 4 else address.packed


def mapped_prefix(network: Network) -> tuple[int, bytes]:
    """The number of bits, and the address, of a prefix among mapped addresses."""
    return network.prefixlen + (MAPPED_BITS if network.version == 4 else 0), mapped(network.network_address)


def word(number: int) -> bytes:
    """A __u32 as it lies in memory."""
    return number.to_bytes(4, "little")
