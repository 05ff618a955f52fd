"""A real guest under test: the process guest or the image in a VM, two data NICs in the test's hands, raw CoAP to its
control channel. No service takes part: whatever reaches the guest, the test sent it.
"""

import secrets
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, Literal

from tests.support.folders import short_folder
from tests.support.guests.wires import Listener, Wire
from tests.support.signing.signing import Signer
from unibpf.formats import boot_image, bundle, cbor, control_mac
from unibpf.formats.boot_image import BootImage, FirstProgram, Limits, Management
from unibpf.formats.bpf import MapType

Machine = Literal["process", "microvm", "q35"]
GET, POST, PUT, FETCH = 1, 2, 3, 5
METHOD_CODES = {"GET": GET, "POST": POST, "PUT": PUT, "FETCH": FETCH}
CHANGED, CONTENT, CONTINUE = (2 << 5) | 4, (2 << 5) | 5, (2 << 5) | 31
ACK = 2

MACS = {
    "mgmt": bytes.fromhex("525400000001"),
    "in0": bytes.fromhex("525400000002"),
    "out0": bytes.fromhex("525400000003"),
}
ADDRESS = IPv4Interface("10.0.2.15/24")
GRAPH = """
control :: Control;
FromDevice(in0) -> fw :: BPFFilter(PROGRAM firewall) -> Queue(512) -> ToDevice(out0);
FromDevice(out0) -> nat :: BPFRewriter(PROGRAM nat) -> Queue(512) -> ToDevice(in0);
"""


def counting_filter(verdict: int, *, filler: int = 0, name: str = "firewall", value_size: int = 8) -> bytes:
    """A filter that counts packets in place 0 of an array map `hits` and returns `verdict` (1 drop, 2 pass).

    `filler` more instructions make the bundle larger.
    """
    insn = struct.Struct("<BBhi").pack
    code = b"".join(
        [
            insn(0x62, 10, -4, 0),  # *(u32 *)(r10 - 4) = 0
            insn(0xBF, 0xA2, 0, 0),  # r2 = r10
            insn(0x07, 2, 0, -4),  # r2 += -4
            insn(0x18, 0x51, 0, 0) + insn(0, 0, 0, 0),  # r1 = map 0
            insn(0x85, 0, 0, 1),  # call bpf_map_lookup_elem
            insn(0x15, 0, 3, 0),  # if r0 == 0 goto +3
            insn(0x79, 0x01, 0, 0),  # r1 = *(u64 *)(r0)
            insn(0x07, 1, 0, 1),  # r1 += 1
            insn(0x7B, 0x10, 0, 0),  # *(u64 *)(r0) = r1
            insn(0xB7, 0, 0, verdict) * (filler + 1),  # r0 = verdict
            insn(0x95, 0, 0, 0),  # exit
        ]
    )
    hits = bundle.BundleMap(name="hits", type=MapType.ARRAY, key_size=4, value_size=value_size, max_entries=4)
    return bundle.encode(
        bundle.Bundle(name=name, kind="filter", code=code, maps=(hits,), helpers=(1,), outputs=1, stack=8)
    )


DROP, PASS = 1, 2
V1, V2 = counting_filter(PASS), counting_filter(DROP, filler=350)  # V2 goes in several blocks


def boot(signer: Signer, **fields: Any) -> BootImage:
    """A boot image of guest `fw1`, class `edge`; `fields` override."""
    base: dict[str, Any] = {
        "guest": "fw1",
        "audience": "edge",
        "seed": secrets.token_bytes(32),
        "signers": [signer.pinned()],
        "graph_envelope": signer.graph(GRAPH),
        "graph": GRAPH.encode(),
        "management": Management(interface=ADDRESS),
        "nics": MACS,
        "started_us": time.time_ns() // 1000,
        "limits": Limits(),
    }
    return BootImage(**(base | fields))


def first_program(
    signer: Signer, data: bytes, *, sequence: int = 1, element: str = "fw", **fields: Any
) -> FirstProgram:
    return FirstProgram(element=element, envelope=signer.release(data, sequence=sequence, **fields), bundle=data)


@dataclass
class Answer:
    """A CoAP answer. `body` is decoded CBOR where there is any; `authenticated` says whether its MAC was right."""

    code: int
    payload: bytes
    body: Any = None
    authenticated: bool = False

    @property
    def name(self) -> str:
        return f"{self.code >> 5}.{self.code & 31:02}"

    @property
    def rule(self) -> str | None:
        return self.body["urn:unibpf:v1"][0] if isinstance(self.body, dict) and "urn:unibpf:v1" in self.body else None


@dataclass
class Channel:
    """Raw CoAP over one UDP socket: block-wise requests, MACs, and garbage. Retransmits like RFC 7252 4.2, but sooner."""

    address: tuple[str, int]
    keys: control_mac.ControlKeys
    counter: int = field(default_factory=lambda: time.time_ns() // 1000)
    _next_id: int = field(default_factory=lambda: secrets.randbelow(60000))

    def __post_init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(self.address)

    def close(self) -> None:
        self.socket.close()

    def raw(self, datagram: bytes, *, seconds: float = 0.3) -> bytes | None:
        """Send bytes as they are; the datagram that comes back, if one does."""
        self.socket.send(datagram)
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(2048)
        except TimeoutError:
            return None

    def drain(self) -> None:
        """Forget what is still on its way back."""
        self.socket.settimeout(0.2)
        while self._late() is not None:
            pass

    def exchange(
        self, code: int, path: str, options: dict[int, bytes], payload: bytes
    ) -> tuple[int, dict[int, bytes], bytes]:
        """One confirmable message and its piggy-backed answer: code, options, payload."""
        self._next_id = (self._next_id + 1) % 65536
        datagram = message(code, path, options, payload, message_id=self._next_id)
        for _ in range(20):
            reply = self.raw(datagram, seconds=0.5)
            while reply is not None:
                if reply[0] >> 4 & 3 == ACK and int.from_bytes(reply[2:4]) == self._next_id:
                    return parse(reply)
                reply = self._late()
        raise TimeoutError(f"the guest does not answer {path}")

    def _late(self) -> bytes | None:
        try:
            return self.socket.recv(2048)
        except TimeoutError:
            return None

    def whole(self, code: int, path: str, body: bytes) -> tuple[int, bytes]:
        """A request with its blocks out (RFC 7959 2.5) and the answer's blocks in (2.4)."""
        tag = {292: secrets.token_bytes(4)}
        blocks = [body[at : at + 1024] for at in range(0, len(body), 1024)] or [b""]
        for number, block in enumerate(blocks):
            more = number + 1 < len(blocks)
            options = tag | {27: uint(number << 4 | more << 3 | 6)} if len(blocks) > 1 else {}
            answered, got, payload = self.exchange(code, path, options, block)
            if answered != CONTINUE:
                break
        number = 0
        while 23 in got and int.from_bytes(got[23]) & 8:
            number += 1
            answered, got, more_payload = self.exchange(code, path, {23: uint(number << 4 | 6)}, b"")
            payload += more_payload
        return answered, payload

    def request(self, method: str, path: str, body: bytes = b"\xa0", *, mac: bool = True) -> Answer:
        """A request as the reconfigurer makes it, or, with `mac=False`, as anybody could."""
        if not mac:
            return decoded(*self.whole(METHOD_CODES[method], path, body))
        return self.send_sealed(method, path, self.seal(method, path, body))

    def seal(
        self, method: str, path: str, body: bytes = b"\xa0", *, keys: control_mac.ControlKeys | None = None
    ) -> control_mac.Sealed:
        """A request under the next counter, by the guest's keys or by others."""
        self.counter += 1
        return control_mac.seal_request(keys or self.keys, method=method, path=path, counter=self.counter, body=body)

    def send_sealed(self, method: str, path: str, sealed: control_mac.Sealed) -> Answer:
        code, payload = self.whole(METHOD_CODES[method], path, sealed.message)
        if payload[:1] != b"\x82":
            return decoded(code, payload)
        answer = decoded(code, control_mac.open_answer(self.keys, payload, request=sealed, code=code))
        answer.authenticated = True
        return answer

    def status(self) -> dict[int, Any]:
        answer = self.request("FETCH", "/status")
        assert answer.code == CONTENT, answer
        assert answer.authenticated
        return answer.body

    def element(self, name: str) -> dict[int, Any]:
        return next(row for row in self.status()[4] if row[0] == name)


def decoded(code: int, payload: bytes) -> Answer:
    """The problem details and results of the guest are CBOR, link format is not."""
    try:
        body = problem_or_cbor(payload)
    except cbor.CborError:
        body = None
    return Answer(code, payload, body)


def problem_or_cbor(payload: bytes) -> Any:
    return cbor.decode(payload, max_bytes=1 << 20) if payload else None


def uint(value: int) -> bytes:
    """RFC 7252 3.2."""
    return value.to_bytes((value.bit_length() + 7) // 8)


def message(code: int, path: str, options: dict[int, bytes], payload: bytes, *, message_id: int) -> bytes:
    """A confirmable CoAP message with the token `t`."""
    rows = [(11, segment.encode()) for segment in path.strip("/").split("/")] + list(options.items())
    out = bytes([0x41, code]) + message_id.to_bytes(2) + b"t"
    last = 0
    for number, value in sorted(rows, key=lambda row: row[0]):
        delta, delta_more = _nibble(number - last)
        length, length_more = _nibble(len(value))
        out += bytes([delta << 4 | length]) + delta_more + length_more + value
        last = number
    return out + (b"\xff" + payload if payload else b"")


def _nibble(value: int) -> tuple[int, bytes]:
    if value < 13:
        return value, b""
    return (13, bytes([value - 13])) if value < 269 else (14, (value - 269).to_bytes(2))


def parse(datagram: bytes) -> tuple[int, dict[int, bytes], bytes]:
    """Code, options and payload of an answer of the guest."""
    at, number, options = 4 + (datagram[0] & 15), 0, {}
    while at < len(datagram) and datagram[at] != 0xFF:
        delta, length = datagram[at] >> 4, datagram[at] & 15
        at += 1
        delta, at = _extended(datagram, at, delta)
        length, at = _extended(datagram, at, length)
        number += delta
        options[number] = datagram[at : at + length]
        at += length
    return datagram[1], options, datagram[at + 1 :]


def _extended(datagram: bytes, at: int, nibble: int) -> tuple[int, int]:
    if nibble == 13:
        return datagram[at] + 13, at + 1
    if nibble == 14:
        return int.from_bytes(datagram[at : at + 2]) + 269, at + 2
    return nibble, at


@dataclass
class LiveGuest:
    """A guest that has said it is ready."""

    machine: Machine
    process: subprocess.Popen[bytes]
    console: Path
    channel: Channel
    inside: Wire
    outside: Wire

    def passes(self, payload: bytes = b"") -> bool:
        """Does a packet pass the firewall now? `payload` is what follows the Ethernet header; the rest is random."""
        frame = bytes(12) + b"\x88\xb5" + payload + secrets.token_bytes(46 - len(payload))
        self.inside.send(frame)
        return self.outside.receive_one(0.4 if self.machine == "process" else 1.0) == frame

    def console_text(self) -> str:
        return self.console.read_text(errors="replace")

    def alive(self) -> bool:
        return self.process.poll() is None


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command(machine: Machine, binaries: Path, folder: Path, port: int) -> list[str]:
    """How the guest is started with `folder/boot` and its wires in `folder`."""
    mac = {name: raw.hex(":") for name, raw in MACS.items()}
    if machine == "process":
        nics = [f"{name}={mac[name]}:stream:{folder / name}" for name in ("in0", "out0")]
        nics.append(f"mgmt={mac['mgmt']}:udp-control:{port}")
        return [
            str(binaries / "unibpf-guest"),
            str(folder / "boot"),
            *[part for nic in nics for part in ("--nic", nic)],
        ]
    device = "virtio-net-device" if machine == "microvm" else "virtio-net-pci"
    kind = ["-M", "microvm,acpi=off", "-bios", "qboot.rom"] if machine == "microvm" else ["-M", "q35"]
    arguments = ["qemu-system-x86_64", *kind, "-accel", "tcg", "-cpu", "max", "-m", "8", "-nodefaults", "-no-reboot"]
    arguments += ["-display", "none", "-serial", "stdio", "-kernel", str(binaries / "unibpf-guest.elf")]
    arguments += ["-initrd", str(folder / "boot")]
    for name in ("in0", "out0"):
        arguments += ["-netdev", f"stream,id={name},server=off,addr.type=unix,addr.path={folder / name}"]
        arguments += ["-device", f"{device},netdev={name},mac={mac[name]}"]
    forward = f"user,id=mgmt,ipv6=off,hostfwd=udp:127.0.0.1:{port}-{ADDRESS.ip}:5683"
    return [*arguments, "-netdev", forward, "-device", f"{device},netdev=mgmt,mac={mac['mgmt']}"]


@contextmanager
def running(machine: Machine, binaries: Path, image: BootImage) -> Iterator[LiveGuest]:
    """Boot `image` and wait for the ready line."""
    with short_folder() as folder, _running_in(folder, machine, binaries, image) as live:
        yield live


@contextmanager
def _running_in(folder: Path, machine: Machine, binaries: Path, image: BootImage) -> Iterator[LiveGuest]:
    (folder / "boot").write_bytes(boot_image.encode(image))
    listeners = [Listener(folder / name) for name in ("in0", "out0")]
    wires: list[Wire] = []
    port = free_port()
    console = folder / "console"
    with console.open("wb") as log:
        process = subprocess.Popen(
            command(machine, binaries, folder, port), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    channel = Channel(("127.0.0.1", port), control_mac.derive(image.guest, image.seed))
    try:
        wires += [listener.accept() for listener in listeners]
        wait_for_console(console, "unibpf ready", process)
        yield LiveGuest(machine, process, console, channel, *wires)
    finally:
        process.kill()
        process.wait()
        channel.close()
        for end in (*listeners, *wires):
            end.close()


def wait_for_console(console: Path, text: str, process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while text not in console.read_text(errors="replace"):
        if time.monotonic() > deadline or process.poll() is not None:
            raise AssertionError(f"the guest did not say `{text}`: {console.read_text(errors='replace')!r}")
        time.sleep(0.01)
