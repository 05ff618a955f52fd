"""What is left of the packet by the complement of an address: proved, and no neighbour passes by that proof."""

from pathlib import Path

import pytest

from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from tests.support.programs.certificates import Tools

LEFT = """
mov64 r9, r1
ldxw r2, [r1+0]
ldxw r3, [r1+4]
mov64 r4, r2
add64 r4, 1
jgt64 r4, r3, out
ldxb r5, [r2+0]
mov64 r6, r2
xor64 r6, -1
add64 r6, r3
jle64 r6, r5, out
add64 r2, r5
ldxb r0, [r2+1]
mov64 r0, 2
exit
out:
mov64 r0, 1
exit
"""
CHANGES = {
    "a byte after the end": ("[r2+1]", "[r2+2]"),
    "a byte before the packet": ("[r2+1]", "[r2-1]"),
    "another mask": ("xor64 r6, -1", "xor64 r6, -2"),
    "half an address": ("xor64 r6, -1", "xor32 r6, -1"),
    "half a sum": ("add64 r6, r3", "add32 r6, r3"),
    "a complement less an address": ("add64 r6, r3", "sub64 r6, r3"),
    "twice the complement": ("add64 r6, r3", "add64 r6, r6"),
    "the complement alone": ("add64 r6, r3", "add64 r6, 0"),
    "the complement of the context": ("mov64 r6, r2", "mov64 r6, r9"),
    "the complement of the frame": ("mov64 r6, r2", "mov64 r6, r10"),
    "an address of the frame": ("add64 r6, r3", "add64 r6, r10"),
    "the complement of the end": ("mov64 r6, r2", "mov64 r6, r3"),
}
MOVED = """
mov64 r7, r1
ldxw r8, [r1+0]
{turn}
mov64 r2, -8
call_helper 44
ldxw r3, [r7+4]
add64 r8, r3
mov64 r0, 2
exit
"""


@pytest.fixture(scope="session")
def tools(bin_directory: Path) -> Tools:
    return Tools(folder=bin_directory)


@pytest.fixture(scope="session")
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


def bundle(assembler: Assembler, text: str) -> bytes:
    return bundle_of(assembler.assemble(text)[0])


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_proof_by_a_complement_proves_no_neighbour(
    change: tuple[str, str], tools: Tools, assembler: Assembler
) -> None:
    certificate = tools.certified(bundle(assembler, LEFT))
    assert change[0] in LEFT
    answer = tools.check(bundle(assembler, LEFT.replace(*change)), certificate)
    assert (answer["verdict"], answer["rule"]) == ("refused", "certificate-unproved"), answer


def test_a_complement_is_forgotten_when_the_packet_moves(tools: Tools, assembler: Assembler) -> None:
    certificate = tools.certified(bundle(assembler, MOVED.format(turn="mov64 r8, 0")))
    answer = tools.check(bundle(assembler, MOVED.format(turn="xor64 r8, -1")), certificate)
    assert (answer["verdict"], answer["rule"]) == ("refused", "certificate-unproved"), answer
