"""What we call safe the Linux kernel loads, and what it refuses we refuse; exceptions stand here by name, with their reason.

Over all of our own programs: those in C, linked by our front end, and the assembly of `tests/data/analyser`. The kernel may
load more than we do: it lets a privileged loader leak addresses, and it has more helpers.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.verifier.errors import Rejection
from services.verifier.frontend import frontend
from tests.lab import corpus
from tests.support.kernel import kernel_oracle
from tests.support.kernel.kernel_oracle import KernelRefusedError, Oracle
from tests.support.programs.analyser_cases import all_cases
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import Runner
from tests.support.programs.packets import boundary_packets
from unibpf.formats.bpf import INSN_BYTES, LDDW, SRC_FUNCTION, MapType
from unibpf.formats.bundle import Bundle, decode

pytestmark = pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")

# Safe here and refused by the kernel: name, part of what it says, and why we are right.
DIFFERENCES = {
    "context_egress": (
        "invalid bpf_context access off=20",
        "a guest shows the field to all programs; on `linux-xdp` we refuse it too (context_of_another_hook)",
    ),
    "constant_operands_of_guests": (
        "div by zero",
        "guests compute what RFC 9669 4.1 defines; on `linux-xdp` we refuse it too (constant_division_refused_by_linux)",
    ),
    "null_of_handles": (
        "R9 !read_ok",
        "the kernel does not use that `data_end` is never null and follows the branch that is never taken",
    ),
    "loop_nested": ("too complex", "the kernel follows every iteration, we prove that the counters end"),
    "loop_over_the_packet": ("too complex", "the kernel follows every iteration, we prove that the pointer ends"),
    "loop_of_options": (
        "R2 offset is outside of the packet",
        "the kernel bounds a packet offset by constants, we by the packet's end",
    ),
    "map_constant_data": ("subtraction from stack pointer prohibited", "a form that the kernel does not try to follow"),
    "packet_length_after_move": (
        "math between map_value pointer and register",
        "the kernel makes old packet pointers unknown numbers, we keep the distance between two of them",
    ),
    "packet_length_in_32_bits": (
        "R4 unbounded memory access",
        "the kernel makes halves of packet addresses unknown numbers, we keep the distance between two of them",
    ),
    "packet_length_by_subtraction": (
        "R2 offset is outside of the packet",
        "the kernel forgets the packet when `end - data` becomes a number, we keep the difference",
    ),
    "tests/data/operators/binary_search.c:by_distance": (
        "unbounded memory access",
        "the kernel does not relate the middle of an interval to its end",
    ),
    "tests/data/operators/binary_search.c:by_wide_distance": (
        "BPF program is too large",
        "the kernel follows every path through the search",
    ),
    "tests/data/operators/bounds_flags.c:port_after_options": (
        "R1 offset is outside of the packet",
        "the kernel makes a new pointer of the same sum, for which nothing was tested",
    ),
    "tests/data/operators/header_chains.c:last_byte_names_the_next": (
        "R1 offset is outside of the packet",
        "the kernel makes a new pointer of the same sum, for which nothing was tested",
    ),
    "tests/data/operators/header_chains.c:padded_attributes": (
        "R4 offset is outside of the packet",
        "the kernel does not relate a number to what it is when rounded up",
    ),
    "tests/data/operators/header_chains.c:left_by_complement": (
        "bitwise operator ^= on pointer prohibited",
        "the kernel knows no complement of an address",
    ),
    "tests/data/operators/nested_loops.c:three_deep": (
        "bitwise operator ^= on pointer prohibited",
        "the kernel knows no complement of an address",
    ),
    "tests/data/operators/nested_loops.c:tested_before_the_loop": (
        "R1 offset is outside of the packet",
        "the kernel does not relate what is left of a packet to a counter",
    ),
    "tests/data/operators/csum_variable.c:csum_variable": (
        "R3 offset is outside of the packet",
        "the kernel follows no sum of a pointer and a number to its comparison with `data_end`",
    ),
    "tests/data/operators/loops.c:from_the_end": (
        "pointer arithmetic on pkt_end prohibited",
        "the kernel follows no arithmetic on `data_end`, distances prove it",
    ),
    "tests/data/operators/shapes.c:minimum": (
        "R1 offset is outside of the packet",
        "the kernel does not relate `31 - n` to `n`, whose bounds are known",
    ),
    "tests/data/operators/shapes.c:arithmetic": (
        "unbounded min value",
        "the kernel knows no bounds of a remainder",
    ),
    "tests/data/operators/tables.c:heavy_hitters_by_modulo": (
        "unbounded min value",
        "the kernel knows no bounds of a remainder",
    ),
    "tests/data/operators/tcp.c:timestamp_option": (
        "offset is outside of the packet",
        "the kernel keeps no difference between the end of the options and the end of the packet",
    ),
    "tests/data/operators/tcp_options.c:tcp_options": (
        "R3 offset is outside of the packet",
        "the kernel follows no sum of a pointer and a number to its comparison with `data_end`",
    ),
    "pointer_moved_in_32_bits": ("R4 invalid mem access", "a guest's packet addresses fit 32 bits, Linux' do not"),
}


@dataclass(frozen=True)
class Verdicts:
    """Both verdicts; `reason` is the end of the kernel's log."""

    bundle: bytes
    safe: bool
    loads: bool
    reason: str


def verdicts(bundle: bytes, bin_directory: Path, platform: str = "guest", hook: str = "driver") -> Verdicts:
    command = [bin_directory / "unibpf-analyse", "--platform", platform, "--hook", hook]
    done = subprocess.run(command, input=bundle, capture_output=True, check=True)
    safe = json.loads(done.stdout)["verdict"] == "safe"
    try:
        with Oracle(bundle=decode(bundle), hook=hook):
            return Verdicts(bundle, safe, loads=True, reason="")
    except (KernelRefusedError, OSError) as error:  # a program, or one of its maps
        return Verdicts(bundle, safe, loads=False, reason=str(error))


def needs_an_object(bundle: Bundle) -> bool:
    """The kernel wants a description of callbacks and locks, and the targets of tail calls as programs of their own.

    test_kernel_xdp.py runs such programs in the kernel.
    """
    described = any(one.lock is not None or (one.type == MapType.PROG_ARRAY and one.entries) for one in bundle.maps)
    slots = [bundle.code[at : at + INSN_BYTES] for at in range(0, len(bundle.code), INSN_BYTES)]
    return described or any(slot[0] == LDDW and slot[1] >> 4 == SRC_FUNCTION for slot in slots)


@pytest.fixture(scope="module")
def compared(bin_directory: Path, assembler: Assembler) -> dict[str, Verdicts]:
    found: dict[str, Verdicts] = {}
    for sample in (*corpus.own(), *corpus.operators()):
        choice = frontend.Options(section=sample.section, function=sample.function, platform=sample.platform)
        try:
            bundle = frontend.translate(sample.data, choice).bundle
        except Rejection:
            continue  # refused before anybody can load it
        if not needs_an_object(decode(bundle)):
            found[sample.name] = verdicts(bundle, bin_directory, sample.platform)
    for case in all_cases():
        if not needs_an_object(decode(case.bundle(assembler))):
            found[case.name] = verdicts(case.bundle(assembler), bin_directory, case.platform, case.hook)
    return found


def test_the_kernel_loads_whatever_we_call_safe_but_for_the_named(compared: dict[str, Verdicts]) -> None:
    refused = {name: one.reason[-300:] for name, one in compared.items() if one.safe and not one.loads}
    assert {name: text for name, text in refused.items() if name not in DIFFERENCES} == {}


def test_every_named_difference_is_one_and_for_the_reason_given(compared: dict[str, Verdicts]) -> None:
    for name, (said, _) in DIFFERENCES.items():
        assert compared[name].safe, name
        assert said in compared[name].reason, name


def test_a_named_difference_survives_packets_of_every_length(compared: dict[str, Verdicts], runner: Runner) -> None:
    packets = boundary_packets()
    for name in DIFFERENCES:
        reports = runner.run(compared[name].bundle, packets)
        assert [report["trap"] for report in reports] == [None] * len(packets), name


def test_both_refuse_programs_for_the_packets_bounds(compared: dict[str, Verdicts]) -> None:
    outside = {name for name, one in compared.items() if "outside of the packet" in one.reason}
    assert len(outside) >= 8
    assert {name for name in outside if compared[name].safe} <= DIFFERENCES.keys()
