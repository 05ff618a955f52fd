"""The seam between the deployer and whatever runs guests: libvirt (libvirt_driver.py) or processes (process.py).

A driver knows nothing of desired states, releases or the bus. It starts a Machine, lists what runs, stops by guest name,
and tells once when something it saw running has ended. Every call may take long and none blocks the event loop.
Names of VMs carry a prefix, so that a driver leaves everything else on the host alone.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, Protocol

from msgspec import Struct

from services.deployer.host_config import Network

MachineKind = Literal["microvm", "q35", "process"]
Accel = Literal["kvm", "tcg", "none"]

NAME_PREFIX: Final = "unibpf-"
MANAGEMENT: Final = "mgmt"
GUEST_ADDRESS: Final = "10.0.2.15"
GATEWAY: Final = "10.0.2.2"
COAP_PORT: Final = 5683
PORT_TAKEN: Final = (
    "Could not set up host forwarding rule",
    "cannot bind udp-control",
)  # QEMU's words; a process guest's
UNIX_PATH_BYTES: Final = 107  # sockaddr_un.sun_path less its final zero (unix(7))


class MachineNic(Struct, frozen=True, kw_only=True):
    """A data NIC. `socket` is where a NIC on a stream network listens."""

    name: str
    mac: bytes
    network: Network
    socket: Path | None = None


class Machine(Struct, frozen=True, kw_only=True):
    """Everything a driver needs to start one boot of one guest."""

    guest: str
    boot_id: str
    kind: MachineKind
    accel: Accel
    memory_mib: int
    kernel: Path
    image: Path
    console: Path
    nics: list[MachineNic]
    control_port: int

    @property
    def management_mac(self) -> bytes:
        """The MAC of the management NIC."""
        return mac_of(self.guest, MANAGEMENT)


class Running(Struct, frozen=True, kw_only=True):
    """A guest that runs; `boot_id` tells which boot it is, `exec_ns` (Unix) when its process was executed, if known."""

    guest: str
    boot_id: str
    pid: int | None
    exec_ns: int | None = None


class Ended(Struct, frozen=True, kw_only=True):
    """One boot of a guest stopped running, by itself or by force. The news may come when the next boot has begun."""

    guest: str
    boot_id: str
    reason: Literal["crashed", "stopped"]


OnEnded = Callable[[Ended], None]


class Hypervisor(Protocol):
    """What the deployer needs of a driver."""

    async def open(self, on_ended: OnEnded) -> None:
        """Connect; `on_ended` is called on the event loop's thread."""

    async def close(self) -> None:
        """Disconnect; guests go on running."""

    def lacking(self) -> str | None:
        """What is not there without which no guest starts, or None."""

    async def running(self) -> list[Running]:
        """The guests that run now, including those an earlier process started."""

    async def start(self, machine: Machine) -> Running:
        """Start one boot; returns when it executes. Raises HypervisorError."""

    async def stop(self, guest: str) -> None:
        """End a guest at once; one that does not run is no error. Raises HypervisorError."""


def is_port_taken(words: str) -> bool:
    """Whether the last words of what ran a boot say that somebody else took its control port."""
    return any(text in words for text in PORT_TAKEN)


def mac_of(guest: str, nic: str) -> bytes:
    """A MAC in QEMU's range, the same at every boot of the guest."""
    return bytes.fromhex("525400") + hashlib.sha256(f"{guest}/{nic}".encode()).digest()[:3]


def mac_text(mac: bytes) -> str:
    """As `52:54:00:...`."""
    return mac.hex(":")
