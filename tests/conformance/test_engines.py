"""Interpreter (both policies) and JIT do what RFC 9669 says, for every row of the opcode table."""

import pytest

from tests.conformance.cases import Case, all_cases, maps_of
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import ENGINES, Runner, bundle_of

CASES = all_cases()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_ends_as_its_file_says(case: Case, engine: str, assembler: Assembler, runner: Runner) -> None:
    if case.checking_only and engine != "checking":
        return  # the file says why: without checks the program would touch foreign memory
    code, _ = assembler.assemble(case.code)
    bundle = bundle_of(code, maps_of(case, assembler.labels(case.code)), kind=case.kind)
    [report] = runner.run(bundle, [case.packet], engine=engine)
    if case.trap is not None:
        assert report["trap"] is not None
        assert report["trap"]["kind"] == case.trap
        return
    assert report["trap"] is None
    assert hex(report["verdict_code"]) == hex(case.result or 0)
    if case.packet_out is not None:
        assert report["packet"] == case.packet_out.hex()
    for name, key, value in case.values:
        entries = {entry["key"]: entry["value"] for entry in report["maps"][name]["entries"]}
        assert entries.get(key, "none") == value


def test_every_row_of_the_opcode_table_has_a_case_named_after_it(assembler: Assembler) -> None:
    shown = {case.name.partition(".")[0]: set(assembler.assemble(case.code)[1]) for case in CASES}
    missing = {row for row in assembler.rows if row not in shown.get(row, set())}
    assert missing == set()
