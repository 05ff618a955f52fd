"""Rounded lengths and sums that are computed again: proved, and no neighbour passes by that proof."""

from pathlib import Path

import pytest

from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from tests.support.programs.certificates import Tools

START = """
ldxw r2, [r1+0]
ldxw r3, [r1+4]
mov64 r4, r2
add64 r4, 2
jgt64 r4, r3, out
ldxb r5, [r2+0]
ldxb r6, [r2+1]
"""
END = """
mov64 r0, 2
exit
out:
mov64 r0, 1
exit
"""
ROUNDED = f"""{START}
mov64 r6, r5
add64 r6, 3
and64 r6, -4
mov64 r4, r2
add64 r4, r6
jgt64 r4, r3, out
jlt64 r5, 8, out
ldxb r0, [r2+7]
{END}"""
AGAIN = f"""{START}
jeq64 r5, 0, out
mov64 r4, r2
add64 r4, r5
jgt64 r4, r3, out
add64 r2, r5
ldxb r0, [r2-1]
{END}"""
CHANGES = [
    (ROUNDED, "[r2+7]", "[r2+8]"),
    (ROUNDED, "and64 r6, -4", "and64 r6, -16"),
    (ROUNDED, "and64 r6, -4", "and64 r6, 252"),
    (ROUNDED, "and64 r6, -4", "and32 r6, 7"),
    (ROUNDED, "add64 r6, 3", "add64 r6, -5"),
    (ROUNDED, "add64 r6, 3", "add64 r6, -256"),
    (ROUNDED, "jlt64 r5, 8", "jlt64 r5, 4"),
    (AGAIN, "[r2-1]", "[r2+0]"),
    (AGAIN, "[r2-1]", "[r2-2]"),
    (AGAIN, "add64 r2, r5", "add64 r2, r6"),
    (AGAIN, "add64 r4, r5", "add64 r4, r6"),
    (AGAIN, "add64 r2, r5", "sub64 r2, r5"),
    (AGAIN, "add64 r4, r5", "sub64 r4, r5"),
]


@pytest.fixture(scope="session")
def tools(bin_directory: Path) -> Tools:
    return Tools(folder=bin_directory)


@pytest.fixture(scope="session")
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


def bundle(assembler: Assembler, text: str) -> bytes:
    return bundle_of(assembler.assemble(text)[0])


@pytest.mark.parametrize(("text", "part", "other"), CHANGES, ids=[f"{part} for {other}" for _, part, other in CHANGES])
def test_the_proof_of_a_length_proves_no_neighbour(
    text: str, part: str, other: str, tools: Tools, assembler: Assembler
) -> None:
    certificate = tools.certified(bundle(assembler, text))
    assert part in text
    answer = tools.check(bundle(assembler, text.replace(part, other)), certificate)
    assert (answer["verdict"], answer["rule"]) == ("refused", "certificate-unproved"), answer
