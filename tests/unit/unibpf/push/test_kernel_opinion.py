"""unibpf/push/kernel_opinion.py: three answers of this machine's kernel, and the process that asks it."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.support.kernel.kernel_oracle import available
from tests.support.programs import analyser_cases
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap
from unibpf.push import kernel_opinion
from unibpf.push.kernel_opinion import Answer, of_refusal

TWO = bytes.fromhex("b7000000020000009500000000000000")  # return 2
ASKED = pytest.mark.skipif(not available(), reason="loading programs into the kernel needs CAP_BPF")


def case(name: str, bin_directory: Path) -> bytes:
    found = analyser_cases.read(analyser_cases.DATA / f"{name}.case")
    return found.bundle(Assembler(bin_directory / "unibpf-run"))


def child(data: bytes, *before: str, hook: str = "driver") -> Answer:
    command = [*before, sys.executable, "-m", "unibpf.push.kernel_opinion", hook]
    done = subprocess.run(command, input=data, capture_output=True, check=True, env=os.environ)
    return msgspec.json.decode(done.stdout, type=Answer)


@ASKED
def test_it_accepts_what_it_loads() -> None:
    assert child(bundle_of(TWO)) == Answer(accepts=True)


@ASKED
@pytest.mark.parametrize(
    ("name", "said"),
    [  # what the analyser once believed, as programs that read packets (docs/soundness.md)
        ("load_signed_of_half_a_pointer", "math between pkt pointer"),
        ("null_of_a_far_pointer", "math between map_value pointer"),
        ("null_of_functions", "invalid mem access"),
        ("context_signed_data", "invalid bpf_context access"),
    ],
)
def test_it_refuses_the_holes_that_were_found_in_its_own_words(name: str, said: str, bin_directory: Path) -> None:
    answer = kernel_opinion.answer(case(name, bin_directory), "driver")
    assert answer.accepts is False
    assert said in answer.said


@ASKED
@pytest.mark.parametrize("name", ["for_each_reads_key_and_value", "lock_around_an_update", "tail_call_returns"])
def test_callbacks_locks_and_tail_calls_are_judged_like_all_else(name: str, bin_directory: Path) -> None:
    assert kernel_opinion.answer(case(name, bin_directory), "driver").accepts is True


@ASKED
@pytest.mark.parametrize(
    ("code", "maps", "said"),
    [
        ("85000000e8030000b7000000020000009500000000000000", [], "no such helper: invalid func unknown#1000"),
        (
            "b7000000020000009500000000000000",
            [BundleMap(name="m", type=MapType.HASH, key_size=4, value_size=1 << 16, max_entries=1 << 20)],
            "not asked: its maps take",
        ),
        (
            "b7000000020000009500000000000000",
            [BundleMap(name="routes", type=MapType.LPM_TRIE, key_size=8, value_size=8, max_entries=8)],
            "it does not take map `routes`: Invalid argument",
        ),
    ],
)
def test_it_cannot_say_of_what_it_lacks(code: str, maps: list[BundleMap], said: str) -> None:
    answer = kernel_opinion.answer(bundle_of(bytes.fromhex(code), maps), "driver")
    assert answer.accepts is None
    assert said in answer.said


@ASKED
def test_who_may_not_ask_is_told_so_and_has_no_opinion() -> None:
    answer = child(bundle_of(TWO), "setpriv", "--bounding-set=-all", "--inh-caps=-all")
    assert answer == Answer(accepts=None, said="loading programs needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN")


@pytest.mark.parametrize("data", [b"", b"\x83", bytes(64), bytes(kernel_opinion.MAX_BUNDLE + 9)])
def test_bytes_that_are_no_bundle_are_not_asked_about(data: bytes) -> None:
    answer = child(data)
    assert answer.accepts is None
    assert answer.said.startswith("not asked: this is no bundle")


@pytest.mark.parametrize(
    ("number", "log", "accepts"),
    [
        (errno.EACCES, "0: (61) r0 = *(u8 *)(r1 +0)\nR1 offset is outside of the packet\nprocessed 3 insns", False),
        (errno.EINVAL, "infinite loop detected at insn 4\n", False),
        (errno.EINVAL, "back-edge from insn 4 to 0\n", None),
        (errno.E2BIG, "BPF program is too large. Processed 1000001 insn\n", None),
        (errno.EFAULT, "The sequence of 8193 jumps is too complex.\n", None),
        (errno.EINVAL, "unknown func bpf_loop#181\n", None),
        (errno.EINVAL, "program of this type cannot use helper bpf_loop#181\n", None),
        (errno.EINVAL, "map 'm' has to have BTF in order to use bpf_spin_lock\n", None),
        (errno.EINVAL, "unknown opcode 0e\n", None),
        (errno.EPERM, "", None),
        (errno.EINVAL, "", None),
        (errno.E2BIG, "", None),
        (9999, "", None),
    ],
)
def test_limits_and_what_is_unknown_are_kept_apart_from_faults(number: int, log: str, accepts: bool | None) -> None:
    answer = of_refusal(number, log)
    assert answer.accepts is accepts
    assert answer.said
    assert "processed 3 insns" not in answer.said
