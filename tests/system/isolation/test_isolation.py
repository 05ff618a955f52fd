"""Programs that no verifier has seen, in the test image (tests/image): what ISOLATION pku makes of them, in a bare VM and in a
process, which runs in a small Linux VM because the host's CPU may have no protection keys."""

import struct
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.guests.boot import firewall_boot
from tests.support.guests.isolation import (
    ANYWHERE,
    CANARY,
    IN_THE_BARE_IMAGE,
    MACHINE,
    OF_A_PROCESS,
    OVER_RETURN_ADDRESSES,
    PASS,
    BareGuests,
    Guests,
    Order,
    ProcessGuests,
    frames,
    wild_write,
)
from tests.support.guests.qemu import MACHINES, running_vm
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import Runner, bundle_of
from tests.support.programs.checksums import with_checksums
from tests.support.programs.vnf import ipv4
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap

PLACES = [("bare", place) for place in IN_THE_BARE_IMAGE] + [("process", place) for place in (*ANYWHERE, *OF_A_PROCESS)]


@pytest.fixture(params=["bare", "process"])
def guests(request: pytest.FixtureRequest, bin_directory: Path, folder: Path) -> Guests:
    if request.param == "bare":
        return BareGuests(bin_directory / "unibpf-test-image.elf", folder)
    return ProcessGuests(request.getfixturevalue("linux_vm"))


@pytest.fixture(params=["interpreter", "jit"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_without_isolation_the_write_happens(guests: Guests, assembler: Assembler, engine: str) -> None:
    broken = bundle_of(assembler.assemble(wild_write(CANARY))[0], kind="filter")
    with guests.running(Order(bundles=(broken,), engine=engine, isolated=False)) as running:
        running.inside.send(*frames(3))
        told = running.state(3)
        assert told | {"engine": engine, "canary": "gone", "fault": "0"} == told


def every_second_frame(broken: str) -> str:
    """Every second of `frames` makes the program do what is broken."""
    return f"ldxw r2, [r1+0]\nldxb r2, [r2+17]\njset64 r2, 1, bad\n{PASS}bad:\n{broken}"


def check_that_only_its_runs_end(guests: Guests, code: bytes, engine: str) -> None:
    """The others pass, in order, in whatever batch they came."""
    with guests.running(Order(bundles=(bundle_of(code, kind="filter"),), engine=engine)) as running:
        sent = frames(100)
        running.inside.send(*sent)
        assert running.outside.receive(50) == sent[::2]
        told = running.state(100)
        assert told | {"engine": engine, "fault": "50", "canary": "whole", "writable_code": "0"} == told


@pytest.mark.parametrize(("guests", "place"), PLACES, indirect=["guests"])
def test_a_wild_write_ends_only_its_run(guests: Guests, place: str, assembler: Assembler, engine: str) -> None:
    broken = wild_write(guests.address(place))
    check_that_only_its_runs_end(guests, assembler.assemble(every_second_frame(broken))[0], engine)


@pytest.mark.parametrize("address", [CANARY, 0, 0x8000000000000000], ids=["no code", "null page", "no address"])
def test_a_wild_jump_ends_only_its_run(guests: Guests, address: int, assembler: Assembler) -> None:
    """Native code returns to where it should not: it has written over its own return address."""
    broken = f"lddw r1, {address:#x}\n{OVER_RETURN_ADDRESSES}{PASS}"
    check_that_only_its_runs_end(guests, assembler.assemble(every_second_frame(broken))[0], "jit")


def test_a_bad_program_is_rolled_back(guests: Guests, assembler: Assembler, engine: str) -> None:
    good = bundle_of(assembler.assemble(PASS)[0], kind="filter")
    broken = bundle_of(assembler.assemble(wild_write(CANARY))[0], kind="filter")
    with guests.running(Order(bundles=(good, broken), engine=engine, after=128)) as running:
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
    BundleMap(name="count", type=MapType.ARRAY, key_size=4, value_size=8, max_entries=4, flags=0),
    BundleMap(name="seen", type=MapType.HASH, key_size=4, value_size=8, max_entries=4, flags=0),
)


def test_a_good_program_does_under_isolation_what_it_does_without(
    guests: Guests, folder: Path, assembler: Assembler, engine: str, bin_directory: Path
) -> None:
    """Maps, the packet's head, console, random numbers, clock, checksums: everything that helpers write."""
    bundle = bundle_of(assembler.assemble(EVERYTHING)[0], MAPS)
    sent = frames(60)
    expected = [
        bytes.fromhex(run["packet"])
        for run in Runner(executable=bin_directory / "unibpf-run", directory=folder).run(bundle, sent)
    ]
    with guests.running(Order(bundles=(bundle,), engine=engine, element="BPFRewriter")) as running:
        running.inside.send(*sent)
        received = running.outside.receive(60)
        assert received == expected
        assert [struct.unpack_from("<Q", frame, 4)[0] for frame in received] == list(range(1, 61))
        told = running.state(60)
        assert told | {"fault": "0", "canary": "whole", "engine": engine} == told
        assert "bpf: n=1\n" in running.wait_for("bpf: ")


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


def test_a_guest_whose_cpu_has_no_keys_says_so(bin_directory: Path, folder: Path, assembler: Assembler) -> None:
    order = Order(bundles=(bundle_of(assembler.assemble(PASS)[0], kind="filter"),), engine="jit")
    kernel = bin_directory / "unibpf-test-image.elf"
    with running_vm(machine=MACHINES["microvm-old-cpu"], kernel=kernel, image=order.encode(), folder=folder) as vm:
        said = vm.wait_for("unibpf panic: test image: the graph has errors")
        assert "`fw`: ISOLATION pku needs a CPU with protection keys (PKU)" in said
