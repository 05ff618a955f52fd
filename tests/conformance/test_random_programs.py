"""Random programs from the opcode table end alike under both policies, as native code, and in the Linux kernel."""

import random

import pytest

from tests.support.kernel import kernel_oracle
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import ENGINES, Runner, bundle_of
from tests.support.programs.random_programs import program
from unibpf.formats.bundle import decode


@pytest.mark.parametrize("seed", range(40))
def test_engines_and_kernel_end_a_random_program_alike(seed: int, assembler: Assembler, runner: Runner) -> None:
    code, used = assembler.assemble(program(random.Random(seed), assembler.rows))
    data = bundle_of(code)
    ends = {engine: runner.run(data, engine=engine)[0]["verdict_code"] for engine in ENGINES}
    assert len(set(ends.values())) == 1, ends
    assert len(set(used)) > 30
    if kernel_oracle.available():
        with kernel_oracle.Oracle(bundle=decode(data)) as kernel:
            assert hex(kernel.run(bytes(64)).code) == hex(ends["jit"] & 0xFFFF_FFFF)
