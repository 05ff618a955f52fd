"""QEMU's command line, of which every VM of tests and benchmarks is made: one CPU under TCG, nothing that is not asked for."""

from collections.abc import Sequence
from pathlib import Path


def machine(kind: Sequence[str], *, kernel: Path, image: Path | None, memory: int = 8, cpu: str = "max") -> list[str]:
    """The machine and what it boots; `memory` in MiB."""
    words = ["qemu-system-x86_64", *kind, "-accel", "tcg", "-cpu", cpu, "-m", str(memory), "-nodefaults"]
    words += ["-no-user-config", "-no-reboot", "-display", "none", "-kernel", str(kernel)]
    return words + (["-initrd", str(image)] if image else [])


def nic(name: str, backend: str, *, device: str, mac: bytes, bus: str | None = None) -> list[str]:
    """A NIC on a network of its own; `backend` is the network's kind and its options."""
    kind, _, options = backend.partition(",")
    place = f",bus={bus}" if bus else ""
    return [
        "-netdev",
        f"{kind},id={name},{options}",
        "-device",
        f"{device},netdev={name},mac={mac.hex(':')}{place}",
    ]


def stream(path: Path, *, listens: bool) -> str:
    """Frames over a unix socket, where QEMU listens or connects."""
    return f"stream,server={'on' if listens else 'off'},addr.type=unix,addr.path={path}"


def control(port: int) -> str:
    """QEMU's user network, where the guest is 10.0.2.15: this port of the host is the guest's CoAP port."""
    return f"user,ipv6=off,hostfwd=udp:127.0.0.1:{port}-:5683"
