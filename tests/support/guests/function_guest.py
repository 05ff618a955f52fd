"""A guest of the catalogue as its folder describes it, with the test at the end of each of its NICs."""

import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scapy.packet import Packet

from tests.support.folders import short_folder
from tests.support.guests import command_lines
from tests.support.guests.boot import boot_image_of, mac
from tests.support.guests.live_guest import Channel, free_port, wait_for_console
from tests.support.guests.wires import Listener, Wire
from tests.support.programs.vnf import bundle_of
from tests.support.signing.signing import Signer
from unibpf.formats import boot_image, bundle, cbor, control_mac
from unibpf.formats.boot_image import BootImage, FirstProgram

Machine = Literal["process", "microvm"]
_WAIT = 10.0  # seconds, on a busy machine


@dataclass(kw_only=True)
class FunctionGuest:
    """A guest that is ready."""

    machine: Machine
    wires: Mapping[str, Wire]
    channel: Channel

    def send(self, nic: str, *packets: Packet | bytes) -> None:
        self.wires[nic].send(*map(bytes, packets))

    def receive(self, nic: str, seconds: float = _WAIT) -> bytes | None:
        """The next frame that leaves by this NIC, None: none came in time."""
        return self.wires[nic].receive_one(seconds)

    def set(self, element: str, name: str, key: bytes, value: bytes) -> None:
        """Set an entry while it runs."""
        answer = self.channel.request("POST", f"/elements/{element}/maps/{name}", cbor.encode({0: [[key, value]]}))
        assert answer.name == "2.04", answer

    def entries(self, element: str, name: str) -> list[tuple[bytes, bytes]]:
        """The first entries of a map, or records of a ring, as one answer takes them."""
        answer = self.channel.request("FETCH", f"/elements/{element}/maps/{name}", cbor.encode({}))
        assert answer.name == "2.05", answer
        return [tuple(row) for row in answer.body[4]]


@contextmanager
def running_function(
    function: Path,
    machine: Machine,
    binaries: Path,
    *,
    others: Mapping[str, bytes] | None = None,
    guest: str = "guest.toml",
) -> Iterator[FunctionGuest]:
    """Boot the guest of `function/guest.toml`; `program.c` is compiled now, bundles of `others` are by program."""
    described = tomllib.loads((function / guest).read_text())
    names = [nic["name"] for nic in described["nics"]]
    image = _image(function, described, names, others or {})
    with short_folder() as folder, ExitStack() as stack:
        (folder / "boot").write_bytes(boot_image.encode(image))
        listeners = {name: Listener(folder / name) for name in names}
        for listener in listeners.values():
            stack.callback(listener.close)
        port = free_port()
        console = folder / "console"
        words = _command(machine, binaries, folder, image.nics, port, described.get("memory_mib", 8))
        with console.open("wb") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        stack.callback(process.wait)
        stack.callback(process.kill)
        channel = Channel(("127.0.0.1", port), control_mac.derive(image.guest, image.seed))
        stack.callback(channel.close)
        wires = {name: listener.accept() for name, listener in listeners.items()}
        for wire in wires.values():
            stack.callback(wire.close)
        wait_for_console(console, "unibpf ready", process)
        said = console.read_text(errors="replace")
        assert "starts without a program" not in said, said
        yield FunctionGuest(machine=machine, wires=wires, channel=channel)


def _image(function: Path, described: dict[str, Any], names: Sequence[str], others: Mapping[str, bytes]) -> BootImage:
    signer = Signer()
    graph = (function / described["graph"]).read_text()
    own = bundle_of(function / "program.c", kind="rewriter" if "BPFRewriter(" in graph else None)

    def first(element: str, program: str) -> FirstProgram:
        data = others.get(program, own)
        kind = bundle.decode(data).kind
        return FirstProgram(element=element, envelope=signer.release(data, program=program, kind=kind), bundle=data)

    return boot_image_of(
        signer,
        guest=described["guest"],
        graph_envelope=signer.graph(graph),
        graph=graph.encode(),
        nics={name: mac(number) for number, name in enumerate(["mgmt", *names], 1)},
        programs=[first(element, program) for element, program in described["programs"].items()],
    )


def _command(
    machine: Machine, binaries: Path, folder: Path, nics: Mapping[str, bytes], port: int, memory: int
) -> list[str]:
    if machine == "process":
        words = [str(binaries / "unibpf-guest"), str(folder / "boot")]
        for name, address in nics.items():
            way = f"udp-control:{port}" if name == "mgmt" else f"stream:{folder / name}"
            words += ["--nic", f"{name}={address.hex(':')}:{way}"]
        return words
    kind = ("-M", "microvm,acpi=off", "-bios", "qboot.rom")
    kernel = binaries / "unibpf-guest.elf"
    words = command_lines.machine(kind, kernel=kernel, image=folder / "boot", memory=memory)
    words += ["-serial", "stdio"]
    for name, address in nics.items():
        backend = command_lines.control(port)
        if name != "mgmt":
            backend = command_lines.stream(folder / name, listens=False)
        words += command_lines.nic(name, backend, device="virtio-net-device", mac=address)
    return words
