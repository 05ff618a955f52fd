"""A small Linux under QEMU, for what process guests need of a CPU that the host may not have: Debian's kernel, which
packaging/install-debian has put into build/kernel, and tests/image/init.cpp, which runs one guest process at a time."""

import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.guests import boot
from tests.support.guests.qemu import free_udp_port
from tests.support.guests.wires import Wire

KERNEL = Path(__file__).parents[3] / "build" / "kernel"
DIRECTORY, EXECUTABLE, CHARACTERS = 0o040755, 0o100755, 0o020600  # st_mode (man 7 inode)
CONSOLE = (5, 1)  # numbers of its device (man 4 console)
SECOND_SERIAL_PORT = (4, 65)
LIBRARY = re.compile(r"(/\S+) \(0x")
NICS = {"inside": "eth0", "outside": "eth1", "mgmt": "eth2"}  # what a guest calls them, what Linux does


class Archive:
    """An initial file system: `newc`, as the kernel's documentation of initramfs buffers has it."""

    def __init__(self) -> None:
        self.data = b""
        self._names: set[str] = set()

    def add(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        if name in self._names:
            return
        self._names.add(name)
        path = name.encode() + b"\0"
        numbers = (len(self._names), mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % number for number in numbers)
        for part in (header + path, content):
            self.data += part + bytes(-len(part) % 4)

    def add_file(self, name: str, source: Path) -> None:
        """With the directories above it."""
        for parent in reversed(Path(name).parents[:-1]):
            self.add(str(parent), DIRECTORY)
        self.add(name, EXECUTABLE, source.read_bytes())

    def end(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return self.data


def libraries_of(executable: Path) -> list[Path]:
    said = subprocess.run(["ldd", executable], capture_output=True, text=True, check=True).stdout
    return [Path(path) for path in LIBRARY.findall(said)]


def file_system(binaries: Path, executables: Iterable[str]) -> bytes:
    archive = Archive()
    for directory in ("dev", "proc"):
        archive.add(directory, DIRECTORY)
    archive.add("dev/console", CHARACTERS, device=CONSOLE)
    archive.add("dev/ttyS1", CHARACTERS, device=SECOND_SERIAL_PORT)
    archive.add_file("init", binaries / "unibpf-test-init")
    for module in sorted(KERNEL.glob("*.ko")):
        archive.add_file(f"modules/{module.name}", module)
    for name in executables:
        archive.add_file(name, binaries / name)
        for library in libraries_of(binaries / name):
            archive.add_file(str(library)[1:], library)
    return archive.end()


class LinuxVm:
    """A running VM. Paths lie in `folder`, which must be short."""

    def __init__(self, binaries: Path, folder: Path, *, cpu: str = "max") -> None:
        if not (KERNEL / "vmlinuz").exists():
            raise FileNotFoundError(f"no kernel in {KERNEL}, run packaging/install-debian")
        self._console = folder / "console"
        self._since = 0
        (folder / "initrd").write_bytes(file_system(binaries, ("unibpf-test-process", "unibpf-guest")))
        command = ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", cpu, "-m", "512", "-nodefaults"]
        command += ["-no-user-config", "-no-reboot", "-display", "none", "-kernel", str(KERNEL / "vmlinuz")]
        # No addresses by chance: what one run tells of them holds for the next.
        command += [
            "-append",
            "console=ttyS0 quiet panic=-1 ipv6.disable=1 norandmaps",
            "-initrd",
            f"{folder}/initrd",
        ]
        command += ["-serial", f"file:{self._console}", "-serial", f"unix:{folder}/orders,server=on,wait=off"]
        self.control_port = free_udp_port()
        for name in NICS:
            backend = f"stream,id={name},server=on,addr.type=unix,addr.path={folder}/{name}"
            if name == "mgmt":
                backend = f"user,id=mgmt,ipv6=off,hostfwd=udp:127.0.0.1:{self.control_port}-:5683"
            command += ["-netdev", backend, "-device", f"virtio-net-pci,netdev={name},mac={boot.NICS[name].hex(':')}"]
        self.process = subprocess.Popen(command)
        self.wait_for("init: ready", seconds=60)
        self._orders = Wire.connect(folder / "orders")
        self.wires = {name: Wire.connect(folder / name) for name in ("inside", "outside")}

    def start(self, executable: str, image: bytes) -> None:
        """Run `executable` with this boot image and all NICs, instead of what runs."""
        self._since = len(self._read())
        nics = [f"{name}={boot.NICS[name].hex(':')}:packet:{interface}" for name, interface in NICS.items()]
        self._order(f"/{executable}", "/boot", *(word for nic in nics for word in ("--nic", nic)), content=image)
        self.wait_for("init: started")
        for wire in self.wires.values():
            wire.drain()

    def terminate(self) -> None:
        """Send SIGTERM to what runs."""
        self._order("terminate")

    def said(self) -> str:
        """What the console says since the last start."""
        return self._read()[self._since :]

    def wait_for(self, text: str, *, seconds: float = 20) -> str:
        """What was said since the last start once it holds `text`."""
        deadline = time.monotonic() + seconds
        while text not in self.said() or not self.said().endswith("\n"):
            assert time.monotonic() < deadline, f"got {self.said()!r}, expected {text!r}"
            assert self.process.poll() is None, f"the VM has ended: {self.said()!r}"
            time.sleep(0.005)
        return self.said()

    def _order(self, *words: str, content: bytes = b"") -> None:
        self._orders.send("".join(f"{word}\0" for word in (*words, "")).encode() + content)

    def _read(self) -> str:
        return self._console.read_text().replace("\r\n", "\n") if self._console.exists() else ""

    def close(self) -> None:
        for wire in (self._orders, *self.wires.values()):
            wire.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def running_linux(binaries: Path, folder: Path, *, cpu: str = "max") -> Iterator[LinuxVm]:
    """A VM that is gone afterwards."""
    with closing(LinuxVm(binaries, folder, cpu=cpu)) as vm:
        yield vm
