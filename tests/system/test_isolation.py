"""Programs that no verifier has seen, in the test image (tests/image): what ISOLATION pku makes of them."""

import re
import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cbor2
import pytest

from tests.support.assembler import Assembler
from tests.support.boot import firewall_boot
from tests.support.bundles import Runner, bundle_of
from tests.support.checksums import with_checksums
from tests.support.qemu import MACHINES, Vm, Wire, running_vm
from tests.support.vnf import ipv4
from unibpf.bundle import BundleMap

MACHINE = MACHINES["microvm-legacy"]
STATE = re.compile(r"^state (.*)$", re.MULTILINE)
GRAPH = """
FromDevice(inside) -> fw :: {element}(PROGRAM test, ENGINE {engine}{isolation}) -> Queue(512) -> ToDevice(outside);
FromDevice(outside) -> Discard;
"""
PASS = "mov64 r0, 2\nexit\n"
CANARY = 0x70000  # tests/image/main.cpp


@pytest.fixture
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


@pytest.fixture(params=["interpreter", "jit"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kernel(bin_directory: Path) -> Path:
    return bin_directory / "unibpf-test-image.elf"


def wild_write(address: int) -> str:
    return f"lddw r1, {address:#x}\nstdw [r1+0], 7\n{PASS}"


@dataclass(frozen=True)
class Running:
    vm: Vm
    inside: Wire
    outside: Wire

    def state(self, packets: int) -> dict[str, str]:
        """What the guest tells once so many packets have come."""
        said = self.vm.wait_for(f"state packets={packets} ")
        return dict(word.split("=") for word in STATE.findall(said)[-1].split())


@contextmanager
def guest(
    kernel: Path, folder: Path, *bundles: bytes, engine: str, isolated: bool, element: str = "BPFFilter", after: int = 1
) -> Iterator[Running]:
    graph = GRAPH.format(element=element, engine=engine, isolation=", ISOLATION pku" if isolated else "")
    order = cbor2.dumps([graph, "fw", list(bundles), after], canonical=True)
    with running_vm(machine=MACHINE, kernel=kernel, image=order, folder=folder) as vm:
        vm.wait_for("test image ready")
        with closing(vm.wire("inside")) as inside, closing(vm.wire("outside")) as outside:
            yield Running(vm, inside, outside)


def frames(count: int, first: int = 0) -> list[bytes]:
    return [bytes(12) + b"\x88\xb5" + (first + i).to_bytes(4) + bytes(i * 31 % 1200) for i in range(count)]


def test_without_isolation_the_write_happens(kernel: Path, folder: Path, assembler: Assembler, engine: str) -> None:
    broken = bundle_of(assembler.assemble(wild_write(CANARY))[0], kind="filter")
    with guest(kernel, folder, broken, engine=engine, isolated=False) as running:
        running.inside.send(*frames(3))
        told = running.state(3)
        assert told | {"engine": engine, "canary": "gone", "fault": "0"} == told


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(CANARY, id="unused memory"),
        pytest.param(0, id="null page"),
        pytest.param(0x100200, id="the guest's code"),
        pytest.param(0xFEE000F0, id="interrupt controller"),
        pytest.param(0x8000000000000000, id="no address"),
        pytest.param(0x600000, id="heap"),
    ],
)
def test_a_wild_write_ends_only_its_run(
    address: int, kernel: Path, folder: Path, assembler: Assembler, engine: str
) -> None:
    """Every second frame makes the program write wildly: the others pass, in order, in whatever batch they came."""
    code = f"ldxw r2, [r1+0]\nldxb r2, [r2+17]\njset64 r2, 1, bad\n{PASS}bad:\n{wild_write(address)}"
    broken = bundle_of(assembler.assemble(code)[0], kind="filter")
    with guest(kernel, folder, broken, engine=engine, isolated=True) as running:
        sent = frames(100)
        running.inside.send(*sent)
        assert running.outside.receive(50) == sent[::2]
        told = running.state(100)
        assert told | {"engine": engine, "fault": "50", "canary": "whole", "writable_code": "0"} == told


def test_a_bad_program_is_rolled_back(kernel: Path, folder: Path, assembler: Assembler, engine: str) -> None:
    good = bundle_of(assembler.assemble(PASS)[0], kind="filter")
    broken = bundle_of(assembler.assemble(wild_write(CANARY))[0], kind="filter")
    with guest(kernel, folder, good, broken, engine=engine, isolated=True, after=128) as running:
        inside, outside = running.inside, running.outside
        for _ in range(2):  # the first program's probation ends at its 64th packet or at its 128th
            inside.send(*frames(64))
            assert len(outside.receive(64)) == 64
            time.sleep(0.01)
        sent = frames(100)
        inside.send(*sent)
        assert outside.receive(68) == sent[32:]
        told = running.state(228)
        assert told | {"fault": "32", "rollbacks": "1", "sequence": "1", "canary": "whole"} == told


EVERYTHING = """
    mov64 r6, r1
    mov64 r2, -14                # push a header of 14 bytes
    call_helper 44               # xdp_adjust_head
    jne64 r0, 0, bad
    ldxw r7, [r6+0]
    stxw [r10-4], r0             # key 0
    lddw_map r1, 0
    mov64 r2, r10
    add64 r2, -4
    call_helper 1                # map_lookup_elem
    jeq64 r0, 0, bad
    ldxdw r8, [r0+0]
    add64 r8, 1
    stxdw [r0+0], r8
    stxdw [r10-16], r8           # hash[n & 3] = n, and one delete
    mov64 r3, r8
    and64 r3, 3
    stxw [r10-4], r3
    lddw_map r1, 1
    mov64 r2, r10
    add64 r2, -4
    mov64 r3, r10
    add64 r3, -16
    mov64 r4, 0
    call_helper 2                # map_update_elem
    jne64 r0, 0, bad
    lddw_map r1, 1
    mov64 r2, r10
    add64 r2, -4
    call_helper 3                # map_delete_elem
    jne64 r0, 0, bad
    lddw r1, 0x000a64253d6e      # "n=%d\\n"
    stxdw [r10-24], r1
    mov64 r1, r10
    add64 r1, -24
    mov64 r2, 6
    mov64 r3, r8
    call_helper 6                # trace_printk
    call_helper 7                # get_prandom_u32
    call_helper 5                # ktime_get_ns
    jeq64 r0, 0, bad
    mov64 r1, 0
    mov64 r2, 0
    mov64 r3, r7
    add64 r3, 14
    mov64 r4, 16
    mov64 r5, 0
    call_helper 28               # csum_diff
    stxw [r7+0], r0
    stxdw [r7+4], r8
    sth [r7+12], 0x0608
    mov64 r0, 2
    exit
bad:
    mov64 r0, 0
    exit
"""
MAPS = (
    BundleMap(name="count", type=2, key_size=4, value_size=8, max_entries=4, flags=0),
    BundleMap(name="seen", type=1, key_size=4, value_size=8, max_entries=4, flags=0),
)


def test_a_good_program_does_under_isolation_what_it_does_without(
    kernel: Path, folder: Path, assembler: Assembler, engine: str, bin_directory: Path
) -> None:
    """Maps, the packet's head, console, random numbers, clock, checksums: everything that helpers write."""
    bundle = bundle_of(assembler.assemble(EVERYTHING)[0], MAPS)
    sent = frames(60)
    expected = [
        bytes.fromhex(run["packet"])
        for run in Runner(executable=bin_directory / "unibpf-run", directory=folder).run(bundle, sent)
    ]
    with guest(kernel, folder, bundle, engine=engine, isolated=True, element="BPFRewriter") as running:
        running.inside.send(*sent)
        received = running.outside.receive(60)
        assert received == expected
        assert [struct.unpack_from("<Q", frame, 4)[0] for frame in received] == list(range(1, 61))
        told = running.state(60)
        assert told | {"fault": "0", "canary": "whole", "engine": engine} == told
        assert "bpf: n=1\n" in running.vm.console.read_text()


def test_the_shipped_image_filters_under_isolation(bin_directory: Path, folder: Path) -> None:
    """The demo's firewall, verified and signed, with its maps and its read-only data."""
    plain = firewall_boot()
    option = "PROGRAM firewall"
    assert option in plain.graph
    isolated = replace(plain, graph=plain.graph.replace(option, option + ", ENGINE jit, ISOLATION pku"))
    closed = 9  # vnfs/firewall/program.c
    sent = [with_checksums(ipv4(protocol=17, port=port, payload=port)) for port in range(1, 61)] + frames(20)
    expected = sent[: closed - 1] + sent[closed:]
    kernel = bin_directory / "unibpf-guest.elf"
    with running_vm(machine=MACHINE, kernel=kernel, image=isolated.image(), folder=folder) as vm:
        vm.wait_for("unibpf ready")
        with closing(vm.wire("inside")) as inside, closing(vm.wire("outside")) as outside:
            inside.send(*sent)
            assert outside.receive(len(expected)) == expected


def test_a_guest_whose_cpu_has_no_keys_says_so(kernel: Path, folder: Path, assembler: Assembler) -> None:
    order = cbor2.dumps(
        [
            GRAPH.format(element="BPFFilter", engine="jit", isolation=", ISOLATION pku"),
            "fw",
            [bundle_of(assembler.assemble(PASS)[0], kind="filter")],
            1,
        ],
        canonical=True,
    )
    with running_vm(machine=MACHINES["microvm-old-cpu"], kernel=kernel, image=order, folder=folder) as vm:
        said = vm.wait_for("unibpf panic: test image: the graph has errors")
        assert "`fw`: ISOLATION pku needs a CPU with protection keys (PKU)" in said
