"""The host's own configuration: the networks, and the limits, that guests may ask for by name. Pure but for `load`.

    [limits]                      # all optional
    guests = 16                   # guests at a time
    memory_mib = 1024             # for one guest
    all_memory_mib = 8192         # for all guests together; default: what the machine has
    nics = 16                     # of one guest
    programs = 64                 # of one guest

    [networks.left]
    kind = "stream"               # a unix stream socket a NIC, frames as QEMU's `stream`: 4-byte length, then the frame

    [networks.wire]
    kind = "udp"                  # one datagram a frame
    local = "127.0.0.1:7001"
    remote = "127.0.0.1:7002"

    [networks.tap]
    kind = "tap"                  # a TAP device made beforehand for this user
    device = "tap0"

    [networks.lan]
    kind = "bridge"               # needs a privileged libvirt
    device = "br0"

    [networks.out]
    kind = "user"                 # QEMU's user-mode network

Messages from the bus can only name what is here; paths, devices and addresses never come from them. Without a file the
host has `left` and `right`, both of kind stream.
"""

import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from services.deployer.errors import HostConfigError, SpecError
from unibpf.messages.guests import GuestSpec

Kind = Literal["stream", "udp", "tap", "bridge", "user"]

_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "stream": (),
    "udp": ("local", "remote"),
    "tap": ("device",),
    "bridge": ("device",),
    "user": (),
}
_DEVICE: Final = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_ADDRESS: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}:[0-9]{1,5}")


class Network(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network of the host. `device` is a TAP or a bridge; `local` and `remote` are address:port of a UDP wire."""

    kind: Kind
    device: str | None = None
    local: str | None = None
    remote: str | None = None


class HostLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the host gives at most."""

    guests: int = 16
    memory_mib: int = 1024
    all_memory_mib: int | None = None
    nics: int = 16
    programs: int = 64


class HostConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    limits: HostLimits = HostLimits()
    networks: dict[str, Network] = {}

    def check(self, spec: GuestSpec, *, others: Sequence[GuestSpec] = ()) -> None:
        """Raise SpecError where `spec` asks for what this host does not have; `others` are here already."""
        limits, taken = self.limits, sum(other.memory_mib for other in others)
        memory = limits.all_memory_mib or machine_memory_mib()
        rows = (
            ("guests", len(others) + 1, limits.guests, "guests with this one"),
            ("memory", spec.memory_mib, limits.memory_mib, "MiB"),
            ("memory", taken + spec.memory_mib, memory, "MiB with all other guests"),
            ("nics", len(spec.nics), limits.nics, "NICs"),
            ("programs", len(spec.programs), limits.programs, "programs"),
        )
        for rule, got, most, what in rows:
            if got > most:
                raise SpecError(rule, f"got {got} {what}, expected at most {most} on this host")
        names = [nic.name for nic in spec.nics]
        if len(set(names)) != len(names) or "mgmt" in names:
            raise SpecError("nics", f"got NICs {names}, expected different names and none called `mgmt`")
        for nic in spec.nics:
            if nic.network not in self.networks:
                raise SpecError(
                    "network",
                    f"got network `{nic.network}` for NIC `{nic.name}`, expected one of {sorted(self.networks)}",
                    hint="the host's operator adds networks to its host file",
                )


def machine_memory_mib() -> int:
    """What the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


DEFAULT: Final = HostConfig(networks={"left": Network(kind="stream"), "right": Network(kind="stream")})


def parse(text: str) -> HostConfig:
    """The configuration in `text`; every network is checked for the fields of its kind."""
    try:
        config = msgspec.convert(tomllib.loads(text), type=HostConfig)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise HostConfigError("host-file", f"the host file is wrong: {error}") from error
    for name, network in config.networks.items():
        _check_network(name, network)
    return config


def load(path: Path) -> HostConfig:
    """The configuration in a file, or the default where there is none."""
    return parse(path.read_text()) if path.exists() else DEFAULT


def _check_network(name: str, network: Network) -> None:
    needed = set(_FIELDS[network.kind])
    given = {field for field in ("device", "local", "remote") if getattr(network, field) is not None}
    if given != needed:
        raise HostConfigError(
            "host-file",
            f"network `{name}` of kind `{network.kind}`: got {sorted(given)}, expected {sorted(needed)}",
        )
    _expect_form(name, network.device, _DEVICE)
    _expect_form(name, network.local, _ADDRESS)
    _expect_form(name, network.remote, _ADDRESS)


def _expect_form(name: str, value: Any, form: re.Pattern[str]) -> None:
    if value is not None and not form.fullmatch(value):
        raise HostConfigError("host-file", f"network `{name}`: got `{value}`, expected the form `{form.pattern}`")
