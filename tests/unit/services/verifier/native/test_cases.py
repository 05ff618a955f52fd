"""The analyser's verdicts on the programs of `tests/data/analyser`, and on what is left of them without their checks.

Mutation: without a `# check` line a safe program must be refused.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.analyser_cases import Case, all_cases
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from unibpf.formats.bundle import Bundle, encode

CASES = all_cases()
MUTANTS = [
    pytest.param(case, at, id=f"{case.name}-{at}") for case in CASES if case.verdict == "safe" for at in case.checks()
]


@pytest.fixture(scope="session")
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


def analyse(bin_directory: Path, bundle: bytes, *options: str) -> dict[str, Any]:
    done = subprocess.run([bin_directory / "unibpf-analyse", *options], input=bundle, capture_output=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict_is_what_the_file_says(case: Case, bin_directory: Path, assembler: Assembler) -> None:
    report = analyse(bin_directory, case.bundle(assembler), "--platform", case.platform, "--hook", case.hook)
    assert report["verdict"] == case.verdict, report["findings"]
    if case.verdict == "safe":
        assert report["findings"] == []
        if case.details:
            assert str(report["instruction_bound"] or "none") == case.details[0]
        return
    [rule, instruction, *words] = case.details
    finding = report["findings"][0]
    assert (finding["rule"], finding["instruction"]) == (rule, int(instruction))
    assert " ".join(words) in finding["message"]
    assert finding["hint"]
    assert not finding["message"].endswith(".")


@pytest.mark.parametrize(("case", "line"), MUTANTS)
def test_program_without_its_check_is_refused(case: Case, line: int, bin_directory: Path, assembler: Assembler) -> None:
    mutant = case.bundle(assembler, without=line)
    assert analyse(bin_directory, mutant, "--platform", case.platform, "--hook", case.hook)["verdict"] == "unsafe"


def test_every_rule_about_code_has_a_case() -> None:
    source = (Path(__file__).parents[5] / "services/verifier/native/findings/rules.hpp").read_text()
    rules = set(re.findall(r'\{Rule::\w+, "([a-z-]+)"', source))
    # found where no bundle gets: `malformed` in the bytes, `unsupported` and `limits` by what programs do to the analyser
    elsewhere = {"malformed", "unsupported", "limits"}
    assert rules - elsewhere - {case.details[0] for case in CASES if case.verdict != "safe"} == set()


def test_bytes_that_are_no_bundle_are_unsupported_and_say_why(bin_directory: Path) -> None:
    for junk in (b"", b"\xff", b"\xa0", bytes(100), b"\x7fELF", bytes((1 << 20) + 1)):
        report = analyse(bin_directory, junk)
        assert report["verdict"] == "unsupported"
        assert report["findings"][0]["rule"] == "malformed"
        assert report["findings"][0]["message"]


def test_a_loop_without_a_bound_is_accepted_only_where_termination_is_off(
    bin_directory: Path, assembler: Assembler
) -> None:
    code, _ = assembler.assemble("mov64 r0, 1\nagain:\nadd64 r0, 2\njne64 r0, 0, again\nexit")
    assert analyse(bin_directory, bundle_of(code))["findings"][0]["rule"] == "termination"
    assert analyse(bin_directory, bundle_of(code), "--termination", "off")["verdict"] == "safe"


def test_recursion_is_refused(bin_directory: Path, assembler: Assembler) -> None:
    code, _ = assembler.assemble("call_local again\nexit\nagain:\ncall_local again\nexit")
    assert analyse(bin_directory, bundle_of(code))["findings"][0]["rule"] == "call-depth"


def test_usage_errors_exit_with_2(bin_directory: Path) -> None:
    for arguments in (["--platform", "windows"], ["--termination"], ["--max-seconds", "-1"], ["surplus"]):
        done = subprocess.run(
            [bin_directory / "unibpf-analyse", *arguments], input=b"", capture_output=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, b"")


def test_a_bundle_that_the_guest_would_not_load_is_not_called_safe(bin_directory: Path, assembler: Assembler) -> None:
    code, _ = assembler.assemble("call_helper 7\nexit")
    bundle = encode(Bundle(name="test", kind="filter", code=code, helpers=(5, 7), outputs=1, stack=0))
    report = analyse(bin_directory, bundle)
    assert (report["verdict"], report["findings"][0]["rule"]) == ("unsupported", "malformed")


def test_invariants_are_reported_on_demand(bin_directory: Path, assembler: Assembler) -> None:
    code, _ = assembler.assemble("mov64 r6, 7\ncall_helper 7\nand64 r0, 3\nadd64 r0, r6\nexit")
    assert "invariants" not in analyse(bin_directory, bundle_of(code))
    report = analyse(bin_directory, bundle_of(code), "--invariants", "on")
    known = {row["instruction"]: row["known"] for row in report["invariants"]}
    assert "r0 = number in [0, 3]" in known[3]
    assert "r0 = number in [7, 10]" in known[4]
