"""Interpreter (both policies) and JIT do what RFC 9669 says, for every row of the opcode table."""

import re
from pathlib import Path

import pytest

from tests.conformance.cases import Case, all_cases, maps_of
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import ENGINES, Runner, bundle_of

CASES = all_cases()
ABI = (Path(__file__).parents[2] / "guest/bpf/bundle/abi.hpp").read_text()
XDP = "".join(
    path.read_text() for path in sorted((Path(__file__).parent / "xdp").glob("*.[ch]"))
)  # run by test_kernel_xdp.py


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


def test_every_helper_of_a_guest_has_a_case() -> None:
    numbers = dict(
        re.findall(r"\b(\w+) = (\d+)", ABI[ABI.index("enum class Helper") : ABI.index("enum class Argument")])
    )
    rows = re.findall(r'^    \{Helper::(\w+), "(bpf_\w+)"', ABI, re.MULTILINE)
    called = {number for case in CASES for number in re.findall(r"\bcall_helper (\d+)", case.code)}
    missing = [name for row, name in rows if numbers[row] not in called and not re.search(rf"\b{name}\(", XDP)]
    assert len(rows) > 30
    assert missing == []


def test_every_map_type_of_a_guest_has_a_case() -> None:
    numbers = dict(
        re.findall(r"\b(\w+) = (\d+)", ABI[ABI.index("enum class MapType") : ABI.index("map_flag_no_prealloc")])
    )
    rows = re.findall(r'^    \{MapType::\w+, "(\w+)"', ABI, re.MULTILINE)
    used = {str(one.type) for case in CASES for one in case.maps}
    missing = [name for name in rows if numbers[name] not in used and f"BPF_MAP_TYPE_{name.upper()}" not in XDP]
    assert len(rows) > 10
    assert missing == []
