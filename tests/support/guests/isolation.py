"""The test image (tests/image), bare or as a process in a small Linux: what tests of ISOLATION pku run their programs in."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cbor2

from tests.support.guests.linux_vm import LinuxVm
from tests.support.guests.qemu import MACHINES, running_vm
from tests.support.guests.wires import Wire

MACHINE = MACHINES["microvm-legacy"]
STATE = re.compile(r"^state (.*)$", re.MULTILINE)
ADDRESS = re.compile(r"^at (\S+) (0x[0-9a-f]+)$", re.MULTILINE)
GRAPH = """
FromDevice(inside) -> fw :: {element}(PROGRAM test, ENGINE {engine}{isolation}) -> Queue(512) -> ToDevice(outside);
FromDevice(outside) -> {other} -> Discard;
"""
PASS = "mov64 r0, 2\nexit\n"
CANARY = 0x70000  # tests/image/main.cpp

# Where a program writes that has lost its way. What a process says of itself (tests/image/machine_linux.cpp) comes on top.
ANYWHERE = {"unused memory": CANARY, "null page": 0, "no address": 0x8000000000000000}
IN_THE_BARE_IMAGE = ANYWHERE | {"the guest's code": 0x100200, "interrupt controller": 0xFEE000F0, "heap": 0x600000}
OF_A_PROCESS = ("code", "library", "variable", "heap", "main-stack", "thread")

# Writes r1 over what lies below the stack of programs, which the machine holds: the engine's own stack.
OVER_RETURN_ADDRESSES = """
    mov64 r3, r10
    add64 r3, -4096
    mov64 r4, 64
again:
    add64 r3, -8
    stxdw [r3+0], r1
    add64 r4, -1
    jne64 r4, 0, again
"""


def wild_write(address: int) -> str:
    return f"lddw r1, {address:#x}\nstdw [r1+0], 7\n{PASS}"


def frames(count: int, first: int = 0) -> list[bytes]:
    return [bytes(12) + b"\x88\xb5" + (first + i).to_bytes(4) + bytes(i * 31 % 1200) for i in range(count)]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a guest runs. `other`: the element that frames from `outside` meet."""

    bundles: tuple[bytes, ...]
    engine: str
    isolated: bool = True
    element: str = "BPFFilter"
    after: int = 1
    other: str = "Null"

    def encode(self) -> bytes:
        isolation = f", ISOLATION {'pku' if self.isolated else 'none'}"
        graph = GRAPH.format(element=self.element, engine=self.engine, isolation=isolation, other=self.other)
        return cbor2.dumps([graph, "fw", list(self.bundles), self.after], canonical=True)


@dataclass(frozen=True)
class Running:
    wait_for: Callable[[str], str]  # what the guest says once it has said this
    inside: Wire
    outside: Wire

    def state(self, packets: int) -> dict[str, str]:
        """What the guest tells once so many packets have come."""
        said = self.wait_for(f"state packets={packets} ")
        return dict(word.split("=") for word in STATE.findall(said)[-1].split())


class Guests(Protocol):
    def running(self, order: Order) -> AbstractContextManager[Running]: ...
    def address(self, place: str) -> int: ...


@dataclass(frozen=True)
class BareGuests:
    """Each is a VM of its own."""

    kernel: Path
    folder: Path

    @contextmanager
    def running(self, order: Order) -> Iterator[Running]:
        with running_vm(machine=MACHINE, kernel=self.kernel, image=order.encode(), folder=self.folder) as vm:
            vm.wait_for("test image ready")
            with closing(vm.wire("inside")) as inside, closing(vm.wire("outside")) as outside:
                yield Running(vm.wait_for, inside, outside)

    def address(self, place: str) -> int:
        return IN_THE_BARE_IMAGE[place]


@dataclass(frozen=True)
class ProcessGuests:
    """One after the other in the same VM."""

    vm: LinuxVm

    @contextmanager
    def running(self, order: Order) -> Iterator[Running]:
        self.vm.start("unibpf-test-process", order.encode())
        self.vm.wait_for("test image ready")
        yield Running(self.vm.wait_for, self.vm.wires["inside"], self.vm.wires["outside"])

    def address(self, place: str) -> int:
        """Where it is in the process that runs or ran last, and where it will be in the next."""
        said = dict(ADDRESS.findall(self.vm.said()))
        return int(said[place], 16) if place in said else ANYWHERE[place]
