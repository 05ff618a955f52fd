"""Where a bare guest's memory appears: chosen by the boot seed, told by a program that shows the addresses it meets."""

import struct
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.guests.boot import Boot, firewall_boot
from tests.support.guests.qemu import MACHINES, running_vm
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from unibpf.formats.bundle import BundleMap

GRAPH = """
fw :: BPFFilter(PROGRAM firewall, ENGINE {engine}, ISOLATION {isolation});
FromDevice(inside) -> fw -> Queue(64) -> ToDevice(outside);
FromDevice(outside) -> Discard;
"""
MAPS = (BundleMap(name="table", type=2, key_size=4, value_size=8, max_entries=4),)
# Writes into the packet where it is itself, where the stack is, the map, and a value of it.
TELL = """
    ldxw r7, [r1+0]
    stxdw [r7+14], r7
    stxdw [r7+22], r10
    lddw_map r1, 0
    stxdw [r7+30], r1
    stw [r10-4], 0
    mov64 r2, r10
    add64 r2, -4
    call_helper 1
    stxdw [r7+38], r0
    mov64 r0, 2
    exit
"""
NAMES = ("packet", "stack", "map", "value")
FOUR_GIB = 1 << 32


def addresses(kernel: Path, folder: Path, boot: Boot, machine: str) -> dict[str, int]:
    folder.mkdir()
    with running_vm(machine=MACHINES[machine], kernel=kernel, image=boot.image(), folder=folder) as vm:
        vm.wait_for("unibpf ready")
        with closing(vm.wire("inside")) as inside, closing(vm.wire("outside")) as outside:
            inside.send(bytes(12) + b"\x88\xb5" + bytes(46))
            (frame,) = outside.receive(1)
    return dict(zip(NAMES, struct.unpack_from("<QQQQ", frame, 14), strict=True))


@pytest.mark.parametrize("isolation", ["pku", "none"])
@pytest.mark.parametrize("machine", ["microvm-legacy", "q35-qboot"])
def test_another_seed_means_other_addresses_and_the_same_seed_the_same(
    bin_directory: Path, folder: Path, assembler: Assembler, machine: str, isolation: str
) -> None:
    program = bundle_of(assembler.assemble(TELL)[0], MAPS, kind="filter", name="firewall")
    graph = GRAPH.format(engine="jit", isolation=isolation)
    kernel = bin_directory / "unibpf-guest.elf"
    told = [
        addresses(kernel, folder / str(number), Boot(graph=graph, programs={"fw": program}, seed=seed), machine)
        for number, seed in enumerate([b"\1" * 32, b"\2" * 32, b"\3" * 32, b"\1" * 32])
    ]
    assert told[0] == told[3]
    for name in NAMES:
        assert len({one[name] for one in told}) == 3, name
        assert all(0 < one[name] < FOUR_GIB for one in told), name


def test_nothing_is_left_where_memory_was(bin_directory: Path, folder: Path, assembler: Assembler) -> None:
    """Whoever knows the machine's addresses reaches no packet and no map by them."""
    machine_address = 0x600000
    code = f"lddw r1, {machine_address:#x}\nldxdw r0, [r1+0]\nmov64 r0, 2\nexit\n"
    program = bundle_of(assembler.assemble(code)[0], kind="filter", name="firewall")
    boot = Boot(graph=GRAPH.format(engine="interpreter", isolation="pku"), programs={"fw": program})
    kernel = bin_directory / "unibpf-guest.elf"
    with running_vm(machine=MACHINES["microvm-legacy"], kernel=kernel, image=boot.image(), folder=folder) as vm:
        vm.wait_for("unibpf ready")
        with closing(vm.wire("inside")) as inside, closing(vm.wire("outside")) as outside:
            inside.send(*[bytes(60)] * 10)
            assert outside.receive(1, seconds=1) == []
            assert "panic" not in vm.console.read_text()


def test_a_firewall_still_boots_in_eight_mebibytes(bin_directory: Path, folder: Path) -> None:
    for number in range(4):  # seeds differ
        boot = replace(firewall_boot(), guest=f"test-{number}")
        place = folder / str(number)
        place.mkdir()
        kernel = bin_directory / "unibpf-guest.elf"
        with running_vm(machine=MACHINES["microvm-legacy"], kernel=kernel, image=boot.image(), folder=place) as vm:
            assert "starts without a program" not in vm.wait_for("unibpf ready")
