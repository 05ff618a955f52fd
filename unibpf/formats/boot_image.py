"""The boot image: everything one guest starts with, as one CBOR item (schemas/boot.cddl). Pure: bytes in, Structs out.

It holds the seed, from which every key of the guest's control channel comes (unibpf.formats.control_mac). So:
- one image per boot, with a seed of its own; an image is never used twice;
- its bytes go into a file that only the guest's VM and the host's deployer and reconfigurer can read, never on the bus;
- the seed is left out of `repr`, so that no log line can carry it.

`decode` accepts exactly what `encode` makes: size cap first, deterministic CBOR, then every field by its rule.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface
from typing import Any, Final, TypeVar

from msgspec import Struct

from unibpf.formats import cbor

VERSION: Final = 1
MAX_BYTES: Final = 4 << 20
SEED_BYTES: Final = 32
KID_BYTES: Final = 8
MAC_BYTES: Final = 6
ALGORITHMS: Final = {"EdDSA": -8, "ES256": -7}  # RFC 9053 2.1, 2.2
KEY_BYTES: Final = {-8: 32, -7: 65}  # raw Ed25519; P-256 as 04 || X || Y
MANAGEMENT_NIC: Final = "mgmt"

V = TypeVar("V")

_GUEST: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_MAX_UINT: Final = (1 << 64) - 1


class BootImageError(Exception):
    """A boot image that breaks schemas/boot.cddl; `rule` is `size`, `cbor` or the name of the field."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule


class SignerKey(Struct, frozen=True, kw_only=True):
    """A pinned public key; the algorithm is pinned with it."""

    kid: bytes
    alg: int
    key: bytes


class FirstProgram(Struct, frozen=True, kw_only=True):
    """A release that `element` starts with."""

    element: str
    envelope: bytes
    bundle: bytes


class Management(Struct, frozen=True, kw_only=True):
    """Where the guest's CoAP server listens on its management NIC."""

    interface: IPv4Interface
    port: int = 5683
    gateway: IPv4Address | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """What the guest would otherwise take its own defaults for."""

    instruction_budget: int | None = None
    probation_ms: int | None = None
    control_slice_us: int | None = None


class BootImage(Struct, frozen=True, kw_only=True):
    """One boot of one guest. `floors` maps an element to the highest sequence it ever ran; `""` is the graph's."""

    guest: str
    audience: str
    seed: bytes
    signers: list[SignerKey]
    graph_envelope: bytes
    graph: bytes
    management: Management
    nics: dict[str, bytes]
    started_us: int
    programs: list[FirstProgram] = []
    floors: dict[str, int] = {}
    limits: Limits = Limits()

    def __repr__(self) -> str:
        return f"BootImage(guest={self.guest!r}, audience={self.audience!r}, programs={len(self.programs)})"


def encode(image: BootImage) -> bytes:
    """The image's bytes; raises BootImageError where a field breaks its rule."""
    at = image.management
    address = [at.interface.ip.packed, at.interface.network.prefixlen, at.port]
    limits = image.limits
    items = {
        0: VERSION,
        1: image.guest,
        2: image.audience,
        3: image.seed,
        4: [[key.kid, key.alg, key.key] for key in image.signers],
        5: [image.graph_envelope, image.graph],
        6: [[first.element, first.envelope, first.bundle] for first in image.programs],
        7: [[element, sequence] for element, sequence in sorted(image.floors.items())],
        8: address if at.gateway is None else [*address, at.gateway.packed],
        9: [[name, mac] for name, mac in image.nics.items()],
        10: image.started_us,
        11: _present([limits.instruction_budget, limits.probation_ms, limits.control_slice_us]),
    }
    data = cbor.encode(items)
    _expect(len(data) <= MAX_BYTES, "size", f"got {len(data)} bytes, expected at most {MAX_BYTES}")
    _read(items)
    return data


def decode(data: bytes) -> BootImage:
    """The image that `data` holds; anything `encode` would not have made raises BootImageError."""
    _expect(len(data) <= MAX_BYTES, "size", f"got {len(data)} bytes, expected at most {MAX_BYTES}")
    try:
        items = cbor.decode(data, max_bytes=MAX_BYTES)
    except cbor.CborError as error:
        raise BootImageError("cbor", str(error)) from error
    return _read(items)


def _read(items: Any) -> BootImage:
    _expect(isinstance(items, dict) and set(items) == set(range(12)), "shape", "expected a map of the keys 0 to 11")
    _expect(items[0] == VERSION, "version", f"got `{items[0]}`, expected `{VERSION}`")
    _expect(isinstance(items[1], str) and bool(_GUEST.fullmatch(items[1])), "guest", f"got `{items[1]}`")
    graph = _list(items[5], "graph")
    _expect(len(graph) == 2, "graph", "expected envelope and text")
    nics = _pairs(items[9], "nics", _text, _sized(MAC_BYTES))
    _expect(len(set(nics.values())) == len(nics), "nics", "expected different MAC addresses")
    return BootImage(
        guest=items[1],
        audience=_text(items[2], "audience"),
        seed=_sized(SEED_BYTES)(items[3], "seed"),
        signers=_signers(items[4]),
        graph_envelope=_bytes(graph[0], "graph"),
        graph=_bytes(graph[1], "graph"),
        programs=[_program(row) for row in _list(items[6], "programs")],
        floors=_pairs(items[7], "floors", _text, _uint),
        management=_management(items[8]),
        nics=nics,
        started_us=_uint(items[10], "started_us"),
        limits=_limits(items[11]),
    )


def _signers(rows: Any) -> list[SignerKey]:
    keys = []
    for row in _list(rows, "signers"):
        _expect(isinstance(row, list) and len(row) == 3, "signers", "expected rows of kid, algorithm and key")
        _expect(row[1] in KEY_BYTES, "signers", f"got algorithm `{row[1]}`, expected -8 or -7")
        kid = _sized(KID_BYTES)(row[0], "signers")
        keys.append(SignerKey(kid=kid, alg=row[1], key=_sized(KEY_BYTES[row[1]])(row[2], "signers")))
    _expect(bool(keys), "signers", "got no key, expected at least one")
    return keys


def _program(row: Any) -> FirstProgram:
    _expect(isinstance(row, list) and len(row) == 3, "programs", "expected rows of element, envelope and bundle")
    element, envelope, bundle = row
    return FirstProgram(
        element=_text(element, "programs"),
        envelope=_bytes(envelope, "programs"),
        bundle=_bytes(bundle, "programs"),
    )


def _management(row: Any) -> Management:
    _expect(isinstance(row, list) and len(row) in (3, 4), "management", "expected address, prefix, port and gateway")
    address = IPv4Address(_sized(4)(row[0], "management"))
    prefix, port = _uint(row[1], "management"), _uint(row[2], "management")
    _expect(prefix <= 32, "management", f"got prefix {prefix}, expected at most 32")
    _expect(0 < port < 65536, "management", f"got port {port}, expected 1 to 65535")
    gateway = IPv4Address(_sized(4)(row[3], "management")) if len(row) == 4 else None
    return Management(interface=IPv4Interface((address, prefix)), port=port, gateway=gateway)


def _limits(items: Any) -> Limits:
    _expect(isinstance(items, dict) and set(items) <= {0, 1, 2}, "limits", "expected a map of the keys 0 to 2")
    budget, probation, control = (_uint(items[key], "limits") if key in items else None for key in range(3))
    return Limits(instruction_budget=budget, probation_ms=probation, control_slice_us=control)


def _pairs(rows: Any, rule: str, key: Callable[[Any, str], str], value: Callable[[Any, str], V]) -> dict[str, V]:
    out: dict[str, V] = {}
    for row in _list(rows, rule):
        _expect(isinstance(row, list) and len(row) == 2, rule, "expected rows of two")
        name = key(row[0], rule)
        _expect(name not in out, rule, f"got `{name}` twice")
        out[name] = value(row[1], rule)
    return out


def _present(values: list[int | None]) -> dict[int, int]:
    return {key: value for key, value in enumerate(values) if value is not None}


def _list(value: Any, rule: str) -> list[Any]:
    _expect(isinstance(value, list), rule, "expected an array")
    return list(value)


def _text(value: Any, rule: str) -> str:
    _expect(isinstance(value, str), rule, "expected text")
    return str(value)


def _bytes(value: Any, rule: str) -> bytes:
    _expect(isinstance(value, bytes), rule, "expected bytes")
    return bytes(value)


def _sized(size: int) -> Callable[[Any, str], bytes]:
    def check(value: Any, rule: str) -> bytes:
        data = _bytes(value, rule)
        _expect(len(data) == size, rule, f"got {len(data)} bytes, expected {size}")
        return data

    return check


def _uint(value: Any, rule: str) -> int:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    _expect(is_int and 0 <= value <= _MAX_UINT, rule, "expected an unsigned integer")
    return int(value)


def _expect(holds: bool, rule: str, message: str) -> None:
    if not holds:
        raise BootImageError(rule, message)
