"""The Linux kernel agrees with every conformance case that it can run: the files are not our own opinion."""

import pytest

from tests.conformance.cases import Case, all_cases
from tests.support.kernel import kernel_oracle
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from unibpf.formats.bundle import decode

CASES = [case for case in all_cases() if not case.no_kernel]

pytestmark = pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_kernel_ends_a_case_as_its_file_says(case: Case, assembler: Assembler) -> None:
    code, _ = assembler.assemble(case.code)
    with kernel_oracle.Oracle(bundle=decode(bundle_of(code, case.maps, kind=case.kind))) as kernel:
        run = kernel.run(case.packet)
        assert case.result is not None
        assert hex(run.code) == hex(case.result & 0xFFFF_FFFF)
        if case.packet_out is not None:
            assert run.packet == case.packet_out
        for name, key, value in case.values:
            assert kernel.entries(name).get(key, "none") == value
