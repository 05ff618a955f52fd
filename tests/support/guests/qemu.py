"""The bare image under QEMU, on every machine it claims to boot on: console, QMP, two data NICs, the management NIC."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.guests.boot import NICS
from tests.support.guests.wires import Wire

QBOOT = "/usr/share/qemu/qboot.rom"
MMIO, PCI = "virtio-net-device", "virtio-net-pci"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """QEMU arguments for one way to boot. `has_button`: does the machine have a power button that the guest sees?"""

    arguments: tuple[str, ...]
    device: str
    memory: int = 8
    cpu: str = "max"
    has_button: bool = True
    root_ports: bool = False


MACHINES = {
    "microvm-legacy": Machine(arguments=("-M", "microvm,acpi=off"), device=MMIO, has_button=False),
    "microvm-modern": Machine(
        arguments=("-M", "microvm,acpi=off", "-global", "virtio-mmio.force-legacy=false"), device=MMIO, has_button=False
    ),
    "microvm-old-cpu": Machine(arguments=("-M", "microvm,acpi=off"), device=MMIO, has_button=False, cpu="qemu64"),
    "microvm-acpi": Machine(arguments=("-M", "microvm,acpi=on"), device=MMIO),
    "q35-seabios": Machine(arguments=("-M", "q35"), device=PCI, memory=16),
    "q35-qboot": Machine(arguments=("-M", "q35", "-bios", QBOOT), device=PCI, memory=16),
    "q35-root-ports": Machine(arguments=("-M", "q35"), device=PCI, memory=16, root_ports=True),
    "q35-qboot-root-ports": Machine(arguments=("-M", "q35", "-bios", QBOOT), device=PCI, memory=16, root_ports=True),
    "pc": Machine(arguments=("-M", "pc"), device=PCI, memory=16),
}


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Vm:
    """A running QEMU. The paths lie in `folder`; sockets need it to be short."""

    def __init__(self, *, machine: Machine, kernel: Path, image: bytes | None, folder: Path) -> None:
        self.folder = folder
        self.console = folder / "console"
        self.control_port = free_udp_port()
        if image is not None:
            (folder / "image").write_bytes(image)
        self.process = subprocess.Popen(self._command(machine, kernel, image is not None))
        self._qmp = self._connect_qmp()
        self.events: list[dict[str, Any]] = []

    def _command(self, machine: Machine, kernel: Path, with_image: bool) -> list[str]:
        command = [
            "qemu-system-x86_64",
            *machine.arguments,
            "-accel",
            "tcg",
            "-cpu",
            machine.cpu,
            "-m",
            str(machine.memory),
        ]
        command += ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-kernel", str(kernel)]
        command += ["-serial", f"file:{self.console}", "-device", "pvpanic"]
        command += ["-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        command += ["-initrd", str(self.folder / "image")] if with_image else []
        for number, (name, mac) in enumerate(NICS.items()):
            backend = f"stream,id={name},server=on,addr.type=unix,addr.path={self.folder}/{name}"
            if name == "mgmt":
                backend = f"user,id=mgmt,hostfwd=udp:127.0.0.1:{self.control_port}-:5683"
            bus = ""
            if machine.root_ports:
                command += ["-device", f"pcie-root-port,id=port{number},chassis={number}"]
                bus = f",bus=port{number}"
            command += ["-netdev", backend, "-device", f"{machine.device},netdev={name},mac={mac.hex(':')}{bus}"]
        return command

    def _connect_qmp(self) -> socket.socket:
        qmp = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 10
        while True:
            try:
                qmp.connect(f"{self.folder}/qmp")
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.002)
        qmp.sendall(b'{"execute":"qmp_capabilities"}\n')
        return qmp

    def command(self, name: str) -> None:
        self._qmp.sendall(json.dumps({"execute": name}).encode() + b"\n")

    def events_until_exit(self, *, seconds: float = 10) -> list[str]:
        """The names of QEMU's events until it closes the connection."""
        self._qmp.settimeout(seconds)
        data = b""
        while part := self._qmp.recv(65536):
            data += part
        self.process.wait(seconds)
        return [json.loads(line).get("event", "") for line in data.splitlines()]

    def wait_for(self, text: str, *, seconds: float = 20) -> str:
        """The console's whole text once it holds `text`."""
        deadline = time.monotonic() + seconds
        while True:
            said = self.console.read_text() if self.console.exists() else ""
            if text in said and said.endswith("\n"):
                return said
            assert time.monotonic() < deadline, f"got {said!r}, expected {text!r}"
            time.sleep(0.002)

    def wire(self, name: str) -> Wire:
        return Wire.connect(self.folder / name)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running_vm(*, machine: Machine, kernel: Path, image: bytes | None, folder: Path) -> Iterator[Vm]:
    """A VM that is gone afterwards."""
    vm = Vm(machine=machine, kernel=kernel, image=image, folder=folder)
    try:
        yield vm
    finally:
        vm.process.kill()
        vm.process.wait()
        vm._qmp.close()
