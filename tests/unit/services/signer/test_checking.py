"""The checker as the signer runs it: what it proves, and what is refused though it is safe."""

from pathlib import Path

import pytest

from services.signer.checking import EXECUTABLE, Checker
from services.signer.errors import EvidenceError
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from tests.support.programs.certificates import Tools

# 100 rounds, each of which sums up 512 bytes.
CHECKSUMS = """
mov64 r6, 0
mov64 r9, 0
again:
stxdw [r10-8], r9
mov64 r1, r10
add64 r1, -512
mov64 r2, 512
mov64 r3, 0
mov64 r4, 0
mov64 r5, 0
call_helper 28
add64 r6, 1
jlt64 r6, 100, again
mov64 r0, 2
exit
"""
FILLED = "\n".join(f"stdw [r10{at}], 0" for at in range(-512, 0, 8)) + CHECKSUMS


async def test_a_proof_counts_the_work_of_helpers_against_the_budget_of_guests(bin_directory: Path) -> None:
    bundle = bundle_of(Assembler(bin_directory / "unibpf-run").assemble(FILLED)[0])
    certificate = Tools(folder=bin_directory).certified(bundle)
    proof = await Checker(executable=bin_directory / EXECUTABLE).check(bundle, certificate)
    assert proof.instruction_bound < 1200
    assert proof.cost_bound == proof.instruction_bound + 100 * 512 // 8
    enough = Checker(executable=bin_directory / EXECUTABLE, budget=proof.cost_bound)
    assert (await enough.check(bundle, certificate)).cost_bound == proof.cost_bound
    with pytest.raises(EvidenceError, match=f"a packet may cost {proof.cost_bound} instructions") as refused:
        await Checker(executable=bin_directory / EXECUTABLE, budget=proof.cost_bound - 1).check(bundle, certificate)
    assert refused.value.rule == "certificate-budget"
