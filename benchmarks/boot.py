"""Boot: QEMU exec to the guest's ready line, with the demo's graph and a signed program active, three NICs.

QEMU is started directly, as its own process; what libvirt adds on top is in the table of `benchmarks.update`.
"""

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.document import progress
from benchmarks.figures import Figure, percentile
from tests.support.guests import command_lines
from tests.support.guests.boot import NICS, firewall_boot

BOOTS: Final = 20


def command(image: Path, boot: Path, folder: Path) -> list[str]:
    """A microvm under TCG; the data NICs are unix streams that nobody listens to, the management NIC is user-mode."""
    words = [*command_lines.machine(("-M", "microvm,acpi=off"), kernel=image, image=boot), "-serial", "stdio"]
    for name, mac in NICS.items():
        backend = "user,ipv6=off" if name == "mgmt" else command_lines.stream(folder / name, listens=True)
        words += command_lines.nic(name, backend, device="virtio-net-device", mac=mac)
    return words


def one_boot(image: Path, boot: Path, folder: Path) -> tuple[float, float]:
    """(exec to ready, entry to ready), ms."""
    for name in NICS:
        (folder / name).unlink(missing_ok=True)
    started = time.perf_counter()
    with subprocess.Popen(
        command(image, boot, folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as qemu:
        if qemu.stdout is None:
            raise AssertionError("stdout was piped")
        try:
            for line in qemu.stdout:
                if line.startswith("unibpf ready"):
                    return (time.perf_counter() - started) * 1000, int(line.rsplit("ns=", 1)[1]) / 1e6
        finally:
            qemu.kill()
    raise RuntimeError("the guest ended before it was ready")


def measure(image: Path) -> list[Figure]:
    """The table of boots."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        boot = folder / "boot"
        boot.write_bytes(firewall_boot().image())
        times = [one_boot(image, boot, folder) for _ in range(BOOTS)]
    progress(f"booted {BOOTS} times")
    total, inside = [row[0] for row in times], [row[1] for row in times]
    return [
        Figure(name="QEMU exec to ready, p50", value=percentile(total, 0.5), unit="ms", limit=60,
               how=f"{BOOTS} boots, microvm, TCG, 8 MiB, three NICs"),
        Figure(name="QEMU exec to ready, best", value=min(total), unit="ms", how="the same"),
        Figure(name="of it in the guest, p50", value=percentile(inside, 0.5), unit="ms", how="entry to ready, its own clock"),
        Figure(name="image", value=image.stat().st_size / 1024, unit="KiB", limit=512, how=image.name),
    ]  # fmt: skip
